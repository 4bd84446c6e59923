"""Rows of one film each: without headers that stand again among them, as in tables laid one behind
another, and with a row for each film that a cell lists (``a_1.png;a_2.png``)."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from pneumoscope.formatting import plural
from pneumoscope.sources.meaning.cells import parts_of
from pneumoscope.sources.rows.block import names_film
from pneumoscope.sources.tables import bounds
from pneumoscope.sources.tables.bounds import Table

_SAMPLE = 1000


def single_rows(table: Table) -> Table:
    """``table`` with a row for each film, and what to say of that. Raises UnreadableData where the
    rows become more than may be."""
    frame, notes = table.frame, list(table.notes)
    if count := len(frame) - len(frame := _without_headers(frame)):
        notes.append(f"{plural(count, 'row')} of {table.path.name} repeat the header: left out.")
    for name in frame.columns:
        if any(len(_films(cell)) > 1 for cell in frame[name].iloc[:_SAMPLE]):
            before = len(frame)
            frame = frame.assign(**{name: frame[name].map(_films)}).explode(name, True)
            frame[name] = frame[name].astype("str")
            bounds.check_extent(table.path, len(frame), len(frame.columns))
            notes.append(
                f"Cells of {name!r} list several films each: {before:,} rows are {len(frame):,}."
            )
            break
    return replace(table, frame=frame, notes=tuple(notes))


def _without_headers(frame: pd.DataFrame) -> pd.DataFrame:
    """``frame`` without rows in which each cell is the name of its column, where others are."""
    again = frame.iloc[:, 0] == frame.columns[0]
    for name in frame.columns[1:] if again.any() else ():
        again &= frame[name] == name
    return frame[~again].reset_index(drop=True) if again.any() and not again.all() else frame


def _films(cell: str) -> list[str]:
    """The films that a cell lists; itself where it is no list of films alone."""
    parts = parts_of(cell)
    if len(parts) == 1 and "," in cell:
        parts = tuple(part.strip() for part in cell.split(",") if part.strip())
    return list(parts) if len(parts) > 1 and all(map(names_film, parts)) else [cell]
