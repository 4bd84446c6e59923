"""Hugging Face sets on disk: parquet files in the hub's layout, and ``save_to_disk`` folders.

Read through pyarrow alone, a few rows at a time: no script of a set is run, nothing is unpickled,
and memory stays flat. The path that lies beside a film's bytes may name a person, so it becomes
no id; it is looked at only for what it says of patients.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pandas as pd
import pyarrow as pa

from pneumoscope.errors import PneumoscopeError, UnreadableData
from pneumoscope.listener import Listener
from pneumoscope.records import DataRequest, Source
from pneumoscope.sources.assemble import Listed, assemble, told
from pneumoscope.sources.fetch.hub import MARK, fetch_set
from pneumoscope.sources.film.rule import sort_films
from pneumoscope.sources.legends import in_words, legends_in
from pneumoscope.sources.listed import About, Column
from pneumoscope.sources.places.files import fingerprint, may_be_film
from pneumoscope.sources.rows.arrow import BROKEN, RowFile, open_rows
from pneumoscope.sources.rows.features import (
    RowColumns,
    cells,
    embedded_features,
    image_columns,
    row_columns,
)
from pneumoscope.sources.rows.films import RowFilms, typical_side
from pneumoscope.sources.rows.shards import Shards, find_shards, is_saved, parquet_files
from pneumoscope.sources.tables.bounds import Table
from pneumoscope.sources.tables.columns import Columns, find_columns
from pneumoscope.sources.tables.gather import Annotations, annotate
from pneumoscope.sources.tables.roles import of_studies

_LOOKS = 16  # files looked into before a folder is taken for something else
_MOSTLY = 0.9


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
    table = in_words(Table(path, frame, ""), legends_in(found.root), request.meanings)
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
            fingerprint=_fingerprint(found, request, table),
            native_size=typical_side(films),
            words=annotations.words,
            readers=annotations.readers,
            notes=(*table.notes, *_notes(found, roles, annotations, films), *kept.notes),
            passed=Counter(found.passed_over) + Counter(kept.passed),
            kept=kept.kept,
            patients=f"the column {roles.patient!r}" if roles.patient else "",
            studies=of_studies(roles.patient),
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


def _split(films: RowFilms, about: About) -> About:
    """``about`` with the splits of the files, which win over those of a column."""
    by_file = enumerate(films.parts)
    return replace(
        about, split=Column.of([about.split.at(i) if p == "all" else p for i, p in by_file])
    )


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


def _name(path: Path) -> str:
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        return str(json.loads((path / MARK).read_text("utf-8"))["name"])
    whole = path.absolute()
    return whole.stem if path.is_file() else whole.name


def _fingerprint(found: Shards, request: DataRequest, table: Table) -> str:
    files = [shard.file for shard in found.shards]
    parts = [shard.part for shard in found.shards]
    rest = json.dumps([found.features, parts], sort_keys=True)
    legend = [table.digest] if table.digest else []
    return fingerprint("huggingface", files, told(request), rest, *legend)


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
