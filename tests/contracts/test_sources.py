"""Every source yields records of one shape, whatever form the data came in."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian

from pneumoscope.data.prepare import prepare
from pneumoscope.imaging.geometry import fit_square
from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.records import SPLITS, DataRequest, Film, InputSpec, Record, Silent, Source
from pneumoscope.sources.detect import open_source

COUNT = 24
SIDE = 64


def pixels(index: int) -> np.ndarray:
    film = draw_phantom(9, index, label=index % 2, size=SIDE).image
    return fit_square(film, InputSpec(SIDE, SIDE))


def split_of(index: int) -> str:
    return ("train", "train", "val", "test")[index // 2 % 4]


def encoded(index: int, form: str = "JPEG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels(index)).save(file, form, **({"quality": 95} if form == "JPEG" else {}))
    return file.getvalue()


def dicom(path: Path, index: int) -> None:
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{index}"
    data.PatientID, data.PatientName = path.stem, "Meier^Anna"
    data.PatientAge, data.PatientSex, data.ViewPosition = "045Y", "F", "PA"
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
    np.savez(root / "films.npz", **arrays)
    return root / "films.npz"


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
    rows = ["path;label;patient;split"]
    for i in range(COUNT):
        (root / f"film-{i}.png").write_bytes(encoded(i, "PNG"))
        rows.append(f"film-{i}.png;{i % 2};p{i // 2};{split_of(i)}")
    (root / "films.csv").write_text("\n".join(rows))
    return root / "films.csv"


def unlabelled(root: Path) -> Path:
    for i in range(COUNT):
        (root / f"film-{i}.bmp").write_bytes(encoded(i, "BMP"))
    return root


FORMS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "medmnist": (npz, "medmnist"),
    "folder": (folder, "folder"),
    "rsna": (rsna, "rsna"),
    "labelled": (labelled, "dicom"),
    "parquet": (parquet, "huggingface"),
    "saved to disk": (saved, "huggingface"),
    "table": (table, "table"),
    "unlabelled": (unlabelled, "unlabelled"),
    "phantom": (lambda root: Path("phantom@64"), "phantom"),
}


def request_for(form: str, root: Path) -> DataRequest:
    path = FORMS[form][0](root)
    labels = root / "labels.csv" if form == "labelled" else None
    return DataRequest(str(path), labels=labels)


@pytest.fixture(params=FORMS)
def asked(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, DataRequest]:
    (tmp_path / "data").mkdir()
    return request.param, request_for(request.param, tmp_path / "data")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")


def opened(asked: DataRequest) -> Source:
    return open_source(asked, Path("none"), Silent())


def some(source: Source) -> list[Record]:
    return [record for record, _ in zip(source.records, range(COUNT), strict=False)]


def check_film(film: Film, side: int) -> None:
    assert film.pixels.dtype == np.uint8 and film.pixels.ndim == 2
    assert film.pixels.flags.c_contiguous
    assert min(film.pixels.shape) >= min(side, film.height, film.width)
    assert film.pixels.shape[0] <= film.height and film.pixels.shape[1] <= film.width
    assert all(isinstance(value, str | int | float) for value in film.facts.values())
    assert film.patient_id is None or isinstance(film.patient_id, str)


def test_records_have_one_shape(asked: tuple[str, DataRequest]) -> None:
    form, request = asked
    source = opened(request)
    assert source.form == FORMS[form][1]
    assert source.name and source.why and len(source.fingerprint) >= 32
    assert abs(source.native_size - SIDE) <= 20
    records = some(source)
    assert len(records) == COUNT
    if form != "phantom":
        assert source.count == COUNT
    assert len({record.image_id for record in records}) == COUNT
    for record in records:
        assert record.label in ((0, 1) if form != "unlabelled" else (None,))
        assert record.split in (*SPLITS, None)
        assert record.patient_id is None or isinstance(record.patient_id, str)
        assert all(isinstance(value, str | int | float) for value in record.facts.values())
        assert all(len(box) == 4 for box in record.boxes)
        check_film(record.read(0), record.read(0).height)
        check_film(record.read(16), 16)
    json.dumps(source.to_json(), allow_nan=False)


def test_records_are_the_same_each_time_and_read_alike_from_threads(
    asked: tuple[str, DataRequest],
) -> None:
    _, request = asked
    source = opened(request)
    first = [(r.image_id, r.label, r.split, r.patient_id) for r in some(source)]
    again = [(r.image_id, r.label, r.split, r.patient_id) for r in some(opened(request))]
    assert first == again == [(r.image_id, r.label, r.split, r.patient_id) for r in some(source)]
    records = some(source)
    with ThreadPoolExecutor(4) as pool:
        parallel = list(pool.map(lambda r: r.read(0).pixels, records))
    for film, record in zip(parallel, records, strict=True):
        assert np.array_equal(film, record.read(0).pixels)


def test_pixels_and_labels_are_those_that_went_in(asked: tuple[str, DataRequest]) -> None:
    """JPEG may move a level by a few; a class that is swapped or a film inverted would show."""
    form, request = asked
    if form == "phantom":
        return
    true = [pixels(i).astype(int) for i in range(COUNT)]
    for record in some(opened(request)):
        film = record.read(0).pixels.astype(int)
        distance = [np.abs(film - image).mean() if film.shape == image.shape else 255.0
                    for image in true]  # fmt: skip
        nearest = int(np.argmin(distance))
        assert distance[nearest] < 3
        assert record.label in (nearest % 2, None)
        if record.split is not None:
            assert record.split == split_of(nearest)


def test_a_prepared_set_has_one_schema(asked: tuple[str, DataRequest], tmp_path: Path) -> None:
    form, request = asked
    source = opened(request)
    if form == "phantom":
        return
    prepared = prepare(source, InputSpec(32, 32), tmp_path / "set")
    assert prepared.images.shape == (COUNT, 32, 32)
    types = {name: str(kind) for name, kind in prepared.table.dtypes.items()}
    fixed = ("image_id", "patient_id", "split", "pixel_hash")
    assert {types[name] for name in fixed} == {"string"}
    assert types["label"] == "Int8" and types["height"] == types["width"] == "int32"
    others = set(types) - {*fixed, "label", "height", "width", "boxes"}
    assert all(name.startswith("fact_") for name in others)
    whole = b"".join(file.read_bytes() for file in (tmp_path / "set").iterdir())
    assert b"Anna" not in whole
    if form in ("rsna", "labelled"):
        assert b"id-0" not in whole
        assert prepared.table["fact_view"].eq("PA").all()
        assert prepared.table["fact_age"].eq(45).all()


def test_the_fingerprint_notices_a_changed_file(asked: tuple[str, DataRequest]) -> None:
    form, request = asked
    if form == "phantom":
        return
    before = opened(request).fingerprint
    assert opened(request).fingerprint == before
    path = Path(request.data)
    listed = sorted(p for p in path.parent.rglob("*") if p.is_file())
    film = next(p for p in reversed(listed) if p.suffix not in (".csv", ".json"))
    stat = film.stat()
    if form == "medmnist":  # told by its bytes
        film.write_bytes(film.read_bytes() + b"\0")
        listed = []
    os.utime(film, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))
    assert opened(request).fingerprint != before


@pytest.mark.parametrize("form", ["rsna", "labelled", "table"])
def test_the_fingerprint_notices_a_changed_label(form: str, tmp_path: Path) -> None:
    request = request_for(form, tmp_path)
    before = opened(request).fingerprint
    file = next(tmp_path.rglob("*.csv"))
    stat = file.stat()
    text = file.read_text()
    flipped = text.replace(",1,p1\n", ",0,p1\n").replace(";1;p1;", ";0;p1;")
    file.write_text(flipped.replace("id-00,,,,,0", "id-00,1,1,9,9,1"))
    assert file.read_text() != text
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert opened(request).fingerprint != before


def test_labels_agree_across_forms(tmp_path: Path) -> None:
    """The same films give the same table of counts whatever form they came in."""
    counts = {}
    for form in ("medmnist", "folder", "parquet", "table"):
        (tmp_path / form).mkdir()
        source = opened(request_for(form, tmp_path / form))
        rows = pd.DataFrame([(r.split, r.label) for r in source.records])
        counts[form] = rows.value_counts().sort_index().to_dict()
    assert len({str(c) for c in counts.values()}) == 1, counts
