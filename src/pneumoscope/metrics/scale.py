"""Scale of probabilities: calibrated where the model carries a temperature, else as given.

The network gives a *raw logit*. A model's *logit* is that divided by its temperature, and its
*probability* follows from it: one scale for what is predicted, judged, reported and explained.
Thresholds are chosen among raw probabilities and moved with them, so a temperature changes no
decision.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pneumoscope.manifest import ModelManifest
from pneumoscope.readings import Calibration, Conformal, OperatingPoint

from .scores import probability

AS_GIVEN, CALIBRATED = "as given", "calibrated"
MODEL_SCHEMA = 2
"""Of ``model.json``. In schema 1 thresholds lay among raw probabilities, whatever temperature the
model carried."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What a model carries to decide by, all on its scale."""

    points: tuple[OperatingPoint, ...]
    calibration: Calibration | None
    conformal: Conformal | None


def carried(about: ModelManifest) -> Carried:
    """What ``model.json`` holds, of any schema. Raises KeyError, TypeError for a damaged one."""
    points = tuple(OperatingPoint(**point) for point in about["operating_points"])
    calibration, conformal = about.get("calibration"), about.get("conformal")
    found = Carried(
        points,
        Calibration(**calibration) if calibration else None,
        Conformal(**conformal) if conformal else None,
    )
    if about.get("schema", 1) >= MODEL_SCHEMA or found.calibration is None:
        return found
    heat = found.calibration.temperature
    return replace(
        found,
        points=tuple(moved_point(point, heat) for point in found.points),
        conformal=moved_conformal(found.conformal, heat) if found.conformal else None,
    )


def scale_name(calibration: Calibration | None, members: int = 1) -> str:
    """The scale in words, as files and tables name it."""
    if members > 1:
        return f"mean of the calibrated logits of {members} models"
    return CALIBRATED if calibration else AS_GIVEN


def moved(threshold: float, heat: float) -> float:
    """A raw probability as it is at a temperature; 0 and 1 stay, and all where it is 1."""
    if heat == 1 or not 0 < threshold < 1:
        return threshold
    return float(probability(np.log(threshold / (1 - threshold)) / heat))


def moved_point(point: OperatingPoint, heat: float) -> OperatingPoint:
    """A point chosen among raw probabilities, at a temperature."""
    return replace(point, threshold=moved(point.threshold, heat))


def moved_conformal(fitted: Conformal, heat: float) -> Conformal:
    """Abstention fitted on raw probabilities, at a temperature."""
    return replace(
        fitted,
        pneumonia_from=moved(fitted.pneumonia_from, heat),
        normal_to=moved(fitted.normal_to, heat),
    )


def shifted(threshold: float, offset: float) -> float:
    """A probability as it is when ``offset`` is added to its logit; 0 and 1 stay."""
    if not 0 < threshold < 1:
        return threshold
    return float(probability(np.log(threshold / (1 - threshold)) + offset))


def shifted_conformal(fitted: Conformal, offset: float) -> Conformal:
    """Abstention when ``offset`` is added to every logit: the same films are withheld."""
    return replace(
        fitted,
        pneumonia_from=shifted(fitted.pneumonia_from, offset),
        normal_to=shifted(fitted.normal_to, offset),
    )
