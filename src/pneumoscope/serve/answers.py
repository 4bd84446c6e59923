"""Answers of the service: readings and the model as JSON, in the words of ``predict``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic import BaseModel

from pneumoscope import __version__
from pneumoscope.imaging.read import FORMATS
from pneumoscope.inference.image_warnings import WARNINGS, WITHHOLDING
from pneumoscope.inference.model import Model
from pneumoscope.readings import OperatingPoint, Reading
from pneumoscope.serve.limits import Limits

USE = "Research use only: not a medical device."


class PointAnswer(BaseModel):
    """A threshold, the rule that chose it, and the split it was chosen on."""

    name: str
    threshold: float
    rule: str
    chosen_on: str


class Remark(BaseModel):
    """What is odd about a film, in a sentence; one that ``withholds`` leaves it undecided."""

    code: str
    words: str
    withholds: bool


class FilmAnswer(BaseModel):
    """The reading of one film, ``number`` from 1 in the order of the body. ``heatmap`` and ``film``
    are PNG as base64, where they were asked for."""

    number: int
    outcome: str
    probability: float | None
    logit: float | None
    decision: str | None
    operating_point: PointAnswer | None
    abstained: bool
    findings: list[str]
    remarks: list[Remark]
    error: str | None
    scale: str | None
    heatmap: str | None = None
    film: str | None = None


class Answer(BaseModel):
    """The readings of all films of a request, whose id is ``request``."""

    request: str
    films: list[FilmAnswer]
    use: str = USE


class MeaningAnswer(BaseModel):
    """What a code says."""

    words: str
    withholds: bool


class LimitsAnswer(BaseModel):
    """MiB of a body and films of a body at most."""

    megabytes: int
    films: int


class ModelAnswer(BaseModel):
    """What is known of the model; the first operating point decides where none is named."""

    title: str
    kind: str
    version: str
    device: str
    scale: str
    input: dict[str, Any]
    operating_points: list[PointAnswer]
    abstains: bool
    population: dict[str, Any]
    remarks: dict[str, MeaningAnswer]
    heatmap: bool
    formats: str = FORMATS
    limits: LimitsAnswer
    use: str = USE


def film_answer(number: int, reading: Reading) -> FilmAnswer:
    """What ``predict --json`` writes of a film, without its name."""
    return FilmAnswer(
        number=number,
        outcome=reading.outcome,
        probability=reading.probability,
        logit=reading.logit,
        decision=reading.decision,
        operating_point=_point(reading.operating_point),
        abstained=reading.abstained,
        findings=list(reading.findings),
        remarks=[
            Remark(code=code, words=WARNINGS[code][1], withholds=code in WITHHOLDING)
            for code in reading.findings
        ],
        error=reading.error,
        scale=reading.scale,
    )


def model_answer(model: Model, kind: str, heatmap: bool, limits: Limits) -> ModelAnswer:
    """What is known of ``model``, a run or an export by ``kind``."""
    points = [point for each in model.operating_points if (point := _point(each))]
    return ModelAnswer(
        title=model.title,
        kind=kind,
        version=__version__,
        device=model.device,
        scale=model.scale,
        input=asdict(model.spec),
        operating_points=points,
        abstains=model.conformal is not None,
        population=dict(model.population),
        remarks={
            code: MeaningAnswer(words=words[1], withholds=code in WITHHOLDING)
            for code, words in WARNINGS.items()
        },
        heatmap=heatmap,
        limits=LimitsAnswer(megabytes=limits.megabytes, films=limits.films),
    )


def _point(point: OperatingPoint | None) -> PointAnswer | None:
    return PointAnswer(**asdict(point)) if point else None
