"""Rows that several pages show: key figures and differences with their whiskers, remarks, splits
against train."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from pneumoscope.audit.splits import SplitShift
from pneumoscope.evaluation.comparison import ComparedDifference
from pneumoscope.formatting import ABSENT, cell, p_value, signed, signed_interval, split_name
from pneumoscope.readings import Estimate

Whisker = tuple[float, float, float]
"""Where a figure and the ends of its interval are drawn: low, value, high in per cent."""


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A figure of one line: in words, in numbers, and on a scale where ``at`` is known."""

    title: str
    value: str
    note: str = ""
    at: Whisker | None = None


@dataclass(frozen=True, slots=True)
class Remark:
    """One short paragraph, with the two or three words that introduce it."""

    lead: str
    text: str


@dataclass(frozen=True, slots=True)
class ShiftRow:
    """How well the films of one class in a split are told from those of train."""

    films: int
    train: int
    auroc: KeyFigure


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """A difference as printed; ``at`` is in per cent of the scale that all of them share."""

    title: str
    method: str
    p: str
    value: str
    interval: str
    at: Whisker | None


def difference_row(title: str, found: ComparedDifference, reach: float) -> DifferenceRow:
    """A difference on the scale from -``reach`` to +``reach``."""
    # That is the scale from 0 to 1 of what lies between.
    low, value, high = ((x / reach + 1) / 2 for x in (found.low, found.value, found.high))
    return DifferenceRow(
        title,
        found.method,
        "" if found.p_holm is None else p_value(found.p_holm),
        signed(found.value),
        signed_interval(found),
        whisker(low, value, high),
    )


def reach_of(differences: Iterable[ComparedDifference]) -> float:
    """The end of one scale for all of them: the next of 0.01, 0.02, 0.05, 0.1 … 1."""
    ends = [abs(end) for each in differences for end in (each.low, each.high)]
    most = max(filter(math.isfinite, ends), default=1.0)
    return next((step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if step >= most), 1.0)


def whisker(low: float, value: float, high: float, start: float = 0.0) -> Whisker | None:
    """The place on a scale from ``start`` to 1, None off it; an interval from below is cut."""
    if not all(map(math.isfinite, (low, value, high))):
        return None
    left, middle, right = (100 * (x - start) / (1 - start) for x in (low, value, high))
    return (max(left, 0.0), middle, right) if 0 <= middle <= right <= 100 else None


def key_figure(title: str, estimate: Estimate, start: float = 0.0) -> KeyFigure:
    """A metric and its interval, on a scale from ``start`` to 1."""
    at = whisker(estimate.low, estimate.value, estimate.high, start)
    return KeyFigure(title, *cell(estimate), at)


def shift_rows(shifts: Iterable[SplitShift]) -> list[ShiftRow]:
    """A row for each class of each split, on a scale from a guess to 1."""
    rows = []
    for shift in shifts:
        title = f"{split_name(shift.split)}, {shift.label}"
        auroc = KeyFigure(title, ABSENT, shift.why_not or "")
        if shift.auroc and math.isfinite(shift.auroc.value):
            auroc = key_figure(title, shift.auroc, start=0.5)
        rows.append(ShiftRow(shift.films, shift.train, auroc))
    return rows
