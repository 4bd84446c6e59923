"""Boxes of a table: rectangles on films, of which each film may have several."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.sources.listed import Boxes, Codes
from pneumoscope.sources.tables.facts import missing


@dataclass(frozen=True, slots=True)
class FoundBoxes:
    """``boxes`` by film. ``marked``, bool (films,), says which films have a row that says anything
    of a box, ``boxed`` which have a box."""

    boxes: Boxes
    marked: NDArray[np.bool_]
    boxed: NDArray[np.bool_]
    notes: tuple[str, ...] = ()


def boxes_of(
    film: Codes, frame: pd.DataFrame, box: tuple[str, str, str, str] | None, count: int
) -> FoundBoxes:
    """The boxes of ``count`` films, of which ``film`` is that of each row, out of the columns
    ``box``. One that is no rectangle is dropped and told, and costs no film."""
    none = np.zeros(count, dtype=bool)
    if box is None:
        return FoundBoxes(Boxes.none(count), none, none)
    corners = np.column_stack(
        [pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64) for name in box]
    )
    there = ~np.column_stack([missing(frame[name]) for name in box]).all(axis=1)
    x_y, size = corners[:, :2], corners[:, 2:]
    good = np.isfinite(corners).all(axis=1) & (x_y >= 0).all(axis=1) & (size > 0).all(axis=1)
    rows = np.flatnonzero(there & good)
    rows = rows[np.argsort(film[rows], kind="stable")]
    starts = np.searchsorted(film[rows], np.arange(count + 1)).astype(np.int64)
    marked, boxed = none.copy(), none.copy()
    marked[film[there]] = True
    boxed[film[rows]] = True
    bad = int((there & ~good).sum())
    told = (f"{bad:,} boxes of the table are no rectangles and were dropped.",) if bad else ()
    return FoundBoxes(Boxes(corners[rows], starts), marked, boxed, told)
