"""The same 24 phantoms in each form that a source reads."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian

from pneumoscope.imaging.geometry import fit_square
from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.records import CLASSES, SPLITS, InputSpec
from pneumoscope.sources.forms.phantom import phantom_source

COUNT = 24

SIDE = 64


@cache
def pixels(index: int) -> np.ndarray:
    film = draw_phantom(9, index, label=index % 2, size=SIDE).image
    stored = fit_square(film, InputSpec(SIDE, SIDE))
    stored.flags.writeable = False  # several tests are given the same
    return stored


def split_of(index: int) -> str:
    return ("train", "train", "val", "test")[index // 2 % 4]


def encoded(index: int, form: str = "JPEG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels(index)).save(file, form, **({"quality": 95} if form == "JPEG" else {}))
    return file.getvalue()


def dicom(path: Path, index: int, view: str = "PA") -> None:
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{index}"
    data.PatientID, data.PatientName = path.stem, "Meier^Anna"
    data.PatientAge, data.PatientSex, data.ViewPosition = "045Y", "F", view
    image = pixels(index)
    data.Rows, data.Columns = image.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PixelData = image.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)


def npz(root: Path) -> Path:
    arrays = {}
    for split in SPLITS:
        rows = [i for i in range(COUNT) if split_of(i) == split]
        arrays[f"{split}_images"] = np.stack([pixels(i) for i in rows])
        arrays[f"{split}_labels"] = np.array([[i % 2] for i in rows])
    np.savez(root / "pneumonia.npz", **arrays)
    return root / "pneumonia.npz"


def folder(root: Path) -> Path:
    for i in range(COUNT):
        file = root / split_of(i) / ("NORMAL", "PNEUMONIA")[i % 2] / f"film {i}.jpeg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(i))
    return root


def rsna(root: Path) -> Path:
    rows = ["patientId,x,y,width,height,Target"]
    for i in range(COUNT):
        dicom(root / "stage_2_train_images" / f"id-{i:02d}.dcm", i)
        rows.append(f"id-{i:02d}," + ("10,10,20,20,1" if i % 2 else ",,,,0"))
    (root / "stage_2_train_labels.csv").write_text("\n".join([*rows, rows[2]]))
    return root


def labelled(root: Path) -> Path:
    for i in range(COUNT):
        dicom(root / "films" / f"id-{i:02d}.dcm", i)
    rows = [f"id-{i:02d},{i % 2},p{i // 2}" for i in range(COUNT)]
    (root / "labels.csv").write_text("\n".join(["id,pneumonia,patient", *rows]))
    return root / "films"


def parquet(root: Path) -> Path:
    """keremberke's schema: three splits of image_file_path, image and labels."""
    import datasets

    features = datasets.Features(
        {
            "image_file_path": datasets.Value("string"),
            "image": datasets.Image(),
            "labels": datasets.ClassLabel(names=["NORMAL", "PNEUMONIA"]),
        }
    )
    for split, name in (("train", "train"), ("val", "validation"), ("test", "test")):
        rows = [i for i in range(COUNT) if split_of(i) == split]
        columns = {
            "image_file_path": [f"/somewhere/{i}.jpg" for i in rows],
            "image": [{"bytes": encoded(i), "path": f"{i}.jpg"} for i in rows],
            "labels": [i % 2 for i in rows],
        }
        (root / name).mkdir(parents=True)
        made = datasets.Dataset.from_dict(columns, features=features)
        made.to_parquet(root / name / "0000.parquet")
    return root


def saved(root: Path) -> Path:
    import datasets

    names = datasets.ClassLabel(names=["NORMAL", "PNEUMONIA"])
    features = datasets.Features({"image": datasets.Image(), "label": names})
    columns = {
        "image": [{"bytes": encoded(i, "PNG"), "path": None} for i in range(COUNT)],
        "label": [i % 2 for i in range(COUNT)],
    }
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(root / "set")
    return root / "set"


def table(root: Path) -> Path:
    rows = ["path;pneumonia;patient;split"]
    for i in range(COUNT):
        (root / f"film-{i}.png").write_bytes(encoded(i, "PNG"))
        rows.append(f"film-{i}.png;{i % 2};p{i // 2};{split_of(i)}")
    (root / "films.csv").write_text("\n".join(rows))
    return root / "films.csv"


def unlabelled(root: Path) -> Path:
    for i in range(COUNT):
        (root / f"film-{i}.bmp").write_bytes(encoded(i, "BMP"))
    return root


def two_sites(root: Path, count: int = 40) -> tuple[Path, Path]:
    """Folders of ``count`` phantoms of 48 px each: ``east``, three in four with pneumonia, and
    ``west``, one in four, darker, with a black margin and with patients numbered alike."""
    for site, sick in (("east", 0.75), ("west", 0.25)):
        for i in range(count):
            label = int((i + 0.5) % 4 < 4 * sick)
            film = draw_phantom(len(site) + ord(site[0]), i, label=label, size=48).image
            if site == "west":
                film = np.pad(film // 2, ((2, 2), (6, 6)))
            place = root / site / CLASSES[label].upper()
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(film).save(place / f"patient{i // 2}_{i}.png")
    return root / "east", root / "west"


def few_phantoms(patch: pytest.MonkeyPatch, count: int) -> None:
    """Let the source ``phantom`` have ``count`` films of 48 px instead of 2,000."""
    few = phantom_source(count, 0, 48)
    patch.setattr("pneumoscope.sources.detect.phantom_source", lambda *_, **__: few)
