"""Patients that can be known where a column, an array or a name seems to say nothing of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.helpers.dicom import dicom
from tests.helpers.opening import opened

from pneumoscope.errors import UnreadableImage
from pneumoscope.records import DataRequest, Source


def patients(source: Source) -> list[str | None]:
    return [record.patient_id or record.read(0).patient_id for record in source.records]


@pytest.mark.parametrize("column", ["patientId", "PatientID"])
def test_a_patient_column_that_names_the_films_says_less_than_their_headers(
    column: str, tmp_path: Path
) -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    for i in range(8):
        file = dicom(pixels, PatientID=f"P{i // 2}", SOPInstanceUID=f"1.2.{i}")
        (tmp_path / f"a{i}f.dcm").write_bytes(file)
    rows = [f"a{i}f,{('normal', 'pneumonia')[i % 2]}" for i in range(8)]
    (tmp_path / "t.csv").write_text("\n".join([f"{column},label", *rows]))
    source = opened(tmp_path)
    assert patients(source) == [f"P{i // 2}" for i in range(8)]
    assert source.patients == ""  # the door then says: the files' own headers
    said = DataRequest(str(tmp_path), columns={"patient": column})
    assert patients(opened(tmp_path, said)) == [f"a{i}f" for i in range(8)]


def test_a_patient_column_that_names_folders_of_films_counts(tmp_path: Path) -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    for i in range(12):
        file = tmp_path / f"P{i // 2:03}" / f"{i}.dcm"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(dicom(pixels, PatientID="", SOPInstanceUID=f"1.2.{i}"))
    rows = [f"P{i:03},{('normal', 'pneumonia')[i % 2]}" for i in range(6)]
    (tmp_path / "t.csv").write_text("\n".join(["patientId,label", *rows]))
    assert sorted(map(str, patients(opened(tmp_path)))) == [f"P{i // 2:03}" for i in range(12)]


@pytest.mark.parametrize(
    ("name", "ids", "known"),
    [
        ("patient_id", np.arange(8) // 2, ["0", "1", "2", "3"]),
        ("patient_ids", np.array(["a", "b", "c", "d"]).repeat(2), ["a", "b", "c", "d"]),
        ("groups", np.array([1.0, 2.0, 3.0, np.nan]).repeat(2), ["1", "2", "3", None]),
        ("subjects", np.arange(8).reshape(8, 1) // 2, ["0", "1", "2", "3"]),
        ("ages", np.arange(8) // 2, [None] * 4),
        ("patients", np.arange(4), [None] * 4),
    ],
)
@pytest.mark.parametrize("stored", ["npz", "npy"])
def test_ids_of_patients_beside_arrays_are_read(
    stored: str, name: str, ids: np.ndarray, known: list[str | None], tmp_path: Path
) -> None:
    pixels = np.arange(8 * 16, dtype=np.uint8).reshape(8, 4, 4)
    arrays = {"images": pixels, "labels": np.array(["normal", "pneumonia"] * 4), name: ids}
    path = tmp_path / "films.npz"
    if stored == "npz":
        np.savez(path, **arrays)
    else:
        path = tmp_path
        for key, array in arrays.items():
            np.save(tmp_path / f"{key}.npy", array)
    source = opened(path)
    assert patients(source) == list(np.repeat(np.array(known, dtype=object), 2))
    assert [record.label for record in source.records] == [0, 1] * 4
    assert all(record.private for record in source.records) == (known[0] is not None)


def test_ids_of_patients_belong_to_the_films_of_their_split(tmp_path: Path) -> None:
    arrays = {}
    for split, first in (("train", 0), ("test", 50)):
        arrays |= {
            f"X_{split}": np.zeros((4, 4, 4), np.uint8),
            f"y_{split}": np.array(["normal", "pneumonia"] * 2),
            f"{split}_patient_ids": np.arange(first, first + 4),
        }
    np.savez(tmp_path / "films.npz", **arrays)
    found = [(r.split, r.patient_id) for r in opened(tmp_path / "films.npz").records]
    assert found == [(s, str(i)) for s, a in (("train", 0), ("test", 50)) for i in range(a, a + 4)]


def test_arrays_of_floats_are_read_by_their_range(tmp_path: Path) -> None:
    grey = np.arange(32, dtype=np.uint8).reshape(2, 4, 4) * 8
    labels = np.array(["normal", "pneumonia"])
    for name, pixels in (("unit", grey / 255), ("whole", grey.astype(np.float32))):
        np.savez(tmp_path / f"{name}.npz", x=pixels[..., None], y=labels)
        read = [record.read(0).pixels for record in opened(tmp_path / f"{name}.npz").records]
        np.testing.assert_array_equal(read, grey)
    np.savez(tmp_path / "standard.npz", x=grey / 64.0 - 1, y=labels)
    (record, _) = opened(tmp_path / "standard.npz").records
    with pytest.raises(UnreadableImage, match="neither from 0 to 1"):
        record.read(0)
