"""The gate: what is no upright frontal chest film is withheld, and says why."""

from __future__ import annotations

from dataclasses import replace
from itertools import compress

import numpy as np
import pytest
from benchmarks.no_chest_films import PICTURES, TREATMENTS, pictures

from pneumoscope.imaging.geometry import fit_square
from pneumoscope.imaging.known.reference import make_reference
from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.imaging.thumbnails import thumbnails
from pneumoscope.inference.films import given_film
from pneumoscope.inference.image_warnings import WARNINGS, WITHHOLDING, of_pixels, withholding
from pneumoscope.inference.loading import load_films
from pneumoscope.records import Grey, InputSpec

SPEC = InputSpec(64, 64)


@pytest.fixture(scope="module")
def phantoms() -> list[Grey]:
    return [draw_phantom(31, i, label=i % 2, size=96).image for i in range(60)]


def findings_of(films: list[Grey]) -> list[tuple[str, ...]]:
    given = [given_film(str(place), film) for place, film in enumerate(films)]
    return [film.findings for film in load_films(given, SPEC, {})]


def test_of_forty_pictures_of_other_things_at_most_four_are_decided_none_unremarked() -> None:
    assert len(PICTURES) == 40 and len({kind for kind, _ in PICTURES.values()}) >= 8
    found = dict(zip(PICTURES, findings_of(list(pictures().values())), strict=True))
    assert not [name for name, codes in found.items() if not codes]
    assert len([name for name, codes in found.items() if withholding(codes) is None]) <= 4


def test_frontal_films_are_not_withheld_and_turned_ones_are(phantoms: list[Grey]) -> None:
    assert sum(withholding(codes) is not None for codes in findings_of(phantoms)) <= 1
    for name in ("turned by 90 degrees", "turned by 180 degrees", "inverted"):
        changed = [np.ascontiguousarray(TREATMENTS[name](film)) for film in phantoms]
        codes = [withholding(found) for found in findings_of(changed)]
        assert sum(code is None for code in codes) <= 1, name


def test_what_is_unlike_the_training_films_is_remarked_and_far_from_them_withheld(
    phantoms: list[Grey],
) -> None:
    films = np.stack([fit_square(film, SPEC) for film in phantoms])
    reference = make_reference(np.tile(films, (6, 1, 1)), ["train"] * 360)
    assert sum(bool(codes) for codes in of_pixels(films, reference)) <= 1
    plain = np.array([codes == () for codes in of_pixels(films)])
    far = reference.distances(thumbnails(films))
    bounds = np.quantile(far, [0.5, 0.8]).astype(np.float32)
    found = of_pixels(films, replace(reference, bounds=bounds))
    for codes, distance in zip(compress(found, plain), far[plain], strict=True):
        beyond = ("FAR-FROM-TRAINING",) if distance > bounds[1] else ("UNLIKE-TRAINING",)
        assert codes == (beyond if distance > bounds[0] else ())


def test_the_gravest_code_is_the_reason() -> None:
    assert set(WARNINGS) >= WITHHOLDING
    assert withholding(("SMALL", "ADULT", "UNLIKE-TRAINING", "CUT-OUT")) is None
    assert withholding(("ROTATED", "LATERAL", "SMALL")) == "LATERAL"
