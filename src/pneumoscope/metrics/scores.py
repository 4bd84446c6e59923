"""Point metrics of a two-class classifier, in plain numpy.

Everywhere ``labels`` is int (N,) of {0, 1}, ``scores`` float (N,) without NaN (higher means more
likely pneumonia) and ``probabilities`` float (N,) in [0, 1]. Nothing here checks its input: the
border (``evaluation.evaluate``) has. What is 0/0 is NaN, silently, never an exception; where
scikit-learn gives 0 with a warning instead, the function says which of the two it follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Labels = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]

BINS = 15
"""Equal-width bins, the number of Guo et al. 2017 and most papers since."""


def probability(logits: ArrayLike) -> Floats:
    """1 / (1 + exp(−logit)) of each logit, without overflow at either end.

    The one place that turns logits into probabilities, for prediction and evaluation alike.
    """
    # scipy.special.expit differs in the last digit, which predictions keep, and takes a tenth of
    # a second to import, which `predict` would spend on nothing else.
    return np.asarray(0.5 * (1 + np.tanh(np.asarray(logits) / 2)), dtype=np.float64)


def midranks(scores: Floats) -> Floats:
    """Ranks from 1, float (N,); equal scores share the mean of their ranks. O(N log N)."""
    # scipy.stats.rankdata gives the same; importing scipy.stats takes longer than evaluating.
    _, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last: Floats = np.cumsum(counts).astype(np.float64)
    ranks: Floats = (last - (counts - 1) / 2)[group]
    return ranks


def auroc(labels: Labels, scores: Floats) -> float:
    """P(a positive scores above a negative), ties counting half: 0–1, NaN when one class.

    Mann & Whitney 1947; equals ``sklearn.metrics.roc_auc_score``.
    """
    positive = labels == 1
    m = int(positive.sum())
    n = labels.size - m
    if m == 0 or n == 0:
        return float("nan")
    wins = midranks(scores)[positive].sum() - m * (m + 1) / 2
    return float(wins / (m * n))


def average_precision(labels: Labels, scores: Floats) -> float:
    """Sum of precision times the step in recall, not interpolated: 0–1, NaN when one class.

    ``sklearn.metrics.average_precision_score``, which calls one class 0 or 1; here that is NaN,
    for a ranking with nothing to rank against says nothing.
    """
    if labels.size == 0 or labels.min() == labels.max():
        return float("nan")
    precision, recall, _ = precision_recall_curve(labels, scores)
    return float(-(np.diff(recall) * precision[:-1]).sum())


def brier(labels: Labels, probabilities: Floats) -> float:
    """Mean squared error of the probability, 0 (best) – 1; NaN when empty. Brier 1950."""
    return _mean(squared_errors(labels, probabilities))


def log_loss(labels: Labels, probabilities: Floats) -> float:
    """Mean of −log(probability of the true class), natural log, 0 (best) – 36; NaN when empty.

    Probabilities are clipped by float64's epsilon as in ``sklearn.metrics.log_loss``, so one
    certain and wrong answer costs 36 and not infinity.
    """
    return _mean(log_losses(labels, probabilities))


def squared_errors(labels: Labels, probabilities: Floats) -> Floats:
    """(probability − label)², float (N,), 0–1."""
    return np.square(probabilities.astype(np.float64) - labels)


def log_losses(labels: Labels, probabilities: Floats) -> Floats:
    """−log(clipped probability of the true class), float (N,), 0–36."""
    eps = np.finfo(np.float64).eps
    clipped = np.clip(probabilities.astype(np.float64), eps, 1 - eps)
    return -np.log(np.where(labels == 1, clipped, 1 - clipped))


def roc_curve(labels: Labels, scores: Floats) -> tuple[Floats, Floats, Floats]:
    """(fpr, tpr, thresholds), each float (K + 1,) for K distinct scores, thresholds falling.

    A film is positive when ``score >= threshold``; the first threshold is +inf, the point (0, 0).
    No point is dropped (scikit-learn's ``drop_intermediate=False``). A rate whose class is
    missing is NaN throughout.
    """
    fp, tp, thresholds = _counts_at_thresholds(labels, scores)
    fp, tp = np.r_[0.0, fp], np.r_[0.0, tp]
    return ratio(fp, fp[-1]), ratio(tp, tp[-1]), np.r_[np.inf, thresholds]


def precision_recall_curve(labels: Labels, scores: Floats) -> tuple[Floats, Floats, Floats]:
    """(precision, recall) float (K + 1,) and thresholds float (K,), thresholds rising.

    The last point is (1, 0) by convention and has no threshold. Recall is NaN without a positive
    (scikit-learn: 1, with a warning).
    """
    fp, tp, thresholds = _counts_at_thresholds(labels, scores)
    precision, recall = ratio(tp, tp + fp), ratio(tp, tp[-1] if tp.size else 0.0)
    return np.r_[precision[::-1], 1.0], np.r_[recall[::-1], 0.0], thresholds[::-1]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of films by truth and decision."""

    tn: int
    fp: int
    fn: int
    tp: int

    def scores(self) -> dict[str, float]:
        """Every metric of ``confusion_scores``, by name."""
        cells = (np.float64(count) for count in (self.tn, self.fp, self.fn, self.tp))
        return {name: float(score) for name, score in confusion_scores(*cells).items()}


def confusion(labels: Labels, decisions: NDArray[Any]) -> Confusion:
    """Count films by truth and decision; ``decisions`` is bool or {0, 1}, (N,)."""
    true, called = labels == 1, decisions.astype(bool)
    return Confusion(
        tn=int((~true & ~called).sum()),
        fp=int((~true & called).sum()),
        fn=int((true & ~called).sum()),
        tp=int((true & called).sum()),
    )


def confusion_scores(tn: Any, fp: Any, fn: Any, tp: Any) -> dict[str, Floats]:
    """Every metric of a confusion, the one place with their formulae.

    The counts are floats of one shape, weighted or not (the bootstrap passes a column of
    resamples); each result has that shape. Shares are NaN at 0/0, so precision is NaN where
    nothing is called (sklearn: 0). F1 is 0 there, as in sklearn, and NaN without films of its
    class. Matthews' correlation, −1 to 1, is 0 where all decisions agree, as in sklearn and the
    limit of Chicco & Jurman 2020. It and balanced accuracy are NaN when one class.
    """
    positives, negatives = tp + fn, tn + fp
    sensitivity, specificity = ratio(tp, positives), ratio(tn, negatives)
    spread = np.sqrt(positives * negatives) * np.sqrt((tp + fp) * (tn + fn))
    mcc = ratio(tp * tn - fp * fn, np.where(spread > 0, spread, 1.0))
    both = (positives > 0) & (negatives > 0)
    return {
        "accuracy": ratio(tp + tn, positives + negatives),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "precision": ratio(tp, tp + fp),
        "recall": sensitivity,
        "npv": ratio(tn, tn + fn),
        "f1": np.where(positives > 0, ratio(2 * tp, 2 * tp + fp + fn), np.nan),
        "f1_normal": np.where(negatives > 0, ratio(2 * tn, 2 * tn + fp + fn), np.nan),
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "mcc": np.where(both, np.clip(mcc, -1.0, 1.0), np.nan),
    }


def ratio(top: Any, bottom: Any) -> Floats:
    """``top / bottom`` elementwise, NaN without a warning where ``bottom`` is 0."""
    top, bottom = np.broadcast_arrays(top, bottom)
    out: Floats = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=out, where=bottom != 0)
    return out


def bin_of(probabilities: Floats, bins: int = BINS) -> NDArray[Any]:
    """The bin of each probability, int (N,), 0 to bins − 1: [lower, upper), the last closed."""
    return np.minimum((probabilities * bins).astype(np.int64), bins - 1)


class ScoreTable:
    """Rows in falling order of probability, ready to be scored under many weightings at once.

    Most metrics are linear in the weights and come from one matrix product; the two ranking
    metrics come from cumulative weights, read only where a tied group holds a positive.
    """

    def __init__(self, labels: Labels, probabilities: Floats, threshold: float) -> None:
        true, called = labels == 1, probabilities >= threshold
        cells = np.stack([~true & ~called, ~true & called, true & ~called, true & called], axis=1)
        gaps = np.zeros((labels.size, BINS))
        gaps[np.arange(labels.size), bin_of(probabilities)] = labels - probabilities
        losses = squared_errors(labels, probabilities), log_losses(labels, probabilities)
        self._linear = np.column_stack([cells, *losses, gaps])
        self.gap: Floats = gaps.mean(axis=0)
        self._positive = np.flatnonzero(true)
        starts = np.flatnonzero(np.r_[True, probabilities[1:] != probabilities[:-1]])
        ends = np.r_[starts[1:], labels.size] - 1
        # For each tied group that holds a positive: its first row, its last, its last positive.
        count = np.cumsum(true)[ends]
        held = np.diff(count, prepend=0) > 0
        self._starts, self._ends, self._last = starts[held], ends[held], count[held] - 1

    def scores(self, weights: Floats) -> tuple[dict[str, Floats], Floats]:
        """Every metric, float (R,), of weights float (R, N), and ECE's signed gaps, (R, B)."""
        sums = weights @ self._linear
        total = sums[:, :4].sum(axis=1)
        out = confusion_scores(*sums[:, :4].T)
        out["brier"], out["log_loss"] = ratio(sums[:, 4], total), ratio(sums[:, 5], total)
        gaps = ratio(sums[:, 6:], total[:, None])
        out["ece"] = np.abs(gaps).sum(axis=1)
        negatives = sums[:, 0] + sums[:, 1]
        out["auroc"], out["average_precision"] = self._ranking(weights, negatives)
        return out, gaps

    def _ranking(self, weights: Floats, negatives: Floats) -> tuple[Floats, Floats]:
        before = np.cumsum(weights, axis=1)
        rows = np.take(before, self._ends, axis=1)
        above = np.take(before, self._starts, axis=1) - np.take(weights, self._starts, axis=1)
        won = np.cumsum(np.take(weights, self._positive, axis=1), axis=1)
        tp = np.take(won, self._last, axis=1)
        positives = tp[:, -1] if tp.shape[1] else np.zeros(len(weights))
        gained = np.diff(tp, axis=1, prepend=0.0)
        # Negatives ranked above a group, and those tied with it, which count half.
        ahead = above + rows - 2 * tp + gained
        area = negatives * positives - np.einsum("rg,rg->r", gained, ahead) / 2
        precision = tp / np.maximum(rows, np.finfo(np.float64).tiny)
        stepped = np.einsum("rg,rg->r", gained, precision)
        both = np.where(negatives > 0, positives, 0.0)
        return ratio(area, both * negatives), ratio(stepped, both)


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else float("nan")


def _counts_at_thresholds(labels: Labels, scores: Floats) -> tuple[Floats, Floats, Floats]:
    """False and true positives of ``score >= threshold`` at each distinct score, falling."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True][: ranked.size])
    tp = np.cumsum(labels[order] == 1)[ends].astype(np.float64)
    return ends + 1.0 - tp, tp, ranked[ends].astype(np.float64)
