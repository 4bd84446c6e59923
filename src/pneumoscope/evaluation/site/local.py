"""Local figures: what a model reaches on the labelled films of a site, carried and adapted.

Every figure is of films that had no part in what gave it: each candidate is fitted on the patients
of four folds and judged on those of the fifth.
"""

from __future__ import annotations

from dataclasses import dataclass

from pneumoscope.readings import Estimate


@dataclass(frozen=True, slots=True)
class LocalFigures:
    """What a model reaches on the labelled films at its threshold, with intervals."""

    auroc: Estimate
    sensitivity: Estimate
    specificity: Estimate
    log_loss: Estimate
    ece: Estimate


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to carry the model, judged over folds of patients: ``loss`` is the mean log loss of
    films that had no part in it, ``error`` its standard error over patients. ``why_not`` says why
    it was not tried; ``kept`` marks the one that was chosen."""

    name: str
    what: str
    loss: float = float("nan")
    error: float = float("nan")
    auroc: Estimate | None = None
    kept: bool = False
    why_not: str | None = None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What ``films`` labelled films give, mean over ``draws`` of them: AUROC of the kept
    candidate, or of a head trained anew, on films that had no part in it, and the standard
    deviation over the draws."""

    films: int
    draws: int
    auroc: float
    deviation: float
    loss: float


@dataclass(frozen=True, slots=True)
class FilmsNeeded:
    """How many films of one class make a share precise to ± 5 points, and how many films of the
    site that is at its share of pneumonia (Buderer 1996)."""

    measure: str
    value: float
    of_class: int
    films: int


@dataclass(frozen=True, slots=True)
class LocalResult:
    """What the labelled films of a site tell: the model ``carried`` as it comes, and ``adapted``
    by the kept one of ``candidates``, cross-fitted. ``thresholds`` says whether they were chosen
    at this site, and why. ``gain`` is the difference of AUROC, adapted − carried."""

    films: int
    positives: int
    patients: int | None
    folds: int
    carried: LocalFigures
    adapted: LocalFigures
    candidates: tuple[Candidate, ...]
    thresholds: str
    local_thresholds: bool
    gain: Estimate
    curve: tuple[CurvePoint, ...]
    curve_of: str
    needed: tuple[FilmsNeeded, ...]
