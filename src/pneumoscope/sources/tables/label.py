"""Which column, or which several of 0 and 1, hold the label of a table."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from pneumoscope.errors import BadLabels
from pneumoscope.formatting import plural
from pneumoscope.records import CLASSES
from pneumoscope.sources.candidates import (
    ask_column,
    divides,
    is_measured,
    label_columns,
    like_class,
    likely_label,
    measures,
)
from pneumoscope.sources.meaning.answers import said_of
from pneumoscope.sources.meaning.asking import Question
from pneumoscope.sources.meaning.cells import (
    DOUBT,
    REST,
    is_missing,
    read_cells,
    understood,
    verdicts,
)
from pneumoscope.sources.meaning.flags import (
    NO_FINDING,
    Flags,
    about,
    is_flag,
    joined,
    plainly,
    speaks,
    together,
    with_others,
)
from pneumoscope.sources.meaning.labellers import (
    Labeller,
    finding_of,
    labellers,
    tells,
    unlike_normal,
)
from pneumoscope.sources.meaning.words import fold
from pneumoscope.sources.tables.bounds import Table
from pneumoscope.sources.tables.facts import ABOUT_FILMS, fact_of
from pneumoscope.sources.tables.roles import few, folded, is_rsna, listed

_UNSAID = "no column is named for labels, though some could hold them"
_MOST_WORDS, _SAMPLE = 2000, 64  # distinct cells of a column that are looked at


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

    @property
    def bits(self) -> list[str]:
        """The columns of 0 and 1."""
        return [name for name, cells in self.cells.items() if is_flag(cells)]

    def question(self, name: str) -> Question:
        return _question(self.table, name)

    def share(self, name: str) -> tuple[float, float]:
        """Shares that mean normal or pneumonia, and that are understood at all."""
        # An answer for all other words makes no label of what is none.
        own = said_of(name, self.said)
        said = {word: verdict for word, verdict in own.items() if word not in (REST, DOUBT)}
        return understood(self.cells[name], self.question(name), said)

    def whole(self, name: str) -> bool:
        """Whether every cell is understood."""
        return bool(self.cells[name]) and self.share(name)[1] == 1


def find_label(
    table: Table, asked: str | None, said: Mapping[str, str], besides: Collection[str]
) -> LabelColumn:
    """The label: the columns ``asked`` for, one whose words are understood, several of 0 and 1, or
    one that is understood in part. Raises BadLabels where there is none, or two that differ."""
    wanted = listed(table, asked) if asked else []
    distinct = {
        name: [cell for cell in table.frame[name].unique()[:_MOST_WORDS] if not is_missing(cell)]
        for name in table.frame.columns
        if name not in besides and (name in wanted or _may_be_label(table, name))
    }
    bits = [name for name, cells in distinct.items() if is_flag(cells)]
    theirs = [
        replace(one, flags=with_others(table.frame, one.flags, bits)) for one in labellers(bits)
    ]
    if wanted:
        found = _asked(table, wanted, bits)
    else:
        found = _found(_Words(distinct, table, said), theirs, besides)
    # Whatever else says what a film shows would tell the answer as a fact.
    others = [name for one in theirs for name in one.flags.names]
    others += [name for name in bits if tells(name)]
    return replace(found, used=tuple(dict.fromkeys((*found.used, *others))))


def counted(column: LabelColumn, said: Mapping[str, str]) -> tuple[int, int]:
    """How many rows are of pneumonia and of normal films, as far as their cells are understood."""
    rows = {str(cell): int(n) for cell, n in column.cells.value_counts().items()}
    read = verdicts(rows, column.question, said)
    of = {label: sum(n for cell, n in rows.items() if read[cell] == label) for label in CLASSES}
    return of["pneumonia"], of["normal"]


def _asked(table: Table, wanted: Sequence[str], bits: Sequence[str]) -> LabelColumn:
    """The column that the user named, or those of 0 and 1 among several."""
    if len(wanted) == 1:
        said = unlike_normal(table.frame, wanted[0], bits, " Without --column they are asked.")
        return _one(table, wanted[0], said)
    mine = [name for name in wanted if name in bits]
    found = labellers(mine)[0].flags if mine else Flags((), (), ())
    rest = tuple(name for name in mine if name not in found.names)
    flags = replace(found, others=(*found.others, *rest))
    if flags.pneumonia or flags.normal:
        return _flags(table, flags, [])
    raise BadLabels(
        "of the columns that are named for the label none is of 0 and 1 and named for a class",
        got=f"{few(wanted)} in {table.where}",
        expected="one column, or several of 0 and 1, one of them of pneumonia or normal films",
        remedy="name them: --column label=Normal,Pneumonia",
    )


def _ask_whose(table: Table, theirs: Sequence[Labeller], said: Mapping[str, str]) -> BadLabels:
    """The question whose columns of 0 and 1 are the label, with the counts of each, first those
    that have columns of both classes, and what readers agreed on."""
    found = [(one, counted(_flags(table, one.flags, []), said)) for one in theirs]
    found.sort(key=lambda x: (not min(x[1]), not x[0].flags.normal, not x[0].final, -sum(x[1])))
    told = (f"{one.pattern!r} ({sick:,} pneumonia, {well:,} normal)" for one, (sick, well) in found)
    answer = ("--column", f"label={found[0][0].pattern}")
    return BadLabels(
        "columns of 0 and 1 come from several readers or programs, who differ",
        got=(*told, f"in {table.where}"),
        expected="those of one of them, which are never mixed",
        remedy=f"name them: {shlex.join(answer)}, or others of them",
        answer=answer,
    )


def _found(words: _Words, theirs: Sequence[Labeller], besides: Collection[str]) -> LabelColumn:
    table = words.table
    flags = theirs[0].flags if len(theirs) == 1 else together([one.flags for one in theirs])
    by_name = [name for name in label_columns(table, besides) if name in words.cells]
    whole = [name for name in by_name if name not in flags.names and words.whole(name)]
    if whole:
        one = [*whole, *(name for name in flags.pneumonia if not flags.several)]
        return _agreed(words, one, [name for name in by_name if name not in one])
    if len(theirs) > 1:
        raise _ask_whose(table, theirs, words.said)
    if flags.several or flags.pneumonia:
        return _flags(table, flags, [name for name in by_name if name not in flags.names])
    part = max(by_name, key=lambda name: words.share(name)[0], default=None)
    if part is not None and words.share(part)[0] > 0:
        return _one(table, part, unlike_normal(table.frame, part, words.bits))
    if found := _by_content(words, flags):
        return found
    bits = words.bits
    unsaid = ask_column(table, list(words.cells), _UNSAID)
    said = any(likely_label(cell) for name in by_name for cell in words.cells[name])
    if unsaid and unsaid.likely and not said:
        raise unsaid
    _check_alike(table, [name for name in by_name if name in bits])
    spoken = [name for name in bits if speaks(name)]
    if asked := (*by_name, *flags.normal, *spoken, *measures(table, besides)):
        return _one(table, asked[0])
    raise unsaid or BadLabels(
        "no column of the table holds labels",
        got=f"{few(table.frame.columns)} in {table.where}",
        expected="a column such as label, target or class",
        remedy="name it: --column label=NAME",
    )


def _may_be_label(table: Table, name: str) -> bool:
    """Whether a column may say what films show: none of views, ages and sexes, or of measures."""
    how = fact_of(table.frame, name) in ABOUT_FILMS
    return not how and not is_measured(table.frame[name])


def _question(table: Table, name: str) -> Question:
    where = f"the column {name!r} of {table.where}"
    if folded(name) == "target" and is_rsna(table):
        return Question(where, "pneumonia", name=name)
    bare = about(finding_of(name))
    if bare == "normal" and not is_flag(table.frame[name].unique()[:_MOST_WORDS]):
        bare = ""  # words of a column of normal films say themselves what they mean
    return Question(where, bare, name=name)


def _one(table: Table, name: str, notes: tuple[str, ...] = ()) -> LabelColumn:
    cells = plainly(table.frame[name])
    return LabelColumn(name, cells, _question(table, name), (name,), notes)


def _flags(table: Table, flags: Flags, others: list[str]) -> LabelColumn:
    if not flags.several:
        name = flags.pneumonia[0]
        note = f"Labels are in the column {name!r}; {few(others)} has other words."
        return _one(table, name, (note,) if others else ())
    where = f"the columns {few(flags.names)} of {table.where}"
    note = f"{len(flags.names)} columns of 0 and 1 are read together: {few(flags.names, 8)}."
    if apart := [n for n in map(str, table.frame) if tells(n) and n not in flags.names]:
        note += f" Not read, being of another reader or program: {few(apart)}."
    # Two that exclude each other are classes; more may be true of one film.
    findings = len(flags.pneumonia) + len(flags.normal) < len(flags.names)
    question = Question(where, findings=findings)
    cells = joined(table.frame, flags)
    if none := int((cells == NO_FINDING).sum()):
        note += f" {plural(none, 'row')} marked in none of them count as {NO_FINDING!r}."
    return LabelColumn(few(flags.names, 3), cells, question, flags.names, (note,))


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
    return _one(table, first, (*notes, *unlike_normal(table.frame, first, words.bits)))


def _check_alike(table: Table, bare: list[str]) -> None:
    """Refuse several columns of 0 and 1 that divide the films differently."""
    for other in bare[1:]:
        one, two = (table.frame[name].map(fold) for name in (bare[0], other))
        if not one.equals(two):
            raise _differ(table, bare[0], other)


def _differ(table: Table, first: str, other: str) -> BadLabels:
    return BadLabels(
        f"two columns could be the label and differ: {first!r} and {other!r}",
        got=table.where,
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
        found = [n for n, c in words.cells.items() if n not in bits and any(map(like_class, c))]
    found = [name for name in found if divides(words.table.frame[name])]
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
