"""Prepared sets: pixels and rows agree, bad films are counted, nothing half-written stays."""

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pneumoscope.data.prepare import prepare, prepared_name
from pneumoscope.data.prepared import flow, open_prepared
from pneumoscope.errors import (
    DiskFull,
    OutputNotWritable,
    Unreachable,
    UnreadableData,
    UnreadableImage,
)
from pneumoscope.records import SPLITS, Film, InputSpec, Record, Source
from pneumoscope.sources.listed import CLASS_IGNORED, IN_ANOTHER, refuse

SPEC = InputSpec(8, 8)
MANY = 1200
"""Films of which some are written before the last are read, with any number of cores."""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))


def shade(level: int, side: int) -> Film:
    return Film(np.full((8, 8), level, np.uint8), 80, 90, facts={"mode": "L", "bytes": level})


def given(film: Film, side: int) -> Film:
    return film


def broken(side: int) -> Film:
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
    assert got.table["fact_bytes"].tolist() == list(range(60))
    assert got.table[["height", "width"]].drop_duplicates().to_numpy().tolist() == [[80, 90]]
    assert flow(got)["splits"]["val"] == {"n": 20, "positives": 10, "patients": None}
    assert isinstance(got.images, np.memmap)


def test_several_threads_make_the_set_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many cores a test process has."""
    made = []
    for count in (1, 4):
        monkeypatch.setattr("pneumoscope.data.prepare.cores", partial(int, count))
        made.append(prepare(source(200, bad=3), SPEC, tmp_path / str(count)))
    one, several = made
    assert several.table.equals(one.table) and several.about["flow"] == one.about["flow"]
    assert several.content == one.content
    np.testing.assert_array_equal(several.images, one.images)


def test_rows_of_a_split(tmp_path: Path) -> None:
    got = prepare(source(), SPEC, tmp_path / "set")
    assert got.rows("val").tolist() == list(range(1, 60, 3))
    assert got.labels(got.rows("val"))[:3].tolist() == [1, 0, 1]


def test_bad_films_are_dropped_with_their_reason(tmp_path: Path) -> None:
    got = prepare(source(bad=3), SPEC, tmp_path / "set")
    assert len(got.table) == 57 and int(got.images[0, 0, 0]) == 3
    assert got.about["flow"]["dropped"] == [{"reason": "truncated file", "count": 3}]


def test_too_many_bad_films_are_refused_and_listed(tmp_path: Path) -> None:
    with pytest.raises(UnreadableData, match="4 of 60 films of toy") as caught:
        prepare(source(bad=4), SPEC, tmp_path / "set")
    assert caught.value.got == "4 × truncated file (2 normal, 2 pneumonia)"
    assert pd.read_csv(tmp_path / "set" / "dropped.csv").to_numpy().tolist() == [
        [f"film-{i}", "truncated file", ("normal", "pneumonia")[i % 2]] for i in range(4)
    ]
    # The films were read: who allows more need not wait again, who does not is told again.
    assert len(prepare(source(bad=4), SPEC, tmp_path / "set", most_bad=0.1).table) == 56
    with pytest.raises(UnreadableData, match="4 of 60"):
        prepare(source(bad=4), SPEC, tmp_path / "set")


@pytest.mark.parametrize("kind", ["most films", "no training film", "named elsewhere"])
def test_no_way_is_offered_to_lose_what_a_set_needs(tmp_path: Path, kind: str) -> None:
    bad = 32 if kind == "most films" else 4
    records = list(source(bad=bad).records)
    expected = "more than half"
    if kind == "no training film":
        records = [replace(r, split=("val", "test")[i // 2 % 2]) for i, r in enumerate(records)]
        expected = kind
    if kind == "named elsewhere":
        refused = partial(refuse, f"{IN_ANOTHER} train.csv")
        records = [replace(r, read=refused) if i < 4 else r for i, r in enumerate(records)]
        expected = "train.csv names them"
    with pytest.raises(UnreadableData, match=expected) as caught:
        prepare(replace(source(), records=records), SPEC, tmp_path / "set")
    assert caught.value.answer == () and "most_bad" not in caught.value.remedy


def test_what_was_chosen_to_be_ignored_makes_no_other_film_rarer(tmp_path: Path) -> None:
    found = replace(source(bad=4), passed_over={CLASS_IGNORED: 20})
    assert len(prepare(found, SPEC, tmp_path / "set").table) == 56


def test_all_films_bad_is_refused_whatever_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(UnreadableData, match="60 of 60"):
        prepare(source(bad=60), SPEC, tmp_path / "set", most_bad=1.0)


def private(count: int) -> Source:
    records = [
        replace(r, image_id=f"Meier, Anna {i}", patient_id=f"MRN-{i // 2}", private=True)
        for i, r in enumerate(source(count).records)
    ]
    return replace(source(count), records=records)


def test_private_ids_are_kept_as_hashes_that_join_a_patients_films(tmp_path: Path) -> None:
    got = prepare(private(60), SPEC, tmp_path / "set")
    assert got.table["patient_id"].nunique() == 30
    assert got.table["image_id"].nunique() == 60
    for file in (tmp_path / "set").iterdir():
        data = file.read_bytes()
        assert b"Anna" not in data and b"MRN" not in data, file
    twin = prepare(private(60), SPEC, tmp_path / "twin")
    assert twin.table.equals(got.table)


def test_ids_are_kept_when_the_user_asks(tmp_path: Path) -> None:
    got = prepare(private(60), SPEC, tmp_path / "set", keep_ids=True)
    assert got.table["image_id"][3] == "Meier, Anna 3"
    assert got.table["patient_id"][3] == "MRN-1"
    assert prepared_name(source(), SPEC) != prepared_name(source(), SPEC, keep_ids=True)


def test_ids_of_dropped_films_are_hashed_too(tmp_path: Path) -> None:
    records = [replace(r, read=broken) if i < 2 else r for i, r in enumerate(private(60).records)]
    prepare(replace(source(60), records=records), SPEC, tmp_path / "set")
    assert "Anna" not in (tmp_path / "set" / "dropped.csv").read_text()


def test_a_closed_cache_folder_still_hashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(tmp_path / "file" / "cache"))
    got = prepare(private(60), SPEC, tmp_path / "set")
    assert got.table["patient_id"].nunique() == 30
    assert not (tmp_path / "set" / "salt").exists()


def test_boxes_come_back(tmp_path: Path) -> None:
    records = [
        replace(r, boxes=((1.0, 2.0, 3.5, 4.0), (5.0, 6.0, 7.0, 8.0))) if i % 2 else r
        for i, r in enumerate(source().records)
    ]
    got = prepare(replace(source(), records=records), SPEC, tmp_path / "set")
    assert [list(box) for box in got.table["boxes"][1]] == [[1, 2, 3.5, 4], [5, 6, 7, 8]]
    assert got.table["boxes"][0] is None


def test_facts_of_two_types_become_words(tmp_path: Path) -> None:
    records = [
        replace(r, facts={"grade": 3 if i % 2 else "high"}) for i, r in enumerate(source().records)
    ]
    got = prepare(replace(source(), records=records), SPEC, tmp_path / "set")
    assert got.table["fact_grade"][:2].tolist() == ["high", "3"]


def test_equal_content_has_an_equal_digest_wherever_it_lies(tmp_path: Path) -> None:
    first = prepare(source(), SPEC, tmp_path / "set").content
    moved = replace(source(), fingerprint="another", name="moved")
    assert prepare(moved, SPEC, tmp_path / "moved").content == first
    relabelled = [replace(r, label=1 - (r.label or 0)) for r in source().records]
    other = prepare(replace(source(), records=relabelled), SPEC, tmp_path / "other")
    assert other.content != first


class Killed(BaseException):
    pass


@pytest.mark.parametrize("cut", ["nothing", "half a line", "pixels without their line"])
def test_a_killed_draft_is_gone_on_with(tmp_path: Path, cut: str) -> None:
    """Whole films of the draft are not read again, and the set is the same to the byte."""
    reads: list[int] = []

    def counted(level: int, side: int) -> Film:
        reads.append(level)
        return shade(level % 200, side)

    def records(limit: int) -> Iterator[Record]:
        for i, record in enumerate(source(MANY).records):
            if i == limit:
                raise Killed
            yield replace(record, read=broken if i == 2 else partial(counted, i))

    def killed_at(limit: int) -> Source:
        return replace(source(MANY), records=Once(partial(records, limit)))

    with pytest.raises(Killed):
        prepare(killed_at(MANY - 10), SPEC, tmp_path / "set")
    assert not (tmp_path / "set").exists()
    draft = tmp_path / ".set.tmp"
    done = len((draft / "journal.jsonl").read_bytes().splitlines())
    assert 0 < done < MANY - 10
    if cut == "half a line":
        with (draft / "journal.jsonl").open("r+b") as file:
            file.truncate((draft / "journal.jsonl").stat().st_size - 5)
        done -= 1
    elif cut == "pixels without their line":
        with (draft / "images.npy").open("ab") as file:
            file.write(b"\xff" * 1000)
    reads.clear()
    got = prepare(killed_at(2 * MANY), SPEC, tmp_path / "set")
    assert sorted(reads) == list(range(done, MANY))
    whole = prepare(killed_at(2 * MANY), SPEC, tmp_path / "whole")
    names = ["images.npy", "thumbs.npy", "masks.npy", "table.parquet", "alike.parquet"]
    names += ["dropped.csv", "prepared.json"]
    for name in names:
        assert (got.folder / name).read_bytes() == (whole.folder / name).read_bytes()
    assert sorted(f.name for f in got.folder.iterdir()) == sorted(names)


def test_thumbnails_are_of_whole_films_whatever_the_recipe_stores(tmp_path: Path) -> None:
    """What is told by them, as the border's AUROC is, is one figure in a report and in an audit."""
    rng = np.random.default_rng(4)
    films = [Film(rng.integers(0, 256, (96, 64), np.uint8), 96, 64) for _ in range(6)]
    records = [Record(f"film-{i}", partial(given, film), i % 2) for i, film in enumerate(films)]
    noise = Source("toy", "toy", "made by a test", "f00d", 6, 8, records)
    specs = (InputSpec(16, 16), InputSpec(48, 48), InputSpec(16, 16, fit="crop"))
    sets = [prepare(noise, spec, tmp_path / str(n)) for n, spec in enumerate(specs)]
    cells = np.stack([film.pixels.reshape(32, 3, 32, 2).mean(axis=(1, 3)) for film in films])
    for found in sets:
        assert (found.thumbs == sets[0].thumbs).all()
        # From looks of 48 px, so that a cell is no plain mean.
        assert np.abs(found.thumbs - cells).mean() < 20
    (tmp_path / "0" / "thumbs.npy").unlink()
    assert open_prepared(tmp_path / "0").thumbs.shape == (6, 32, 32)  # as sets of before


@pytest.mark.parametrize(
    ("stop", "told"),
    [
        (Killed(), Killed),
        (OSError(errno.ENOSPC, "No space left on device"), DiskFull),
        (PermissionError(errno.EACCES, "Permission denied"), OutputNotWritable),
    ],
)
@pytest.mark.parametrize("step", ["find_alike", "write_alike", "groups_of"])
def test_what_ends_the_comparing_costs_no_reading(
    step: str,
    stop: BaseException,
    told: type[BaseException],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads: list[int] = []

    def counted(level: int, side: int) -> Film:
        reads.append(level)
        return shade(level, side)

    def stopping(*given: object) -> None:
        raise stop

    read = replace(
        source(60),
        records=[replace(r, read=partial(counted, i)) for i, r in enumerate(source(60).records)],
    )
    with monkeypatch.context() as patch, pytest.raises(told):
        patch.setattr(f"pneumoscope.data.prepare.{step}", stopping)
        prepare(read, SPEC, tmp_path / "set")
    assert len(reads) == 60
    assert len(prepare(read, SPEC, tmp_path / "set").table) == 60
    assert len(reads) == 60


@pytest.mark.parametrize("patience", [0.0, 60.0])
def test_comparing_is_told_where_it_takes_long(
    patience: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pneumoscope.data.prepare._LONG", patience)
    rng = np.random.default_rng(0)
    films = [Film(rng.integers(0, 255, (8, 8), np.uint8), 8, 8) for _ in range(60)]
    records = [
        replace(record, read=partial(given, film))
        for record, film in zip(source(60).records, films, strict=True)
    ]
    told: list[tuple[int, int]] = []
    prepare(
        replace(source(60), records=records),
        SPEC,
        tmp_path / "set",
        lambda done, total: told.append((done, total)),
    )
    assert {total for _, total in told} == {60}
    assert (told.count((60, 60)) > 1) == (patience == 0)  # read, and then compared


def stopped(name: str = "toy", at: int = MANY - 10) -> Source:
    def records() -> Iterator[Record]:
        for i, record in enumerate(source(MANY).records):
            if i == at:
                raise Killed
            yield replace(record, read=partial(shade, i % 200))

    return replace(source(MANY), name=name, fingerprint=name, records=Once(records))


def test_a_draft_of_other_data_is_not_gone_on_with(tmp_path: Path) -> None:
    """A folder that the user names may hold what a killed process made of something else."""
    with pytest.raises(Killed):
        prepare(stopped(), SPEC, tmp_path / "set")
    got = prepare(source(60), SPEC, tmp_path / "set")
    assert got.table["image_id"].tolist() == [f"film-{i}" for i in range(60)]
    with pytest.raises(Killed):
        prepare(stopped(), SPEC, tmp_path / "wide")
    assert prepare(source(60), InputSpec(4, 8), tmp_path / "wide").images.shape == (60, 4, 4)


@pytest.mark.parametrize("damage", ["pixels cut off", "pixels gone", "journal of zeros"])
def test_a_draft_damaged_by_a_loss_of_power_is_begun_anew(tmp_path: Path, damage: str) -> None:
    with pytest.raises(Killed):
        prepare(stopped(), SPEC, tmp_path / "set")
    draft = tmp_path / ".set.tmp"
    if damage == "pixels cut off":
        with (draft / "images.npy").open("r+b") as file:
            file.truncate(1000)
    elif damage == "pixels gone":
        (draft / "images.npy").unlink()
    else:
        with (draft / "journal.jsonl").open("r+b") as file:
            file.seek(5000)
            file.write(bytes(3000))
    got = prepare(stopped(at=2 * MANY), SPEC, tmp_path / "set")
    assert got.images[:, 0, 0].tolist() == [i % 200 for i in range(MANY)]


def test_drafts_of_other_programs_beside_the_output_are_left_alone(tmp_path: Path) -> None:
    for name in (".theirs.tmp", "folder/.theirs.tmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    prepare(source(), SPEC, tmp_path / "set")
    assert (tmp_path / ".theirs.tmp").exists() and (tmp_path / "folder" / ".theirs.tmp").exists()


class Once:
    """Records that are made anew on each iteration, as those of a real source."""

    def __init__(self, make: Callable[[], Iterator[Record]]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[Record]:
        return self._make()


def test_films_that_could_not_be_reached_are_looked_for_again(tmp_path: Path) -> None:
    """Neither a file that is opened nor a disk that comes back changes the fingerprint."""
    away = {2, 5}

    def reach(i: int, side: int) -> Film:
        reads.append(i)
        if i in away:
            raise Unreachable("the file may not be read")
        return shade(i, side)

    reads: list[int] = []
    records = [replace(r, read=partial(reach, i)) for i, r in enumerate(source().records)]
    shifty = replace(source(), records=records)
    assert len(prepare(shifty, SPEC, tmp_path / "set").table) == 58
    reads.clear()
    assert len(prepare(shifty, SPEC, tmp_path / "set").table) == 58
    assert reads == [2, 5]
    away.remove(5)
    assert len(prepare(shifty, SPEC, tmp_path / "set").table) == 59
    away.clear()
    assert "unreached" not in prepare(shifty, SPEC, tmp_path / "set").about
    reads.clear()
    assert len(prepare(shifty, SPEC, tmp_path / "set").table) == 60 and not reads


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
    with pytest.raises(DiskFull, match="disk is full"):
        prepare(source(), SPEC, tmp_path / "set")
    assert [file.name for file in tmp_path.iterdir()] == [".set.lock"]


@pytest.mark.parametrize("name", ["images.npy", "table.parquet", "prepared.json"])
def test_a_damaged_set_says_so(tmp_path: Path, name: str) -> None:
    prepare(source(), SPEC, tmp_path / "set")
    file = tmp_path / "set" / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(Exception, match="damaged|cannot be read") as caught:
        open_prepared(tmp_path / "set")
    assert "Traceback" not in str(caught.value)
