"""Hugging Face sets on disk: parquet files in the hub's layout, and ``save_to_disk`` folders.

Read through pyarrow alone, a few rows at a time: no script of a set is run, nothing is unpickled,
and memory stays flat. The path that lies beside a film's bytes may name a person, so it becomes
no id; it is looked at only to recognise the Kermany set.
"""

from __future__ import annotations

import contextlib
import json
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa

from pneumoscope.errors import PneumoscopeError, UnreadableData, UnreadableImage
from pneumoscope.imaging import read
from pneumoscope.records import CLASSES, DataRequest, Film, Listener, Record, Source, Split
from pneumoscope.sources.arrow import BROKEN, Lost, RowFile, open_rows
from pneumoscope.sources.features import Columns, embedded_features, find_columns, image_columns
from pneumoscope.sources.files import fingerprint, inside, read_file
from pneumoscope.sources.hub import MARK, fetch_set
from pneumoscope.sources.rows import IGNORED, UNLABELLED, Rows, read_rows
from pneumoscope.sources.shards import Shard, Shards, find_shards, is_saved, parquet_files

_LARGEST_FILM = 256 << 20  # bytes
_SAMPLE = 8
_USUAL_SIDE = 1024
_LOOKS = 16  # files looked into before a folder is taken for something else

_NO_FILM = "the row holds no image"


def huggingface_source(request: DataRequest) -> Source:
    """The films of a Hugging Face set on disk. ``image_id`` is ``<split>-<row>``.

    Raises DataNotFound, UnreadableData, BadLabels, and InputError for a column that is not there.
    """
    path = Path(request.data).expanduser()
    found = find_shards(path)
    files = [open_rows(shard.path) for shard in found.shards]
    columns = _agreed(found, files, request)
    rows = read_rows(files, columns, request)
    records = HuggingFaceRecords(found.root, found.shards, tuple(files), columns, rows)
    ignored = int((rows.label == IGNORED).sum())
    passed = dict(found.passed_over) | ({"films of ignored classes": ignored} if ignored else {})
    return Source(
        name=_name(path),
        form="huggingface",
        why=_why(found, columns, rows),
        fingerprint=_fingerprint(found, request),
        count=len(records),
        native_size=_typical_side(records),
        records=records,
        notes=_notes(found, records),
        passed_over=passed,
    )


def fetch_hub(request: DataRequest, downloads: Path, listener: Listener) -> DataRequest:
    """The same request for what ``hf:owner/name[:config][@revision]`` names, fetched to disk.

    Raises DataNotFound, UnreadableData, OutputNotWritable.
    """
    return replace(request, data=str(fetch_set(request.data, downloads, listener)))


def looks_like_huggingface(path: Path) -> str | None:
    """Why ``path`` seems to be a Hugging Face set, None when it does not. A cheap look."""
    try:
        if path.is_file():
            return _looks_like_films(path) if path.suffix.lower() == ".parquet" else None
        if not path.is_dir():
            return None
        if is_saved(path):
            return "a folder made by save_to_disk"
        for _, file in islice(parquet_files(path), _LOOKS):
            if (why := _looks_like_films(file)) is not None:
                return why
    except (PneumoscopeError, *BROKEN):
        pass  # whatever it is, it is not one of these
    return None


def _looks_like_films(file: Path) -> str | None:
    rows = open_rows(file)
    images = image_columns(rows, embedded_features(rows))
    return f"parquet with films in the column {images[0]!r}" if images else None


@dataclass(frozen=True, slots=True)
class HuggingFaceRecords:
    """The records, read a few rows at a time; a row keeps its number where others are left out."""

    root: Path
    shards: tuple[Shard, ...]
    files: tuple[RowFile, ...]
    columns: Columns
    rows: Rows

    def __len__(self) -> int:
        return int((self.rows.label != IGNORED).sum())

    def __iter__(self) -> Iterator[Record]:
        number: Counter[str] = Counter()
        row = 0
        for shard, file in zip(self.shards, self.files, strict=True):
            for film in self._films(file):
                if self.rows.label[row] != IGNORED:
                    yield self._record(shard, number[shard.part], row, film)
                number[shard.part] += 1
                row += 1

    def _films(self, file: RowFile) -> Iterator[bytes | Path | str]:
        """The bytes of each film, its path, or why there is neither."""
        for batch in file.stream([self.columns.image]):
            if isinstance(batch, Lost):
                yield from ["the row lies in a damaged part of its file"] * batch.rows
                continue
            for cell in batch.column(0):
                yield _film(cell, self.columns.nested)

    def _record(self, shard: Shard, number: int, row: int, film: bytes | Path | str) -> Record:
        label = int(self.rows.label[row])
        split: Split | None = None if shard.part == "all" else shard.part
        if split is None and self.rows.split is not None:
            split = self.rows.split[row]
        facts = self.rows.facts_of(row)
        if isinstance(film, bytes):
            facts["bytes"] = len(film)
        return Record(
            image_id=f"{shard.part}-{number:06d}",
            read=self._reader(film, label),
            label=None if label == UNLABELLED else label,
            patient_id=None if self.rows.patient is None else self.rows.patient[row],
            split=split,
            facts=facts,
            # DICOM names its patient itself.
            private=self.rows.private or (isinstance(film, bytes) and film[128:132] == b"DICM"),
        )

    def _reader(self, film: bytes | Path | str, label: int) -> Callable[[int], Film]:
        if label == UNLABELLED:
            return partial(_refuse, "no label")
        if isinstance(film, str):
            return partial(_refuse, film)
        return partial(_read_film, self.root, film)


def _film(cell: Any, nested: bool) -> bytes | Path | str:
    """The film of one cell: bytes, a path, or the reason why it has neither."""
    if not cell.is_valid:
        return _NO_FILM
    data = cell["bytes"] if nested else cell
    if not data.is_valid:
        return _path(cell["path"]) if nested and "path" in cell else _NO_FILM
    if not nested and isinstance(data, pa.StringScalar | pa.LargeStringScalar):
        return _path(data)
    buffer = data.as_buffer()
    if buffer.size > _LARGEST_FILM:
        return "the row holds more bytes than any film has"
    return bytes(buffer.to_pybytes()) if buffer.size else _NO_FILM


def _path(cell: Any) -> Path | str:
    try:
        path = cell.as_py()
    except UnicodeDecodeError:  # parquet does not check that its text is UTF-8
        return "the path in the table cannot be followed"
    return Path(path) if isinstance(path, str) and path else _NO_FILM


def _read_film(root: Path, film: bytes | Path, side: int = 0) -> Film:
    if isinstance(film, bytes):
        return read.read_film(film, side)
    return read_file(inside(root, str(film)), side)


def _refuse(what: str, side: int = 0) -> NoReturn:
    raise UnreadableImage(what)


def _agreed(found: Shards, files: list[RowFile], request: DataRequest) -> Columns:
    """The columns of the set, the same in all its files."""
    first: Columns | None = None
    for file in files:
        columns = find_columns(file, found.features, request.columns)
        if first is not None and columns != first:
            raise UnreadableData(
                "the files of the set have different columns or class names",
                got=f"{files[0].path} and {file.path}",
                expected="the same in every file",
                remedy="give the file, or the folder of those that belong together",
            )
        first = columns
    if first is None:
        raise UnreadableData("the set names no files", got=request.data)
    return first


def _typical_side(records: HuggingFaceRecords) -> int:
    """The longest side in pixels of a typical film: the median of eight, out of four files."""
    step = max(len(records.files) // 4, 1)
    chosen = records.files[::step][:4]
    sides = []
    for file in chosen:
        few = list(islice(records._films(file), min(file.rows, 64)))
        spread = max(len(few) * len(chosen) // _SAMPLE, 1)
        for film in few[::spread]:
            with contextlib.suppress(UnreadableImage, OSError), read.quiet_decoders():
                if not isinstance(film, str):
                    source = film if isinstance(film, bytes) else inside(records.root, str(film))
                    sides.append(max(read.native_size(source)))
    # Where none can be read, that of a usual radiograph: reading says what is wrong.
    return int(statistics.median(sides)) if sides else _USUAL_SIDE


def _name(path: Path) -> str:
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        return str(json.loads((path / MARK).read_text("utf-8"))["name"])
    whole = path.absolute()
    return whole.stem if path.is_file() else whole.name


def _why(found: Shards, columns: Columns, rows: Rows) -> str:
    def words(label: int) -> str:
        return "/".join(sorted(repr(word) for word, code in rows.words.items() if code == label))

    meaning = ", ".join(f"{words(label)} {name}" for label, name in enumerate(CLASSES))
    where = f"films in the column {columns.image!r}, labels in {columns.label!r}"
    return f"{found.why}, {where}: {meaning}"


def _fingerprint(found: Shards, request: DataRequest) -> str:
    said = [dict(request.classes), dict(request.columns)]
    parts = [shard.part for shard in found.shards]
    files = [shard.file for shard in found.shards]
    told = json.dumps([said, found.features, parts], sort_keys=True)
    return fingerprint("huggingface", files, told)


def _notes(found: Shards, records: HuggingFaceRecords) -> tuple[str, ...]:
    notes = [*found.notes, *records.rows.notes]
    unlabelled = int((records.rows.label == UNLABELLED).sum())
    if unlabelled:
        notes.append(f"{unlabelled} rows have no label and are dropped.")
    if records.rows.patient is None:
        notes.append(
            "The set gives no patient ids, so a patient may lie in two splits: not provable."
        )
    return tuple(notes)
