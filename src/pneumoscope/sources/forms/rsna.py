"""The RSNA Pneumonia Detection Challenge: DICOM films and a table with a row for each box.

``stage_2_train_images/<patientId>.dcm``, ``stage_2_train_labels.csv`` with the columns
``patientId,x,y,width,height,Target``, and ``stage_2_detailed_class_info.csv`` where it is there.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from pneumoscope.errors import DataNotFound, InputError, UnreadableData
from pneumoscope.records import DataRequest, Source
from pneumoscope.sources.assemble import Listed, assemble, check_links, told
from pneumoscope.sources.film.find import find_films
from pneumoscope.sources.forms.labelled import NO_ROW, SHARED_ROW, drawn_on
from pneumoscope.sources.listed import About, FileFilms
from pneumoscope.sources.meaning.asking import Question
from pneumoscope.sources.naming import no_film_met
from pneumoscope.sources.places.files import FoundFile, Listing, fingerprint, typical_side
from pneumoscope.sources.places.match import NOWHERE, SHARED, Names, meet
from pneumoscope.sources.tables.bounds import Table
from pneumoscope.sources.tables.columns import Columns
from pneumoscope.sources.tables.gather import annotate
from pneumoscope.sources.tables.label import LabelColumn
from pneumoscope.sources.tables.read import read_table
from pneumoscope.sources.tables.roles import folded

_TABLE = re.compile(r"(stage_[12])_train_labels\.csv", re.IGNORECASE)
_TEST = re.compile(r"(^|/)stage_[12]_test_images/")
_COLUMNS = ("patientId", "x", "y", "width", "height", "Target")
_OPACITY = "Lung Opacity"
_NOTES = (
    "Negatives are all films without an opacity box: 'Normal' and also 'No Lung Opacity / Not "
    "Normal'. Figures of studies that leave the latter out are not comparable.",
    "The challenge gives one id per film, although its parent set (NIH ChestX-ray14) repeats "
    "patients: that no patient lies in two splits is not provable.",
)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where things lie: the label table, the films' folder, the table of details or None."""

    labels: Path
    films: Path
    details: Path | None


def looks_like_rsna(path: Path) -> str | None:
    """Why ``path`` looks like the RSNA challenge, or None. Looks at file names only."""
    try:
        found = _label_tables(path)
    except OSError:
        return None
    return f"{found[0].name} lies in the folder" if found else None


def rsna_source(request: DataRequest) -> Source:
    """The films of the RSNA challenge: label 1 where a row has Target 1, with its boxes.

    The fact ``detail`` is the class of ``stage_2_detailed_class_info.csv``: it is finer than the
    label and gives it away. Films without a row, with contradictory rows or bad boxes give records
    that cannot be read, with the reason. Raises DataNotFound, UnreadableData, BadLabels.
    """
    root = Path(request.data).expanduser()
    if request.columns:
        raise InputError(
            "the columns of the RSNA form are fixed",
            got=", ".join(f"{role}={name}" for role, name in request.columns.items()),
            remedy="for another table: --form labelled --labels FILE",
        )
    place = _place(root, request)
    table = read_table(place.labels)
    columns = _columns(table)
    listing = _listing(place, request)
    details = read_table(place.details) if place.details else None
    if details is not None:
        table = replace(table, frame=table.frame.assign(detail=_details(table, columns, details)))
        columns = replace(columns, facts=("detail",))
    annotations = annotate(table, columns, request, boxes_complete=True)
    paths = [file.image_id for file in listing.files]
    met = meet(annotations.keys, Names(paths))
    if not met.found:
        raise no_film_met(paths, annotations.keys, place.labels)
    about = annotations.about.take(met.places, {NOWHERE: NO_ROW, SHARED: SHARED_ROW})
    digests = [table.digest, details.digest if details else "", told(request)]
    left = len(annotations) - met.found
    side = typical_side(place.films, listing.files)
    return assemble(
        Listed(
            form="rsna",
            name=root.resolve().name,
            why=f"{place.labels.name} and {len(listing.files):,} films in {place.films.name}",
            films=FileFilms(place.films, listing.files, _ids(listing.files), all_private=True),
            about=about,
            fingerprint=fingerprint("rsna", listing.files, *digests),
            native_size=side,
            words=annotations.words,
            readers=annotations.readers,
            notes=(*_NOTES, *annotations.notes, *_remarks(left, annotations.about)),
            passed=listing.passed_over,
            patients="the challenge's own ids, one for each film",
            lost=check_links(listing, len(paths), {"unknown": len(listing.links)}),
            drawn_on=drawn_on(table, about.boxes, side),
        )
    )


def _label_tables(root: Path) -> list[Path]:
    """The label tables in ``root``, that of stage 2 first."""
    if not root.is_dir():
        return []
    found = [p for p in root.iterdir() if _TABLE.fullmatch(p.name) and p.is_file()]
    return sorted(found, key=lambda path: path.name.lower(), reverse=True)


def _place(root: Path, request: DataRequest) -> _Place:
    if not root.is_dir():
        raise DataNotFound("there is no such folder", got=root, expected="the RSNA folder")
    tables = [request.labels.expanduser()] if request.labels else _label_tables(root)
    if not tables:
        raise UnreadableData(
            "the folder has no label table of the RSNA challenge",
            got=root,
            expected="stage_2_train_labels.csv",
            remedy="name it: --labels FILE",
        )
    named = _TABLE.fullmatch(tables[0].name)
    stage = named[1].lower() if named else "stage_2"
    films = root / f"{stage}_train_images"
    details = root / f"{stage}_detailed_class_info.csv"
    for path in (films, details, *([] if request.labels else tables)):
        if not path.resolve().is_relative_to(root.resolve()):
            raise UnreadableData(
                "a link leads out of the folder", got=path, remedy="put the real file in its place"
            )
    return _Place(
        tables[0], films if films.is_dir() else root, details if details.is_file() else None
    )


def _listing(place: _Place, request: DataRequest) -> Listing:
    """The films; where no folder of training films is there, all but the challenge's test films."""
    listing = find_films(place.films, request.links).listing
    kept = tuple(file for file in listing.files if not _is_test(file))
    if not kept:
        raise UnreadableData(
            "the folder holds no films", got=place.films, expected="DICOM files named by patientId"
        )
    tests = Counter(
        {"test films of the challenge, which have no labels": len(listing.files) - len(kept)}
    )
    return replace(listing, files=kept, passed_over=+(Counter(listing.passed_over) + tests))


def _is_test(file: FoundFile) -> bool:
    return bool("_test_images/" in file.path and _TEST.search(file.path))


def _columns(table: Table) -> Columns:
    x = _required(table, _COLUMNS)
    question = Question(f"the column {x[5]!r} of {table.path}", "pneumonia", name=x[5])
    label = LabelColumn(x[5], table.frame[x[5]], question, (x[5],))
    return Columns(image=x[0], label=label, patient=x[0], box=(x[1], x[2], x[3], x[4]))


def _required(table: Table, wanted: tuple[str, ...]) -> list[str]:
    there = {folded(name): name for name in table.frame.columns}
    missing = [name for name in wanted if folded(name) not in there]
    if missing:
        raise UnreadableData(
            "the table lacks columns of the RSNA challenge",
            got=f"no {', '.join(missing)} in {table.path}",
            expected=", ".join(wanted),
            remedy="for another table: --form labelled --labels FILE",
        )
    return [there[folded(name)] for name in wanted]


def _details(table: Table, columns: Columns, details: Table) -> list[str]:
    """The detailed class of each row; ``""`` where there is none, or two for one film."""
    key, value = _required(details, ("patientId", "class"))
    pairs = details.frame[[key, value]].drop_duplicates()
    pairs = pairs[~pairs[key].duplicated(keep=False)]
    known = dict(zip(pairs[key], pairs[value], strict=True))
    return [known.get(one, "") for one in table.frame[columns.image]]


def _ids(files: tuple[FoundFile, ...]) -> list[str]:
    """The patientId of each film, which is its stem; its path where a stem is there twice."""
    names = [(file.image_id.rpartition("/")[2], file.written_suffix) for file in files]
    stems = [name.removesuffix(suffix) for name, suffix in names]
    times = Counter(stems)
    return [
        stem if times[stem] == 1 else file.image_id for stem, file in zip(stems, files, strict=True)
    ]


def _remarks(rows_without_film: int, about: About) -> list[str]:
    remarks = []
    if rows_without_film:
        remarks.append(f"{rows_without_film} ids of the label table have no film in the folder.")
    detail = about.facts.get("detail")
    if detail is not None and _OPACITY in detail.values:
        opacity = detail.codes == detail.values.index(_OPACITY)
        labelled = (about.label >= 0) & (detail.codes >= 0)
        differ = int((labelled & (opacity != (about.label == 1))).sum())
        if differ:
            remarks.append(f"{differ} films have a Target that differs from their detailed class.")
    return remarks
