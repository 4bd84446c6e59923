"""Share of pneumonia among films without labels, from the scores that a model gives them.

Two estimates, for they fail in different ways: expectation maximisation, the likelihood of the
scores (Saerens 2002), and black-box shift, the share of films that are called pneumonia, put right
by the sensitivity and specificity on validation films (Lipton 2018). Both hold where the share
alone is another and films within a class are alike. Whether they can be is tested: then the scores
are a mixture of those that validation films of each class have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from pneumoscope.metrics.calibration import platt
from pneumoscope.metrics.scores import Floats, Labels
from pneumoscope.readings import Estimate

LEAST_FILMS, LEAST_OF_CLASS = 50, 20
"""Films without a label, and validation films of each class, below which nothing is estimated."""
LEAST_INDEX = 0.3
"""Sensitivity + specificity − 1 on validation films below which calls say too little of a share."""
_FITS = 0.01
"""p of the test of the mixture below which more than the share is another."""
_LEVEL, _RESAMPLES = 0.95, 400
_STEPS = 40


@dataclass(frozen=True, slots=True)
class ShareEstimate:
    """The share of pneumonia among ``films``; ``trained`` is that of the validation films.

    ``likelihood`` is by expectation maximisation, ``black_box`` by the films that are called
    pneumonia. ``fit`` is p of the test that the scores are a mixture of both classes' own.
    ``refused`` says why the share is not told; the two are then what they would have been, None
    where they could not be computed.
    """

    films: int
    trained: float
    likelihood: Estimate | None = None
    black_box: Estimate | None = None
    fit: float | None = None
    refused: str | None = None

    @property
    def told(self) -> Estimate | None:
        """The share that may be told: by the likelihood, None where it is refused."""
        return None if self.refused else self.likelihood


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of films whose label is known, float (N,) and int (N,), with patients from 0."""

    logits: Floats
    labels: Labels
    patients: NDArray[np.int64]


def estimate_share(
    validation: Scored,
    logits: Floats,
    patients: NDArray[np.int64],
    threshold: float,
    seed: int = 0,
) -> ShareEstimate:
    """The share of pneumonia of films with ``logits`` (M,) of ``patients`` (M,), numbers from 0,
    by what the same model gives ``validation``; ``threshold`` is a logit. Intervals are of 95 %,
    from resamples of the patients of both."""
    labels = validation.labels
    classes = [int((labels == each).sum()) for each in (0, 1)]
    own = float(labels.mean()) if labels.size else float("nan")
    found = ShareEstimate(int(logits.size), own)
    if logits.size < LEAST_FILMS:
        return _refused(found, f"fewer than {LEAST_FILMS} films")
    if min(classes) < LEAST_OF_CLASS:
        return _refused(found, f"fewer than {LEAST_OF_CLASS} validation films of a class")
    draw = np.random.default_rng(seed)
    known = _weights(validation.patients, _RESAMPLES, draw, labels)
    new = _weights(patients, _RESAMPLES, draw)
    by_call, index = _by_calls(validation, logits, threshold, known, new)
    by_score = _by_scores(validation, logits, known, new)
    fit = _fit(validation, logits, float(by_score[0]), draw)
    found = ShareEstimate(
        found.films,
        own,
        _estimate(by_score, "expectation maximisation", logits.size),
        _estimate(by_call, "black-box shift", logits.size) if index >= LEAST_INDEX else None,
        fit,
    )
    return _judged(found, index)


def _judged(found: ShareEstimate, index: float) -> ShareEstimate:
    one, other = found.likelihood, found.black_box
    if index < LEAST_INDEX:
        why = "the model tells validation films apart too poorly"
    elif found.fit is not None and found.fit < _FITS:
        why = (
            "these films differ from the validation films in more than their share of pneumonia, "
            "for their scores are no mixture of the scores of normal and pneumonia films there"
        )
    elif one and other and (one.low > other.high or other.low > one.high):
        why = (
            "its two estimates contradict each other, so these films differ from the validation "
            "films in more than their share of pneumonia"
        )
    else:
        return found
    return _refused(found, why)


def _refused(found: ShareEstimate, why: str) -> ShareEstimate:
    return ShareEstimate(
        found.films, found.trained, found.likelihood, found.black_box, found.fit, why
    )


def _weights(
    patients: NDArray[np.int64],
    resamples: int,
    draw: np.random.Generator,
    labels: Labels | None = None,
) -> Floats:
    """How often each film is drawn, float (1 + R, N), the first row once each: whole patients,
    within classes where ``labels`` are given."""
    count = int(patients.max(initial=-1)) + 1
    kind = np.zeros(count, np.int64)
    if labels is not None:
        np.maximum.at(kind, patients, labels)
    drawn = np.zeros((resamples, count))
    for each in np.unique(kind):
        members = np.flatnonzero(kind == each)
        drawn[:, members] = draw.multinomial(
            members.size, np.full(members.size, 1 / members.size), size=resamples
        )
    return np.concatenate([np.ones((1, patients.size)), drawn[:, patients]])


def _by_calls(
    validation: Scored, logits: Floats, threshold: float, known: Floats, new: Floats
) -> tuple[Floats, float]:
    """The share by films called pneumonia, float (1 + R,), and the Youden index of validation."""
    called, sick = validation.logits >= threshold, validation.labels == 1
    hits = known[:, sick] @ called[sick] / known[:, sick].sum(axis=1)
    alarms = known[:, ~sick] @ called[~sick] / known[:, ~sick].sum(axis=1)
    share = new @ (logits >= threshold) / new.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.nan_to_num((share - alarms) / (hits - alarms), nan=0.5, posinf=1.0, neginf=0.0)
    return np.clip(found, 0.0, 1.0), float(hits[0] - alarms[0])


def _by_scores(validation: Scored, logits: Floats, known: Floats, new: Floats) -> Floats:
    """The share of the largest likelihood, float (1 + R,), where EM ends: scores become likelihood
    ratios by a logistic curve fitted on the validation films of each resample."""
    labels = validation.labels
    level, slope = platt(labels, validation.logits, known)
    ill = known @ labels[:, None]
    odds = np.log(ill / (known.sum(axis=1, keepdims=True) - ill))
    ratios = np.exp(np.clip(level + slope * logits - odds, -30, 30)) - 1
    low, high = np.zeros((len(new), 1)), np.ones((len(new), 1))
    for _ in range(_STEPS):  # the likelihood is concave in the share: its slope changes sign once
        middle = (low + high) / 2
        rising = (new * ratios / (1 + middle * ratios)).sum(axis=1, keepdims=True) > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    return np.asarray(((low + high) / 2)[:, 0])


def _fit(validation: Scored, logits: Floats, share: float, draw: np.random.Generator) -> float:
    """p that scores lie as far from the mixture at that share as these do (Kolmogorov's largest
    gap), in resamples of the mixture and of the validation films."""
    sick = np.sort(validation.logits[validation.labels == 1])
    well = np.sort(validation.logits[validation.labels == 0])
    seen = _gap(np.sort(logits), sick, well, share)
    reached, rounds = 0, 199
    for _ in range(rounds):
        ill = int(draw.binomial(logits.size, share))
        sample = np.r_[draw.choice(sick, ill), draw.choice(well, logits.size - ill)]
        one, other = draw.choice(sick, sick.size), draw.choice(well, well.size)
        reached += _gap(np.sort(sample), np.sort(one), np.sort(other), share) >= seen
    return (reached + 1) / (rounds + 1)


def _gap(sample: Floats, sick: Floats, well: Floats, share: float) -> float:
    at = np.concatenate([sample, sick, well])
    below = [np.searchsorted(each, at, side="right") / each.size for each in (sample, sick, well)]
    return float(np.abs(below[0] - share * below[1] - (1 - share) * below[2]).max())


def _estimate(draws: Floats, method: str, n: int) -> Estimate:
    """Normal interval of the resamples' standard deviation: quantiles of the resamples lie askew
    where a share is near 0 or 1, and held it in 88 of 100 simulations (docs/log.md)."""
    value = float(draws[0])
    reach = float(norm.ppf((1 + _LEVEL) / 2) * draws[1:].std(ddof=1))
    said = f"{method}, patient bootstrap of both sets, {_RESAMPLES} resamples"
    return Estimate(value, max(value - reach, 0.0), min(value + reach, 1.0), _LEVEL, said, n)
