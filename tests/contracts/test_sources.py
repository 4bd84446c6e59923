"""Every source yields records of one shape, whatever form the data came in."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.helpers.sources import (
    COUNT,
    SIDE,
    folder,
    labelled,
    npz,
    parquet,
    pixels,
    rsna,
    saved,
    split_of,
    table,
    unlabelled,
)

from pneumoscope.data.prepare import prepare
from pneumoscope.errors import BadLabels
from pneumoscope.listener import Silent
from pneumoscope.records import SPLITS, DataRequest, Film, InputSpec, Record, Source
from pneumoscope.sources.detect import open_source
from pneumoscope.sources.meaning.answers import parse_classes

FORMS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "medmnist": (npz, "medmnist"),
    "folder": (folder, "folder"),
    "rsna": (rsna, "rsna"),
    "labelled": (labelled, "labelled"),
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
    sometimes = {"boxes", "aside", "origin", "group"}
    others = set(types) - {*fixed, "label", "height", "width", *sometimes}
    assert types["group"] == "int64"
    assert (prepared.folder / "alike.parquet").is_file()
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


def test_every_form_says_what_it_took_each_word_for(asked: tuple[str, DataRequest]) -> None:
    form, request = asked
    source = opened(request)
    if form in ("unlabelled", "phantom"):
        assert source.words == ()
        return
    counts = {word.meaning: word.films for word in source.words}
    assert counts == {"normal": COUNT // 2, "pneumonia": COUNT // 2}
    assert not any(word.said for word in source.words)
    told = json.loads(json.dumps(source.to_json()))
    assert {entry["word"] for entry in told["words"]} == {word.word for word in source.words}


def test_every_form_knows_patients_or_that_it_does_not(asked: tuple[str, DataRequest]) -> None:
    form, request = asked
    source = opened(request)
    known = sum(record.patient_id is not None for record in some(source))
    assert bool(known) == (form in ("rsna", "labelled", "table", "phantom"))
    if form != "phantom":
        assert bool(source.patients) == bool(known)


@pytest.mark.parametrize("form", ["folder", "labelled", "table", "unlabelled", "rsna"])
def test_a_mask_is_a_film_in_no_form(form: str, tmp_path: Path) -> None:
    request = request_for(form, tmp_path)
    before = opened(request)
    film = next(
        p for p in sorted(tmp_path.rglob("*")) if p.suffix in (".png", ".jpeg", ".dcm", ".bmp")
    )
    (film.parent / "masks").mkdir()
    (film.parent / "masks" / film.name).write_bytes(film.read_bytes())
    (film.parent / f"{film.stem}_mask{film.suffix}").write_bytes(film.read_bytes())
    if form == "table":
        text = Path(request.data).read_text()
        rows = [f"masks/{film.name};1;p0;train", f"{film.stem}_mask{film.suffix};1;p0;train"]
        Path(request.data).write_text("\n".join([text, *rows]))
    after = opened(request)
    assert after.count == before.count == COUNT
    assert after.passed_over["masks and annotations"] == 2
    assert [r.image_id for r in some(after)] == [r.image_id for r in some(before)]


@pytest.mark.parametrize("form", ["folder", "labelled", "table", "parquet", "medmnist"])
def test_no_form_takes_words_that_do_not_say_what_for(form: str, tmp_path: Path) -> None:
    """The same films under vague words are asked about, and read when the answer is given."""
    request = request_for(form, tmp_path)
    if form == "folder":
        for folder in list(tmp_path.rglob("*")):
            if folder.name in ("NORMAL", "PNEUMONIA"):
                folder.rename(folder.parent / ("negative", "positive")[folder.name == "PNEUMONIA"])
    elif form == "medmnist":
        request = DataRequest(str(Path(request.data).rename(tmp_path / "films.npz")))
    elif form == "parquet":
        frame = pd.read_parquet(tmp_path / "train" / "0000.parquet")
        for file in tmp_path.rglob("*.parquet"):
            file.unlink()
        frame.rename(columns={"labels": "label"}).to_parquet(tmp_path / "a.parquet")
        request = DataRequest(str(tmp_path / "a.parquet"))
    else:
        file = next(tmp_path.rglob("*.csv"))
        file.write_text(file.read_text().replace("pneumonia", "label"))
    with pytest.raises(BadLabels) as error:
        opened(request)
    answer = parse_classes([w for w in error.value.answer if w != "--classes"])
    assert sorted(answer.values()) == ["normal", "pneumonia"]
    source = opened(replace(request, classes=answer))
    assert {r.label for r in source.records} == {0, 1}
    assert all(word.said for word in source.words)
