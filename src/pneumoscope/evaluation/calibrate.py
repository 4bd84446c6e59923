"""Calibration on the evaluated split: as the network gives it, and at the model's temperature.

The reader of ``metrics.json`` is here, for it brings files of before to that temperature.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from statistics import NormalDist

from pneumoscope.evaluation.predictions import SplitRows
from pneumoscope.evaluation.results import (
    SCHEMA,
    AbstentionFigures,
    CalibrationFigures,
    CalibrationResult,
    Coefficient,
    Evaluation,
    PointResult,
)
from pneumoscope.metrics.batched import losses
from pneumoscope.metrics.calibration import recalibrate
from pneumoscope.metrics.intervals import undefined
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.metrics.scale import CALIBRATED, moved, moved_point
from pneumoscope.metrics.scores import Floats, probability
from pneumoscope.readings import Calibration, Estimate
from pneumoscope.storage import read_record


def evaluate_calibration(
    rows: SplitRows,
    found: Calibration | None,
    measured: Mapping[str, Estimate],
    settings: IntervalSettings,
) -> CalibrationResult:
    """Brier score, log loss, ECE, slope and intercepts before and after the temperature.

    ``rows`` are at the temperature, where there is one, and ``measured`` holds their first three.
    Without a temperature there is no ``after``.
    """
    logits, level = rows.checked_logits(), settings.level
    own = _figures(rows, logits, measured, level)
    if found is None:
        return CalibrationResult(None, None, own, None)
    raw = logits * found.temperature
    given = losses(rows.labels, probability(raw), rows.patients, settings)
    before = _figures(rows, raw, given, level)
    return CalibrationResult(found.temperature, found.chosen_on, before, own)


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


def read_evaluation(file: Path) -> Evaluation:
    """``metrics.json`` of a run, of any schema, on the model's scale. Raises NotARun where it is
    missing, damaged or not of a run."""
    found = read_record(Evaluation, file, (1, SCHEMA))
    return on_one_scale(found) if found.schema == 1 else found


def on_one_scale(found: Evaluation) -> Evaluation:
    """An evaluation of schema 1 at the temperature of its model: thresholds are moved, and Brier
    score, log loss and ECE are those that it holds for the temperature."""
    known = found.calibration
    if known is None or known.temperature is None or known.after is None:
        return found
    heat, after = known.temperature, known.after
    losses = {"brier": after.brier, "log_loss": after.log_loss, "ece": after.ece}
    withheld = found.abstention

    def at(figures: AbstentionFigures) -> AbstentionFigures:
        return replace(
            figures,
            pneumonia_from=moved(figures.pneumonia_from, heat),
            normal_to=moved(figures.normal_to, heat),
        )

    return replace(
        found,
        operating_point=moved_point(found.operating_point, heat),
        metrics={**found.metrics, **losses},
        operating_points=tuple(_moved(point, heat) for point in found.operating_points),
        re_chosen=_moved(found.re_chosen, heat) if found.re_chosen else None,
        abstention=withheld
        and replace(
            withheld,
            conformal=at(withheld.conformal) if withheld.conformal else None,
            ladder=tuple(map(at, withheld.ladder)),
        ),
        scale=CALIBRATED,
    )


def _moved(point: PointResult, heat: float) -> PointResult:
    return replace(point, threshold=moved(point.threshold, heat))
