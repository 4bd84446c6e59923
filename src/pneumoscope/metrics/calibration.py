"""Calibration: how well probabilities mean what they say; error, reliability, recalibration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .scores import BINS, Floats, Labels, bin_of, probability, ratio


@dataclass(frozen=True, slots=True)
class ReliabilityBins:
    """The reliability curve: one entry a bin, B bins of equal width over [0, 1].

    ``edges`` float (B + 1,); ``counts`` and ``positives`` int (B,); ``mean_probability`` and
    ``observed`` (share of positives) float (B,), NaN in an empty bin. An interval of ``observed``
    is ``intervals.wilson(positives, counts)``, left to the caller.
    """

    edges: Floats
    counts: NDArray[np.int64]
    positives: NDArray[np.int64]
    mean_probability: Floats
    observed: Floats


def ece(labels: Labels, probabilities: Floats, bins: int = BINS) -> float:
    """Expected calibration error of P(pneumonia), 0 (best) – 1; NaN when empty.

    Σ over bins of (count / N) · |observed share − mean probability|, bins of equal width. It is
    the binary form (probability of class 1 against its frequency), not the top-label form of
    Guo et al. 2017. The plain figure is biased upwards, by some .02–.03 at N = 624.
    """
    if labels.size == 0:
        return float("nan")
    gap = np.bincount(bin_of(probabilities, bins), weights=labels - probabilities)
    return float(np.abs(gap).sum() / labels.size)


def reliability_bins(labels: Labels, probabilities: Floats, bins: int = BINS) -> ReliabilityBins:
    """The reliability curve over ``bins`` bins of equal width, empty ones included."""
    index = bin_of(probabilities, bins)
    counts = np.bincount(index, minlength=bins)
    positives = np.bincount(index[labels == 1], minlength=bins)
    return ReliabilityBins(
        edges=np.linspace(0.0, 1.0, bins + 1),
        counts=counts,
        positives=positives,
        mean_probability=ratio(np.bincount(index, weights=probabilities, minlength=bins), counts),
        observed=ratio(positives, counts),
    )


COOLEST, HOTTEST = 0.05, 20.0
"""Temperatures looked at. At an end the rows do not say: separated classes, or no order at all."""


def temperature(labels: Labels, logits: Floats) -> float:
    """The temperature T > 0 of the least log loss of logits / T, within ``COOLEST``–``HOTTEST``.

    The loss is convex in 1/T (Guo et al. 2017), so its derivative is bisected. NaN when a class
    is missing. Which rows may be given is asked by ``evaluation.choices``, not here.
    """
    if labels.size == 0 or labels.min() == labels.max():
        return float("nan")
    low, high = math.log(1 / HOTTEST), math.log(1 / COOLEST)
    for _ in range(60):
        middle = (low + high) / 2
        rising = float(np.dot(probability(math.exp(middle) * logits) - labels, logits)) > 0
        low, high = (low, middle) if rising else (middle, high)
    return math.exp(-(low + high) / 2)


@dataclass(frozen=True, slots=True)
class Recalibration:
    """The logistic recalibration logit P(pneumonia) = intercept + slope · logit.

    Slope 1 and intercept 0 are perfect. Below 1 the probabilities are too extreme; a negative
    intercept means that they are too high. ``large`` is the intercept with the slope held at 1
    (calibration in the large). Errors are standard errors; all are NaN where the fit has none.
    """

    slope: float
    slope_error: float
    intercept: float
    intercept_error: float
    large: float
    large_error: float


def recalibrate(
    labels: Labels, logits: Floats, patients: NDArray[Any] | None = None
) -> Recalibration:
    """Cox's recalibration (Cox 1958; Van Calster et al. 2016) by iterated weighted least squares.

    ``patients`` (N,) make the errors robust to several films of one (sandwich, as statsmodels'
    ``cov_type="cluster"``). That of ``large`` is always robust (HC1), for its model, slope 1, is
    wrong wherever the slope is another: the plain one held the truth in 88 % at slope .66. NaN
    where a class is missing or the logits part the classes.
    """
    nothing = (float("nan"), float("nan"))
    if labels.size == 0 or labels.min() == labels.max():
        return Recalibration(*nothing, *nothing, *nothing)
    ones = np.ones((labels.size, 1))
    full = _logistic(np.column_stack([ones, logits]), labels, np.zeros(labels.size), patients)
    alone = np.arange(labels.size) if patients is None else patients
    only = _logistic(ones, labels, logits, alone)
    (intercept, slope), (intercept_error, slope_error) = full or (nothing, nothing)
    large = (only[0][0], only[1][0]) if only else nothing
    return Recalibration(slope, slope_error, intercept, intercept_error, *large)


def platt(labels: Labels, logits: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Offset and slope, float (R, 1) each, of P(pneumonia) = σ(offset + slope · logit), fitted to
    films (N,) under each row of ``weights`` (R, N) by Newton's steps.

    Platt's targets (1999), a little within 0 and 1, keep the slope finite where the classes are
    apart. Both classes must be there.
    """
    sick = labels == 1
    scale = float(logits.std()) or 1.0
    x = logits / scale
    ill, well = (weights[:, each].sum(axis=1, keepdims=True) for each in (sick, ~sick))
    targets = np.where(sick, (ill + 1) / (ill + 2), 1 / (well + 2))
    offset, slope = np.log(ill / well), np.ones_like(ill)
    powers = (np.ones_like(x), x, np.square(x))
    for _ in range(25):
        fitted = probability(offset + slope * x)
        gap, bend = weights * (targets - fitted), weights * fitted * (1 - fitted)
        a, b, c = ((bend * power).sum(axis=1, keepdims=True) + 1e-6 for power in powers)
        g, h = gap.sum(axis=1, keepdims=True), (gap * x).sum(axis=1, keepdims=True)
        size = np.maximum(a * c - b * b, 1e-9)
        offset = offset + np.clip((c * g - b * h) / size, -2, 2)
        slope = slope + np.clip((a * h - b * g) / size, -2, 2)
    return offset, slope / scale


def _logistic(
    design: Floats, labels: Labels, offset: Floats, patients: NDArray[Any] | None
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Coefficients and standard errors of a logistic regression, None where there is no maximum."""
    beta = np.zeros(design.shape[1])
    for _ in range(50):
        fitted = probability(offset + design @ beta)
        information = (design * (fitted * (1 - fitted))[:, None]).T @ design
        score = design.T @ (labels - fitted)
        # Separated classes drive the coefficients to infinity and the information to nothing.
        if np.linalg.cond(information) > 1e12:
            return None
        step = np.linalg.solve(information, score)
        beta = beta + np.clip(step, -4, 4)
        if np.abs(step).max() < 1e-10:
            break
    else:
        return None
    covariance = np.linalg.inv(information)
    if patients is not None:
        covariance = covariance @ _meat(design * (labels - fitted)[:, None], patients) @ covariance
    return tuple(beta.tolist()), tuple(np.sqrt(np.diag(covariance)).tolist())


def _meat(scores: Floats, patients: NDArray[Any]) -> Floats:
    """Σ over patients of the outer product of their summed scores, with the small-sample factor
    of Stata and statsmodels."""
    ids = np.unique(patients, return_inverse=True)[1]
    n, k = scores.shape
    groups = int(ids.max()) + 1
    if groups < 2 or n == k:  # one patient says nothing of how patients differ
        return np.full((k, k), np.nan)
    sums = np.column_stack([np.bincount(ids, weights=column) for column in scores.T])
    return np.asarray(sums.T @ sums * (groups / (groups - 1)) * (n - 1) / (n - k))
