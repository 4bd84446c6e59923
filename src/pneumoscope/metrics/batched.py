"""Batched intervals: of many figures from one pass over the resamples; shares, AUROC, losses, ECE.

Where films are independent (``patients`` None) shares get Wilson's interval and AUROC DeLong's,
as in ``evaluation.evaluate``; otherwise all come from one patient-clustered bootstrap, since all
are ratios of sums over films, AUROC to first order by its structural components.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope.readings import Estimate

from .intervals import (
    RANGES,
    delong,
    ece_bounds,
    held_within,
    logit_bounds,
    structural_components,
    undefined,
    wilson,
)
from .resample import DEFAULT_INTERVALS, IntervalSettings, resampled_sums
from .scores import BINS, Floats, Labels, bin_of, log_losses, ratio, squared_errors

Mask = NDArray[np.bool_]


def shares(
    pairs: Sequence[tuple[Mask, Mask]],
    labels: Labels,
    patients: NDArray[Any] | None = None,
    settings: IntervalSettings = DEFAULT_INTERVALS,
) -> list[Estimate]:
    """For each (hits, among), bool (N,) both, the share of ``among`` that are hits."""
    counts = [(int((hits & among).sum()), int(among.sum())) for hits, among in pairs]
    if patients is None or not pairs:
        return [wilson(hits, n, settings.level) for hits, n in counts]
    columns = np.column_stack([column for h, among in pairs for column in (h & among, among)])
    sums = resampled_sums(columns.astype(np.float64), labels, patients, settings)
    out = []
    for at, ((hits, n), (_, among)) in enumerate(zip(counts, pairs, strict=True)):
        draws = ratio(sums[:, 2 * at], sums[:, 2 * at + 1])
        value = hits / n if n else float("nan")
        out.append(_clustered(value, draws, (patients[among],), n, settings.level))
    return out


def aurocs(
    groups: Sequence[Mask],
    labels: Labels,
    scores: Floats,
    patients: NDArray[Any] | None = None,
    settings: IntervalSettings = DEFAULT_INTERVALS,
) -> list[Estimate]:
    """AUROC within each group, bool (N,); NaN where a group holds one class."""
    if patients is None or not groups:
        return [delong(labels[group], scores[group], settings.level) for group in groups]
    columns, values = np.zeros((labels.size, 4 * len(groups))), []
    for at, group in enumerate(groups):
        won, lost = np.flatnonzero(group & (labels == 1)), np.flatnonzero(group & (labels == 0))
        if not won.size or not lost.size:
            values.append(float("nan"))
            continue
        v10, v01 = structural_components(labels[group], scores[group])
        values.append(float(v10.mean()))
        columns[won, 4 * at], columns[won, 4 * at + 1] = v10, 1.0
        columns[lost, 4 * at + 2], columns[lost, 4 * at + 3] = v01, 1.0
    sums = resampled_sums(columns, labels, patients, settings)
    out = []
    for at, (group, value) in enumerate(zip(groups, values, strict=True)):
        part = sums[:, 4 * at : 4 * at + 4]
        draws = ratio(part[:, 0], part[:, 1]) + ratio(part[:, 2], part[:, 3]) - value
        sides = tuple(patients[group & (labels == label)] for label in (0, 1))
        out.append(_clustered(value, draws, sides, int(group.sum()), settings.level))
    return out


def losses(
    labels: Labels,
    probabilities: Floats,
    patients: NDArray[Any] | None = None,
    settings: IntervalSettings = DEFAULT_INTERVALS,
) -> dict[str, Estimate]:
    """Brier score, log loss and ECE with the intervals that ``intervals.bootstrap`` gives them."""
    if labels.size == 0:
        return {
            name: undefined("no films", 0, settings.level) for name in ("brier", "log_loss", "ece")
        }
    gaps = np.zeros((labels.size, BINS))
    gaps[np.arange(labels.size), bin_of(probabilities)] = labels - probabilities
    columns = {
        "brier": squared_errors(labels, probabilities),
        "log_loss": log_losses(labels, probabilities),
    }
    table = np.column_stack([*columns.values(), gaps])
    ones = np.ones((labels.size, 1))
    sums = resampled_sums(np.hstack([table, ones]), labels, patients, settings)
    draws = ratio(sums[:, :-1], sums[:, -1:])
    kind = "stratified bootstrap" if patients is None else "patient-clustered bootstrap"
    out = {}
    for at, (name, column) in enumerate(columns.items()):
        value, bounds = float(column.mean()), RANGES.get(name, (0.0, 1.0))
        span = (value, value)
        if bounds[0] < value < bounds[1]:
            span = logit_bounds(value, float(draws[:, at].std()), settings.level, bounds)
        method = f"{kind}, logit scale, {settings.resamples} resamples"
        out[name] = held_within(value, *span, settings.level, method, labels.size, bounds)
    gap = gaps.mean(axis=0)
    value = float(np.abs(gap).sum())
    span = ece_bounds(gap, draws[:, 2:] - gap, settings.level) if value > 0 else (0.0, 0.0)
    method = f"{kind}, test inversion, {settings.resamples} resamples"
    return out | {"ece": held_within(value, *span, settings.level, method, labels.size)}


def _clustered(
    value: float, draws: Floats, patients: Sequence[NDArray[Any]], n: int, level: float
) -> Estimate:
    """A clustered figure from its draws; where they tell nothing, from the number of patients.

    Of k patients none of whom was otherwise, a share of up to 1 − (α/2)^(1/k) may be.
    """
    if math.isnan(value):
        return undefined("0/0", n, level)
    error = float(np.nanstd(draws)) if np.isfinite(draws).any() else 0.0
    if value in (0.0, 1.0) or error < 1e-12:
        k = min(np.unique(side).size for side in patients)
        reach = 1 - ((1 - level) / 2) ** (1 / k)
        low, high = max(value - reach, 0.0), min(value + reach, 1.0)
        return held_within(value, low, high, level, f"all alike: {k} patients, exact", n)
    low, high = logit_bounds(value, error, level)
    return held_within(value, low, high, level, "patient-clustered bootstrap, logit scale", n)
