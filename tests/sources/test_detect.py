"""From what is typed to a source: paths, names, sizes, and what to say to a slip of the finger."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pneumoscope.errors import DataNotFound, InputError, UnreadableData
from pneumoscope.listener import Silent
from pneumoscope.records import DataRequest, Source
from pneumoscope.sources import detect
from pneumoscope.sources.detect import open_source
from pneumoscope.sources.fetch.download import Published


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


BITS = {"0": "normal", "1": "pneumonia"}


def opened(data: str, **said: Any) -> Source:
    return open_source(DataRequest(data, **said), Path("cache"), Silent())


def film(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 30), 99, np.uint8)).save(path)
    return path


def test_a_path(films: Path) -> None:
    for text in ("films.npz", "./films.npz", str(films)):
        source = opened(text, classes=BITS)
        assert (source.name, source.form, source.count) == ("films", "medmnist", 6)


def test_a_path_below_home(films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(films.parent))
    assert opened("~/films.npz", classes=BITS).name == "films"


@pytest.mark.parametrize(
    "name", ["a film.npz", "Röntgen 肺.npz", "two\nlines.npz", "no-ending", "-dash.npz"]
)
def test_any_file_name(here: Path, name: str) -> None:
    save(here / name)
    assert opened(name, classes=BITS).count == 6


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
        ("zzz", "one of: kermany, phantom, pneumoniamnist"),
        ("./films.npz", "a file or folder that exists"),
        ("films.npz", "a file or folder that exists"),
    ],
)
def test_the_nearest_name_is_suggested(here: Path, data: str, nearest: str) -> None:
    with pytest.raises(DataNotFound) as caught:
        opened(data)
    assert nearest in str(caught.value)


def test_a_path_wins_over_a_name(here: Path) -> None:
    save(here / "phantom")
    assert opened("phantom", classes=BITS).form == "medmnist"
    (here / "pneumoniamnist").mkdir()
    with pytest.raises(UnreadableData, match="no film"):
        opened("pneumoniamnist")


def test_each_form_is_seen_by_looking(here: Path) -> None:
    film(here / "classes" / "NORMAL" / "a.png")
    film(here / "classes" / "PNEUMONIA" / "b.png")
    film(here / "plain" / "a.png")
    film(here / "bare" / "a.png")
    pd.DataFrame({"path": ["a.png"], "pneumonia": [1]}).to_csv(
        here / "plain" / "t.csv", index=False
    )
    films = here / "rsna" / "stage_2_train_images" / "x.dcm"
    film(films.with_suffix(".png")).rename(films)
    rows = "patientId,x,y,width,height,Target\nx,,,,,0\n"
    (here / "rsna" / "stage_2_train_labels.csv").write_text(rows)
    image = {"bytes": film(here / "one.png").read_bytes(), "path": "one.png"}
    pd.DataFrame({"image": [image], "pneumonia": [0]}).to_parquet(here / "set.parquet")
    pd.DataFrame({"path": ["one.png"], "pneumonia": [0]}).to_parquet(here / "table.parquet")
    seen = {
        "classes": "folder",
        "plain": "labelled",
        "bare": "unlabelled",
        "plain/t.csv": "table",
        "rsna": "rsna",
        "set.parquet": "huggingface",
        "table.parquet": "table",
        "one.png": "unlabelled",
    }
    assert {name: opened(name).form for name in seen} == seen


def test_the_user_overrules_what_is_seen(here: Path) -> None:
    film(here / "set" / "NORMAL" / "a.png")
    film(here / "set" / "PNEUMONIA" / "b.png")
    assert opened("set", form="unlabelled").form == "unlabelled"
    table = here / "labels.csv"
    table.write_text("id,pneumonia\na,1\nb,0\n")
    source = opened("set", labels=table)
    assert (source.form, [r.label for r in source.records]) == ("labelled", [1, 0])
    # As earlier runs keep it.
    assert opened("set", form="dicom", labels=table).fingerprint == source.fingerprint
    with pytest.raises(InputError, match="nearest: 'folder'"):
        opened("set", form="folders")


def test_what_is_no_data_is_refused_by_name(here: Path) -> None:
    (here / "films.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(UnreadableData, match="archives are not read"):
        opened("films.zip")
    (here / "text.txt").write_text("hello")
    with pytest.raises(UnreadableData):
        opened("text.txt")
    with pytest.raises(DataNotFound, match="not a regular file"):
        opened("/dev/zero")


def test_a_broken_link_and_a_link_to_itself(here: Path) -> None:
    (here / "link.npz").symlink_to("gone.npz")
    (here / "loop.npz").symlink_to("loop.npz")
    for name in ("link.npz", "loop.npz"):
        with pytest.raises(DataNotFound, match=r"no such file[^$]*" + name):
            opened(name)


def test_a_link_to_films(films: Path) -> None:
    (films.parent / "link").symlink_to(films)
    assert opened("link", classes=BITS).count == 6


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
