"""Operating points on the judged split, what their calls are worth elsewhere, and net benefit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pneumoscope.evaluation.predictions import Rows
from pneumoscope.metrics.decision import decision_curve
from pneumoscope.metrics.linear import shares
from pneumoscope.metrics.prevalence import Bounds, predictive_values
from pneumoscope.metrics.scores import Floats, confusion
from pneumoscope.records import Estimate, OperatingPoint

STATED = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Shares of pneumonia at which PPV and NPV are given, besides the split's own and the asked one."""
PREVALENCES = np.geomspace(0.005, 0.95, 60)
THRESHOLDS = np.arange(1, 100) / 100
_SHARES = ("sensitivity", "specificity", "precision", "npv")


def judge_points(
    rows: Rows, points: Sequence[tuple[dict[str, Any], float]], level: float, bootstrap: Any
) -> list[dict[str, Any]]:
    """Sensitivity, specificity, PPV and NPV of each (what is said of it, its threshold)."""
    pairs = [pair for _, threshold in points for pair in _pairs(rows, threshold)]
    found = shares(pairs, rows.labels, rows.patients, level, *bootstrap)
    out = []
    for at, (said, threshold) in enumerate(points):
        counts = confusion(rows.labels, rows.probabilities >= threshold)
        four = found[4 * at : 4 * at + 4]
        out.append(
            {
                **said,
                "confusion": {"tn": counts.tn, "fp": counts.fp, "fn": counts.fn, "tp": counts.tp},
                **{name: e.to_json() for name, e in zip(_SHARES, four, strict=True)},
            }
        )
    return out


def said_of(point: OperatingPoint) -> tuple[dict[str, Any], float]:
    """A point as ``judge_points`` takes it."""
    return point.to_json(), point.threshold


def _pairs(rows: Rows, threshold: float) -> list[tuple[Any, Any]]:
    true, called = rows.labels == 1, rows.probabilities >= threshold
    return [(called, true), (~called, ~true), (true, called), (~true, ~called)]


def at_prevalences(
    sensitivity: Estimate, specificity: Estimate, own: float, asked: float | None
) -> dict[str, Any]:
    """PPV and NPV at stated prevalences and along a curve, from sensitivity and specificity.

    ``own`` is the share of pneumonia among the judged films.
    """
    wanted = {*STATED, *([asked] if asked else []), *([own] if 0 < own < 1 else [])}
    grid = np.array(sorted(wanted))
    ppv, npv = predictive_values(sensitivity, specificity, grid)
    n = sensitivity.n + specificity.n
    rows = [
        {
            "prevalence": share,
            "asked": share == asked,
            "own": share == own,
            "ppv": _estimate(ppv, at, sensitivity.level, n),
            "npv": _estimate(npv, at, sensitivity.level, n),
        }
        for at, share in enumerate(grid.tolist())
    ]
    ppv, npv = predictive_values(sensitivity, specificity, PREVALENCES)
    curve = {"prevalence": plain(PREVALENCES), "ppv": _lines(ppv), "npv": _lines(npv)}
    return {"own": own, "asked": asked, "at": rows, "curve": curve}


def net_benefit(
    rows: Rows, probabilities: Floats, level: float, bootstrap: Any, *, calibrated: bool
) -> dict[str, Any] | None:
    """The decision curve of ``probabilities``, None where a class is missing."""
    if rows.labels.size == 0 or rows.labels.min() == rows.labels.max():
        return None
    curve = decision_curve(rows.labels, probabilities, THRESHOLDS, rows.patients, level, *bootstrap)
    useful = curve.low > np.maximum(curve.everyone, 0.0) + 1e-12
    alone = "Wilson" if rows.patients is None else f"clustered by patient, {bootstrap[0]} resamples"
    return {
        "probabilities": "calibrated" if calibrated else "as given",
        "threshold": plain(curve.threshold),
        "model": plain(curve.model),
        "low": plain(curve.low),
        "high": plain(curve.high),
        "everyone": plain(curve.everyone),
        "level": level,
        "method": f"MOVER of sensitivity and false positive rate, {alone}",
        "better": _spans(curve.threshold, useful),
    }


def _spans(grid: Floats, good: Any) -> list[list[float]]:
    """The first and last value of each unbroken stretch of ``grid`` where ``good`` holds."""
    edges = np.flatnonzero(np.diff(np.r_[0, good.astype(int), 0]))
    return [
        [float(grid[start]), float(grid[end - 1])]
        for start, end in zip(edges[::2], edges[1::2], strict=True)
    ]


def _estimate(bounds: Bounds, at: int, level: float, n: int) -> dict[str, Any]:
    value, low, high = (float(x[at]) for x in (bounds.value, bounds.low, bounds.high))
    method = "Bayes, MOVER of sensitivity and specificity"
    return Estimate(value, low, high, level, method, n).to_json()


def _lines(bounds: Bounds) -> dict[str, list[float | None]]:
    return {
        "value": plain(bounds.value),
        "low": plain(bounds.low),
        "high": plain(bounds.high),
    }


def plain(values: Floats) -> list[float | None]:
    """A curve as JSON: six places, None for NaN."""
    return [round(float(x), 6) if np.isfinite(x) else None for x in values]
