"""What a table says of each film: its rows gathered by film, and what is wrong with them.

Everything is held in columns, so millions of rows stay small; a film's annotation is put together
when it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.errors import BadLabels
from pneumoscope.records import DataRequest, Word
from pneumoscope.sources.film.boxes import boxes_of
from pneumoscope.sources.film.views import both_views
from pneumoscope.sources.listed import NO_LABEL, About, Codes, Column
from pneumoscope.sources.meaning.asking import NOTHING_MARKED, Question
from pneumoscope.sources.meaning.cells import Meaning, is_missing, read_cells
from pneumoscope.sources.meaning.readers import TWO_LABELS, settle, vote
from pneumoscope.sources.splits import are_splits, split_of
from pneumoscope.sources.tables.bounds import Table
from pneumoscope.sources.tables.columns import Columns
from pneumoscope.sources.tables.facts import Cells, as_numbers, fact_of, missing
from pneumoscope.sources.together.ids import one_spelling

_FINE, _NO_PATH, _NO_LABEL, _TWO_LABELS, _TWO_PATIENTS, _TWO_SPLITS, _BOX_0, _NO_BOX = range(8)
_REASONS = (
    "",
    "the table gives no path",
    NO_LABEL,
    "contradictory labels",
    "contradictory patient ids",
    "contradictory splits",
    "label 0 with a box",
    "label 1 without a box",
)


@dataclass(frozen=True, slots=True)
class Annotations:
    """What a table says of each of its films, in the order of first appearance.

    ``keys`` name the films as the table does, with ``/``, each once. ``words`` are what each word
    of the label was taken for. ``notes`` say what was merged or left out, ``readers`` whose word
    counted where several read a film.
    """

    keys: Sequence[str]
    about: About
    words: tuple[Word, ...] = ()
    notes: tuple[str, ...] = ()
    readers: str = ""

    def __len__(self) -> int:
        return len(self.keys)


def annotate(
    table: Table, columns: Columns, request: DataRequest, *, boxes_complete: bool = False
) -> Annotations:
    """Gather the rows of ``table`` by film. A row per box, or repeated rows, make one film; without
    an image column each row is one.

    ``boxes_complete`` says that every positive film must have a box. Raises BadLabels for a class
    word or split that is not known, or when no film has a label.
    """
    frame, merged = _rows(table, columns)
    film, keys = _films(frame, columns.image)
    count = len(keys)
    reason = np.zeros(count, dtype=np.int64)
    if columns.image is not None:
        reason[np.unique(film[missing(frame[columns.image])])] = _NO_PATH
    meaning = _meaning(frame[_LABEL], film, count, columns.label.question, request)
    code = _codes(frame[_LABEL], meaning.code)
    notes, readers = [*columns.notes], ""
    if columns.reader is None:
        label = settle(film, code, count)
    else:
        who = pd.factorize(frame[columns.reader])[0].astype(np.int64)
        label, readers = vote(film, who, code, count, request.readers)
        notes.append(readers)
    _mark(reason, label == TWO_LABELS, _TWO_LABELS)
    _mark(reason, label < 0, _NO_LABEL)
    label[label == TWO_LABELS] = -1
    if columns.patient is not None:
        frame = frame.assign(**{columns.patient: one_spelling(frame[columns.patient])})
    patient, two = _column(film, frame, columns.patient, count)
    _mark(reason, two, _TWO_PATIENTS)
    split, two = _splits(table, columns, film, frame, count)
    _mark(reason, two, _TWO_SPLITS)
    found = boxes_of(film, frame, columns.box, count)
    notes += found.notes
    _mark(reason, found.boxed & (label == 0), _BOX_0)
    if boxes_complete:
        _mark(reason, (label == 1) & ~found.marked, _NO_BOX)
    if not ((label >= 0) & (reason != _NO_PATH)).any():
        raise BadLabels(
            "no row of the table has a path and a label"
            if columns.image
            else "no row of the set has a label",
            got=f"{len(table.frame)} rows in {table.where}",
            expected=f"labels in {columns.label.name!r}"
            + (f", and films in {columns.image!r}" if columns.image else ""),
        )
    facts: dict[str, Column] = {}
    for column in columns.facts:
        name, fact = fact_of(frame, column), _fact(film, frame, column, count)
        facts[name] = both_views(facts[name], fact) if name in facts else fact
    if meaning.subtypes:
        facts["subtype"] = _subtypes(film, frame, meaning, label, count)
    notes += _notes(merged, columns, patient, split, reason)
    about = About(label, Column(reason, list(_REASONS)), patient, split, facts, found.boxes,
                  splits=columns.splits)  # fmt: skip
    return Annotations(keys, about, meaning.words, tuple(notes), readers)


def slashed(path: str) -> str:
    """``path`` with ``/`` and without empty or ``.`` parts; ``..`` stays, to be refused later."""
    path = path.replace("\\", "/")
    return PurePosixPath(path).as_posix() if "//" in path or "./" in path else path


_LABEL = "\0label"
"""The column of label cells in the frame that is gathered: no table has that name."""


def _rows(table: Table, columns: Columns) -> tuple[pd.DataFrame, list[str]]:
    """The columns that are used, with the label, without rows that are of no film, as REDCap has
    one for each patient, and those that repeat another; and what to say of them."""
    used = [columns.image, columns.patient, columns.split, columns.reader]
    used += [*(columns.box or ()), *columns.facts]
    frame = table.frame[list(dict.fromkeys(name for name in used if name))]
    frame = frame.assign(**{_LABEL: columns.label.cells})
    if columns.image is None:
        return frame, []
    notes, silent = [], missing(frame[_LABEL]) | (frame[_LABEL] == NOTHING_MARKED)
    nothing = missing(frame[columns.image]) & silent
    if 0 < (of_none := int(nothing.sum())) < len(frame):
        frame = frame[~nothing].reset_index(drop=True)
        notes.append(f"{of_none} rows of the table name no film and no finding: they are of none.")
    if repeated := int(frame.duplicated().sum()):
        frame = frame.drop_duplicates(ignore_index=True)
        notes.append(f"{repeated} rows of the table repeat another and were merged with it.")
    return frame, notes


def _films(frame: pd.DataFrame, image: str | None) -> tuple[Codes, list[str]]:
    """The film of each row, and the films' keys in the order of first appearance."""
    if image is None:
        return np.arange(len(frame)), [str(row) for row in range(len(frame))]
    codes, keys = pd.factorize(_keys(frame[image]))
    return codes.astype(np.int64), list(keys)


def _meaning(
    cells: Cells, film: Codes, count: int, question: Question, request: DataRequest
) -> Meaning:
    """What each distinct label cell means; a film with rows of several words has findings."""
    codes, words = pd.factorize(cells)
    pairs = np.unique(np.stack([film, codes]), axis=1)
    films = np.bincount(pairs[1], minlength=len(words))
    several = pairs.shape[1] > count + _FEW_TWICE * count
    if several and not question.findings:
        question = replace(question, findings=True)
    counts = dict(zip(words, films.tolist(), strict=True))
    return read_cells(counts, question, request.meanings)


_FEW_TWICE = 0.05
"""Part of films whose rows differ by mistake; where more do, a film has a row for each finding."""


def _subtypes(
    film: Codes, frame: pd.DataFrame, meaning: Meaning, label: Codes, count: int
) -> Column:
    names = sorted(set(meaning.subtypes.values()))
    of = {cell: names.index(name) for cell, name in meaning.subtypes.items()}
    low, two = _settle(film, _codes(frame[_LABEL], of), count)
    return Column(np.where((label == 1) & ~two, low, -1), names)


def _keys(cells: Cells) -> Cells:
    empty = missing(cells)
    keys = cells.map(slashed)
    # Rows that name no film are films of their own, each to be counted.
    keys[empty] = [f"row {row} without a path" for row in np.flatnonzero(empty)]
    return keys


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
    if unknown and not are_splits(_counts(frame[columns.split])):
        raise BadLabels(
            f"the column {columns.split!r} holds what is no split",
            got=", ".join(map(repr, unknown[:5])) + f" in {table.where}",
            expected="train, val or test, in one of their common spellings",
            remedy="write train, val, test into it; where it holds no splits: --column split=none",
            answer=("--column", "split=none"),
        )
    split = {word: found for word in words if (found := split_of(word))}
    names = sorted(set(split.values()))
    codes = {word: names.index(found) for word, found in split.items()}
    settled, two = _settle(film, _codes(frame[columns.split], codes), count)
    return Column(settled, names), two


def _counts(cells: pd.Series[str]) -> dict[str, int]:
    """How many rows have each of the cells that say something."""
    counts = ((str(cell), int(n)) for cell, n in cells.value_counts().items())
    return {cell: n for cell, n in counts if not is_missing(cell)}


def _fact(film: Codes, frame: pd.DataFrame, name: str, count: int) -> Column:
    """A fact that differs between the rows of one film is not the film's, and is left out."""
    column, _ = _column(film, frame, name, count)
    numbers = as_numbers(pd.Series(column.values, dtype=object))
    if numbers is None:
        return column
    return Column(column.codes, [int(v) if v.is_integer() else v for v in numbers.tolist()])


def _notes(
    merged: list[str], columns: Columns, patient: Column, split: Column, reason: Codes
) -> list[str]:
    notes = [*merged]
    fine = reason == _FINE
    nobody = int((fine & (patient.codes < 0)).sum())
    if columns.patient and nobody:
        notes.append(f"{nobody} films have no patient id in the column {columns.patient!r}.")
    nowhere = int((fine & (split.codes < 0)).sum())
    if columns.split and nowhere:
        notes.append(f"{nowhere} films have no split in the column {columns.split!r}.")
    return notes
