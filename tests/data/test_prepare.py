"""Prepared sets: pixels and rows agree, bad films are counted, nothing half-written stays."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pneumoscope.data.prepare import prepare
from pneumoscope.data.prepared import open_prepared
from pneumoscope.errors import OutputNotWritable, UnreadableData, UnreadableImage
from pneumoscope.records import SPLITS, Grey, InputSpec, Record, Source

SPEC = InputSpec(8, 8)


def shade(level: int) -> Grey:
    return np.full((8, 8), level, np.uint8)


def broken() -> Grey:
    raise UnreadableImage("truncated file")


def source(count: int = 60, bad: int = 0) -> Source:
    records = [
        Record(
            image_id=f"film-{i}",
            read=broken if i < bad else partial(shade, i),
            label=i % 2,
            split=SPLITS[i % 3],
            mask=partial(np.eye, 8, dtype=bool),
            facts={"view": "PA"},
        )
        for i in range(count)
    ]
    return Source("toy", "toy", "made by a test", "f00d", count, 8, records)


def test_pixels_rows_and_counts_agree(tmp_path: Path) -> None:
    got = prepare(source(), SPEC, tmp_path / "set")
    assert got.images.shape == (60, 8, 8)
    assert [int(got.images[i, 0, 0]) for i in range(60)] == list(range(60))
    assert got.table["image_id"].tolist() == [f"film-{i}" for i in range(60)]
    assert got.table["fact_view"].eq("PA").all()
    assert got.masks is not None and got.masks[7].tolist() == np.eye(8).tolist()
    assert got.about["flow"]["splits"]["val"] == {"n": 20, "positives": 10, "patients": None}
    assert isinstance(got.images, np.memmap)


def test_rows_of_a_split(tmp_path: Path) -> None:
    got = prepare(source(), SPEC, tmp_path / "set")
    assert got.rows("val").tolist() == list(range(1, 60, 3))
    assert got.labels(got.rows("val"))[:3].tolist() == [1, 0, 1]


def test_bad_films_are_dropped_with_their_reason(tmp_path: Path) -> None:
    got = prepare(source(bad=3), SPEC, tmp_path / "set")
    assert len(got.table) == 57 and int(got.images[0, 0, 0]) == 3
    assert got.about["flow"]["dropped"] == [{"reason": "truncated file", "count": 3}]


def test_too_many_bad_films_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnreadableData, match="4 of 60 films of toy"):
        prepare(source(bad=4), SPEC, tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_a_split_without_both_classes_is_refused(tmp_path: Path) -> None:
    toy = source(6)
    one_class = [replace(r, label=1) for r in toy.records]
    with pytest.raises(UnreadableData, match="one class"):
        prepare(replace(toy, records=one_class), SPEC, tmp_path / "set")


def test_second_call_reads_no_film(tmp_path: Path) -> None:
    prepare(source(), SPEC, tmp_path / "set")

    def never() -> Iterator[Record]:
        raise AssertionError("the source was read again")
        yield

    again = prepare(replace(source(), records=never()), SPEC, tmp_path / "set")
    assert len(again.table) == 60


def test_a_set_that_lacks_space_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("U", (), {"free": 1000})())
    with pytest.raises(OutputNotWritable, match="disk is full"):
        prepare(source(), SPEC, tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_a_killed_draft_is_no_prepared_set(tmp_path: Path) -> None:
    (tmp_path / ".set.12345678.tmp").mkdir()
    assert len(prepare(source(), SPEC, tmp_path / "set").table) == 60


@pytest.mark.parametrize("name", ["images.npy", "table.parquet", "prepared.json"])
def test_a_damaged_set_says_so(tmp_path: Path, name: str) -> None:
    prepare(source(), SPEC, tmp_path / "set")
    file = tmp_path / "set" / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(Exception, match="damaged|cannot be read") as caught:
        open_prepared(tmp_path / "set")
    assert "Traceback" not in str(caught.value)
