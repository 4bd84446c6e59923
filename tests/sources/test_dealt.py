"""Folds as folders, and DICOM objects without pixels: each film once, and nothing else a film."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from tests.helpers.dicom import dicom

from pneumoscope.data.prepare import prepare
from pneumoscope.listener import Silent
from pneumoscope.records import DataRequest, InputSpec
from pneumoscope.sources.detect import open_source


def _folds(root: Path, count: int = 3) -> None:
    for fold in range(count):
        for i in range(12):
            split = "val" if i % count == fold else "train"
            film = root / f"fold_{fold + 1}" / split / ("NORMAL", "PNEUMONIA")[i % 2] / f"f{i}.png"
            film.parent.mkdir(parents=True, exist_ok=True)
            film.write_bytes(b"film" * (i + 1))
    for name in ("NORMAL", "PNEUMONIA"):
        film = root / "test" / name / f"t{name}.png"
        film.parent.mkdir(parents=True)
        film.write_bytes(name.encode())


def test_folds_as_folders_are_read_once_and_their_dealing_forgotten(tmp_path: Path) -> None:
    _folds(tmp_path)
    found = open_source(DataRequest(str(tmp_path)), tmp_path, Silent())
    assert Counter(record.split for record in found.records) == {None: 12, "test": 2}
    assert found.passed_over == {"films that lie in another fold too": 24}
    assert any("fold_1, fold_2 and fold_3 hold the same films" in note for note in found.notes)
    assert not any("lie in no split folder" in note for note in found.notes)
    one = open_source(DataRequest(str(tmp_path / "fold_1")), tmp_path, Silent())
    assert Counter(record.split for record in one.records) == {"train": 8, "val": 4}


def test_sites_side_by_side_with_other_films_keep_their_splits(tmp_path: Path) -> None:
    _folds(tmp_path)
    for i, film in enumerate(sorted(tmp_path.glob("fold_*/*/*/*.png"))):
        film.write_bytes(b"x" * (100 + i))
    found = open_source(DataRequest(str(tmp_path)), tmp_path, Silent())
    assert Counter(record.split for record in found.records) == {"train": 24, "val": 12, "test": 2}


def test_dicom_objects_without_pixels_are_no_films_and_cost_none(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(6):
        folder = tmp_path / ("NORMAL", "PNEUMONIA")[i % 2]
        folder.mkdir(exist_ok=True)
        pixels = rng.integers(0, 255, (16, 16), dtype=np.uint8)
        (folder / f"IM{i}").write_bytes(dicom(pixels))
    classes = {"SR": "88.67", "PR": "11.1", "KO": "88.59", "PDF": "104.1", "ECG": "9.1.1"}
    for name, uid in classes.items():
        head = b"\0" * 128 + b"DICM\x02\0\x02\0UI\x1e\0"
        folder = tmp_path / "NORMAL"
        (folder / name).write_bytes(head + f"1.2.840.10008.5.1.4.1.1.{uid}".encode() + b"\0" * 99)
    found = open_source(DataRequest(str(tmp_path)), tmp_path, Silent())
    assert found.count == 6
    assert found.passed_over["DICOM structured reports"] == 1
    assert sum(found.passed_over.values()) == 5
    assert len(prepare(found, InputSpec(8, 8), tmp_path / "set").table) == 6
