"""Hugging Face sets on disk: parquet files in the hub's layout, and ``save_to_disk`` folders.

Read through pyarrow alone, a few rows at a time: no script of a set is run, nothing is unpickled,
and memory stays flat. The path that lies beside a film's bytes may name a person, so it becomes
no id; it is looked at only for what it says of patients.
"""

from __future__ import annotations

import contextlib
import json
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from pneumoscope.errors import PneumoscopeError, UnreadableData, UnreadableImage
from pneumoscope.imaging import read
from pneumoscope.records import DataRequest, Film, Listener, Source
from pneumoscope.sources.assemble import Listed, assemble
from pneumoscope.sources.fetch.hub import MARK, fetch_set
from pneumoscope.sources.film.rule import sort_films
from pneumoscope.sources.listed import About, Column, Reader, refuse
from pneumoscope.sources.places.files import fingerprint, inside, may_be_film, read_file
from pneumoscope.sources.rows.arrow import BROKEN, Lost, RowFile, open_rows
from pneumoscope.sources.rows.features import (
    RowColumns,
    cells,
    embedded_features,
    image_columns,
    row_columns,
)
from pneumoscope.sources.rows.shards import Shard, Shards, find_shards, is_saved, parquet_files
from pneumoscope.sources.tables.bounds import Table
from pneumoscope.sources.tables.columns import Columns, find_columns
from pneumoscope.sources.tables.gather import Annotations, annotate

_LARGEST_FILM = 256 << 20  # bytes
_SAMPLE = 8
_USUAL_SIDE = 1024
_LOOKS = 16  # files looked into before a folder is taken for something else
_MOSTLY = 0.9

_NO_FILM = "the row holds no image"


def huggingface_source(request: DataRequest) -> Source:
    """The films of a Hugging Face set on disk. ``image_id`` is ``<split>-<row>``.

    Raises DataNotFound, UnreadableData, BadLabels, and InputError for a column that is not there.
    """
    path = Path(request.data).expanduser()
    found = find_shards(path)
    files = tuple(open_rows(shard.path) for shard in found.shards)
    columns = _agreed(found, files, request)
    frame = _read(files, columns)
    if not sum(file.rows for file in files):
        raise UnreadableData("the set holds no rows", got=request.data)
    named = {"label": columns.label} if columns.label else {}
    named |= {role: name for role, name in request.columns.items() if role != "image"}
    table = Table(path, frame, "")
    roles = find_columns(table, replace(request, columns=named), None)
    annotations = annotate(table, roles, request)
    films = RowFilms(
        found.root, found.shards, files, columns, _paths(files, columns, frame), bool(roles.patient)
    )
    kept = sort_films(films.paths)
    return assemble(
        Listed(
            form="huggingface",
            name=_name(path),
            why=f"{found.why}, films in the column {columns.image!r}, labels in "
            f"{roles.label.name!r}",
            films=films,
            about=_split(films, annotations.about),
            fingerprint=_fingerprint(found, request),
            native_size=_typical_side(films),
            words=annotations.words,
            notes=(*_notes(found, roles, annotations, films), *kept.notes),
            passed=Counter(found.passed_over) + Counter(kept.passed),
            kept=kept.kept,
            patients=f"the column {roles.patient!r}" if roles.patient else "",
        )
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
class RowFilms:
    """The films of all rows, read a few at a time; a row keeps its number whatever is left out."""

    root: Path
    shards: tuple[Shard, ...]
    files: tuple[RowFile, ...]
    columns: RowColumns
    paths: Sequence[str]
    has_patients: bool

    @property
    def ids(self) -> Sequence[str]:
        number: Counter[str] = Counter()
        found = []
        for part in self.parts:
            found.append(f"{part}-{number[part]:06d}")
            number[part] += 1
        return found

    @property
    def parts(self) -> list[str]:
        """The split of each row, by its file, or all."""
        pairs = zip(self.shards, self.files, strict=True)
        return [shard.part for shard, file in pairs for _ in range(file.rows)]

    @property
    def private(self) -> Sequence[bool]:
        return [self.has_patients] * sum(file.rows for file in self.files)

    def readers(self) -> Iterator[Reader]:
        return (self._reader(film) for file in self.files for film in self.films(file))

    def films(self, file: RowFile) -> Iterator[bytes | Path | str]:
        """The bytes of each film, its path, or why there is neither."""
        for batch in file.stream([self.columns.image]):
            if isinstance(batch, Lost):
                yield from ["the row lies in a damaged part of its file"] * batch.rows
                continue
            for cell in batch.column(0):
                yield _film(cell, self.columns.nested)

    def _reader(self, film: bytes | Path | str) -> Reader:
        if isinstance(film, str):
            return partial(refuse, film)
        return partial(_read_film, self.root, film)


def _split(films: RowFilms, about: About) -> About:
    """``about`` with the splits of the files, which win over those of a column."""
    by_file = enumerate(films.parts)
    return replace(
        about, split=Column.of([about.split.at(i) if p == "all" else p for i, p in by_file])
    )


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


def _agreed(found: Shards, files: Sequence[RowFile], request: DataRequest) -> RowColumns:
    """The columns of the set, the same in all its files."""
    first: RowColumns | None = None
    for file in files:
        columns = row_columns(file, found.features, request.columns)
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


def _read(files: Sequence[RowFile], columns: RowColumns) -> pd.DataFrame:
    """Every column but that of the films, as text."""
    text: dict[str, list[str]] = {name: [] for name in columns.light}
    names = list(columns.light)
    for file in files:
        for batch in file.scan(names) if names else ():
            for name in names:
                text[name] += cells(batch.column(name), columns.names.get(name))
    for name in names:
        kind = files[0].schema.field(name).type
        if name not in columns.names and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            text[name] = ["" if cell == "-1" else cell for cell in text[name]]  # unlabelled
    # Films repeat a few words, and pandas' own type for text would hold each again.
    return pd.DataFrame({name: pd.Series(words, dtype="str") for name, words in text.items()})


def _paths(files: Sequence[RowFile], columns: RowColumns, frame: pd.DataFrame) -> list[str]:
    """What the set calls each film: a column of paths, or the path beside its bytes."""
    for name in frame.columns:
        words = frame[name].iloc[:: max(1, len(frame) // 64)]
        files_named = sum("." in word and may_be_film(_last(word)) for word in words)
        if files_named >= _MOSTLY * len(words):
            return [word.replace("\\", "/") for word in frame[name]]
    paths: list[str] = []
    if columns.nested:
        try:
            for file in files:
                for batch in file.scan([f"{columns.image}.path"]):
                    paths += cells(batch.column(columns.image).field("path"))
        except (UnreadableData, LookupError):  # damaged, told row by row on reading; or no paths
            paths = []
    return [path.replace("\\", "/") for path in paths] or [""] * len(frame)


def _last(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _typical_side(records: RowFilms) -> int:
    """The longest side in pixels of a typical film: the median of eight, out of four files."""
    step = max(len(records.files) // 4, 1)
    chosen = records.files[::step][:4]
    sides = []
    for file in chosen:
        few = list(islice(records.films(file), min(file.rows, 64)))
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


def _fingerprint(found: Shards, request: DataRequest) -> str:
    said = [dict(request.classes), dict(request.columns)]
    parts = [shard.part for shard in found.shards]
    files = [shard.file for shard in found.shards]
    told = json.dumps([said, found.features, parts], sort_keys=True)
    return fingerprint("huggingface", files, told)


def _notes(
    found: Shards, roles: Columns, annotations: Annotations, films: RowFilms
) -> tuple[str, ...]:
    notes = [*found.notes, *annotations.notes]
    unlabelled = int((annotations.about.label < 0).sum())
    if unlabelled:
        notes.append(f"{unlabelled} rows have no label and are dropped.")
    if roles.patient is None and not any(films.paths):
        notes.append(
            "The set gives no patient ids, so a patient may lie in two splits: not provable."
        )
    return tuple(notes)
