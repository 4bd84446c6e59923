"""How a label table names films: by their own names, their folders or the ids of their headers; and
which of several tables is meant."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path, PurePosixPath

from pneumoscope.errors import BadLabels, InputError
from pneumoscope.records import DataRequest
from pneumoscope.sources.film.find import Found
from pneumoscope.sources.meaning.cells import is_missing
from pneumoscope.sources.places.groups import by_folder, by_header
from pneumoscope.sources.places.match import Names, plain_path
from pneumoscope.sources.places.numbers import by_number
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
from pneumoscope.sources.tables.roles import named

_HEADERS = 32
_SHOWN_IDS, _SHOWN_FILMS = 5, 2000  # among which a similar pair of names is looked for


def own_names(found: Found) -> Names:
    """The films by their own names."""
    return Names([file.image_id for file in found.listing.files])


def names_and_groups(root: Path, found: Found, *more: Table) -> Iterator[Names]:
    """How a table may name the films: by their own names; where none does and one, below
    ``root`` or of ``more``, says what films show, by the folders that they lie in, by the ids of
    their DICOM headers, or by the number of each id alone."""
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
    if numbered := by_number(names.paths, _ids(tables)):
        yield numbered


def _ids(tables: Sequence[Table]) -> Iterator[list[str]]:
    """The distinct ids of each column that is named for films, patients or studies."""
    for table in tables:
        names = (n for role in ("image", "patient", "study") for n in named(table, role))
        for name in names:
            yield [str(cell) for cell in table.frame[name].unique() if not is_missing(cell)]


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


def _most_alike(keys: Sequence[str], paths: Sequence[str]) -> tuple[str, str]:
    """The id, as it was looked for, and the film of the most similar names: two that are meant to
    meet show why they do not."""
    ids = [PurePosixPath(plain_path(key)).name or key for key in keys[:_SHOWN_IDS]]
    names = {PurePosixPath(path).name: path for path in paths[:_SHOWN_FILMS]}
    close = {one: get_close_matches(one, names, n=1) for one in ids}
    pairs = [(one, names[found[0]]) for one, found in close.items() if found]
    return pairs[0] if pairs else (ids[0], paths[0])


def no_film_met(
    paths: Sequence[str],
    keys: Sequence[str],
    table: Path,
    way: tuple[str, tuple[str, ...]] = ("give the table of these films: --labels FILE", ()),
) -> BadLabels:
    """The error for a table of which no name meets a film; ``way`` is what to do, and the option
    that does it."""
    films = f"{len(paths)} film{'s' * (len(paths) != 1)}"
    looked, called = _most_alike(keys, paths)
    remedy, answer = way
    answer = ("--labels", str(table), *answer) if answer else ()
    remedy += "; where the table is of other films: --form unlabelled"
    elsewhere = Path(keys[0])
    if elsewhere.is_absolute() and elsewhere.is_file():
        remedy = (
            f"the films that it names lie elsewhere: give their folder, {elsewhere.parent}, and "
            f"--labels {table}"
        )
        answer = ()
    return BadLabels(
        "no film has a row in the label table",
        got=f"{films}, {len(keys)} ids in {table}; one was looked for as {looked!r}, and the most "
        f"similar name of a film is {called!r}",
        expected="ids that are paths or file names of the films, with or without suffix",
        remedy=remedy,
        answer=answer,
    )
