"""A CSV or parquet table of paths and labels; paths start at the table's own folder."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from pneumoscope.records import DataRequest, Film, Record, Source
from pneumoscope.sources.annotations import Annotations, annotate, slashed
from pneumoscope.sources.columns import find_columns
from pneumoscope.sources.files import FoundFile, fingerprint, inside, read_file, typical_side
from pneumoscope.sources.labelled import IGNORED, record_of, told
from pneumoscope.sources.tablefile import TABLE_SUFFIXES, read_table

_NO_FILE = -1


def looks_like_table(path: Path) -> str | None:
    """Why ``path`` looks like a table of films, or None. Told by its name only."""
    suffix = path.suffix.lower()
    if suffix not in TABLE_SUFFIXES or not path.is_file():
        return None
    return f"a table: a {suffix} file"


def table_source(request: DataRequest) -> Source:
    """The films that a table names, with label and, where it has them, patient, split and facts.

    Rows whose path leads out of the table's folder or to nothing, that have no label, or that
    contradict each other give records that cannot be read, with the reason. Raises DataNotFound,
    UnreadableData, BadLabels, and InputError for a named column that is not there.
    """
    path = Path(request.data).expanduser()
    table = read_table(path)
    root = path.parent
    columns = find_columns(table, request, partial(_share_there, root))
    annotations = annotate(table, columns, request)
    files = tuple(_look(root, key) for key in annotations.keys)
    there = [file for file in files if file.changed != _NO_FILE]
    ignored = int(annotations.ignored.sum())
    return Source(
        name=path.stem,
        form="table",
        why=f"a table of {len(table.frame):,} rows: films in the column {columns.image!r}, labels "
        f"in {columns.label!r}",
        fingerprint=fingerprint("table", files, table.digest, told(request)),
        count=len(annotations) - ignored,
        native_size=typical_side(root, there),
        records=_Rows(root, annotations, columns.patient is not None),
        notes=annotations.notes,
        passed_over={IGNORED: ignored} if ignored else {},
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    """The records of a table in its order; a path is followed only when its film is read."""

    root: Path
    annotations: Annotations
    has_patients: bool

    def __iter__(self) -> Iterator[Record]:
        for place in np.flatnonzero(~self.annotations.ignored).tolist():
            annotation = self.annotations.of(place)
            yield record_of(
                annotation,
                annotation.key,
                partial(_read, self.root, annotation.key),
                private=self.has_patients or _found(annotation.key).is_dicom,
            )


def _read(root: Path, path: str, side: int = 0) -> Film:
    return read_file(inside(root, path), side)


def _share_there(root: Path, cells: list[str]) -> float:
    """The share of ``cells`` that name a file below ``root``."""
    found = (_look(root, slashed(cell)) for cell in cells)
    return sum(file.changed != _NO_FILE for file in found) / max(len(cells), 1)


def _look(root: Path, path: str) -> FoundFile:
    """Size and time of the file that ``path`` names, for the fingerprint and the sample.

    Nothing is opened here; a path that shows at once that it leads out is not even looked at.
    """
    plain = PurePosixPath(path)
    if plain.is_absolute() or ".." in plain.parts:
        return _found(path)
    try:
        about = (root / path).stat()
    except (OSError, ValueError):  # no such file, a name too long, a NUL
        return _found(path)
    if not stat.S_ISREG(about.st_mode):
        return _found(path)
    return FoundFile(path, about.st_size, about.st_mtime_ns)


def _found(path: str) -> FoundFile:
    return FoundFile(path, _NO_FILE, _NO_FILE)
