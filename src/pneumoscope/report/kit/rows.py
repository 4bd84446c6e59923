"""Rows that several pages show: key figures with their whiskers, remarks, splits against train."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from pneumoscope.audit.splits import SplitShift
from pneumoscope.formatting import ABSENT, cell, split_name
from pneumoscope.records import Estimate

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
