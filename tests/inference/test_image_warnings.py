"""Remarks on films: the same as one by one, and from the header what it says."""

from functools import partial

import numpy as np
import pytest

from pneumoscope.inference.films import FilmInput
from pneumoscope.inference.image_warnings import WARNINGS, merge_codes, of_header, of_pixels
from pneumoscope.inference.loading import load_films
from pneumoscope.records import InputSpec

CHILDREN = {"youngest": 1.0, "oldest": 5.0}
ADULTS = {"youngest": 18.0, "oldest": 90.0}


def test_many_films_are_judged_as_one_by_one(chests: np.ndarray) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, 64, 64), dtype=np.uint8)
    turned = np.rot90(chests[:4], 1, (1, 2))
    films = np.concatenate([chests, 255 - chests[:4], turned, noise, np.full_like(noise, 7)])
    found = of_pixels(films)
    assert found == [of_pixels(film[None])[0] for film in films]
    assert {code for codes in found for code in codes} == {
        *("CONSTANT", "NOT-CHEST-LIKE", "INVERTED", "ROTATED"),
    }


def test_pixels_say_what_is_odd_and_stay_as_they_are(chests: np.ndarray) -> None:
    film = chests[0].copy()
    turned, noise = (
        film[::-1, ::-1],
        np.random.default_rng(0).integers(0, 256, film.shape, np.uint8),
    )
    films = np.stack([film, 255 - film, turned, np.zeros_like(film), noise])
    before = films.copy()
    assert of_pixels(films) == [
        *((), ("INVERTED",), ("ROTATED",)),
        *(("CONSTANT",), ("NOT-CHEST-LIKE",)),
    ]
    assert np.array_equal(films, before)


@pytest.mark.parametrize(
    ("facts", "population", "codes"),
    [
        ({}, {}, ()),
        ({"view": "PA", "modality": "DX", "age": 50.0}, {}, ()),
        ({"view": "LL"}, {}, ("LATERAL",)),
        ({"view": "LLD"}, {}, ()),  # lying on the left side, still frontal
        ({"modality": "CT"}, {}, ("OTHER-MODALITY",)),
        ({"age": 50.0}, CHILDREN, ("ADULT",)),
        ({"age": 17.9}, CHILDREN, ()),
        ({"age": 0.5}, ADULTS, ("CHILD",)),
        ({"age": 18}, ADULTS, ()),
        ({"age": 3.0}, {"youngest": 1, "oldest": 80}, ()),
        ({"age": 50.0}, {"youngest": None, "oldest": "5"}, ()),
    ],
)
def test_the_header_is_believed(facts: dict, population: dict, codes: tuple[str, ...]) -> None:
    assert of_header(facts, population) == codes


def test_the_gravest_stand_first_and_once() -> None:
    everything = tuple(reversed(WARNINGS))
    assert merge_codes(everything, ("SMALL",)) == tuple(WARNINGS)


def test_films_below_the_stored_side_are_remarked_upon(chests: np.ndarray) -> None:
    given = [FilmInput("a", chests[0]), FilmInput("b", chests[1][:, :60])]
    found = [film.findings for film in load_films(given, InputSpec(64, 64), {})]
    assert "SMALL" not in found[0] and "SMALL" in found[1]


def test_a_padded_film_is_judged_by_its_own_frame(chests: np.ndarray) -> None:
    """Black bars of padding are the network's matter; appearance is judged without them."""
    tall = np.repeat(chests[0], 3, axis=0)
    (squashed,) = load_films([FilmInput("a", tall)], InputSpec(40, 40, "squash"), {})
    (padded,) = load_films([FilmInput("a", tall)], InputSpec(40, 40, "pad"), {})
    assert squashed.findings == padded.findings == ()
    assert padded.square is not None and not padded.square[:, 0].any()


def test_several_threads_load_what_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many cores a test process has."""
    rng = np.random.default_rng(0)
    given = [FilmInput(str(i), rng.integers(0, 256, (50, 40), np.uint8)) for i in range(70)]
    loaded = []
    for count in (1, 4):
        monkeypatch.setattr("pneumoscope.inference.loading.cores", partial(int, count))
        loaded.append(list(load_films(given, InputSpec(32, 32), {})))
    one, several = loaded
    assert [film.name for film in several] == [film.name for film in given]
    for a, b in zip(one, several, strict=True):
        assert (a.name, a.findings, a.error) == (b.name, b.findings, b.error)
        np.testing.assert_array_equal(a.square, b.square)
