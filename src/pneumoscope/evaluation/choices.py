"""Choices made on validation rows: operating points, temperature, when to abstain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pandas as pd

from pneumoscope.data.together.deal import folds
from pneumoscope.errors import BadLabels, ChosenOnTest, UnreadableData
from pneumoscope.evaluation.operating import evaluate_points
from pneumoscope.evaluation.predictions import SplitRows, at_temperature, rows_of
from pneumoscope.evaluation.results import PointResult
from pneumoscope.metrics import calibration, conformal
from pneumoscope.metrics.resample import IntervalSettings, patient_numbers
from pneumoscope.metrics.scale import moved_conformal, moved_point, scale_name
from pneumoscope.metrics.scores import Floats, log_losses, probability
from pneumoscope.metrics.thresholds import Rule, choose
from pneumoscope.readings import Calibration, Conformal, OperatingPoint
from pneumoscope.records import Split

MISS_RATE = 0.1
"""Share of each class whose reading may go wrong before a film is withheld, unless told."""
LADDER = (0.01, 0.02, 0.05, 0.1, 0.2)
_FOLDS = 5
ALWAYS: tuple[Rule, ...] = ("youden_smooth", "youden", "f1", "sensitivity", "specificity", "cost")


@dataclass(frozen=True, slots=True)
class Choices:
    """What validation rows said, before any other row was looked at.

    The first of ``points`` is the recipe's own, by which decisions are made. ``calibration`` and
    ``conformal`` are None where nothing could be fitted; ``notes`` say why. ``ladder`` holds
    abstention at the miss rates of ``LADDER``, to choose between. All thresholds are on one
    scale, at the temperature of ``calibration``. ``members`` is how many models answer together.
    ``validation`` is what the points come to on the films that they were chosen on.
    """

    points: tuple[OperatingPoint, ...]
    calibration: Calibration | None = None
    conformal: Conformal | None = None
    ladder: tuple[Conformal, ...] = ()
    notes: tuple[str, ...] = ()
    members: int = 1
    validation: tuple[PointResult, ...] = ()

    @property
    def temperature(self) -> float:
        """What raw logits are divided by; 1 where the model is not calibrated."""
        return self.calibration.temperature if self.calibration else 1.0

    @property
    def scale(self) -> str:
        """The scale of probabilities and thresholds, in words."""
        return scale_name(self.calibration, self.members)


def choose_all(
    predictions: pd.DataFrame,
    own: OperatingPoint,
    *,
    targets: Mapping[Rule, float] | None = None,
    miss_rate: float = MISS_RATE,
    split: str = "val",
    carried: Calibration | None = None,
) -> Choices:
    """Fit everything on the rows of ``split``; other rows are not looked at.

    ``own`` is the recipe's operating point, from ``evaluate.operating_point_from``; one further
    point is added for each rule that it is not. ``targets`` are what is asked of the rules that
    take one, in place of the defaults of ``thresholds.choose``; where the own rule is asked
    otherwise, that is a further point, named ``RULE_asked``. ``carried`` is a calibration that the
    model has already, in place of one that is fitted. Thresholds are chosen among raw
    probabilities and moved to the temperature, but for one that was fixed: it is meant as it is
    shown. Raises ``ChosenOnTest`` unless ``split`` is val or train, and as ``rows_of`` and
    ``conformal.fit_conformal``.
    """
    check_choosable(split)
    chosen_on = cast(Split, split)
    rows = rows_of(at_temperature(predictions, 1.0), split)
    if rows.labels.size == 0 or rows.labels.min() == rows.labels.max():
        few = "no validation films" if rows.labels.size == 0 else "validation films of one class"
        return Choices((own,), notes=(f"{few}: no further operating point, no calibration",))
    fitted, why = (carried, "") if carried else _calibrated(rows, chosen_on)
    heat = fitted.temperature if fitted else 1.0

    def withhold(rate: float) -> Conformal:
        found = conformal.fit_conformal(rows.labels, rows.probabilities, chosen_on, rate)
        return moved_conformal(found, heat)

    points = (own, *_further(rows, own, chosen_on, targets or {}))
    return Choices(
        points=tuple(p if p.name == "fixed" else moved_point(p, heat) for p in points),
        calibration=fitted,
        conformal=withhold(miss_rate),
        ladder=tuple(map(withhold, LADDER)),
        notes=(why,) if why else (),
    )


def on_validation(
    choices: Choices, predictions: pd.DataFrame, settings: IntervalSettings
) -> Choices:
    """The choices with what their points come to on the validation rows; as they are where a class
    is missing there."""
    rows = rows_of(at_temperature(predictions, choices.temperature), "val").in_order()
    if rows.labels.size == 0 or rows.labels.min() == rows.labels.max():
        return choices
    return replace(choices, validation=evaluate_points(rows, choices.points, settings))


def _further(
    rows: SplitRows, own: OperatingPoint, split: Split, targets: Mapping[Rule, float]
) -> Iterator[OperatingPoint]:
    """A point of every rule but the own one, and of that where it is asked otherwise."""
    for rule in ALWAYS:
        if rule == own.name and rule not in targets:
            continue
        point = choose(rule, rows.labels, rows.probabilities, split, targets.get(rule))
        if rule != own.name:
            yield point
        elif point.rule != own.rule:
            yield replace(point, name=f"{rule}_asked")


def check_choosable(split: str) -> None:
    """Raise ``ChosenOnTest`` unless something may be chosen on this split."""
    if split not in ("train", "val"):
        raise ChosenOnTest(
            f"something was about to be chosen on the {split} split",
            expected="validation rows",
            remedy="choose on 'val', then judge on any other split",
        )


def check_choices(choices: Choices) -> None:
    """Refuse choices of which any part was made on rows that are to be evaluated."""
    parts: Sequence[OperatingPoint | Calibration | Conformal | None]
    parts = (*choices.points, *choices.ladder, choices.calibration, choices.conformal)
    for part in parts:
        if part is not None:
            check_choosable(part.chosen_on)


def _calibrated(rows: SplitRows, split: Split) -> tuple[Calibration | None, str]:
    try:
        logits = rows.checked_logits()
    except UnreadableData as error:
        return None, f"no temperature: {error.what}"
    found = calibration.temperature(rows.labels, logits)
    if not np.isfinite(found):
        raise BadLabels("a temperature cannot be fitted on one class")
    # At an end of the range the rows do not say how sure to be, and a number would pretend so.
    edge = min(found / calibration.COOLEST, calibration.HOTTEST / found) < 1.01
    if edge:
        why = "the validation films are told apart too well, or not at all, to say how sure to be"
        return None, f"no temperature: {why}"
    if why := _gains_nothing(rows, logits):
        return None, f"no temperature: {why}"
    return Calibration(found, split), ""


def _gains_nothing(rows: SplitRows, logits: Floats) -> str:
    """Why a temperature is not kept: fitted on some validation films, it must lower the log loss
    of the others. Empty where it does.

    Its gain on the films that it was fitted on is no evidence: there it cannot lose.
    """
    groups = patient_numbers(rows.labels.size, rows.patients)
    part = folds(rows.labels.astype(np.int64), groups, _FOLDS, seed=0)
    change = np.zeros(rows.labels.size)
    for fold in range(_FOLDS):
        held = part == fold
        heat = calibration.temperature(rows.labels[~held], logits[~held])
        if not np.isfinite(heat):
            return "there are too few validation films to try one"
        labels, scaled = rows.labels[held], probability(logits[held] / heat)
        change[held] = log_losses(labels, scaled) - log_losses(labels, rows.probabilities[held])
    if change.mean() < 0:
        return ""
    return (
        "on validation films that had no part in fitting one, it raises the log loss by "
        f"{change.mean():.4f}"
    )
