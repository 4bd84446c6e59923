"""A set of 160 tiny phantoms as a MedMNIST file, a run and two folds that were trained on it."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.commands import FOLDS, Made, made_at, run, train
from tests.helpers.figures import leave_undrawn
from tests.helpers.shared import made_once

from pneumoscope.imaging.geometry import fit_square
from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.records import InputSpec


@pytest.fixture(scope="session")
def tiny_npz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80/40/40 films of 28 px."""
    return made_once(tmp_path_factory, "tiny", _tiny_npz)


def _tiny_npz(place: Path) -> Path:
    arrays, index = {}, 0
    for split, count in (("train", 80), ("val", 40), ("test", 40)):
        labels = np.arange(count, dtype=np.uint8) % 2
        films = []
        for label in labels:
            phantom = draw_phantom(5, index, label=int(label), size=48)
            films.append(fit_square(phantom.image, InputSpec(28, 28)))
            index += 1
        arrays[f"{split}_images"] = np.stack(films)
        arrays[f"{split}_labels"] = labels[:, None]
    path = place / "pneumonia.npz"
    np.savez_compressed(path, **arrays)
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_npz: Path) -> Made:
    """A run on the tiny set as ``train`` leaves it, its precision measured. No test changes it."""

    def make(place: Path) -> Made:
        with made_at(place) as (patch, printed):
            leave_undrawn(patch)
            assert train(patch, tiny_npz, "--set", "train.precision=auto") == 0
        return Made(place / "runs/001-test_resnet-pneumonia", place / "cache", printed.getvalue())

    return made_once(tmp_path_factory, "trained", make)


@pytest.fixture
def finished(trained: Made, tmp_path: Path) -> Path:
    """A copy of the finished run, where it would be had this test made it."""
    return Path(shutil.copytree(trained.folder, tmp_path / "runs" / trained.folder.name))


@pytest.fixture(scope="session")
def two_folds(tmp_path_factory: pytest.TempPathFactory, tiny_npz: Path) -> Made:
    """Two folds of the tiny set, one epoch each, its 40 official test films left out. No test
    changes them."""

    def make(place: Path) -> Made:
        words = [word for change in FOLDS for word in ("--set", change)]
        with made_at(place) as (patch, printed):
            leave_undrawn(patch)
            more = ("--folds", "2", "--seed", "4", *words, "--out", "cv")
            assert run(patch, "crossval", str(tiny_npz), *more) == 0
        return Made(place / "cv", place / "cache", printed.getvalue())

    return made_once(tmp_path_factory, "two-folds", make)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made and not rendered, unless a test is marked drawn."""
    if not request.node.get_closest_marker("drawn"):
        leave_undrawn(monkeypatch)


@pytest.fixture
def hearing() -> Iterator[None]:
    """Ctrl-C is heard, also where the tests run in the background of a shell, deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
