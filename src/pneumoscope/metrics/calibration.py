"""How well probabilities mean what they say: binned calibration error and reliability curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .scores import BINS, Floats, Labels, bin_of, ratio


@dataclass(frozen=True, slots=True)
class Reliability:
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


def reliability(labels: Labels, probabilities: Floats, bins: int = BINS) -> Reliability:
    """The reliability curve over ``bins`` bins of equal width, empty ones included."""
    index = bin_of(probabilities, bins)
    counts = np.bincount(index, minlength=bins)
    positives = np.bincount(index[labels == 1], minlength=bins)
    return Reliability(
        edges=np.linspace(0.0, 1.0, bins + 1),
        counts=counts,
        positives=positives,
        mean_probability=ratio(np.bincount(index, weights=probabilities, minlength=bins), counts),
        observed=ratio(positives, counts),
    )
