"""Operating points: where one may cut, by which rule, and what each cut is worth."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pneumoscope.evaluation.operating import equal_cuts
from pneumoscope.evaluation.results import PointResult
from pneumoscope.formatting import Cell, brief, cell, number
from pneumoscope.readings import Estimate
from pneumoscope.records import EXTERNAL
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.page import Variables
from pneumoscope.report.review.context import ReportContext

RULE_WORDS = {
    "youden": "largest sensitivity + specificity",
    "youden_smooth": "largest sensitivity + specificity, of smoothed rates",
    "f1": "largest F1",
    "sensitivity": "held at the largest specificity",
    "specificity": "held at the largest sensitivity",
    "fixed": "fixed beforehand",
    "re-chosen": "chosen on these films",
}
_HELD = re.compile(r"(sensitivity|specificity) >= ([\d.]+)")
_COST = re.compile(r"counts as ([\d.e+-]+) false alarms")


@dataclass(frozen=True, slots=True)
class PointRow:
    """A cut as printed: the points that make it, their rules, threshold, (value, interval) of four
    shares, and of sensitivity and specificity on validation films, none where not known."""

    names: tuple[str, ...]
    rule: str
    threshold: str
    cells: tuple[Cell, ...]
    validation: tuple[Cell, ...]
    own: bool
    optimistic: bool


def point_rows(run: EvaluatedRun) -> list[PointRow]:
    """The operating points, the deciding one first, a re-chosen one last; equal cuts in one row."""
    return [_row(cut, own=at == 0) for at, cut in enumerate(equal_cuts(run.results.all_points))]


def _row(cut: Sequence[PointResult], *, own: bool) -> PointRow:
    point = cut[0]
    before = point.validation
    return PointRow(
        names=tuple(map(point_name, cut)),
        rule="; ".join(map(_rule, cut)),
        threshold=number(point.threshold),
        cells=tuple(map(cell, (point.sensitivity, point.specificity, point.precision, point.npv))),
        validation=tuple(map(cell, (before.sensitivity, before.specificity))) if before else (),
        own=own,
        optimistic=point.chosen_on == EXTERNAL,
    )


def point_name(point: PointResult) -> str:
    """The name by which ``predict --point`` takes it, with what it holds or weighs:
    ``sensitivity >= 0.95``, ``cost 5:1``."""
    if held := _HELD.search(point.rule):
        return f"{point.name} >= {held[2]}"
    if cost := _COST.search(point.rule):
        return f"{point.name} {cost[1]}:1"
    return point.name


def _rule(point: PointResult) -> str:
    """In words; as it is where its name does not say what it holds."""
    if point.name in ("sensitivity", "specificity") and not _HELD.search(point.rule):
        return point.rule
    return RULE_WORDS.get(point.name.removesuffix("_asked"), point.rule)


def words(run: EvaluatedRun) -> str:
    """What of the deciding point, and of those that were to hold something, does not carry over
    from validation films: the interval on these films leaves out what was promised."""
    points = run.results.operating_points
    said = [clause for at, point in enumerate(points) for clause in _broken(point, own=at == 0)]
    if not said:
        return ""
    return f"Not carried over from validation films to these: {'; '.join(said)}."


def _broken(point: PointResult, *, own: bool) -> Iterator[str]:
    held = {key: float(value) for key, value in _HELD.findall(point.rule)}
    before = point.validation
    for key in ("sensitivity", "specificity"):
        here: Estimate = getattr(point, key)
        there: Estimate | None = getattr(before, key) if before else None
        # Without a target nothing is promised but what was seen there, within its interval.
        least = held.get(key, there.low if own and there else math.nan)
        if here.high < least:
            past = f", {brief(there)} there" if there else ""
            yield f"“{point_name(point)}” has a {key} of {brief(here)} here{past}"


def close_words(rows: Sequence[PointRow]) -> str:
    """What is said where two thresholds read the same and cut otherwise; else empty."""
    if len({row.threshold for row in rows}) == len(rows):
        return ""
    return "Thresholds of two rows that read the same differ behind the third place."


def gather(context: ReportContext) -> Variables | None:
    """What the section prints."""
    rows = point_rows(context.run)
    if not rows:
        return None
    return {
        "rows": rows,
        "said": " ".join(filter(None, (words(context.run), close_words(rows)))),
        "known": any(row.validation for row in rows),
        "split": context.run.split,
        "scale": context.run.scale_words,
        "optimistic": any(row.optimistic for row in rows),
        "notes": context.run.results.notes,
    }
