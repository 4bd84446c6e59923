"""Operating points on the evaluated split, what their calls are worth elsewhere, net benefit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pneumoscope.evaluation.predictions import SplitRows
from pneumoscope.evaluation.results import (
    AtPrevalence,
    Band,
    Line,
    NetBenefit,
    OnValidation,
    PointResult,
    PrevalenceCurve,
    PrevalenceResult,
)
from pneumoscope.metrics.batched import Mask, shares
from pneumoscope.metrics.decision import decision_curve
from pneumoscope.metrics.prevalence import Bounds, predictive_values
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.metrics.scores import Floats, confusion
from pneumoscope.readings import Estimate, OperatingPoint
from pneumoscope.records import EXTERNAL

STATED = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Shares of pneumonia at which PPV and NPV are given, besides the split's own and the asked one."""
PREVALENCES = np.geomspace(0.005, 0.95, 60)
THRESHOLDS = np.arange(1, 100) / 100


def evaluate_points(
    rows: SplitRows, points: Sequence[OperatingPoint], settings: IntervalSettings
) -> tuple[PointResult, ...]:
    """Sensitivity, specificity, PPV and NPV of each point."""
    # All points at once: the shares of all of them come from one pass over the resamples.
    pairs = [pair for point in points for pair in _pairs(rows, point.threshold)]
    found = iter(shares(pairs, rows.labels, rows.patients, settings))
    return tuple(
        PointResult(
            name=point.name,
            threshold=point.threshold,
            rule=point.rule,
            chosen_on=point.chosen_on,
            confusion=confusion(rows.labels, rows.probabilities >= point.threshold),
            sensitivity=next(found),
            specificity=next(found),
            precision=next(found),
            npv=next(found),
        )
        for point in points
    )


def with_validation(
    points: Sequence[PointResult], chosen: Sequence[PointResult]
) -> tuple[PointResult, ...]:
    """The points with what each came to on validation films, where ``chosen`` has it."""
    known = {
        point.name: OnValidation(
            point.sensitivity.n + point.specificity.n, point.sensitivity, point.specificity
        )
        for point in chosen
    }
    return tuple(replace(point, validation=known.get(point.name)) for point in points)


def equal_cuts(points: Sequence[PointResult]) -> tuple[tuple[PointResult, ...], ...]:
    """The points in their order, those together that cut alike: at one threshold, to three places,
    with one result."""
    cuts: dict[object, list[PointResult]] = {}
    for point in points:
        key = (round(point.threshold, 3), point.confusion, point.chosen_on == EXTERNAL)
        cuts.setdefault(key, []).append(point)
    return tuple(map(tuple, cuts.values()))


def _pairs(rows: SplitRows, threshold: float) -> list[tuple[Mask, Mask]]:
    true, called = rows.labels == 1, rows.probabilities >= threshold
    return [(called, true), (~called, ~true), (true, called), (~true, ~called)]


def at_prevalences(
    metrics: Mapping[str, Estimate], own: float, asked: float | None
) -> PrevalenceResult:
    """PPV and NPV at stated prevalences and along a curve, from sensitivity and specificity.

    ``own`` is the share of pneumonia among the evaluated films, at which PPV and NPV are those of
    ``metrics``, counted on the films.
    """
    sensitivity, specificity = metrics["sensitivity"], metrics["specificity"]
    wanted = {*STATED, *([asked] if asked else []), *([own] if 0 < own < 1 else [])}
    grid = np.array(sorted(wanted))
    ppv, npv = predictive_values(sensitivity, specificity, grid)
    n = sensitivity.n + specificity.n
    rows = tuple(
        AtPrevalence(
            prevalence=share,
            asked=share == asked,
            own=share == own,
            ppv=metrics["precision"] if share == own else _estimate(ppv, at, sensitivity.level, n),
            npv=metrics["npv"] if share == own else _estimate(npv, at, sensitivity.level, n),
        )
        for at, share in enumerate(grid.tolist())
    )
    ppv, npv = predictive_values(sensitivity, specificity, PREVALENCES)
    curve = PrevalenceCurve(rounded(PREVALENCES), _band(ppv), _band(npv))
    return PrevalenceResult(own, asked, rows, curve)


def net_benefit(rows: SplitRows, settings: IntervalSettings, scale: str) -> NetBenefit | None:
    """The decision curve, None where a class is missing; ``scale`` names the probabilities'."""
    if rows.labels.size == 0 or rows.labels.min() == rows.labels.max():
        return None
    curve = decision_curve(rows.labels, rows.probabilities, THRESHOLDS, rows.patients, settings)
    # The whole band, for a curve above both lines by its value alone may be there by chance.
    useful = curve.low > np.maximum(curve.everyone, 0.0) + 1e-12
    clustered = f"clustered by patient, {settings.resamples} resamples"
    by = "Wilson" if rows.patients is None else clustered
    return NetBenefit(
        probabilities=scale,
        threshold=rounded(curve.threshold),
        model=rounded(curve.model),
        low=rounded(curve.low),
        high=rounded(curve.high),
        everyone=rounded(curve.everyone),
        level=settings.level,
        method=f"MOVER of sensitivity and false positive rate, {by}",
        better=_spans(curve.threshold, useful),
    )


def _spans(grid: Floats, good: Mask) -> tuple[tuple[float, float], ...]:
    """The first and last value of each unbroken stretch of ``grid`` where ``good`` holds."""
    edges = np.flatnonzero(np.diff(np.r_[0, good.astype(int), 0]))
    return tuple(
        (float(grid[start]), float(grid[end - 1]))
        for start, end in zip(edges[::2], edges[1::2], strict=True)
    )


def _estimate(bounds: Bounds, at: int, level: float, n: int) -> Estimate:
    value, low, high = (float(x[at]) for x in (bounds.value, bounds.low, bounds.high))
    method = "Bayes, MOVER of sensitivity and specificity"
    return Estimate(value, low, high, level, method, n)


def _band(bounds: Bounds) -> Band:
    return Band(rounded(bounds.value), rounded(bounds.low), rounded(bounds.high))


def rounded(values: Floats) -> Line:
    """A curve as it is kept: six places, finer than any figure shows; NaN where it is undefined."""
    return tuple(round(x, 6) if np.isfinite(x) else float("nan") for x in values.tolist())
