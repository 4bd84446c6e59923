"""All that a Hugging Face set says of its films beside their pixels, read without the pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.errors import BadLabels, UnreadableData
from pneumoscope.records import DataRequest, Split
from pneumoscope.sources.arrow import RowFile
from pneumoscope.sources.classes import LABEL_OF, classes_of, fold, subtype_of
from pneumoscope.sources.facts import as_numbers, fact_columns, fact_name
from pneumoscope.sources.features import Columns, cells
from pneumoscope.sources.kermany import parse_name, recognise
from pneumoscope.sources.layout import split_of
from pneumoscope.sources.tablefile import is_missing

UNLABELLED, IGNORED = -1, -2
"""Codes beside the labels 0 and 1."""

Value = str | float | int
_FEW = 6


@dataclass(frozen=True, slots=True)
class Rows:
    """One entry per row of the set, in order.

    ``label`` is int8 (N,): 0, 1, UNLABELLED or IGNORED. ``private`` says that the patient ids come
    from a column of the user's own. ``words`` are the class names met, with the label of each.
    """

    label: NDArray[np.int8]
    patient: list[str | None] | None
    split: list[Split | None] | None
    facts: Mapping[str, list[Value | None]]
    private: bool
    words: Mapping[str, int]
    notes: tuple[str, ...]

    def facts_of(self, row: int) -> dict[str, Value]:
        """The facts that are known of one row."""
        found = {name: values[row] for name, values in self.facts.items()}
        return {name: value for name, value in found.items() if value is not None}


def read_rows(files: list[RowFile], columns: Columns, request: DataRequest) -> Rows:
    """Read every column but that of the films. Raises BadLabels and UnreadableData."""
    frame = _read(files, columns)
    if frame.empty:
        raise UnreadableData("the set holds no rows", got=request.data)
    notes: list[str] = []
    label, words = _labels(frame[columns.label], columns, request, notes)
    facts = _facts(frame, columns, notes)
    if any(subtype_of(word) for word in words):
        facts["subtype"] = [subtype_of(word) for word in frame[columns.label]]
    patient = None
    if columns.patient is not None:
        patient = [None if is_missing(word) else word for word in frame[columns.patient]]
    else:
        patient = _kermany(files, columns, frame, label, facts, notes)
    split = None if columns.split is None else [split_of(word) for word in frame[columns.split]]
    private = columns.patient is not None
    return Rows(label, patient, split, facts, private, words, tuple(notes))


def _read(files: list[RowFile], columns: Columns) -> pd.DataFrame:
    text: dict[str, list[str]] = {name: [] for name in columns.light}
    for file in files:
        for batch in file.scan(columns.light):
            for name in columns.light:
                text[name] += cells(batch.column(name), columns.names.get(name))
    # Films repeat a few words, and pandas' own type for text would hold each again.
    return pd.DataFrame({name: pd.Series(words, dtype="str") for name, words in text.items()})


def _labels(
    texts: pd.Series, columns: Columns, request: DataRequest, notes: list[str]
) -> tuple[NDArray[np.int8], dict[str, int]]:
    place, found = pd.factorize(texts)
    named = columns.label in columns.names
    codes: dict[str, int] = {}
    for word in found:
        unsaid = is_missing(word) or (not named and word == "-1")
        if unsaid and fold(word) not in request.classes:
            codes[word] = UNLABELLED
    words = [word for word in found if word not in codes]
    where = f"the column {columns.label!r} of {request.data}"
    for word, verdict in classes_of(words, request.classes, numbers=True, where=where).items():
        known = LABEL_OF[verdict]
        codes[word] = IGNORED if known is None else known
    if not any(code in (0, 1) for code in codes.values()):
        raise BadLabels("no row of the set has a label", got=f"{len(texts)} rows, {where}")
    if not named and any(fold(word) in ("0", "1") for word in words):
        notes.append("Labels are numbers without names: 1 is taken as pneumonia, 0 as normal.")
    label = np.array([codes[word] for word in found], dtype=np.int8)[place]
    return label, {word: codes[word] for word in words}


def _facts(
    frame: pd.DataFrame, columns: Columns, notes: list[str]
) -> dict[str, list[Value | None]]:
    kept, left_out = fact_columns(frame[list(columns.others)], ())
    if left_out:
        told = ", ".join(repr(name) for name in left_out[:_FEW])
        told += f" and {len(left_out) - _FEW} more" if len(left_out) > _FEW else ""
        notes.append(
            f"Columns that are not kept, being names, ids, paths, dates, free text or all the "
            f"same: {told}."
        )
    return {fact_name(name): _values(frame[name]) for name in kept}


def _values(texts: pd.Series) -> list[Value | None]:
    place, found = pd.factorize(texts)
    numbers = as_numbers(pd.Series(found, dtype="str"))
    values: list[Value | None] = []
    for at, word in enumerate(found):
        if is_missing(word):
            values.append(None)
        elif numbers is None:
            values.append(word)
        else:
            number = float(numbers.iloc[at])
            values.append(int(number) if number.is_integer() else number)
    return [values[at] for at in place]


def _kermany(
    files: list[RowFile],
    columns: Columns,
    frame: pd.DataFrame,
    label: NDArray[np.int8],
    facts: dict[str, list[Value | None]],
    notes: list[str],
) -> list[str | None] | None:
    """Patients from the film names of the Kermany set, where the set is it: its copies on the hub
    keep the names in a column of paths, or beside the bytes of each film."""
    candidates = [list(frame[name]) for name in columns.others]
    if columns.nested:
        candidates.append(_paths(files, columns.image))
    for names in candidates:
        names = [name.replace("\\", "/").rpartition("/")[2] for name in names]
        note = recognise(zip(names, label.tolist(), strict=True))
        if note is not None:
            films = [parse_name(name) for name in names]
            facts["subtype"] = [None if film is None else film.subtype for film in films]
            notes.append(note)
            return [None if film is None else film.patient_id for film in films]
    return None


def _paths(files: list[RowFile], image: str) -> list[str]:
    """The path beside each film's bytes, ``""`` where there is none."""
    paths: list[str] = []
    try:
        for file in files:
            for batch in file.scan([f"{image}.path"]):
                paths += cells(batch.column(image).field("path"))
    except (UnreadableData, LookupError):  # damaged, which reading tells row by row; or no paths
        return [""] * sum(file.rows for file in files)
    return paths
