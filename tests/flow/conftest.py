"""A set of 160 tiny phantoms as a MedMNIST file, and a recipe that trains on it in seconds."""

import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.commands import QUICK

from pneumoscope.imaging.geometry import fit_square
from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.recipe import load_recipe
from pneumoscope.records import DataRequest, InputSpec
from pneumoscope.workflows.groups.crossval import crossval


@pytest.fixture(scope="session")
def tiny_npz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80/40/40 films of 28 px."""
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
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    np.savez_compressed(path, **arrays)
    return path


@pytest.fixture(scope="session")
def two_folds(tmp_path_factory: pytest.TempPathFactory, tiny_npz: Path) -> tuple[Path, Path]:
    """(two folds of the tiny set, one epoch each, its 40 official test films left out; the cache
    that they used). No test changes them."""
    place = tmp_path_factory.mktemp("folds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMOSCOPE_CACHE", str(place / "cache"))
        recipe = load_recipe("default", [*QUICK, "train.epochs=1"])
        folder = crossval(DataRequest(str(tiny_npz)), recipe, 2, seed=4, out=place / "cv")
    return folder, place / "cache"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def hearing() -> Iterator[None]:
    """Ctrl-C is heard, also where the tests run in the background of a shell, deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
