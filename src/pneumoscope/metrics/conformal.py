"""Conformal abstention: when to withhold a reading, by class; risk against coverage."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pneumoscope.errors import BadLabels, ChosenOnTest, InputError
from pneumoscope.readings import Conformal
from pneumoscope.records import Split

from .scores import Floats, Labels

NORMAL, PNEUMONIA, WITHHELD = 0, 1, -1


def fit_conformal(
    labels: Labels, probabilities: Floats, split: Split, miss_rate: float = 0.1
) -> Conformal:
    """Class-conditional (Mondrian) split conformal thresholds (Vovk 2012; Sadinle et al. 2019).

    Pneumonia is plausible from the k-th lowest probability of the pneumonia films on, with
    k = ⌊miss_rate · (films + 1)⌋, normal up to the k-th highest of the normal films. Of new films
    exchangeable with these, at most ``miss_rate`` of each class lose their true label, on average
    over the choice of these films. With too few films of a class its label is always plausible.

    Raises ``ChosenOnTest`` for the test split, ``BadLabels`` when a class is missing,
    ``InputError`` for a miss rate outside (0, 1).
    """
    if split == "test":
        raise ChosenOnTest(
            "abstention was about to be fitted on the test split",
            expected="validation rows",
            remedy="fit on 'val', then judge on 'test'",
        )
    if not 0 < miss_rate < 1:
        raise InputError(
            "the error rate (--miss-rate) is out of range", got=miss_rate, expected="0 to 1"
        )
    positive, negative = probabilities[labels == 1], probabilities[labels == 0]
    if not positive.size or not negative.size:
        raise BadLabels(
            "abstention cannot be fitted on one class",
            got=f"{positive.size} positives among {labels.size} {split} rows",
        )
    return Conformal(
        miss_rate=miss_rate,
        pneumonia_from=_lowest_kept(positive, miss_rate, 0.0),
        normal_to=-_lowest_kept(-negative, miss_rate, -1.0),
        positives=int(positive.size),
        negatives=int(negative.size),
        chosen_on=split,
    )


def _lowest_kept(values: Floats, miss_rate: float, everything: float) -> float:
    """The k-th lowest value, so that less than k of n + 1 exchangeable ones lie below it."""
    k = math.floor(miss_rate * (values.size + 1) + 1e-12)
    return float(np.partition(values, k - 1)[k - 1]) if k else everything


def spread_of_miss_rate(miss_rate: float, films: int) -> float:
    """Standard deviation of the true miss rate over calibration sets of so many films.

    It follows Beta(k, films + 1 − k) (Vovk 2012): the guarantee is an average over such sets.
    """
    k = math.floor(miss_rate * (films + 1) + 1e-12)
    return math.sqrt(k * (films + 1 - k) / (films + 2)) / (films + 1)


def readings(probabilities: Floats, fitted: Conformal, threshold: float) -> NDArray[np.int64]:
    """1 pneumonia, 0 normal, −1 withheld, int (N,).

    A film for which both labels are plausible is withheld. One for which neither is, which
    happens when the classes lie far apart, is read at ``threshold``: whichever way it is read, it
    was among the misses that the miss rate counts already.
    """
    pneumonia, normal = probabilities >= fitted.pneumonia_from, probabilities <= fitted.normal_to
    read = np.where(pneumonia == normal, probabilities >= threshold, pneumonia).astype(np.int64)
    return np.where(pneumonia & normal, WITHHELD, read)


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Errors among the films kept when the least certain are withheld first, (K,) each.

    ``kept`` and ``wrong`` count films; ``coverage`` is kept / all and ``risk`` wrong / kept.
    """

    kept: NDArray[np.int64]
    wrong: NDArray[np.int64]
    coverage: Floats
    risk: Floats
    area: float


def risk_coverage(
    labels: Labels, logits: Floats, cut: float, points: int = 200
) -> RiskCoverage | None:
    """The risk–coverage curve (El-Yaniv & Wiener 2010), None without films.

    A film is the more certain the further its logit lies from ``cut``, the logit of the threshold;
    films equally certain are withheld together. ``area`` is the mean risk over all coverages.
    """
    if labels.size == 0:
        return None
    certainty = np.abs(logits - cut)
    order = np.argsort(-certainty, kind="stable")
    wrong = np.cumsum((logits >= cut)[order] != (labels == 1)[order])
    ranked = certainty[order]
    ends = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True])
    kept = ends + 1
    area = float((wrong[ends] / kept * np.diff(kept, prepend=0)).sum() / labels.size)
    if ends.size > points:
        some = np.unique(np.linspace(0, ends.size - 1, points).round().astype(np.int64))
        ends, kept = ends[some], kept[some]
    errors = wrong[ends]
    return RiskCoverage(kept, errors, kept / labels.size, errors / kept, area)
