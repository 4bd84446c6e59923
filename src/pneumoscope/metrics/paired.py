"""Paired comparison of two models on the same films: differences of metrics, and tests of them.

Every difference is second − first. The same films read twice are not two samples, so the films
on which both agree drop out and a much smaller difference shows than two separate intervals
would. Input as in ``scores``. Coverage and false alarms of each method:
``benchmarks/paired_coverage.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .intervals import structural_components
from .resample import DEFAULT_INTERVALS, IntervalSettings, patient_numbers, resampled_weights
from .scores import Floats, Labels, ScoreTable, auroc

PAIRED_METRICS = ("auroc", "sensitivity", "specificity", "balanced_accuracy", "accuracy")
"""What ``resampled_scores`` gives."""
EXACT_BELOW = 25
"""Discordant films, or patients, below which McNemar's test is the exact binomial one."""
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric of the second model less that of the first, −1 to 1, NaN where it is undefined.

    ``low`` and ``high`` bound it at ``level``. ``p`` is two-sided: how probable a difference so
    far from 0 is where there is none. ``n`` counts films.
    """

    value: float
    low: float
    high: float
    p: float
    level: float
    method: str
    n: int


@dataclass(frozen=True, slots=True)
class Discordance:
    """Films that only one of two models reads rightly, and McNemar's two-sided p."""

    first_only: int
    second_only: int
    p: float
    method: str
    n: int


def delong_paired(labels: Labels, first: Floats, second: Floats, level: float = 0.95) -> Difference:
    """AUROC of ``second`` less AUROC of ``first`` with DeLong's variance, O(N log N).

    DeLong, DeLong & Clarke-Pearson 1988, by the structural components of Sun & Xu 2014; value
    ± z · error. NaN when one class. Films are taken as independent: with several films a patient
    use ``paired_bootstrap``. Where the two rank alike and the variance is 0, see ``_unvaried``.
    """
    value = auroc(labels, second) - auroc(labels, first)
    if math.isnan(value):
        return _undefined("one class only", labels.size, level)
    components = zip(
        structural_components(labels, first), structural_components(labels, second), strict=True
    )
    gains = [b - a for a, b in components]
    pairs = min(gain.size for gain in gains)
    variance = sum(float(g.var(ddof=1)) / g.size for g in gains) if pairs > 1 else 0.0
    if variance < 1e-24:
        return _unvaried(value, pairs, level, f"{pairs} disjoint pairs", labels.size)
    return _normal(value, math.sqrt(variance), level, "DeLong", labels.size)


def mcnemar(
    first_right: Bools, second_right: Bools, patients: NDArray[Any] | None = None
) -> Discordance:
    """McNemar's test of two models' decisions on the same films, bool (N,), true where right.

    Fewer than ``EXACT_BELOW`` discordant films: the exact binomial test. Else chi-square with
    continuity correction (Edwards 1948), ``max(|b − c| − 1, 0)² / (b + c)``.

    ``patients`` (N,) are ids where a patient may have several films, which are then not
    independent: b − c is summed within each patient and the whole patient changes sign
    (Durkalski et al. 2003), exactly so for few discordant patients. With one film a patient the
    two are the same test.
    """
    gains = second_right.astype(np.int64) - first_right.astype(np.int64)
    ids = patient_numbers(gains.size, patients)
    moved = np.bincount(ids, weights=gains).astype(np.int64) if gains.size else gains
    moved = np.abs(moved[moved != 0])
    of = "" if patients is None else " by patients"
    if moved.size < EXACT_BELOW:
        p = _sign_flips(moved, int(gains.sum()))
        method = f"McNemar{of}, exact {'binomial' if patients is None else 'sign flips'}"
    else:
        stray = max(abs(int(gains.sum())) - 1, 0)
        # The tail of chi-square with one degree of freedom is that of the normal, both sides.
        p = math.erfc(stray / math.sqrt(2 * float(np.square(moved).sum())))
        method = f"McNemar{of}, chi-square with continuity correction"
    first_only, second_only = int((gains < 0).sum()), int((gains > 0).sum())
    return Discordance(first_only, second_only, p, method, int(gains.size))


def resampled_scores(
    labels: Labels,
    runs: Sequence[tuple[Floats, float]],
    patients: NDArray[Any] | None = None,
    settings: IntervalSettings = DEFAULT_INTERVALS,
) -> dict[str, Floats]:
    """Each of ``PAIRED_METRICS`` of K runs on the same resamples, float (K, R), NaN undefined.

    ``runs`` are (probabilities (N,), threshold). Whole patients are drawn, as in
    ``intervals.bootstrap``; the rows' order matters, so bring them into a fixed one.
    """
    ids = patient_numbers(labels.size, patients)
    tables = []
    for probabilities, threshold in runs:
        order = np.argsort(-probabilities, kind="stable")
        tables.append((order, ScoreTable(labels[order], probabilities[order], threshold)))
    drawn: dict[str, list[list[Floats]]] = {name: [[] for _ in runs] for name in PAIRED_METRICS}
    for weights in resampled_weights(labels, ids, settings):
        for at, (order, table) in enumerate(tables):
            scores, _ = table.scores(np.take(weights, order, axis=1))
            for name in PAIRED_METRICS:
                drawn[name][at].append(scores[name])
    return {
        name: np.stack([np.concatenate(parts) for parts in each]) for name, each in drawn.items()
    }


def paired_bootstrap(
    labels: Labels,
    first: dict[str, Floats],
    second: dict[str, Floats],
    values: dict[str, float],
    patients: NDArray[Any] | None = None,
    level: float = 0.95,
) -> dict[str, Difference]:
    """Differences of metrics whose ``values`` (second − first) are known, from shared resamples.

    ``first`` and ``second`` hold float (R,) of each metric from the same resamples, as
    ``resampled_scores`` gives them. Value ± z · standard deviation of the resampled differences.
    Resamples in which a metric is undefined are left out. Where all resamples agree, see
    ``_unvaried``.
    """
    kind = "paired bootstrap" if patients is None else "patient-clustered paired bootstrap"
    ids = patient_numbers(labels.size, patients)
    counts = [int(np.unique(ids[labels == label]).size) for label in (0, 1)]
    trials = {
        "sensitivity": counts[1],
        "specificity": counts[0],
        "accuracy": int(np.unique(ids).size),
    }
    out = {}
    for name, value in values.items():
        gained = second[name] - first[name]
        gained = gained[~np.isnan(gained)]
        if math.isnan(value):
            out[name] = _undefined("0/0", labels.size, level)
            continue
        error = float(gained.std()) if gained.size else 0.0
        if error < 1e-12:
            k = trials.get(name, min(counts))
            out[name] = _unvaried(value, k, level, f"{k} trials", labels.size)
        else:
            method = f"{kind}, {first[name].size} resamples"
            out[name] = _normal(value, error, level, method, labels.size)
    return out


def over_seeds(
    first: Sequence[float], second: Sequence[float], films: float, n: int, level: float = 0.95
) -> Difference:
    """Mean of ``second`` less mean of ``first``: a figure of independent trainings of two recipes,
    all judged on the same ``n`` films, with the luck of seeds and that of the films.

    ``films`` is the standard error of this difference over resampled patients, the networks held.
    To its variance those of the seeds are added (Welch 1947), as where readers are nested in
    methods that see the same cases (Obuchowski & Rockette 1995); degrees of freedom are
    Satterthwaite's. How far films and seeds meet is in both, so the interval is a little too
    wide. One training a side tells nothing of seeds: then it is of the films alone, which
    ``method`` says. Undefined where a value is, or where nothing varies.
    """
    from scipy.special import stdtr, stdtrit  # a tenth of a second that one run alone never needs

    sides = [np.asarray(values, dtype=np.float64) for values in (first, second)]
    if not np.isfinite([*sides[0], *sides[1], films]).all():
        return _undefined("it is not known of every run", n, level)
    several = min(side.size for side in sides) > 1
    seeds = [side.var(ddof=1) / side.size for side in sides] if several else [0.0, 0.0]
    error = math.sqrt(films**2 + sum(seeds))
    if error < 1e-12:
        return _undefined("all runs are alike", n, level)
    spread = sum(part**2 / (side.size - 1) for part, side in zip(seeds, sides, strict=True) if part)
    freedom = error**4 / spread if spread else math.inf
    value = float(sides[1].mean() - sides[0].mean())
    half = error * float(stdtrit(freedom, (1 + level) / 2))
    p = 2 * float(stdtr(freedom, -abs(value) / error))
    of = "seeds and films" if several else "films, of one seed each"
    low, high = max(value - half, -1.0), min(value + half, 1.0)
    return Difference(value, low, high, p, level, f"variance over {of}", n)


def holm(p: Sequence[float]) -> list[float]:
    """p-values adjusted for their number, step-down (Holm 1979), in their order; NaN stays NaN."""
    known = sorted((value, at) for at, value in enumerate(p) if not math.isnan(value))
    out, reached = [math.nan] * len(p), 0.0
    for rank, (value, at) in enumerate(known):
        reached = max(reached, min(1.0, (len(known) - rank) * value))
        out[at] = reached
    return out


def _normal(value: float, error: float, level: float, method: str, n: int) -> Difference:
    half = NormalDist().inv_cdf((1 + level) / 2) * error
    p = math.erfc(abs(value) / error / math.sqrt(2))
    return Difference(value, max(value - half, -1.0), min(value + half, 1.0), p, level, method, n)


def _unvaried(value: float, trials: int, level: float, of: str, n: int) -> Difference:
    """The difference where each of ``trials`` independent ones gave the same.

    A share of up to ``1 − (α/2)^(1/trials)`` may yet be otherwise, by anything from −1 to 1: a
    rule of three. p is that of the sign test.
    """
    share = 1 - ((1 - level) / 2) ** (1 / trials)
    alike = abs(value) < 1e-12
    value = 0.0 if alike else value
    low, high = (1 - share) * value - share, min((1 - share) * value + share, 1.0)
    p = 1.0 if alike else min(1.0, 2 * 0.5**trials)
    return Difference(value, low, high, p, level, f"all alike: rule of three, {of}", n)


def _sign_flips(moved: NDArray[np.int64], total: int) -> float:
    """P(|Σ ±moved| ≥ |total|), each sign a fair coin's: the binomial test where all are 1."""
    reach = int(moved.sum())
    chances = np.ones(1)
    for step in moved.tolist():
        coin = np.zeros(2 * step + 1)
        coin[[0, -1]] = 0.5
        chances = np.convolve(chances, coin)
    at = np.arange(-reach, reach + 1)
    return float(min(1.0, chances[np.abs(at) >= abs(total)].sum()))


def _undefined(why: str, n: int, level: float) -> Difference:
    nan = math.nan
    return Difference(nan, nan, nan, nan, level, f"undefined: {why}", n)
