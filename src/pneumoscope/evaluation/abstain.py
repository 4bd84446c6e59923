"""Withholding readings on the judged split: coverage, errors among the rest, risk and coverage."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pneumoscope.evaluation.choices import Choices
from pneumoscope.evaluation.operating import plain
from pneumoscope.evaluation.predictions import Rows
from pneumoscope.metrics import conformal
from pneumoscope.metrics.intervals import wilson
from pneumoscope.metrics.linear import shares
from pneumoscope.records import Conformal


def judge_abstention(rows: Rows, choices: Choices, level: float, bootstrap: Any) -> dict[str, Any]:
    """How many films are read, and how many of those wrongly, at the carried thresholds.

    ``missed`` is the share of all pneumonia films that are read as normal and ``alarms`` that of
    all normal films read as pneumonia: the two that the miss rate bounds. ``wrong`` is the share
    of errors among the films read, ``wrong_without`` that at the threshold, none withheld.
    ``ladder`` gives the same at other miss rates.
    """
    threshold = choices.points[0].threshold
    out: dict[str, Any] = {"conformal": None, "ladder": []}
    out["risk_coverage"] = _curve(rows, threshold, level)
    if choices.conformal is None:
        return out
    fits = [choices.conformal, *choices.ladder]
    sets = [_pairs(rows, fitted, threshold) for fitted in fits]
    every = [pair for pairs in sets for pair in pairs.values()]
    found = iter(shares(every, rows.labels, rows.patients, level, *bootstrap))
    said = [
        _said(rows, fitted, threshold) | {name: next(found).to_json() for name in pairs}
        for fitted, pairs in zip(fits, sets, strict=True)
    ]
    return out | {"conformal": said[0], "ladder": said[1:]}


def _pairs(rows: Rows, fitted: Conformal, threshold: float) -> dict[str, tuple[Any, Any]]:
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


def _said(rows: Rows, fitted: Conformal, threshold: float) -> dict[str, Any]:
    """The thresholds, the counts they lead to, and how far the miss rate strays by chance."""
    p = rows.probabilities
    reading = conformal.readings(p, fitted, threshold)
    read = reading != conformal.WITHHELD
    counted = (("pneumonia", fitted.positives), ("normal", fitted.negatives))
    return {
        **fitted.to_json(),
        "withheld": int((~read).sum()),
        "read": int(read.sum()),
        "neither": int(((p < fitted.pneumonia_from) & (p > fitted.normal_to)).sum()),
        "errors": int((reading[read] != rows.labels[read]).sum()),
        "spread": {
            name: conformal.spread_of_miss_rate(fitted.miss_rate, films) for name, films in counted
        },
    }


def _curve(rows: Rows, threshold: float, level: float) -> dict[str, Any] | None:
    cut = math.log(threshold / (1 - threshold)) if 0 < threshold < 1 else math.inf
    if not math.isfinite(cut):
        return None
    found = conformal.risk_coverage(rows.labels, rows.checked_logits(), cut)
    if found is None:
        return None
    pairs = zip(found.wrong.tolist(), found.kept.tolist(), strict=True)
    spans = [wilson(wrong, kept, level) for wrong, kept in pairs]
    return {
        "coverage": plain(found.coverage),
        "risk": plain(found.risk),
        "low": plain(np.array([span.low for span in spans])),
        "high": plain(np.array([span.high for span in spans])),
        "area": found.area,
        "level": level,
        "method": "Wilson score at each coverage, films taken as independent",
    }
