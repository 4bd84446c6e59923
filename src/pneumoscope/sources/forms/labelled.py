"""A folder of films with a table of their labels, named with ``--labels`` or found in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from pneumoscope.errors import DataNotFound, InputError, UnreadableData
from pneumoscope.records import CLASSES, DataRequest, Source
from pneumoscope.sources.assemble import MOST_LOST, Listed, assemble, check_links, told
from pneumoscope.sources.film.find import Found, find_films
from pneumoscope.sources.listed import IN_ANOTHER, About, Boxes, FileFilms
from pneumoscope.sources.meaning.cells import is_missing
from pneumoscope.sources.meaning.words import words_of
from pneumoscope.sources.naming import (
    labels_of,
    names_and_groups,
    names_below,
    no_film_met,
    one_of,
    own_names,
)
from pneumoscope.sources.official import asked_split, with_splits
from pneumoscope.sources.places.files import ANOTHER_KIND, FoundFile, fingerprint, typical_side
from pneumoscope.sources.places.groups import Groups
from pneumoscope.sources.places.match import NOWHERE, SHARED, Met, Names, meet
from pneumoscope.sources.splits import split_of
from pneumoscope.sources.tables.bounds import Table
from pneumoscope.sources.tables.columns import (
    Columns,
    find_columns,
    image_column,
    to_name_films,
)
from pneumoscope.sources.tables.find import (
    LIKELY,
    films_of,
    group_column,
    label_like,
    label_tables,
    may_have_tables,
    naming_tables,
)
from pneumoscope.sources.tables.gather import Annotations, annotate
from pneumoscope.sources.tables.parts import LabelTable
from pneumoscope.sources.tables.roles import few, is_rsna, of_studies, said_columns

NO_ROW = "no row in the label table"
SHARED_ROW = "several films match one row of the label table"
_REASONS = {NOWHERE: NO_ROW, SHARED: SHARED_ROW}
_OTHERS = "films of a test split that the label table does not name"
_RSNA_SIDE, _FAULTY = 1024, 0.2


def labelled_folder_source(request: DataRequest) -> Source:
    """The films below a folder, each with the label of its row in a table.

    A row names a film by the end of its path, with or without suffix. Films without a row, with
    a row that several films match, without a label or with contradictory rows give records that
    cannot be read, with the reason. Raises DataNotFound, UnreadableData, BadLabels, and
    InputError for a named column that is not there.
    """
    root = Path(request.data).expanduser()
    if not root.is_dir():
        raise DataNotFound("there is no such folder", got=root, expected="a folder of films")
    found = find_films(root, request.links)
    if not found.listing.files:
        check_links(found.listing, 0, {"unknown": len(found.listing.links)})
        raise UnreadableData("the folder holds no films", got=root, expected="DICOM or image files")
    names, labels = labels_of(root, found, request)
    return _source(root, found, names, labels, request)


def find_labels(
    root: Path, request: DataRequest, least: int = LIKELY
) -> Callable[[DataRequest], Source] | None:
    """How ``root`` is opened where it holds films and a table that says what they show, at
    ``least`` so surely, with what was found in it; None where it does not."""
    if not root.is_dir() or not may_have_tables(root):
        return None
    try:
        found = find_films(root, request.links)
        for names in names_and_groups(root, found):
            tables = label_tables(root, names, request.meanings, least=least)
            if tables:
                return partial(_opened, root, found, names, tables)
    except InputError:
        return None
    return None


def _opened(
    root: Path, found: Found, names: Names, tables: Sequence[LabelTable], request: DataRequest
) -> Source:
    return _source(root, found, names, one_of(root, tables, names), request)


def _source(
    root: Path, found: Found, names: Names, labels: LabelTable, request: DataRequest
) -> Source:
    """The films ``found`` below ``root``, called ``names``, with what ``labels`` say of each."""
    table, paths = labels.table, names.paths
    request = _with_ids(table, names, request)
    check_names(table, request, names)  # before any question about words
    columns = find_columns(table, request, names.share)
    annotations = annotate(table, columns, request)
    met = _met(annotations.keys, names)
    if not met.found:
        raise no_film_met(paths, annotations.keys, table.path, to_name_films(table, names.share))
    kept, passed = _within(paths, met)
    reasons = _reasons(root, labels, names, {int(i) for i in kept if met.places[i] == NOWHERE})
    files = tuple(found.listing.files[place] for place in kept)
    met = replace(met, places=met.places[kept])
    about = annotations.about.take(met.places, reasons)
    if not isinstance(names, Groups) and "patient" not in request.columns:
        about = _of_headers(about, columns, files)
    about, notes = with_splits(root, files, about, asked_split(columns, request))
    links = Counter({"unknown": len(found.listing.links)})
    side = typical_side(root, files)
    private = columns.patient is not None or isinstance(names, Groups)
    return assemble(
        Listed(
            form="labelled",
            name=root.resolve().name or "folder",
            why=f"a folder of films and the table {few(names_below(root, labels))}, which names "
            f"them in {columns.image!r} and gives labels in {columns.label.name!r}",
            films=FileFilms(root.resolve(), files, all_private=private),
            about=about,
            fingerprint=fingerprint("dicom", files, table.digest, told(request)),
            native_size=side,
            words=annotations.words,
            readers=annotations.readers,
            notes=(
                *table.notes,
                *annotations.notes,
                *met.notes,
                *_several_rows(table, columns.image, names),
                *notes,
                *found.notes,
                *_unmet(annotations, met),
            ),
            passed=Counter(found.listing.passed_over) - _read_there(root, labels) + passed,
            patients=f"the column {columns.patient!r}" if about.patient.known else "",
            studies=of_studies(columns.patient),
            lost=check_links(found.listing, len(files), links),
            drawn_on=drawn_on(table, about.boxes, side),
        )
    )


def _with_ids(table: Table, names: Names, request: DataRequest) -> DataRequest:
    """``request`` with the column that names the groups of films, where these are not named."""
    if not isinstance(names, Groups):
        return request
    columns = {"image": group_column(table, names), **request.columns}
    return replace(request, columns=columns)


def _of_headers(about: About, columns: Columns, files: Sequence[FoundFile]) -> About:
    """``about`` with the patients of DICOM films left to their headers, where the column of
    patients is that which names each film: RSNA's ``patientId`` says nothing of its own."""
    if columns.patient != columns.image:
        return about
    own = np.array([file.is_dicom for file in files])
    codes = np.where(own, -1, about.patient.codes)
    return replace(about, patient=replace(about.patient, codes=codes))


def _several_rows(table: Table, column: str | None, names: Names) -> list[str]:
    """What to say where ids of exams or patients have several rows, of which each may be another's
    visit."""
    if column is None or not isinstance(names, Groups):
        return []
    rows = table.frame[column].value_counts()
    several = int((rows[[not is_missing(str(key)) for key in rows.index]] > 1).sum())
    told = f"{several:,} ids of the column {column!r} have several rows, which are read together."
    return [told] if several else []


def _met(keys: Sequence[str], names: Names) -> Met:
    return names.meet_all(keys) if isinstance(names, Groups) else meet(keys, names)


def check_names(table: Table, request: DataRequest, names: Names) -> None:
    """Raise BadLabels where no id of the table names a film."""
    said = said_columns(table, request.columns)
    image = said.get("image") or image_column(table, names.share, [])
    keys = [key for key in table.frame[image].unique() if not is_missing(key)]
    trimmed, short, _ = names.trimmed(keys)
    if keys and not any(trimmed.find(key) for key in short):
        raise no_film_met(names.paths, keys, table.path, to_name_films(table, names.share))


def check_tables(root: Path, request: DataRequest) -> None:
    """Raise BadLabels where a table that lies among films without classes has labels, and no id of
    it names a film: to go on would make an unlabelled set of a labelled one."""
    if not root.is_dir() or not may_have_tables(root):
        return
    names = own_names(find_films(root, request.links))
    for table in label_like(root) if names.paths else ():
        check_names(table, request, names)


def drawn_on(table: Table, boxes: Boxes, side: int) -> int:
    """The side that ``boxes`` were drawn on, 0 for that of the films, which have ``side`` pixels.

    Those of the RSNA challenge were drawn on 1,024 px, and its films are often stored smaller.
    """
    if not is_rsna(table) or not len(boxes.corners):
        return 0
    # Boxes that were made smaller with their films lie within them, but for faulty ones.
    ends = (boxes.corners[:, :2] + boxes.corners[:, 2:]).max(axis=1)
    return _RSNA_SIDE if np.mean(ends > side) > _FAULTY else 0


def _reasons(
    root: Path, labels: LabelTable, names: Names, without: Collection[int]
) -> Mapping[int, str]:
    """Why films have no row; where those ``without`` are many, with the other table that names
    most of them."""
    if len(without) <= MOST_LOST * len(names.paths):
        return _REASONS
    for path, table in naming_tables(root, names):
        here = films_of(table, names).intersection(without)
        if path not in labels.paths and len(here) > len(without) / 2:
            return {**_REASONS, NOWHERE: f"{IN_ANOTHER} {path.name}"}
    return _REASONS


def _within(paths: Sequence[str], met: Met) -> tuple[np.ndarray, Counter[str]]:
    """All films but those of folders named for a test split in which none has a row: challenges
    keep the labels of their test films to themselves."""
    tops = np.array([path.partition("/")[0] if "/" in path else "" for path in paths])
    named = set(tops[met.places != NOWHERE].tolist())
    kept = np.flatnonzero([top in named or _split_word(top) != "test" for top in tops.tolist()])
    return kept, +Counter({_OTHERS: len(paths) - len(kept)})


def _read_there(root: Path, labels: LabelTable) -> Counter[str]:
    """The label tables below ``root``, which were read and not passed over."""
    return Counter({ANOTHER_KIND: sum(path.is_relative_to(root) for path in labels.paths)})


def _split_word(folder: str) -> str | None:
    return next((split for word in words_of(folder) if (split := split_of(word))), None)


def _unmet(annotations: Annotations, met: Met) -> list[str]:
    there = np.unique(met.places[met.places >= 0])
    left = np.setdiff1d(np.arange(len(annotations)), there)
    if not len(left):
        return []
    labels = annotations.about.label[left]
    by_class = ", ".join(
        f"{int((labels == label).sum()):,} {name}" for label, name in enumerate(CLASSES)
    )
    return [f"{len(left)} ids of the table name no film in the folder ({by_class})."]
