"""Curves behind the figures of pages, as plain numbers: ROC, precision over recall, reliability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pneumoscope.metrics import calibration
from pneumoscope.metrics.intervals import wilson
from pneumoscope.metrics.resample import IntervalSettings, resampled_weights
from pneumoscope.metrics.scores import BINS, Floats, precision_recall_curve, roc_curve

Ints = NDArray[np.int64]

GRID = 101
"""False positive rates at which the band of a ROC curve is given."""
BAND = IntervalSettings(resamples=500)


@dataclass(frozen=True, slots=True)
class RocCurve:
    """ROC with a pointwise percentile band of sensitivity, and where the threshold lies on it.

    ``grid`` holds the false positive rates at which ``low`` and ``high`` are given. ``at`` is
    (false positive rate, sensitivity) at the operating point.
    """

    false_positive_rate: Floats
    sensitivity: Floats
    grid: Floats
    low: Floats
    high: Floats
    level: float
    at: tuple[float, float]


@dataclass(frozen=True, slots=True)
class PrCurve:
    """Precision over recall; ``prevalence`` is the precision of a guess.

    ``at`` is (recall, precision) at the operating point, or None where nothing is called
    positive and precision is therefore 0/0.
    """

    recall: Floats
    precision: Floats
    prevalence: float
    at: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class ReliabilityCurve:
    """Observed share of pneumonia against the mean probability, by bin; empty bins left out.

    ``low`` and ``high`` are Wilson intervals of ``observed`` at ``level``.
    """

    predicted: Floats
    observed: Floats
    low: Floats
    high: Floats
    count: Ints
    level: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of films by probability, for each class. ``edges`` has one more than the counts."""

    edges: Floats
    normal: Ints
    pneumonia: Ints


def roc(
    labels: ArrayLike,
    probability: ArrayLike,
    threshold: float,
    *,
    patients: ArrayLike | None = None,
    settings: IntervalSettings = BAND,
) -> RocCurve | None:
    """The ROC curve, or None where the labels hold one class and there is none.

    The band comes from a bootstrap stratified by class; whole ``patients`` are drawn where
    their ids are given, since films of one patient are not independent.
    """
    truth, scores = _columns(labels, probability)
    if not _two_classes(truth):
        return None
    rates, sensitivity, _ = roc_curve(truth, scores)
    called = scores >= threshold
    grid = np.linspace(0.0, 1.0, GRID)
    drawn = _resampled_sensitivity(truth, scores, grid, _units(truth, patients), settings)
    tails = (1 - settings.level) / 2
    low, high = np.quantile(drawn, [tails, 1 - tails], axis=0)
    return RocCurve(
        false_positive_rate=np.asarray(rates, dtype=np.float64),
        sensitivity=np.asarray(sensitivity, dtype=np.float64),
        grid=grid,
        low=low,
        high=high,
        level=settings.level,
        at=(float(called[truth == 0].mean()), float(called[truth == 1].mean())),
    )


def precision_recall(labels: ArrayLike, probability: ArrayLike, threshold: float) -> PrCurve | None:
    """The precision–recall curve, or None where the labels hold one class."""
    truth, scores = _columns(labels, probability)
    if not _two_classes(truth):
        return None
    precision, recall, _ = precision_recall_curve(truth, scores)
    called = scores >= threshold
    at = (float(called[truth == 1].mean()), float(truth[called].mean())) if called.any() else None
    return PrCurve(
        recall=np.asarray(recall, dtype=np.float64),
        precision=np.asarray(precision, dtype=np.float64),
        prevalence=float(truth.mean()),
        at=at,
    )


def reliability(
    labels: ArrayLike, probability: ArrayLike, *, bins: int = BINS, level: float = 0.95
) -> ReliabilityCurve | None:
    """The bins that make up the ECE, or None where there is no film."""
    truth, scores = _columns(labels, probability)
    if not truth.size:
        return None
    found = calibration.reliability_bins(truth, scores, bins)
    held = found.counts > 0
    counted = zip(found.positives[held].tolist(), found.counts[held].tolist(), strict=True)
    spans = [wilson(positives, count, level) for positives, count in counted]
    return ReliabilityCurve(
        predicted=found.mean_probability[held],
        observed=found.observed[held],
        low=np.array([span.low for span in spans]),
        high=np.array([span.high for span in spans]),
        count=found.counts[held],
        level=level,
    )


def histogram(labels: ArrayLike, probability: ArrayLike, *, bins: int = 20) -> Histogram:
    """Films by probability and class, bins of equal width over 0–1."""
    truth, scores = _columns(labels, probability)
    edges = np.linspace(0.0, 1.0, bins + 1)
    normal, _ = np.histogram(scores[truth == 0], edges)
    pneumonia, _ = np.histogram(scores[truth == 1], edges)
    return Histogram(edges=edges, normal=normal, pneumonia=pneumonia)


def _columns(labels: ArrayLike, probability: ArrayLike) -> tuple[Ints, Floats]:
    return np.asarray(labels, dtype=np.int64), np.asarray(probability, dtype=np.float64)


def _two_classes(truth: Ints) -> bool:
    return bool(truth.size) and bool(truth.min() != truth.max())


def _units(truth: Ints, patients: ArrayLike | None) -> Ints:
    """The drawing unit of each row: its patient, or the row itself where no id is known."""
    if patients is None:
        return np.arange(truth.size)
    names = np.asarray(patients, dtype=str)
    # A row without an id stands for a patient of its own, never for one patient of all such.
    own = np.array([name or f"\0{row}" for row, name in enumerate(names.tolist())])
    return np.unique(own, return_inverse=True)[1].astype(np.int64)


def _resampled_sensitivity(
    truth: Ints, scores: Floats, grid: Floats, units: Ints, settings: IntervalSettings
) -> Floats:
    """Sensitivity (R, grid) at each false positive rate of ``grid``."""
    order = np.argsort(-scores, kind="stable")
    truth, units, ranked = truth[order], units[order], scores[order]
    # Films of equal score are passed together: the curve has a corner only after the last.
    last = np.append(np.flatnonzero(np.diff(ranked)), ranked.size - 1)
    rows = []
    for weights in resampled_weights(truth, units, settings):
        false = np.cumsum(weights * (truth == 0), axis=1)[:, last]
        true = np.cumsum(weights * (truth == 1), axis=1)[:, last]
        for hits, alarms in zip(true, false, strict=True):
            if hits[-1] and alarms[-1]:
                rows.append(_upper(grid, alarms / alarms[-1], hits / hits[-1]))
    return np.asarray(rows) if rows else np.full((1, grid.size), np.nan)


def _upper(grid: Floats, rates: Floats, sensitivity: Floats) -> Floats:
    """The curve at ``grid``, taking the top of its vertical steps."""
    index = np.searchsorted(rates, grid, side="right") - 1
    padded = np.append(sensitivity, 0.0)  # index −1: before the first corner nothing is found
    after = np.minimum(index + 1, rates.size - 1)
    x0 = np.where(index < 0, 0.0, rates[index])
    run = rates[after] - x0
    slope = np.where(run > 0, (grid - x0) / np.where(run > 0, run, 1.0), 0.0)
    return np.asarray(padded[index] + slope * (sensitivity[after] - padded[index]))
