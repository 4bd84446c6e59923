"""What the probabilities claim on the judged split, as given and at the carried temperature."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np

from pneumoscope.evaluation.predictions import Rows
from pneumoscope.metrics.calibration import recalibrate
from pneumoscope.metrics.intervals import undefined
from pneumoscope.metrics.linear import losses
from pneumoscope.metrics.scores import Floats
from pneumoscope.records import Calibration, Estimate


def calibrated(logits: Floats, found: Calibration | None) -> Floats:
    """Probabilities at the temperature, float (N,), or as given without one."""
    return np.asarray(0.5 * (1 + np.tanh(logits / (2 * (found.temperature if found else 1.0)))))


def judge_calibration(
    rows: Rows, found: Calibration | None, measured: Mapping[str, Any], level: float, bootstrap: Any
) -> dict[str, Any]:
    """Brier score, log loss, ECE, slope and intercepts before and after the temperature.

    ``measured`` holds the first three as ``evaluate`` gave them. Without a temperature there is
    no ``after``.
    """
    logits = rows.checked_logits()
    before = {name: measured[name] for name in ("brier", "log_loss", "ece")}
    out: dict[str, Any] = {
        "temperature": found.temperature if found else None,
        "chosen_on": found.chosen_on if found else None,
        "before": before | _recalibrated(rows, logits, level),
        "after": None,
    }
    if found:
        probabilities = calibrated(logits, found)
        after = losses(rows.labels, probabilities, rows.patients, level, *bootstrap)
        out["after"] = {name: e.to_json() for name, e in after.items()} | _recalibrated(
            rows, logits / found.temperature, level
        )
    return out


def _recalibrated(rows: Rows, logits: Floats, level: float) -> dict[str, Any]:
    fit = recalibrate(rows.labels, logits, rows.patients)
    kind = "Wald" if rows.patients is None else "Wald, patient-clustered sandwich"
    z, n = NormalDist().inv_cdf((1 + level) / 2), rows.labels.size

    def estimate(value: float, error: float) -> dict[str, Any]:
        if math.isnan(value):
            found = undefined("the classes are apart or one is missing", n, level)
        elif math.isnan(error):
            found = undefined("too few patients", n, level)
        else:
            low, high = value - z * error, value + z * error
            found = Estimate(value, low, high, level, f"logistic recalibration, {kind}", n)
        return found.to_json() | {"error": None if math.isnan(error) else error}

    return {
        "slope": estimate(fit.slope, fit.slope_error),
        "intercept": estimate(fit.intercept, fit.intercept_error),
        "in_the_large": estimate(fit.large, fit.large_error),
    }
