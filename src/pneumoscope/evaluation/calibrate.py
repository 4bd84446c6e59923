"""Calibration on the evaluated split: as given, and at the temperature that the model carries."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from statistics import NormalDist

from pneumoscope.evaluation.predictions import SplitRows
from pneumoscope.evaluation.results import CalibrationFigures, CalibrationResult, Coefficient
from pneumoscope.metrics.batched import losses
from pneumoscope.metrics.calibration import recalibrate
from pneumoscope.metrics.intervals import undefined
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.metrics.scores import Floats, probability
from pneumoscope.records import Calibration, Estimate


def calibrated(logits: Floats, found: Calibration | None) -> Floats:
    """Probabilities at the temperature, float (N,), or as given without one."""
    return probability(logits / found.temperature if found else logits)


def evaluate_calibration(
    rows: SplitRows,
    found: Calibration | None,
    measured: Mapping[str, Estimate],
    settings: IntervalSettings,
) -> CalibrationResult:
    """Brier score, log loss, ECE, slope and intercepts before and after the temperature.

    ``measured`` holds the first three as given. Without a temperature there is
    no ``after``.
    """
    logits, level = rows.checked_logits(), settings.level
    before = _figures(rows, logits, measured, level)
    if found is None:
        return CalibrationResult(None, None, before, None)
    after = losses(rows.labels, calibrated(logits, found), rows.patients, settings)
    scaled = _figures(rows, logits / found.temperature, after, level)
    return CalibrationResult(found.temperature, found.chosen_on, before, scaled)


def _figures(
    rows: SplitRows, logits: Floats, measured: Mapping[str, Estimate], level: float
) -> CalibrationFigures:
    fit = recalibrate(rows.labels, logits, rows.patients)
    kind = "Wald" if rows.patients is None else "Wald, patient-clustered sandwich"
    z, n = NormalDist().inv_cdf((1 + level) / 2), rows.labels.size

    def coefficient(value: float, error: float) -> Coefficient:
        if math.isnan(value):
            found = undefined("the classes are apart or one is missing", n, level)
        elif math.isnan(error):
            found = undefined("too few patients", n, level)
        else:
            low, high = value - z * error, value + z * error
            found = Estimate(value, low, high, level, f"logistic recalibration, {kind}", n)
        return Coefficient(**asdict(found), error=error)

    return CalibrationFigures(
        brier=measured["brier"],
        log_loss=measured["log_loss"],
        ece=measured["ece"],
        slope=coefficient(fit.slope, fit.slope_error),
        intercept=coefficient(fit.intercept, fit.intercept_error),
        in_the_large=coefficient(fit.large, fit.large_error),
    )
