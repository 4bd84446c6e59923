"""Judge a table of predictions: every metric with its interval, and nothing chosen on test rows.

No model, no torch. A table of predictions has a row per film and the columns ``image_id``,
``patient_id`` (may be null), ``split``, ``label`` (0 or 1), ``logit`` and ``probability``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd

from pneumoscope.errors import ChosenOnTest, UnreadableData
from pneumoscope.evaluation.predictions import Rows, rows_of
from pneumoscope.metrics.intervals import bootstrap, delong, undefined, wilson
from pneumoscope.metrics.scores import Confusion, confusion
from pneumoscope.metrics.thresholds import Rule, choose
from pneumoscope.records import CLASSES, Estimate, OperatingPoint


def evaluate(
    predictions: pd.DataFrame,
    *,
    split: str,
    operating_point: OperatingPoint,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Any]:
    """Judge the rows of one split at one point: the first part of ``metrics.json``.

    Proportions get Wilson's interval and AUROC DeLong's, unless some patient has several films:
    then the films are not independent and all get the patient-clustered bootstrap, as the rest
    always does. What a missing class leaves undefined is None with the method ``"undefined: …"``.
    ``patients`` is None when any id is missing; a film without an id stands for a patient.

    Raises ``UnreadableData`` for missing columns, repeated images or bad probabilities,
    ``BadLabels`` for labels other than 0 and 1, ``ChosenOnTest`` for such an operating point.
    """
    start = clock()
    _refuse_test(operating_point)
    rows, threshold = rows_of(predictions, split), operating_point.threshold
    y, p = rows.labels, rows.probabilities
    counts = confusion(y, p >= threshold)
    found = bootstrap(y, p, threshold, rows.patients, level, resamples, seed)
    found = _in_closed_form(rows, counts, found, level)
    return {
        "schema": 1,
        "split": split,
        "n": int(y.size),
        "positives": counts.tp + counts.fn,
        "patients": rows.patient_count,
        "operating_point": operating_point.to_json(),
        "metrics": {name: e.to_json() for name, e in found.items() if name != "f1_normal"},
        "confusion": {"tn": counts.tn, "fp": counts.fp, "fn": counts.fn, "tp": counts.tp},
        "per_class": _per_class(found, counts),
        "timing": {"evaluate_seconds": clock() - start},
    }


def operating_point_from(
    predictions: pd.DataFrame, rule: Rule, target: float | None = None
) -> OperatingPoint:
    """Choose an operating point on the ``val`` rows; other rows are not looked at.

    Raises as ``metrics.thresholds.choose``; ``ChosenOnTest`` when there are only test rows and
    ``UnreadableData`` when there are no val rows (the rule ``"fixed"`` needs none).
    """
    rows = rows_of(predictions, "val")
    if rows.labels.size == 0 and rule != "fixed":
        splits = sorted(predictions["split"].astype(str).unique())
        kind = ChosenOnTest if splits == ["test"] else UnreadableData
        raise kind(
            f"no validation rows to choose the rule {rule!r} on",
            got=f"rows of {splits}",
            expected="rows whose split is 'val'",
            remedy="predict the val split too, or decide with the rule 'fixed'",
        )
    return choose(rule, rows.labels, rows.probabilities, "val", target)


def _refuse_test(point: OperatingPoint) -> None:
    if point.chosen_on not in ("train", "val"):
        raise ChosenOnTest(
            f"the operating point was chosen on the {point.chosen_on} split",
            got=point,
            remedy="choose it on 'val', with operating_point_from",
        )


def _in_closed_form(
    rows: Rows, counts: Confusion, found: dict[str, Estimate], level: float
) -> dict[str, Estimate]:
    """Wilson and DeLong in place of the bootstrap where films are independent; true n and why."""
    c = counts
    shares = {
        "accuracy": (c.tp + c.tn, rows.labels.size),
        "sensitivity": (c.tp, c.tp + c.fn),
        "specificity": (c.tn, c.tn + c.fp),
        "precision": (c.tp, c.tp + c.fp),
        "recall": (c.tp, c.tp + c.fn),
        "npv": (c.tn, c.tn + c.fn),
    }
    out = {
        name: replace(e, n=shares[name][1]) if name in shares else e for name, e in found.items()
    }
    if rows.patients is None:
        out |= {name: wilson(hits, n, level) for name, (hits, n) in shares.items()}
        out["auroc"] = delong(rows.labels, rows.probabilities, level)
    one_class = c.tp + c.fn == 0 or c.tn + c.fp == 0
    why = "no films" if rows.labels.size == 0 else "one class only" if one_class else "0/0"
    return {
        name: e if e.value == e.value else undefined(why, e.n, level) for name, e in out.items()
    }


def _per_class(found: dict[str, Estimate], counts: Confusion) -> dict[str, dict[str, Any]]:
    """Precision, recall and F1 of each class; those of normal are NPV and specificity."""
    support = (counts.tn + counts.fp, counts.tp + counts.fn)
    names = (
        {"precision": "npv", "recall": "specificity", "f1": "f1_normal"},
        {"precision": "precision", "recall": "sensitivity", "f1": "f1"},
    )
    return {
        name: {key: found[metric].to_json() for key, metric in same.items()} | {"support": films}
        for name, same, films in zip(CLASSES, names, support, strict=True)
    }
