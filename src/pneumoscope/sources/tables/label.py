"""Which column, or which several of 0 and 1, hold the label of a table."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pneumoscope.errors import BadLabels
from pneumoscope.sources.candidates import ask_column, likely_label
from pneumoscope.sources.meaning.asking import Question
from pneumoscope.sources.meaning.cells import (
    DOUBT,
    REST,
    is_missing,
    parts_of,
    read_cells,
    understood,
)
from pneumoscope.sources.meaning.flags import Flags, about, find_flags, is_flag, joined, speaks
from pneumoscope.sources.meaning.words import fold, known, vague
from pneumoscope.sources.tables.bounds import Table
from pneumoscope.sources.tables.facts import ABOUT_FILMS, fact_of
from pneumoscope.sources.tables.roles import few, folded, named

_MOST_WORDS = 2000  # distinct cells of a column that are looked at
_SAMPLE = 64
_NUMBER, _COORDINATES, _NEARLY = re.compile(r"[0-9]+(?:\.[0-9]+)?"), 4, 0.9
_RSNA = frozenset(("patientid", "x", "y", "width", "height", "target"))


@dataclass(frozen=True, slots=True)
class LabelColumn:
    """The label of a table: ``name`` as told, ``cells`` of each row, and what they are asked.

    ``used`` are the columns that it was read from.
    """

    name: str
    cells: pd.Series[str]
    question: Question
    used: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Words:
    """The distinct cells of each column that may be a label, and how far they are understood."""

    cells: Mapping[str, list[str]]
    table: Table
    said: Mapping[str, str]

    def question(self, name: str) -> Question:
        return _question(self.table, name)

    def share(self, name: str) -> tuple[float, float]:
        """Shares that mean normal or pneumonia, and that are understood at all."""
        # An answer for all other words makes no label of what is none.
        said = {word: v for word, v in self.said.items() if word not in (REST, DOUBT)}
        return understood(self.cells[name], self.question(name), said)

    def whole(self, name: str) -> bool:
        """Whether every cell is understood."""
        return bool(self.cells[name]) and self.share(name)[1] == 1


def find_label(
    table: Table, asked: str | None, said: Mapping[str, str], besides: Collection[str]
) -> LabelColumn:
    """The label: the column ``asked`` for, one whose words are understood, several of 0 and 1, or
    one that is understood in part. Raises BadLabels where there is none, or two that differ."""
    distinct = {
        name: [cell for cell in table.frame[name].unique()[:_MOST_WORDS] if not is_missing(cell)]
        for name in table.frame.columns
        if name not in besides and (name == asked or _may_be_label(table, name))
    }
    flags = with_others(table, find_flags(distinct), distinct)
    found = _one(table, asked) if asked else _found(_Words(distinct, table, said), flags, besides)
    # Whatever else says what a film shows would tell the answer as a fact.
    return replace(found, used=tuple(dict.fromkeys((*found.used, *flags.names))))


def _found(words: _Words, flags: Flags, besides: Collection[str]) -> LabelColumn:
    table = words.table
    by_name = [name for name in named(table, "label", besides) if name in words.cells]
    whole = [name for name in by_name if name not in flags.names and words.whole(name)]
    if whole:
        one = [*whole, *(name for name in flags.pneumonia if not flags.several)]
        return _agreed(words, one, [name for name in by_name if name not in one])
    if flags.several or flags.pneumonia:
        return _flags(table, flags, [name for name in by_name if name not in flags.names])
    part = max(by_name, key=lambda name: words.share(name)[0], default=None)
    if part is not None and words.share(part)[0] > 0:
        return _one(table, part)
    if found := _by_content(words, flags):
        return found
    bits = [name for name, cells in words.cells.items() if is_flag(cells)]
    what = "no column is named for labels, though some could hold them"
    unsaid = ask_column(table, list(words.cells), what)
    said = any(likely_label(cell) for name in by_name for cell in words.cells[name])
    if unsaid and unsaid.likely and not said:
        raise unsaid
    _check_alike(table, [name for name in by_name if name in bits])
    spoken = [name for name in bits if speaks(name)]
    if asked := (*by_name, *flags.normal, *spoken):
        return _one(table, asked[0])
    raise unsaid or BadLabels(
        "no column of the table holds labels",
        got=f"{few(table.frame.columns)} in {table.path}",
        expected="a column such as label, target or class",
        remedy="name it: --column label=NAME",
    )


def _may_be_label(table: Table, name: str) -> bool:
    """Whether a column may say what films show: none of views, ages and sexes, or of measures."""
    how = fact_of(table.frame, name) in ABOUT_FILMS
    return not how and not is_measured(table.frame[name])


def is_measured(cells: pd.Series[str]) -> bool:
    """Whether a column is none of classes: cells of coordinates, or nearly as many as rows."""
    there = [cell for cell in cells.unique() if not is_missing(cell)]
    boxes = sum(len(_NUMBER.findall(cell)) >= _COORDINATES for cell in there[:_MOST_WORDS])
    if there and 2 * boxes > min(len(there), _MOST_WORDS):
        return True
    return len(there) > max(_SAMPLE, _NEARLY * len(cells))


def with_others(table: Table, flags: Flags, distinct: Mapping[str, list[str]]) -> Flags:
    """``flags`` with columns of unknown names of which, with those, each row marks exactly one:
    they are classes that exclude each other."""
    rest = [n for n, cells in distinct.items() if n not in flags.names and is_flag(cells)]
    if len(rest) < 2 or not flags.names:  # two may divide a few films alike by chance
        return flags
    marks = np.sum([table.frame[n].map(fold) == "1" for n in (*flags.names, *rest)], axis=0)
    return replace(flags, others=(*flags.others, *rest)) if np.all(marks == 1) else flags


def is_rsna(table: Table) -> bool:
    """Whether a table is that of the RSNA challenge, by its columns; films may be another's."""
    return {folded(name) for name in table.frame.columns} >= _RSNA


def _question(table: Table, name: str) -> Question:
    where = f"the column {name!r} of {table.path}"
    if folded(name) == "target" and is_rsna(table):
        return Question(where, "pneumonia", name=name)
    bare = about(name)
    if bare == "normal" and not is_flag(table.frame[name].unique()[:_MOST_WORDS]):
        bare = ""  # words of a column of normal films say themselves what they mean
    return Question(where, bare, name=name)


def _one(table: Table, name: str, notes: tuple[str, ...] = ()) -> LabelColumn:
    return LabelColumn(name, table.frame[name], _question(table, name), (name,), notes)


def _flags(table: Table, flags: Flags, others: list[str]) -> LabelColumn:
    if not flags.several:
        name = flags.pneumonia[0]
        note = f"Labels are in the column {name!r}; {few(others)} has other words."
        return _one(table, name, (note,) if others else ())
    where = f"the columns {few(flags.names)} of {table.path}"
    note = f"{len(flags.names)} columns of 0 and 1 are read together: {few(flags.names, 8)}."
    # Two that exclude each other are classes; more may be true of one film.
    findings = len(flags.pneumonia) + len(flags.normal) < len(flags.names)
    question = Question(where, findings=findings)
    return LabelColumn(few(flags.names, 3), joined(table.frame, flags), question, flags.names,
                       (note,))  # fmt: skip


def _agreed(words: _Words, readable: list[str], others: list[str]) -> LabelColumn:
    """The first of several columns that can be read, where all of them say the same."""
    table, first = words.table, readable[0]
    notes = []
    for other in readable[1:]:
        if not _verdicts(words, first).equals(_verdicts(words, other)):
            raise _differ(table, first, other)
    if len(readable) > 1:
        notes.append(f"Labels are in the column {first!r}; {few(readable[1:])} says the same.")
    elif others:
        notes.append(f"Labels are in the column {first!r}; {few(others)} has other words.")
    return _one(table, first, tuple(notes))


def _check_alike(table: Table, bare: list[str]) -> None:
    """Refuse several columns of 0 and 1 that divide the films differently."""
    for other in bare[1:]:
        one, two = (table.frame[name].map(fold) for name in (bare[0], other))
        if not one.equals(two):
            raise _differ(table, bare[0], other)


def _differ(table: Table, first: str, other: str) -> BadLabels:
    return BadLabels(
        f"two columns could be the label and differ: {first!r} and {other!r}",
        got=table.path,
        remedy=f"name the right one: --column label={first}",
        answer=("--column", f"label={first}"),
    )


def _verdicts(words: _Words, name: str) -> pd.Series[int]:
    cells = words.table.frame[name]
    counts = dict.fromkeys(cells.unique(), 1)
    return cells.map(read_cells(counts, words.question(name), words.said).code)


def _by_content(words: _Words, flags: Flags) -> LabelColumn | None:
    """A column of an unknown name whose cells are class words, or could be. Only words can be told
    by themselves; 0 and 1 may mean anything, unless they are all that a table without names has.
    """
    cells = {n: found for n, found in words.cells.items() if 0 < len(found) <= _SAMPLE}
    bits = [name for name, found in cells.items() if is_flag(found)]
    found = [name for name in cells if name not in bits and words.whole(name)]
    if not found and not flags.normal:
        found = [n for n, c in words.cells.items() if n not in bits and any(map(_like_class, c))]
    if not found and words.table.headless and len(bits) == 1:
        found = bits
    if len(found) > 1:
        raise ask_column(words.table, found, "several columns could hold the label") or _differ(
            words.table, *found[:2]
        )
    if not found:
        return None
    note = f"Labels are in the column {found[0]!r}: its cells are class names."
    return _one(words.table, found[0], (note,))


def _like_class(cell: str) -> bool:
    """Whether a cell holds a word for pneumonia, or one that says positive or sick of anything."""
    return any(
        known(part) == "pneumonia" or (vague(part) and len(fold(part)) > 1)
        for part in parts_of(cell)
    )
