"""A cross-validation in, one self-contained page out, in the make of the other pages.

The page shows what ``metrics.json`` holds; each fold has a full report of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pneumoscope.report.kit.page import render_page
from pneumoscope.report.kit.words import ALIASES, GROUPS, interval, number
from pneumoscope.report.run.folder import Judged, to_estimate
from pneumoscope.storage import write_atomic

_KEYS = ("auroc", "sensitivity", "specificity", "balanced_accuracy")


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: its anchor, template and title."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Row:
    """A metric as printed: pooled with its interval, over the folds, and of each fold. ``at`` is
    (low, value, high) in per cent of 0-1 for the whisker."""

    key: str
    title: str
    pooled: str
    interval: str
    spread: str
    cells: tuple[str, ...]
    at: tuple[float, float, float] | None


SECTIONS = (Section("results", "Results"), Section("folds", "Folds"))


def write_crossval_page(folder: Path, metrics: Mapping[str, Any], runs: Sequence[Judged]) -> Path:
    """Write ``report.html`` into ``folder``, which exists; return it. ``metrics`` is the plain
    data of ``metrics.json``. Raises OutputNotWritable."""
    rows = metric_rows(metrics)
    context = {"metrics": metrics, "rows": rows, "recipe": runs[0].recipe}
    text = render_page(
        "crossval.html.j2",
        "crossval",
        [(section, context) for section in SECTIONS],
        keys=[row for row in rows if row.key in _KEYS],
        **context,
    )
    page = folder / "report.html"
    write_atomic(page, text)
    return page


def metric_rows(metrics: Mapping[str, Any]) -> list[Row]:
    """Every known metric in the order of the other pages."""
    return [
        _row(metric.key, metric.title, metrics)
        for _, group in GROUPS
        for metric in group
        if metric.key in metrics["metrics"] and metric.key not in ALIASES
    ]


def _row(key: str, title: str, metrics: Mapping[str, Any]) -> Row:
    estimate, over = to_estimate(metrics["metrics"][key]), metrics["over_folds"][key]
    spread = "undefined" if over["mean"] is None else number(over["mean"])
    if over["sd"] is not None:
        spread += f" ± {number(over['sd'])}"
    at = (100 * estimate.low, 100 * estimate.value, 100 * estimate.high)
    return Row(
        key,
        title,
        number(estimate.value),
        interval(estimate),
        spread,
        tuple("–" if value is None else number(value) for value in over["values"]),
        at if all(0 <= value <= 100 for value in at) else None,
    )
