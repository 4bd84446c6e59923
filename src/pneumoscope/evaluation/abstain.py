"""Abstention on the evaluated split: films withheld, errors among the rest, risk and coverage."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from pneumoscope.evaluation.choices import Choices
from pneumoscope.evaluation.operating import rounded
from pneumoscope.evaluation.predictions import SplitRows
from pneumoscope.evaluation.results import AbstentionFigures, AbstentionResult, RiskCurve
from pneumoscope.metrics import conformal
from pneumoscope.metrics.batched import Mask, shares
from pneumoscope.metrics.intervals import wilson
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.readings import Conformal, Estimate


def evaluate_abstention(
    rows: SplitRows, choices: Choices, settings: IntervalSettings
) -> AbstentionResult:
    """How many films are read, and how many of those wrongly, at the carried thresholds.

    ``missed`` is the share of all pneumonia films that are read as normal and ``alarms`` that of
    all normal films read as pneumonia: the two that the miss rate bounds. ``wrong`` is the share
    of errors among the films read, ``wrong_without`` that at the threshold, none withheld.
    ``ladder`` gives the same at other miss rates.
    """
    threshold = choices.points[0].threshold
    curve = _curve(rows, threshold, settings.level)
    if choices.conformal is None:
        return AbstentionResult(None, (), curve)
    fits = [choices.conformal, *choices.ladder]
    # All miss rates at once: their shares come from one pass over the resamples.
    pairs = [pair for fitted in fits for pair in _pairs(rows, fitted, threshold).values()]
    found = iter(shares(pairs, rows.labels, rows.patients, settings))
    own, *ladder = (_figures(rows, fitted, threshold, found) for fitted in fits)
    return AbstentionResult(own, tuple(ladder), curve)


def _pairs(rows: SplitRows, fitted: Conformal, threshold: float) -> dict[str, tuple[Mask, Mask]]:
    """(hits, among) of each share, bool (N,) both."""
    y = rows.labels
    reading = conformal.readings(rows.probabilities, fitted, threshold)
    everything, read = np.ones(y.size, dtype=bool), reading != conformal.WITHHELD
    return {
        "coverage": (read, everything),
        "wrong": (reading != y, read),
        "wrong_without": ((rows.probabilities >= threshold) != (y == 1), everything),
        "missed": (reading == conformal.NORMAL, y == 1),
        "alarms": (reading == conformal.PNEUMONIA, y == 0),
    }


def _figures(
    rows: SplitRows, fitted: Conformal, threshold: float, found: Iterator[Estimate]
) -> AbstentionFigures:
    """The counts that the fitted thresholds lead to, with the next five shares of ``found``."""
    p = rows.probabilities
    reading = conformal.readings(p, fitted, threshold)
    read = reading != conformal.WITHHELD
    counted = (("pneumonia", fitted.positives), ("normal", fitted.negatives))
    return AbstentionFigures(
        **asdict(fitted),
        withheld=int((~read).sum()),
        read=int(read.sum()),
        neither=int(((p < fitted.pneumonia_from) & (p > fitted.normal_to)).sum()),
        errors=int((reading[read] != rows.labels[read]).sum()),
        spread={
            name: conformal.spread_of_miss_rate(fitted.miss_rate, films) for name, films in counted
        },
        coverage=next(found),
        wrong=next(found),
        wrong_without=next(found),
        missed=next(found),
        alarms=next(found),
    )


def _curve(rows: SplitRows, threshold: float, level: float) -> RiskCurve | None:
    cut = math.log(threshold / (1 - threshold)) if 0 < threshold < 1 else math.inf
    if not math.isfinite(cut):  # a threshold of 0 or 1: no film is nearer to it than another
        return None
    found = conformal.risk_coverage(rows.labels, rows.checked_logits(), cut)
    if found is None:
        return None
    pairs = zip(found.wrong.tolist(), found.kept.tolist(), strict=True)
    spans = [wilson(wrong, kept, level) for wrong, kept in pairs]
    return RiskCurve(
        coverage=rounded(found.coverage),
        risk=rounded(found.risk),
        low=rounded(np.array([span.low for span in spans])),
        high=rounded(np.array([span.high for span in spans])),
        area=found.area,
        level=level,
        method="Wilson score at each coverage, films taken as independent",
    )
