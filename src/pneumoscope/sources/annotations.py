"""What a table says of each film: its rows gathered by film, and what is wrong with them.

Everything is held in columns, so millions of rows stay small; a film's annotation is put together
when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.errors import BadLabels
from pneumoscope.records import DataRequest, Facts, Split
from pneumoscope.sources.classes import LABEL_OF, classes_of, fold
from pneumoscope.sources.columns import Columns
from pneumoscope.sources.facts import Cells, as_numbers, fact_name
from pneumoscope.sources.layout import split_of
from pneumoscope.sources.tablefile import MISSING, Table, is_missing

Box = tuple[float, float, float, float]
Codes = NDArray[np.int64]

REASONS = (
    "",
    "the table gives no path",
    "no label",
    "contradictory labels",
    "contradictory patient ids",
    "contradictory splits",
    "a box that is no rectangle",
    "label 0 with a box",
    "label 1 without a box",
)
(_FINE, _NO_PATH, _NO_LABEL, _TWO_LABELS, _TWO_PATIENTS, _TWO_SPLITS, _BAD_BOX, _BOX_0, _NO_BOX) = (
    range(len(REASONS))
)
_IGNORED = 2  # beside the labels 0 and 1


@dataclass(frozen=True, slots=True)
class Annotation:
    """What the table says of one film. ``reason`` says why it cannot be used; ``""`` when it can.

    ``ignored`` is true for a film of a class that the user said to leave out.
    """

    key: str
    label: int | None
    reason: str
    ignored: bool = False
    patient_id: str | None = None
    split: Split | None = None
    boxes: tuple[Box, ...] = ()
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Annotations:
    """One annotation per film, in the order of first appearance in the table.

    ``keys`` name the films as the table does, with ``/``, each once. ``notes`` say what was
    merged or left out. ``of(place)`` gives the annotation of ``keys[place]``.
    """

    keys: pd.Index
    label: Codes
    reason: Codes
    patient: Column
    split: Column
    facts: Mapping[str, Column]
    boxes: Boxes
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[Annotation]:
        return (self.of(place) for place in range(len(self)))

    def of(self, place: int) -> Annotation:
        label = int(self.label[place])
        facts = {name: column.at(place) for name, column in self.facts.items()}
        return Annotation(
            key=self.keys[place],
            label=label if label in (0, 1) else None,
            reason=REASONS[self.reason[place]],
            ignored=label == _IGNORED and not self.reason[place],
            patient_id=self.patient.at(place),
            split=self.split.at(place),
            boxes=self.boxes.of(place),
            facts={name: value for name, value in facts.items() if value is not None},
        )

    @property
    def ignored(self) -> NDArray[np.bool_]:
        """Bool (films,): those of a class that the user said to leave out."""
        return cast("NDArray[np.bool_]", (self.label == _IGNORED) & (self.reason == _FINE))


@dataclass(frozen=True, slots=True)
class Column:
    """A value per film: ``values[code]``, or none where the code is -1."""

    codes: Codes
    values: list[Any]

    def at(self, place: int) -> Any:
        code = self.codes[place]
        return None if code < 0 else self.values[code]


@dataclass(frozen=True, slots=True)
class Boxes:
    """All boxes (n, 4) as (x, y, width, height) in pixels; those of a film lie together."""

    corners: NDArray[np.float64]
    starts: Codes

    def of(self, place: int) -> tuple[Box, ...]:
        rows = self.corners[self.starts[place] : self.starts[place + 1]]
        return tuple((x, y, width, height) for x, y, width, height in rows.tolist())


def annotate(
    table: Table, columns: Columns, request: DataRequest, *, boxes_complete: bool = False
) -> Annotations:
    """Gather the rows of ``table`` by film. A row per box, or repeated rows, make one film.

    ``boxes_complete`` says that every positive film must have a box. Raises BadLabels for a class
    word or split that is not known, or when no film has a label.
    """
    used = [columns.image, columns.label, columns.patient, columns.split]
    used += [*(columns.box or ()), *columns.facts]
    frame = table.frame[list(dict.fromkeys(name for name in used if name))]
    repeated = int(frame.duplicated().sum())
    frame = frame.drop_duplicates(ignore_index=True) if repeated else frame
    films, keys = pd.factorize(_keys(frame[columns.image]))
    film, count = films.astype(np.int64), len(keys)

    reason = np.zeros(count, dtype=np.int64)
    reason[np.unique(film[_missing(frame[columns.image])])] = _NO_PATH
    label, two = _settle(film, _labels(table, columns, request, frame), count)
    _mark(reason, two, _TWO_LABELS)
    _mark(reason, label < 0, _NO_LABEL)
    patient, two = _column(film, frame, columns.patient, count)
    _mark(reason, two, _TWO_PATIENTS)
    split, two = _splits(table, columns, film, frame, count)
    _mark(reason, two, _TWO_SPLITS)
    boxes = _boxes(film, frame, columns, reason, label)
    if boxes_complete:
        _mark(reason, (label == 1) & (np.diff(boxes.starts) == 0), _NO_BOX)
    if not ((label >= 0) & (reason != _NO_PATH)).any():
        raise BadLabels(
            "no row of the table has a path and a label",
            got=f"{len(table.frame)} rows in {table.path}",
            expected=f"films in {columns.image!r} and labels in {columns.label!r}",
        )
    facts = {fact_name(name): _fact(film, frame, name, count) for name in columns.facts}
    notes = _notes(repeated, columns, patient, split, reason)
    return Annotations(pd.Index(keys), label, reason, patient, split, facts, boxes, notes)


def slashed(path: str) -> str:
    """``path`` with ``/`` and without empty or ``.`` parts; ``..`` stays, to be refused later."""
    path = path.replace("\\", "/")
    return PurePosixPath(path).as_posix() if "//" in path or "./" in path else path


def _keys(cells: Cells) -> Cells:
    empty = _missing(cells)
    keys = cells.map(slashed)
    # Rows that name no film are films of their own, each to be counted.
    keys[empty] = [f"row {row} without a path" for row in np.flatnonzero(empty)]
    return keys


def _missing(cells: Cells) -> NDArray[np.bool_]:
    return cast("NDArray[np.bool_]", cells.str.lower().isin(list(MISSING)).to_numpy(dtype=bool))


def _mark(reason: Codes, where: NDArray[np.bool_], code: int) -> None:
    """The first reason that is found for a film stays."""
    reason[where & (reason == _FINE)] = code


def _settle(film: Codes, codes: Codes, count: int) -> tuple[Codes, NDArray[np.bool_]]:
    """The one code that the rows of each film give, -1 for none; and which films have two."""
    there = codes >= 0
    low = np.full(count, np.iinfo(np.int64).max)
    high = np.full(count, -1, dtype=np.int64)
    np.minimum.at(low, film[there], codes[there])
    np.maximum.at(high, film[there], codes[there])
    two = (high >= 0) & (low != high)
    high[two] = -1
    return high, two


def _labels(table: Table, columns: Columns, request: DataRequest, frame: pd.DataFrame) -> Codes:
    """Per row 0, 1, 2 for a class to ignore, -1 for no label."""
    where = f"the column {columns.label!r} of {table.path}"
    # The user may say what "none" means; otherwise it means that there is no label.
    words = [w for w in frame[columns.label].unique() if not _unsaid(w, request.classes)]
    verdicts = classes_of(words, request.classes, numbers=True, where=where)
    code = {w: _IGNORED if LABEL_OF[v] is None else LABEL_OF[v] for w, v in verdicts.items()}
    return _codes(frame[columns.label], code)


def _unsaid(word: str, classes: Mapping[str, str]) -> bool:
    return is_missing(word) and fold(word) not in classes


def _codes(cells: Cells, code: Mapping[str, Any]) -> Codes:
    place, words = pd.factorize(cells)
    return np.array([code.get(word, -1) for word in words], dtype=np.int64)[place]


def _column(
    film: Codes, frame: pd.DataFrame, name: str | None, count: int
) -> tuple[Column, NDArray[np.bool_]]:
    if name is None:
        return Column(np.full(count, -1, dtype=np.int64), []), np.zeros(count, dtype=bool)
    words = [word for word in frame[name].unique() if not is_missing(word)]
    codes, two = _settle(film, _codes(frame[name], {w: i for i, w in enumerate(words)}), count)
    return Column(codes, words), two


def _splits(
    table: Table, columns: Columns, film: Codes, frame: pd.DataFrame, count: int
) -> tuple[Column, NDArray[np.bool_]]:
    if columns.split is None:
        return _column(film, frame, None, count)
    words = [word for word in frame[columns.split].unique() if not is_missing(word)]
    unknown = [word for word in words if split_of(word) is None]
    if unknown:
        raise BadLabels(
            f"the column {columns.split!r} holds what is no split",
            got=", ".join(map(repr, unknown[:5])) + f" in {table.path}",
            expected="train, val or test, in one of their common spellings",
        )
    names = sorted({split_of(word) for word in words}, key=str)
    codes = {word: names.index(split_of(word)) for word in words}
    settled, two = _settle(film, _codes(frame[columns.split], codes), count)
    return Column(settled, names), two


def _fact(film: Codes, frame: pd.DataFrame, name: str, count: int) -> Column:
    """A fact that differs between the rows of one film is not the film's, and is left out."""
    column, _ = _column(film, frame, name, count)
    numbers = as_numbers(pd.Series(column.values, dtype=object))
    if numbers is None:
        return column
    return Column(column.codes, [int(v) if v.is_integer() else v for v in numbers.tolist()])


def _boxes(
    film: Codes, frame: pd.DataFrame, columns: Columns, reason: Codes, label: Codes
) -> Boxes:
    """The boxes by film; marks films with a box that is none, or that contradicts the label."""
    count = len(reason)
    if columns.box is None:
        return Boxes(np.empty((0, 4)), np.zeros(count + 1, dtype=np.int64))
    cells = [frame[name] for name in columns.box]
    corners = np.column_stack(
        [pd.to_numeric(c, errors="coerce").to_numpy(dtype=np.float64) for c in cells]
    )
    there = ~np.column_stack([_missing(c) for c in cells]).all(axis=1)
    x_y, size = corners[:, :2], corners[:, 2:]
    good = np.isfinite(corners).all(axis=1) & (x_y >= 0).all(axis=1) & (size > 0).all(axis=1)
    bad, boxed = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    bad[film[there & ~good]] = True
    boxed[film[there]] = True
    _mark(reason, bad, _BAD_BOX)
    _mark(reason, boxed & (label == 0), _BOX_0)
    rows = np.flatnonzero(there & good)
    rows = rows[np.argsort(film[rows], kind="stable")]
    starts = np.searchsorted(film[rows], np.arange(count + 1))
    return Boxes(corners[rows], starts.astype(np.int64))


def _notes(
    repeated: int, columns: Columns, patient: Column, split: Column, reason: Codes
) -> tuple[str, ...]:
    notes = list(columns.notes)
    fine = reason == _FINE
    if repeated:
        notes.append(f"{repeated} rows of the table repeat another and were merged with it.")
    nobody = int((fine & (patient.codes < 0)).sum())
    if columns.patient and nobody:
        notes.append(f"{nobody} films have no patient id in the column {columns.patient!r}.")
    nowhere = int((fine & (split.codes < 0)).sum())
    if columns.split and nowhere:
        notes.append(f"{nowhere} films have no split in the column {columns.split!r}.")
    return tuple(notes)
