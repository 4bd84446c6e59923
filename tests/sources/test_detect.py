"""From what is typed to a source: paths, names, sizes, and what to say to a slip of the finger."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pneumoscope.errors import DataNotFound, InputError, UnreadableData
from pneumoscope.records import Silent, Source
from pneumoscope.sources import detect
from pneumoscope.sources.detect import open_source
from pneumoscope.sources.download import Published


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def films(here: Path) -> Path:
    """A small MedMNIST file of 8 px."""
    return save(here / "films.npz")


def save(path: Path) -> Path:
    arrays = {f"{s}_images": np.zeros((2, 8, 8), np.uint8) for s in ("train", "val", "test")}
    labels = {f"{s}_labels": np.array([0, 1]) for s in ("train", "val", "test")}
    with path.open("wb") as file:
        np.savez(file, **arrays, **labels)
    return path


def opened(data: str) -> Source:
    return open_source(data, Path("cache"), Silent())


def test_a_path(films: Path) -> None:
    for text in ("films.npz", "./films.npz", str(films)):
        source = opened(text)
        assert (source.name, source.form, source.count) == ("films", "medmnist", 6)


def test_a_path_below_home(films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(films.parent))
    assert opened("~/films.npz").name == "films"


@pytest.mark.parametrize(
    "name", ["a film.npz", "Röntgen 肺.npz", "two\nlines.npz", "no-ending", "-dash.npz"]
)
def test_any_file_name(here: Path, name: str) -> None:
    save(here / name)
    assert opened(name).count == 6


def test_phantoms_by_name_and_size() -> None:
    assert opened("phantom").native_size == 96
    assert opened("phantom@64").native_size == 64
    assert opened("phantom@64").fingerprint != opened("phantom").fingerprint


@pytest.mark.parametrize(("size", "side"), [("", 28), ("@28", 28), ("@64", 64), ("@224", 224)])
def test_pneumoniamnist_by_name_and_size(
    films: Path, monkeypatch: pytest.MonkeyPatch, size: str, side: int
) -> None:
    def fetch(file: Published, folder: Path, advance: object) -> Path:
        asked.append((file.file_name, folder))
        return films

    asked: list[tuple[str, Path]] = []
    monkeypatch.setattr(detect, "fetch", fetch)
    source = opened(f"pneumoniamnist{size}")
    suffix = "" if side == 28 else str(side)
    assert asked == [(f"pneumoniamnist_{suffix}.npz".replace("_.", "."), Path("cache"))]
    assert source.name == f"pneumoniamnist-{suffix}".rstrip("-")


@pytest.mark.parametrize(
    ("data", "sizes"),
    [
        ("pneumoniamnist@32", "[28, 64, 128, 224]"),
        ("pneumoniamnist@28px", "[28, 64, 128, 224]"),
        ("pneumoniamnist@-28", "[28, 64, 128, 224]"),
        ("phantom@31", "32 to 512"),
        ("phantom@99999999999", "32 to 512"),
        ("phantom@٦٤", "32 to 512"),
        ("phantom@64@64", "32 to 512"),
    ],
)
def test_sizes_that_there_are_not(here: Path, data: str, sizes: str) -> None:
    # Nothing here reaches the network: the size is refused first.
    with pytest.raises(DataNotFound) as caught:
        opened(data)
    assert repr(data) in str(caught.value)
    assert sizes in str(caught.value)


@pytest.mark.parametrize(
    ("data", "nearest"),
    [
        ("pneumoniamnst", "'pneumoniamnist'"),
        ("PneumoniaMNIST", "'pneumoniamnist'"),
        ("pneumoniamnst@64", "'pneumoniamnist'"),
        ("fantom", "'phantom'"),
        ("zzz", "one of: phantom, pneumoniamnist"),
        ("./films.npz", "an .npz file that exists"),
        ("films.npz", "an .npz file that exists"),
    ],
)
def test_the_nearest_name_is_suggested(here: Path, data: str, nearest: str) -> None:
    with pytest.raises(DataNotFound) as caught:
        opened(data)
    assert nearest in str(caught.value)


def test_a_path_wins_over_a_name(here: Path) -> None:
    save(here / "phantom")
    assert opened("phantom").form == "medmnist"
    (here / "pneumoniamnist").mkdir()
    with pytest.raises(UnreadableData, match="folder"):
        opened("pneumoniamnist")


def test_a_folder_cannot_be_read_yet(here: Path) -> None:
    with pytest.raises(UnreadableData, match="folders cannot be read yet"):
        opened(str(here))


def test_a_broken_link_and_a_link_to_itself(here: Path) -> None:
    (here / "link.npz").symlink_to("gone.npz")
    (here / "loop.npz").symlink_to("loop.npz")
    for name in ("link.npz", "loop.npz"):
        with pytest.raises(DataNotFound, match=r"no such file[^$]*" + name):
            opened(name)


def test_a_link_to_films(films: Path) -> None:
    (films.parent / "link").symlink_to(films)
    assert opened("link").count == 6


@pytest.mark.parametrize(
    "data", ["", " ", "x" * 5000, "~nobody-of-this-name/x.npz", "a/" * 3000, "\udcff"]
)
def test_names_that_no_file_has(here: Path, data: str) -> None:
    with pytest.raises(DataNotFound, match="neither a path nor the name"):
        opened(data)


def test_devices_and_pipes_are_not_read(here: Path) -> None:
    os.mkfifo(here / "pipe.npz")  # opening it would wait for ever
    for path in ("pipe.npz", "/dev/zero"):
        with pytest.raises(InputError, match="not a regular file"):
            opened(path)
