"""A cross-validation in, one self-contained page out, in the make of the other pages.

The page shows what ``metrics.json`` holds; each fold has a full report of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pneumoscope.formatting import ABSENT, interval, mean_sd, number
from pneumoscope.records import Estimate
from pneumoscope.report.kit.catalogue import ALIASES, GROUPS, HEADLINE
from pneumoscope.report.kit.page import Page, Section, Variables
from pneumoscope.report.run.folder import Judged
from pneumoscope.storage import write_atomic


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


def _whole(context: Variables) -> Variables:
    return context


PAGE: Page[Variables] = Page(
    "crossval", (Section("results", "Results", _whole), Section("folds", "Folds", _whole))
)


def write_crossval_page(folder: Path, metrics: Mapping[str, Any], runs: Sequence[Judged]) -> Path:
    """Write ``report.html`` into ``folder``, which exists; return it. ``metrics`` is the plain
    data of ``metrics.json``. Raises OutputNotWritable."""
    rows = metric_rows(metrics)
    context = {"metrics": metrics, "rows": rows, "recipe": runs[0].recipe}
    text = PAGE.render(
        context,
        keys=[row for row in rows if row.key in HEADLINE],
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
    estimate, over = Estimate.from_json(metrics["metrics"][key]), metrics["over_folds"][key]
    at = (100 * estimate.low, 100 * estimate.value, 100 * estimate.high)
    return Row(
        key,
        title,
        number(estimate.value),
        interval(estimate),
        mean_sd(over["mean"], over["sd"]),
        tuple(ABSENT if value is None else number(value) for value in over["values"]),
        at if all(0 <= value <= 100 for value in at) else None,
    )
