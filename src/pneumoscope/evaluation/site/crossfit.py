"""Cross-fitting over patients: scores of films by what was fitted on other patients' films.

No model here: what is fitted is a function from films to a scorer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pneumoscope.evaluation.site.local import FilmsNeeded
from pneumoscope.metrics.scores import Floats, Labels, log_losses, probability
from pneumoscope.metrics.thresholds import Rule, best_threshold

FOLDS = 5
Places = NDArray[np.int64]
Fit = Callable[[Places], Callable[[Places], Floats]]
"""From the places of films to a function that gives films by place their logits."""
SIZES = (25, 50, 100, 200, 400, 800, 1600, 3200)
"""Numbers of labelled films at which a curve is drawn."""
_Z = 1.96


def crossfitted(fit: Fit, known: Places, fold: NDArray[np.int64]) -> Floats:
    """The logit of each film of ``known`` by what was fitted on the films of other folds."""
    logits = np.empty(known.size)
    for held in (fold == each for each in np.unique(fold)):
        logits[held] = fit(known[~held])(known[held])
    return logits


def patient_losses(labels: Labels, logits: Floats, patients: NDArray[np.int64]) -> Floats:
    """The log loss of each patient, float (P,), by as much as their films count: the mean is that
    of films."""
    losses = log_losses(labels, probability(logits))
    _, number = np.unique(patients, return_inverse=True)
    sums = np.bincount(number, losses)
    return np.asarray(sums * sums.size / losses.size)


def simplest(losses: Sequence[Floats], levels: Sequence[int] | None = None) -> int:
    """Which of several, the simplest first, is kept by the one-standard-error rule: the first whose
    loss is above the least by no more than one standard error of the difference. Of those of one
    of the ``levels``, which are equally simple, it is the one of the least loss.

    The parts of a loss are those of patients, or of folds where what is judged is of many at once.
    """
    levels = levels or range(len(losses))
    # A way whose loss is no number, as of a training that diverged, is the worst.
    means = [float(np.nan_to_num(each.mean(), nan=np.inf)) for each in losses]
    best = losses[int(np.argmin(means))]
    behind = [each - best for each in losses]
    near = [
        place
        for place, each in enumerate(behind)
        if place == int(np.argmin(means)) or each.mean() <= each.std(ddof=1) / math.sqrt(each.size)
    ]
    return min(near, key=lambda place: (levels[place], means[place]))


def fold_thresholds(
    rule: Rule, target: float, labels: Labels, logits: Floats, fold: NDArray[np.int64]
) -> Floats:
    """For each film the threshold, as a logit, that ``rule`` chooses on the other folds."""
    chances = probability(logits)
    found = np.empty(labels.size)
    for held in (fold == each for each in np.unique(fold)):
        threshold = target
        if rule != "fixed":
            threshold, _ = best_threshold(rule, labels[~held], chances[~held], target)
        inside = min(max(threshold, 1e-9), 1 - 1e-9)
        found[held] = math.log(inside / (1 - inside))
    return found


def balanced_errors(labels: Labels, called: NDArray[np.bool_], fold: NDArray[np.int64]) -> Floats:
    """1 − balanced accuracy of each fold, float (K,)."""
    wrong = called != (labels == 1)
    return np.array(
        [
            np.mean([wrong[(fold == each) & (labels == label)].mean() for label in (0, 1)])
            for each in np.unique(fold)
        ]
    )


def films_needed(measure: str, value: float, share: float, half: float = 0.05) -> FilmsNeeded:
    """How many films make ``value``, a sensitivity or specificity, precise to ± ``half`` with 95 %
    (Buderer 1996): of the class, and of a site where ``share`` of the films are of it."""
    of_class = math.ceil(_Z**2 * value * (1 - value) / half**2)
    # At 0 and 1 the formula asks for none: the rule of three holds there.
    of_class = max(of_class, math.ceil(3 / half))
    return FilmsNeeded(measure, value, of_class, math.ceil(of_class / share) if share else 0)


def drawn(known: Places, labels: Labels, count: int, draw: np.random.Generator) -> Places:
    """``count`` of the films ``known``, as many of each class as among all, one at least."""
    sick, well = known[labels == 1], known[labels == 0]
    ill = min(max(round(count * sick.size / known.size), 1), count - 1, sick.size)
    return np.concatenate(
        [
            draw.choice(sick, ill, replace=False),
            draw.choice(well, min(count - ill, well.size), replace=False),
        ]
    )
