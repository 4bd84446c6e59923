"""How a label table names films: by their own names, their folders or the ids of their headers; and
which of several tables is meant."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from pneumoscope.errors import InputError
from pneumoscope.records import DataRequest
from pneumoscope.sources.film.find import Found
from pneumoscope.sources.places.groups import by_folder, by_header
from pneumoscope.sources.places.match import Names
from pneumoscope.sources.tables.bounds import Table
from pneumoscope.sources.tables.find import (
    POSSIBLE,
    group_column,
    label_like,
    label_tables,
    names_films,
    places_named,
    told_of,
    with_films,
)
from pneumoscope.sources.tables.parts import LabelTable, read_labels

_HEADERS = 32


def own_names(found: Found) -> Names:
    """The films by their own names."""
    return Names([file.image_id for file in found.listing.files])


def names_and_groups(root: Path, found: Found, *more: Table) -> Iterator[Names]:
    """How a table may name the films: by their own names; where none does and one, below
    ``root`` or of ``more``, says what films show, by the folders that they lie in, or by the ids of
    their DICOM headers."""
    names = own_names(found)
    if not names.paths:
        return
    yield names
    tables = [*label_like(root), *more]
    if not tables:
        return
    yield by_folder(names.paths)
    files = [file.path for file in found.listing.files]
    some = by_header(root, files[:: max(1, len(files) // _HEADERS)])
    if any(group_column(table, some) for table in tables):
        yield by_header(root, files)


def labels_of(root: Path, found: Found, request: DataRequest) -> tuple[Names, LabelTable]:
    """How the label table names the films, and the table."""
    names = own_names(found)
    if request.labels is None:
        for each in names_and_groups(root, found):
            if tables := label_tables(root, each, request.meanings, least=POSSIBLE):
                return each, one_of(root, tables, each)
        return names, one_of(root, (), names)
    path = request.labels.expanduser()
    beside = root / request.labels
    path = beside if not path.exists() and beside.is_file() else path
    labels = read_labels(root, path, request.meanings, partial(places_named, names))
    if "image" in request.columns:
        return names, labels
    for each in names_and_groups(root, found, labels.table):
        joined = with_films(root, labels, each)
        if names_films(joined.table, each):
            return each, joined
    return names, labels


def one_of(root: Path, tables: Sequence[LabelTable], films: Names) -> LabelTable:
    """The only one of ``tables``. Raises InputError where there is none, or several."""
    if len(tables) == 1:
        return tables[0]
    if not tables:
        raise InputError(
            "a folder of films needs a table of their labels",
            got=root,
            remedy="name it: --labels FILE",
        )
    shown = tuple(
        f"{', '.join(names_below(root, table))} ({told_of(table.table, films)})" for table in tables
    )
    first = str(tables[0].paths[0])
    raise InputError(
        f"{len(tables)} tables in the folder could hold the labels",
        got=shown,
        expected="one of them",
        remedy=f"name the right one: {shlex.join(('--labels', first))}",
        answer=("--labels", first),
    )


def names_below(root: Path, *tables: LabelTable) -> list[str]:
    return [
        path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
        for table in tables
        for path in table.paths
    ]
