"""Which column of a table holds what: by the user's word, by its name, and by what is in it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pandas as pd

from pneumoscope.errors import BadLabels, InputError, nearest
from pneumoscope.records import DataRequest
from pneumoscope.sources.classes import class_of
from pneumoscope.sources.facts import Cells, fact_columns
from pneumoscope.sources.layout import split_of
from pneumoscope.sources.tablefile import Table, is_missing

Fits = Callable[[list[str]], float]
"""The share, 0–1, of some cells of a column that name a film."""

ROLES = ("image", "label", "patient", "split")
_NAMES: dict[str, tuple[str, ...]] = {
    "image": (
        *("imagepath", "filepath", "path", "imagefilepath", "imagefile", "filename", "file"),
        *("imagefilename", "fname", "image", "img", "imgpath", "imagename", "imagenames"),
        *("xrayimagename", "imageindex", "imageid", "imgid", "dicompath", "dicomfile", "dicom"),
        *("dicomid", "sopinstanceuid", "id", "patientid"),
    ),
    "label": (
        *("label", "labels", "target", "class", "classname", "labelname", "category"),
        *("pneumonia", "finding", "findings", "findinglabels", "diagnosis", "y"),
    ),
    "patient": ("patientid", "patient", "subjectid", "subject", "personid", "person", "pid"),
    "split": (*("split", "set", "subset", "partition", "datasettype", "dataset", "fold", "usage"),),
}
_BOX = (
    ("x", "bboxx", "boxx"),
    ("y", "bboxy", "boxy"),
    ("width", "w", "bboxwidth", "bboxw", "boxwidth"),
    ("height", "h", "bboxheight", "bboxh", "boxheight"),
)
_SAMPLE = 64
_MOST_SEARCHED = 64
_ENOUGH = 0.5


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the columns that hold what; None where the table has none.

    ``box`` are those of x, y, width and height. ``facts`` are scalar columns that name nobody.
    ``notes`` say what was chosen and why, where there was a choice.
    """

    image: str
    label: str
    patient: str | None = None
    split: str | None = None
    box: tuple[str, str, str, str] | None = None
    facts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def folded(name: str) -> str:
    """``name`` without case, spaces and punctuation: ``Image Index``, ``image_index`` are one."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", name).casefold())


def find_columns(table: Table, request: DataRequest, fits: Fits) -> Columns:
    """Find the columns; ``request.columns`` wins, then names, then what the cells hold.

    Raises InputError for a column that is not there, BadLabels when no label column or more than
    one that differ are found.
    """
    said = _said(table, request)
    notes: list[str] = []
    box = _box_columns(table, set(said.values()))
    image = said.get("image") or _image_column(table, fits, notes)
    label = said.get("label") or _label_column(table, request, {image, *(box or ())}, notes)
    patient = said.get("patient") or _patient_column(table)
    split = said.get("split") or _split_column(table, {image, label, patient or ""})
    known = {name for name in table.frame.columns if _has_a_role(name)}
    taken = {
        image,
        label,
        *(box or ()),
        *([patient] if patient else []),
        *([split] if split else []),
    }
    # A second label column would tell the answer as a fact, a second id would name a person.
    facts, left_out = fact_columns(table.frame, taken | known)
    if left_out:
        notes.append(
            "Columns not kept, being names, ids, dates, free text or of another use: "
            f"{_few(left_out)}."
        )
    return Columns(image, label, patient, split, box, facts, tuple(notes))


def _said(table: Table, request: DataRequest) -> dict[str, str]:
    found = {}
    names = [str(name) for name in table.frame.columns]
    for role, name in request.columns.items():
        if role not in ROLES:
            raise InputError(
                "a column was named for an unknown use", got=role, expected=nearest(role, ROLES)
            )
        alike = [n for n in names if n == name] or [n for n in names if folded(n) == folded(name)]
        if name in table.unread:
            raise InputError(f"the column {name!r} holds neither text nor numbers", got=table.path)
        if len(alike) != 1:
            raise InputError(
                f"the table has no column {name!r}",
                got=table.path,
                expected=nearest(name, names),
            )
        found[role] = alike[0]
    return found


def _named(table: Table, role: str, besides: Iterable[str] = ()) -> list[str]:
    """The columns whose names are known for ``role``, the likeliest first."""
    by_name: dict[str, list[str]] = {}
    for name in table.frame.columns:
        if name not in besides:
            by_name.setdefault(folded(name), []).append(name)
    return [name for known in _NAMES[role] for name in by_name.get(known, ())]


def _has_a_role(name: str) -> bool:
    plain = folded(name)
    return any(plain in names for role, names in _NAMES.items() if role != "split")


def _box_columns(table: Table, taken: set[str]) -> tuple[str, str, str, str] | None:
    by_name = {folded(name): name for name in table.frame.columns if name not in taken}
    found = [next((by_name[n] for n in names if n in by_name), None) for names in _BOX]
    x, y, width, height = found
    if x is None or y is None or width is None or height is None:
        return None
    return x, y, width, height


def _image_column(table: Table, fits: Fits, notes: list[str]) -> str:
    named = _named(table, "image")
    share = {name: fits(_sample(table.frame[name])) for name in named}
    best = max(named, key=lambda name: share[name], default=None)
    if best is not None and share[best] > 0:
        others = [name for name in named if name != best and share[name] > 0]
        if others:
            notes.append(
                f"Films are named by the column {best!r}; {_few(others)} would name as many or "
                "fewer."
            )
        return best
    rest = [name for name in table.frame.columns if not _has_a_role(name)][:_MOST_SEARCHED]
    content = {name: fits(_worded(_sample(table.frame[name]))) for name in rest}
    found = max(rest, key=lambda name: content[name], default=None)
    if found is not None and content[found] >= _ENOUGH:
        notes.append(f"Films are named by the column {found!r}: its cells name files.")
        return found
    if best is not None:
        return best
    raise InputError(
        "no column of the table names the films",
        got=f"{_few(table.frame.columns)} in {table.path}",
        expected="a column such as path, file_name or image_id",
        remedy="name it: --column image=NAME",
    )


def _label_column(table: Table, request: DataRequest, besides: set[str], notes: list[str]) -> str:
    named = _named(table, "label", besides)
    readable = [name for name in named if _reads_as_labels(table, name, request, numbers=True)]
    if not named:
        # Only words can be told by themselves; 0 and 1 may mean anything.
        rest = [n for n in table.frame.columns if n not in besides][:_MOST_SEARCHED]
        readable = [n for n in rest if _reads_as_labels(table, n, request, numbers=False)]
        if len(readable) == 1:
            notes.append(f"Labels are in the column {readable[0]!r}: its cells are class names.")
    if not named and len(readable) != 1:
        raise BadLabels(
            "no column of the table holds labels"
            if not readable
            else "two columns could be the label: " + _few(readable),
            got=f"{_few(table.frame.columns)} in {table.path}",
            expected="a column such as label, target or class",
            remedy="name it: --column label=NAME",
        )
    if len(readable) > 1:
        _check_same_labels(table, readable, request)
        notes.append(
            f"Labels are in the column {readable[0]!r}; {_few(readable[1:])} says the same."
        )
    elif readable and len(named) > 1:
        others = [name for name in named if name not in readable]
        notes.append(f"Labels are in the column {readable[0]!r}; {_few(others)} has other words.")
    return readable[0] if readable else named[0]


def _reads_as_labels(table: Table, name: str, request: DataRequest, *, numbers: bool) -> bool:
    words = [word for word in table.frame[name].unique() if not is_missing(word)]
    verdicts = {class_of(word, request.classes, numbers=numbers) for word in words[:_SAMPLE]}
    return bool(verdicts) and None not in verdicts and len(words) <= _SAMPLE


def _check_same_labels(table: Table, names: list[str], request: DataRequest) -> None:
    def verdicts(name: str) -> Cells:
        column = table.frame[name]
        meaning = {w: class_of(w, request.classes, numbers=True) or "" for w in column.unique()}
        return column.map(meaning)

    first = verdicts(names[0])
    for other in names[1:]:
        if not first.equals(verdicts(other)):
            raise BadLabels(
                f"two columns could be the label and differ: {names[0]!r} and {other!r}",
                got=table.path,
                remedy=f"name the right one: --column label={names[0]}",
            )


def _patient_column(table: Table) -> str | None:
    named = _named(table, "patient")
    for other in named[1:]:
        one, two = (pd.factorize(table.frame[name])[0] for name in (named[0], other))
        if (one != two).any():
            raise InputError(
                f"two columns could be the patient and differ: {named[0]!r} and {other!r}",
                got=table.path,
                remedy=f"name the right one: --column patient={named[0]}",
            )
    return named[0] if named else None


def _split_column(table: Table, besides: set[str]) -> str | None:
    found = []
    for name in _named(table, "split", besides):
        words = [word for word in table.frame[name].unique() if not is_missing(word)]
        # "set" or "fold" may mean something else, until a word of theirs is that of a split.
        if folded(name) == "split" or any(split_of(word) for word in words):
            found.append(name)
    for other in found[1:]:
        if not table.frame[found[0]].map(split_of).equals(table.frame[other].map(split_of)):
            raise InputError(
                f"two columns could be the split and differ: {found[0]!r} and {other!r}",
                got=table.path,
                remedy=f"name the right one: --column split={found[0]}",
            )
    return found[0] if found else None


def _sample(column: Cells) -> list[str]:
    cells = [
        cell for cell in column.iloc[:: max(1, len(column) // _SAMPLE)] if not is_missing(cell)
    ]
    return cells[:_SAMPLE]


def _worded(cells: list[str]) -> list[str]:
    """The cells, or none where most are whole numbers: an age may be the name of a file too."""
    words = [cell for cell in cells if not cell.isdecimal()]
    return words if 2 * len(words) > len(cells) else []


def _few(names: Iterable[str], most: int = 6) -> str:
    listed = list(names)
    told = ", ".join(repr(name) for name in listed[:most])
    return told if len(listed) <= most else f"{told} and {len(listed) - most} more"
