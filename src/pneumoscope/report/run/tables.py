"""The tables of the report, as rows ready to print. No metric leaves without its interval."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_lowercase

from pneumoscope.formatting import Cell, cell, interval, number
from pneumoscope.readings import Estimate
from pneumoscope.records import CLASSES
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.catalogue import Metric, grouped
from pneumoscope.report.kit.rows import Whisker, whisker

OFF_SCALE = frozenset({"mcc", "log_loss"})
"""Metrics that do not run from 0 to 1, so that a whisker on that scale would mislead."""


@dataclass(frozen=True, slots=True)
class Row:
    """A metric as printed. ``at`` is (low, value, high) in per cent of 0–1, for the whisker."""

    key: str
    title: str
    gloss: str
    value: str
    interval: str
    method: str
    at: Whisker | None


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class: its figures as (value, interval), and how many films it has."""

    name: str
    cells: tuple[Cell, ...]
    support: int


def metric_groups(run: EvaluatedRun) -> list[tuple[str, list[Row]]]:
    """Every metric of metrics.json, known ones in their group, unknown ones at the end."""
    found = run.results.metrics
    return [
        (title, [metric_row(metric, found[metric.key]) for metric in metrics])
        for title, metrics in grouped(found)
    ]


def method_notes(groups: list[tuple[str, list[Row]]]) -> dict[str, str]:
    """A footnote mark, ``a`` onwards, for each method that the rows name, in their order."""
    methods = dict.fromkeys(row.method for _, rows in groups for row in rows if row.method)
    return {method: ascii_lowercase[at % 26] for at, method in enumerate(methods)}


def class_rows(run: EvaluatedRun) -> list[ClassRow]:
    """Precision, recall and F1 of each class."""
    found = run.results.per_class
    return [
        ClassRow(
            name=name,
            cells=tuple(map(cell, (found[name].precision, found[name].recall, found[name].f1))),
            support=found[name].support,
        )
        for name in CLASSES
        if name in found
    ]


def metric_row(metric: Metric, estimate: Estimate) -> Row:
    """A metric as printed, with its place on the scale from 0 to 1."""
    at = whisker(estimate.low, estimate.value, estimate.high)
    return Row(
        key=metric.key,
        title=metric.title,
        gloss=metric.gloss,
        value=number(estimate.value),
        interval=interval(estimate),
        method=estimate.method,
        at=None if metric.key in OFF_SCALE else at,
    )
