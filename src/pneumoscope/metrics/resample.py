"""Resamples of patients, as weights: the bootstrap of ``intervals`` and of everything linear.

All figures of a split share one set of resamples: with the same settings the same patients are
drawn, whatever is asked of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .scores import Floats, Labels

_CHUNK = 2**19
"""Weights held at once: 4 MB, near the size of a core's cache, whatever N and R are."""


@dataclass(frozen=True, slots=True)
class IntervalSettings:
    """How intervals are found: their level, and the bootstrap's resamples and seed."""

    level: float = 0.95
    resamples: int = 2000
    seed: int = 0


DEFAULT_INTERVALS = IntervalSettings()


def by_probability(
    labels: Labels, probabilities: Floats, patients: NDArray[Any] | None
) -> tuple[Labels, Floats, NDArray[np.int64]]:
    """Rows by falling probability, ties by label and patient, with patients numbered from 0."""
    if patients is None:
        order = np.lexsort((labels, -probabilities))
        return labels[order], probabilities[order], np.arange(labels.size)
    ids = np.unique(patients, return_inverse=True)[1]
    order = np.lexsort((ids, labels, -probabilities))
    return labels[order], probabilities[order], ids[order]


def resampled_weights(
    labels: Labels, ids: NDArray[np.int64], settings: IntervalSettings
) -> Iterator[Floats]:
    """How often each row is drawn, float (R, N) a chunk; R adds up to ``settings.resamples``.

    Patients ``ids`` (0 to C − 1, rows in any order) are drawn with replacement, those with a
    positive film and those without apart.
    """
    positive = np.bincount(ids, weights=labels) > 0
    strata = [np.flatnonzero(positive), np.flatnonzero(~positive)]
    # A generator for each stratum, so that the size of a chunk changes nothing.
    generators = np.random.default_rng(settings.seed).spawn(len(strata))
    step = max(1, _CHUNK // labels.size)
    for start in range(0, settings.resamples, step):
        rows = min(step, settings.resamples - start)
        drawn = np.zeros((rows, positive.size))
        for members, generator in zip(strata, generators, strict=True):
            size = members.size
            if size:
                picks = generator.integers(size, size=(rows, size))
                picks += size * np.arange(rows)[:, None]
                counts = np.bincount(picks.ravel(), minlength=rows * size)
                drawn[:, members] = counts.reshape(rows, size)
        yield np.take(drawn, ids, axis=1)


def patient_numbers(rows: int, patients: NDArray[Any] | None) -> NDArray[np.int64]:
    """Patients numbered from 0, int (N,); each row its own where they are unknown."""
    if patients is None:
        return np.arange(rows)
    return np.asarray(np.unique(patients, return_inverse=True)[1], dtype=np.int64)


def resampled_sums(
    columns: Floats,
    labels: Labels,
    patients: NDArray[Any] | None = None,
    settings: IntervalSettings = DEFAULT_INTERVALS,
) -> Floats:
    """Sums of ``columns`` (N, K) over each resample, float (R, K): every linear figure at once.

    Ratios of such sums are shares, means, calibration gaps and, with the structural components
    of ``intervals.structural_components`` as columns, AUROC to first order.
    """
    ids = patient_numbers(labels.size, patients)
    parts = [weights @ columns for weights in resampled_weights(labels, ids, settings)]
    return np.concatenate(parts)
