"""The training reference, and the search for films that two sets share."""

from __future__ import annotations

import errno
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.helpers.processes import python

from pneumoscope.errors import BadWeights, DiskFull
from pneumoscope.imaging.geometry import fit_square
from pneumoscope.imaging.known.reference import (
    LEAST_FILMS,
    Reference,
    coarse_cells,
    load_reference,
    make_reference,
    save_reference,
)
from pneumoscope.imaging.known.shared import find_shared, splits_shared
from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.imaging.thumbnails import thumbnails
from pneumoscope.records import Grey, InputSpec

SPLITS = ["train"] * 40 + ["val"] * 10 + ["test"] * 10 + [None] * 4
WIDE = 1.35


@pytest.fixture(scope="module")
def wide() -> list[Grey]:
    """64 films, stretched to 1.35 times as wide as high."""
    films = [draw_phantom(21, i, label=i % 2, size=96).image for i in range(len(SPLITS))]
    return [np.asarray(Image.fromarray(film).resize((int(96 * WIDE), 96))) for film in films]


@pytest.fixture(scope="module")
def looks(wide: list[Grey]) -> Grey:
    return np.stack([fit_square(film, InputSpec(48, 48)) for film in wide])


@pytest.fixture(scope="module")
def reference(looks: Grey) -> Reference:
    return make_reference(looks, SPLITS)


def strangers(count: int, seed: int = 77) -> Grey:
    drawn = (draw_phantom(seed, i, label=i % 2, size=64).image for i in range(count))
    return np.stack([fit_square(film, InputSpec(48, 48)) for film in drawn])


def test_films_are_found_whole_small_and_cropped_to_their_middle(
    reference: Reference, wide: list[Grey], looks: Grey
) -> None:
    side = wide[0].shape[0]
    left = (wide[0].shape[1] - side) // 2
    middles = np.stack(
        [fit_square(film[:, left : left + side], InputSpec(28, 28)) for film in wide]
    )
    for films in (looks, thumbnails(looks, 28), middles, (looks * 0.85 + 20).astype(np.uint8)):
        found = find_shared(films, reference)
        assert (found == np.arange(len(films))).mean() >= 0.95
        assert set(found[found != np.arange(len(films))]) <= {-1}


def test_a_whole_film_is_found_where_the_reference_holds_its_middle(
    wide: list[Grey], looks: Grey
) -> None:
    side = wide[0].shape[0]
    left = (wide[0].shape[1] - side) // 2
    middles = [fit_square(film[:, left : left + side], InputSpec(48, 48)) for film in wide]
    found = find_shared(looks, make_reference(np.stack(middles), SPLITS))
    assert (found == np.arange(len(looks))).mean() >= 0.75  # phantoms are alike in their middles
    assert set(found[found != np.arange(len(looks))]) <= {-1}


def test_strangers_and_what_shows_nothing_are_not_found(reference: Reference) -> None:
    films = strangers(60)
    assert (find_shared(films, reference) == -1).all()
    assert (find_shared(films[:, :, ::-1], reference) == -1).all()
    blank = np.full((3, 48, 48), 90, np.uint8)
    assert (find_shared(blank, reference) == -1).all()
    assert find_shared(films[:0], reference).shape == (0,)


def test_of_many_films_the_rest_is_looked_for_where_some_were_found(
    reference: Reference, looks: Grey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pneumoscope.imaging.known.shared._SOME", 8)
    assert (find_shared(looks, reference) == np.arange(len(looks))).all()


def test_splits_are_those_of_the_gravest_of_several_models(
    reference: Reference, looks: Grey
) -> None:
    found = splits_shared(np.concatenate([looks, strangers(2)]), [reference])
    assert found.tolist() == [split or "none" for split in SPLITS] + [None, None]
    other = replace(reference, splits=reference.splits[::-1].copy())  # another fold of the set
    both = splits_shared(looks, [reference, other]).tolist()
    assert both[:40] == ["train"] * 40 and both[-4:] == ["train"] * 4
    apart = splits_shared(looks, [make_reference(strangers(20), ["train"] * 20), reference])
    assert apart.tolist() == found[: len(looks)].tolist()


def test_the_file_is_small_anonymous_and_comes_back(reference: Reference, tmp_path: Path) -> None:
    file = tmp_path / "reference.npz"
    assert load_reference(file) is None
    save_reference(file, reference)
    again = load_reference(file)
    assert again is not None and len(again) == len(SPLITS)
    for name in ("codes", "steps", "splits", "mean", "precision", "bounds"):
        assert np.array_equal(getattr(again, name), getattr(reference, name))
    assert file.stat().st_size < 250 * len(SPLITS) + 8_000
    with np.load(file, allow_pickle=False) as found:
        assert all(found[name].dtype.kind in "iuf" for name in found)  # numbers alone
        assert found["codes"][0].size == 144  # no film but a blur of 12 by 12


def test_another_version_is_not_known_and_damage_is_said(
    reference: Reference, tmp_path: Path
) -> None:
    file = tmp_path / "reference.npz"
    save_reference(file, reference)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadWeights, match="reference is damaged"):
        load_reference(file)
    np.savez(file, schema=np.array(99))
    assert load_reference(file) is None
    np.savez(file, schema=np.array(1), codes=np.zeros(3))
    with pytest.raises(BadWeights):
        load_reference(file)


KILLED = """
import os, signal, sys
from pathlib import Path
from pneumoscope.imaging.known.reference import load_reference, save_reference
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
place, name = {"flushed": (os, "fsync"), "moved": (Path, "replace")}[sys.argv[1]]
setattr(place, name, die)
save_reference(Path(sys.argv[3]), load_reference(Path(sys.argv[2])))
"""


@pytest.mark.parametrize("moment", ["flushed", "moved"])
def test_a_kill_while_it_is_written_leaves_none_or_the_old_one(
    reference: Reference, tmp_path: Path, moment: str
) -> None:
    whole, new = tmp_path / "whole.npz", tmp_path / "reference.npz"
    save_reference(whole, reference)
    assert python(KILLED, moment, whole, new).returncode == -signal.SIGKILL
    assert load_reference(new) is None
    new.write_bytes(whole.read_bytes())
    assert python(KILLED, moment, whole, new).returncode == -signal.SIGKILL
    found = load_reference(new)
    assert found is not None and np.array_equal(found.codes, reference.codes)


def test_a_full_disk_leaves_the_old_one(
    reference: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    file = tmp_path / "reference.npz"
    save_reference(file, reference)
    monkeypatch.setattr(os, "fsync", full)
    for place in (file, tmp_path / "other.npz"):
        with pytest.raises(DiskFull):
            save_reference(place, reference)
    assert [path.name for path in tmp_path.iterdir()] == ["reference.npz"]
    assert load_reference(file) is not None


def test_distances_tell_what_is_unlike_the_training_films() -> None:
    films = strangers(LEAST_FILMS, seed=5)
    found = make_reference(films, ["train"] * len(films))
    unlike, far = found.bounds
    assert 0 < unlike < far < np.inf
    assert (found.distances(coarse_cells(thumbnails(films))) <= unlike).mean() > 0.99
    noise = np.random.default_rng(0).integers(0, 256, (4, 32, 32)).astype(np.uint8)
    assert (found.distances(coarse_cells(noise)) > far).all()
    few = make_reference(films[:50], ["train"] * 50)
    assert np.isinf(few.bounds).all()  # nothing is unlike what is hardly known
