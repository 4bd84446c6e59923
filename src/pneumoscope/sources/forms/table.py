"""A table of paths and labels: films lie where it says, or below its folder under these names."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from pneumoscope.errors import InputError
from pneumoscope.records import DataRequest, Film, Source
from pneumoscope.sources.assemble import Listed, assemble, told
from pneumoscope.sources.film.find import find_films
from pneumoscope.sources.film.rule import sort_films
from pneumoscope.sources.forms.labelled import drawn_on
from pneumoscope.sources.listed import Column, FileFilms, Reader
from pneumoscope.sources.official import asked_split, with_splits
from pneumoscope.sources.places.files import FoundFile, fingerprint, inside, read_file, typical_side
from pneumoscope.sources.places.match import Names, meet
from pneumoscope.sources.tables.columns import Columns, find_columns
from pneumoscope.sources.tables.find import with_films
from pneumoscope.sources.tables.gather import Annotations, annotate, slashed
from pneumoscope.sources.tables.parts import LabelTable, read_labels
from pneumoscope.sources.tables.read import is_table
from pneumoscope.sources.tables.roles import of_studies

_NO_FILE = -1
_MISSING = "there is no such file"
_MOSTLY = 0.5
_SAMPLE = 64

_Found = tuple[Listed, Sequence[FoundFile]]


def looks_like_table(path: Path) -> str | None:
    """Why ``path`` looks like a table of films, or None. Told by its name only."""
    if not is_table(path) or not path.is_file():
        return None
    return f"a table: a {path.suffix.lower()} file"


def table_source(request: DataRequest) -> Source:
    """The films that a table names, with label and, where it has them, patient, split and facts.

    Rows whose path leads out of the table's folder or to nothing, that have no label, or that
    contradict each other give records that cannot be read, with the reason. Where few paths lead
    anywhere, as in a table that another machine wrote, the films below the table's folder are met
    by the ends of their paths. Raises DataNotFound, UnreadableData, BadLabels, and InputError.
    """
    path = Path(request.data).expanduser()
    root = path.parent
    labels = read_labels(root, path, request.meanings)
    labels, columns, names = _columns(root, labels, request)
    table = labels.table
    annotations = annotate(table, columns, request)
    listed, files = _where_it_says(root, columns, annotations, request)
    if names is None and _there(files) < _MOSTLY * len(files):
        names = _below(root, request)
    if names is not None:
        listed, files = _by_names(root, names, annotations, columns, (listed, files))
    about, notes = with_splits(root, files, listed.about, asked_split(columns, request))
    return assemble(
        replace(
            listed,
            about=about,
            name=path.stem,
            why=f"a table of {len(table.frame):,} rows: films in the column {columns.image!r}, "
            f"labels in {columns.label.name!r}",
            fingerprint=fingerprint("table", files, table.digest, told(request)),
            words=annotations.words,
            readers=annotations.readers,
            notes=(*table.notes, *annotations.notes, *listed.notes, *notes),
            patients=f"the column {columns.patient!r}" if columns.patient else "",
            studies=of_studies(columns.patient),
            drawn_on=drawn_on(table, about.boxes, listed.native_size),
        )
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    """The films of a table in its order; a path is followed only when its film is read."""

    root: Path
    files: Sequence[FoundFile]
    also: tuple[Path, ...]
    has_patients: bool

    @property
    def ids(self) -> Sequence[str]:
        return [file.path for file in self.files]

    @property
    def paths(self) -> Sequence[str]:
        return [file.path for file in self.files]

    @property
    def private(self) -> Sequence[bool]:
        return [self.has_patients or file.is_dicom for file in self.files]

    @property
    def has_header(self) -> Sequence[bool]:
        return [file.is_dicom for file in self.files]

    def readers(self) -> Iterator[Reader]:
        return (partial(_read, self.root, file.path, self.also) for file in self.files)


def _columns(
    root: Path, labels: LabelTable, request: DataRequest
) -> tuple[LabelTable, Columns, Names | None]:
    """The table with its columns, and the films below its folder where its paths lead nowhere;
    joined to a table there that names them, where it does not itself."""
    columns, sample = None, []
    try:
        columns = find_columns(labels.table, request, partial(_share_there, root))
        cells = labels.table.frame[columns.image]
        sample = [cell for cell in cells.iloc[:: max(1, len(cells) // _SAMPLE)] if cell]
        if _share_there(root, sample) >= _MOSTLY:
            return labels, columns, None
    except InputError as error:
        if "names the films" not in error.what:
            raise
    names = _below(root, request)
    if columns is None or (not names.share(sample) and "image" not in request.columns):
        labels = with_films(root, labels, names)
        columns = find_columns(labels.table, request, names.share)
    return labels, columns, names


def _below(root: Path, request: DataRequest) -> Names:
    listing = find_films(root, request.links).listing
    return Names([file.path for file in listing.files])


def _where_it_says(
    root: Path, columns: Columns, annotations: Annotations, request: DataRequest
) -> _Found:
    """The films at the paths that the table gives."""
    kept = sort_films(annotations.keys)
    places = np.array(kept.kept, dtype=np.int64)
    files = tuple(_look(root, annotations.keys[place]) for place in kept.kept)
    films = _Rows(root, files, request.links, columns.patient is not None)
    there = [file for file in files if file.changed != _NO_FILE]
    listed = Listed(
        form="table",
        name=root.name,
        why="",
        films=films,
        about=annotations.about.take(places, {}),
        fingerprint="",
        native_size=typical_side(root, there),
        notes=kept.notes,
        passed=Counter(kept.passed),
    )
    return listed, files


def _by_names(
    root: Path, names: Names, annotations: Annotations, columns: Columns, found: _Found
) -> _Found:
    """The films below ``root`` that the table's names meet, in the table's order; names without a
    film are films that are missing."""
    met = meet(annotations.keys, names)
    film_of = {int(place): film for film, place in enumerate(met.places.tolist()) if place >= 0}
    listed, direct = found
    if len(film_of) <= _there(direct):
        return found
    order = [(place, film_of.get(place)) for place in range(len(annotations))]
    files = [
        _look(root, names.paths[film] if film is not None else annotations.keys[place])
        for place, film in order
    ]
    about = annotations.about
    missing = [None if film is not None else _MISSING for _, film in order]
    reason = [about.reason.at(place) or missing[place] for place in range(len(about))]
    about = replace(about, reason=Column.of(reason))
    films = FileFilms(root.resolve(), files, all_private=columns.patient is not None)
    there = [file for file in files if file.changed != _NO_FILE]
    listed = replace(
        listed,
        films=films,
        about=about,
        native_size=typical_side(root, there),
        notes=(*listed.notes, *met.notes),
    )
    return listed, files


def _there(files: Sequence[FoundFile]) -> int:
    return sum(file.changed != _NO_FILE for file in files)


def _read(root: Path, path: str, also: tuple[Path, ...], side: int = 0) -> Film:
    return read_file(inside(root, path, also), side)


def _share_there(root: Path, cells: Sequence[str]) -> float:
    """The share of ``cells`` that name a file below ``root``."""
    found = (_look(root, slashed(cell)) for cell in cells)
    return sum(file.changed != _NO_FILE for file in found) / max(len(cells), 1)


def _look(root: Path, path: str) -> FoundFile:
    """Size and time of the file that ``path`` names, for the fingerprint and the sample.

    Nothing is opened here; a path that shows at once that it leads out is not even looked at.
    """
    if path.startswith("/") or ".." in path.split("/"):
        return _found(path)
    try:
        about = os.stat(f"{root}/{path}")  # noqa: PTH116 - a Path costs more than the look
    except (OSError, ValueError):  # no such file, a name too long, a NUL
        return _found(path)
    if not stat.S_ISREG(about.st_mode):
        return _found(path)
    return FoundFile(path, about.st_size, about.st_mtime_ns)


def _found(path: str) -> FoundFile:
    return FoundFile(path, _NO_FILE, _NO_FILE)
