"""Which column of a table holds what: by the user's word, by its name, and by what is in it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from pneumoscope.errors import InputError
from pneumoscope.records import DataRequest
from pneumoscope.sources.meaning.cells import is_missing
from pneumoscope.sources.splits import are_splits, split_of
from pneumoscope.sources.tables.bounds import Table
from pneumoscope.sources.tables.facts import fact_columns
from pneumoscope.sources.tables.label import LabelColumn, find_label
from pneumoscope.sources.tables.roles import BOX, few, folded, has_a_role, named, said_columns
from pneumoscope.sources.together.ids import patient_column

Fits = Callable[[list[str]], float]
"""The share, 0–1, of some cells of a column that name a film."""

_CORNERS = frozenset(("xmin", "ymin", "xmax", "ymax"))
_SAMPLE = 64
_MOST_SEARCHED = 64
_ENOUGH, _SOME = 0.5, 0.25


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a table hold; None where it has none.

    ``image`` is None where the rows are the films. ``box`` are the columns of x, y, width and
    height, ``reader`` says who gave a row, ``facts`` are scalar columns that name nobody. ``notes``
    say what was chosen and why, where there was a choice.
    """

    image: str | None
    label: LabelColumn
    patient: str | None = None
    split: str | None = None
    reader: str | None = None
    box: tuple[str, str, str, str] | None = None
    facts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def splits(self) -> str:
        """What to tell of the column of splits, where its name does not say what it holds."""
        if not self.split or has_a_role(self.split):
            return ""
        return f"splits in {self.split!r}, by its cells"


def find_columns(table: Table, request: DataRequest, fits: Fits | None) -> Columns:
    """Find the columns; ``request.columns`` wins, then names, then what the cells hold.

    Without ``fits`` the rows are the films. Raises InputError for a column that is not there, and
    for one of ids that repeat where nobody said whose; BadLabels where no label is found, or two
    that differ.
    """
    said = said_columns(table, request.columns)
    notes: list[str] = []
    box = _box_columns(table, set(said.values()))
    image = said.get("image") or (image_column(table, fits, notes) if fits else None)
    taken = {name for name in (image, *(box or ())) if name}
    split = said.get("split")
    if split is None:
        split = split_column(table, {*taken, *said.values()})
    taken |= {split} if split else set()
    label = find_label(table, said.get("label"), request.meanings, taken)
    notes += label.notes
    taken |= set(label.used)
    reader = next(iter(named(table, "reader", taken)), None)
    taken |= {reader} if reader else set()
    patient, why = patient_column(table, said.get("patient"), taken - {image}, image)
    notes += why
    known = {name for name in table.frame.columns if has_a_role(name, "split")}
    # A second label column would tell the answer as a fact, a second id would name a person.
    facts, left_out = fact_columns(table.frame, taken | known | {patient or ""})
    if left_out:
        notes.append(
            f"Columns not kept, being names, ids, dates, free text or of another use: "
            f"{few(left_out)}."
        )
    return Columns(image, label, patient or None, split or None, reader, box, facts, tuple(notes))


def image_column(table: Table, fits: Fits, notes: list[str]) -> str:
    """The column that names films. Raises InputError where none could."""
    by_name = named(table, "image")
    share = {name: fits(_sample(table.frame[name])) for name in by_name}
    best = max(by_name, key=lambda name: share[name], default=None)
    if best is not None and share[best] > 0:
        others = [name for name in by_name if name != best and share[name] > 0]
        if others:
            notes.append(
                f"Films are named by the column {best!r}; {few(others)} would name as many or "
                "fewer."
            )
        return best
    # A study may be named by the file of its only film.
    rest = [name for name in table.frame.columns if not has_a_role(name, "split", "study")]
    content = {n: fits(_worded(_sample(table.frame[n]))) for n in rest[:_MOST_SEARCHED]}
    found = max(content, key=lambda name: content[name], default=None)
    if found is not None and content[found] >= _ENOUGH:
        notes.append(f"Films are named by the column {found!r}: its cells name files.")
        return found
    if best is not None:
        return best
    remedy, answer = to_name_films(table, fits)
    raise InputError(
        "no column of the table names the films",
        got=f"{few(table.frame.columns)} in {table.where}",
        expected="a column such as path, file_name or image_id",
        remedy=remedy,
        answer=answer,
    )


def to_name_films(table: Table, fits: Fits) -> tuple[str, tuple[str, ...]]:
    """What to do where no column was found to name films: the option that names one, where cells
    of it do name some, else none."""
    names = list(table.frame.columns)[:_MOST_SEARCHED]
    share = {name: fits(_sample(table.frame[name])) for name in names}
    best = max(names, key=lambda name: share[name], default="")
    if share.get(best, 0) < _SOME:
        return (
            "add a column of their file names, or lay a table beside it that has these and a "
            "column of the same ids; where it names their folders, exams or patients, give the "
            "folder of the films, with --labels",
            (),
        )
    answer = ("--column", f"image={best}")
    return f"if it is this one, name it: {shlex.join(answer)}", answer


def split_column(table: Table, besides: set[str]) -> str | None:
    """The column of splits, by its name and cells, or by its cells alone. Raises InputError where
    two differ."""
    found = []
    for name in named(table, "split", besides):
        words = [word for word in table.frame[name].unique() if not is_missing(word)]
        # "set" or "fold" may mean something else, until a word of theirs is that of a split.
        if folded(name) == "split" or any(split_of(word) for word in words):
            found.append(name)
    rest = (name for name in table.frame.columns if name not in (*found, *besides))
    found += [name for name in rest if _holds_splits(table.frame[name])]
    for other in found[1:]:
        if not table.frame[found[0]].map(split_of).equals(table.frame[other].map(split_of)):
            raise InputError(
                f"two columns could be the split and differ: {found[0]!r} and {other!r}",
                got=table.where,
                remedy=f"name the right one: --column split={found[0]}",
                answer=("--column", f"split={found[0]}"),
            )
    return found[0] if found else None


def _holds_splits(cells: pd.Series[str]) -> bool:
    """Whether a column of any name holds words of splits, and hardly anything else."""
    if not any(split_of(cell) for cell in _sample(cells)):
        return False
    counts = cells.value_counts().items()
    return are_splits({str(cell): int(n) for cell, n in counts if not is_missing(str(cell))})


def has_boxes(table: Table) -> bool:
    """Whether a table has columns of places on films, by their names."""
    names = {folded(name) for name in table.frame.columns}
    return _box_columns(table, set()) is not None or names >= _CORNERS


def _box_columns(table: Table, taken: set[str]) -> tuple[str, str, str, str] | None:
    by_name = {folded(name): name for name in table.frame.columns if name not in taken}
    found = [next((by_name[n] for n in names if n in by_name), None) for names in BOX]
    x, y, width, height = found
    if x is None or y is None or width is None or height is None:
        return None
    return x, y, width, height


def _sample(column: pd.Series[str]) -> list[str]:
    cells = [
        cell for cell in column.iloc[:: max(1, len(column) // _SAMPLE)] if not is_missing(cell)
    ]
    return cells[:_SAMPLE]


def _worded(cells: list[str]) -> list[str]:
    """The cells, or none where most are whole numbers: an age may be the name of a file too."""
    words = [cell for cell in cells if not cell.isdecimal()]
    return words if 2 * len(words) > len(cells) else []
