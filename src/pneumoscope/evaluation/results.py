"""Results of an evaluation: the records of ``metrics.json``, and its one writer.

The fields are the keys of the file, in its order. Undefined numbers are null there and NaN here.
A part that did not exist yet when a run was evaluated is None, or empty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from pneumoscope.metrics.paired import Difference
from pneumoscope.metrics.scale import AS_GIVEN
from pneumoscope.metrics.scores import Confusion
from pneumoscope.plain import to_plain
from pneumoscope.readings import Conformal, Estimate, OperatingPoint
from pneumoscope.storage import write_json

SCHEMA = 2
"""In schema 1 probabilities and thresholds were those of raw logits, whatever temperature the model
carried; ``calibrate.read_evaluation`` takes them to its scale."""
ONLY_WHERE_DONE = ("re_chosen", "shortcuts", "withheld", "sites")
"""Keys that the file has only where that was evaluated; all others are there, if as null."""
Line = tuple[float, ...]
"""A curve, as its values along a grid."""


@dataclass(frozen=True, slots=True)
class Coefficient(Estimate):
    """A coefficient of the logistic recalibration, with its standard error."""

    error: float

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Coefficient:
        """As lenient as for an Estimate."""
        error = found.get("error")
        known = asdict(Estimate.from_json(found))
        return cls(**known, error=math.nan if error is None else float(error))


@dataclass(frozen=True, slots=True)
class ClassResult:
    """Precision, recall and F1 of one class; ``support`` counts its films."""

    precision: Estimate
    recall: Estimate
    f1: Estimate
    support: int


@dataclass(frozen=True, slots=True)
class OnValidation:
    """What an operating point comes to on the ``n`` films that it was chosen on."""

    n: int
    sensitivity: Estimate
    specificity: Estimate


@dataclass(frozen=True, slots=True)
class PointResult:
    """An operating point and what it comes to. ``chosen_on`` is a split, or ``external`` for one
    that was chosen on the evaluated films themselves; ``validation`` is None where these are the
    evaluated ones, or are not known."""

    name: str
    threshold: float
    rule: str
    chosen_on: str
    confusion: Confusion
    sensitivity: Estimate
    specificity: Estimate
    precision: Estimate
    npv: Estimate
    validation: OnValidation | None = None


@dataclass(frozen=True, slots=True)
class CalibrationFigures:
    """How well probabilities mean what they say."""

    brier: Estimate
    log_loss: Estimate
    ece: Estimate
    slope: Coefficient
    intercept: Coefficient
    in_the_large: Coefficient


@dataclass(frozen=True, slots=True)
class CalibrationResult:
    """Calibration as given, and at the temperature where there is one."""

    temperature: float | None
    chosen_on: str | None
    before: CalibrationFigures
    after: CalibrationFigures | None


@dataclass(frozen=True, slots=True)
class Band:
    """A figure along a grid, with its interval at each place."""

    value: Line
    low: Line
    high: Line


@dataclass(frozen=True, slots=True)
class PrevalenceCurve:
    """PPV and NPV along ``prevalence``."""

    prevalence: Line
    ppv: Band
    npv: Band


@dataclass(frozen=True, slots=True)
class AtPrevalence:
    """PPV and NPV at one share of pneumonia: that which was ``asked`` for, the films' ``own``, or
    one that is always stated."""

    prevalence: float
    asked: bool
    own: bool
    ppv: Estimate
    npv: Estimate


@dataclass(frozen=True, slots=True)
class PrevalenceResult:
    """What a call is worth elsewhere; ``own`` is the share of pneumonia among these films."""

    own: float
    asked: float | None
    at: tuple[AtPrevalence, ...]
    curve: PrevalenceCurve


@dataclass(frozen=True, slots=True)
class NetBenefit:
    """The decision curve. ``probabilities`` says which; ``better`` are the spans of threshold
    probabilities at which the whole band lies above acting on every film and on none."""

    probabilities: str
    threshold: Line
    model: Line
    low: Line
    high: Line
    everyone: Line
    level: float
    method: str
    better: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class GroupResult:
    """A group of films; a figure is None where it has too few films of the class it needs, and
    ``too_few`` names these classes."""

    name: str
    n: int
    positives: int
    too_few: tuple[str, ...]
    auroc: Estimate | None
    sensitivity: Estimate | None
    specificity: Estimate | None


@dataclass(frozen=True, slots=True)
class FactResult:
    """The groups of one fact; ``tells_label`` where each is of one class."""

    fact: str
    title: str
    tells_label: bool
    groups: tuple[GroupResult, ...]


@dataclass(frozen=True, slots=True)
class SubgroupsResult:
    """Every fact that divides the films; ``same`` are those with one value for all, ``few`` the
    least films of a class. ``known`` is False where nothing but the table was at hand."""

    facts: tuple[FactResult, ...]
    same: Mapping[str, str]
    few: int
    known: bool


@dataclass(frozen=True, slots=True)
class AbstentionFigures(Conformal):
    """Films withheld and read at one miss rate, and the shares that follow. ``neither`` counts
    those unlike both classes; by ``spread`` the miss rate of each class strays by chance."""

    withheld: int
    read: int
    neither: int
    errors: int
    spread: Mapping[str, float]
    coverage: Estimate
    wrong: Estimate
    wrong_without: Estimate
    missed: Estimate
    alarms: Estimate


@dataclass(frozen=True, slots=True)
class RiskCurve:
    """The share misread among the films read, the least certain withheld first."""

    coverage: Line
    risk: Line
    low: Line
    high: Line
    area: float
    level: float
    method: str


@dataclass(frozen=True, slots=True)
class AbstentionResult:
    """Withholding at the carried miss rate, at those of the ``ladder``, and at any."""

    conformal: AbstentionFigures | None
    ladder: tuple[AbstentionFigures, ...]
    risk_coverage: RiskCurve | None


@dataclass(frozen=True, slots=True)
class ShortcutResult:
    """AUROC on films of which ``variant`` is left, how it differs from full films, the ``share``
    that is left of what these tell beyond chance, and the finding in words where there is one."""

    variant: str
    auroc: Estimate
    difference: Difference | None
    share: Estimate | None = None
    finding: str | None = None


@dataclass(frozen=True, slots=True)
class Withheld:
    """Films among the judged ones that ``predict`` would withhold: all other figures count them.

    ``reasons`` counts the gravest code of each. ``metrics`` are AUROC, sensitivity and specificity
    of the other films at the same operating point, empty where no film would be withheld.
    """

    n: int
    positives: int
    reasons: Mapping[str, int]
    metrics: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class SiteResult:
    """The films of one of several sites at the operating point of all; ``calibration`` of the
    probabilities as they are read."""

    name: str
    n: int
    positives: int
    patients: int | None
    confusion: Confusion
    metrics: Mapping[str, Estimate]
    calibration: CalibrationFigures


@dataclass(frozen=True, slots=True)
class CoreMetrics:
    """The metrics of one split at one operating point. ``patients`` is None when any is unknown."""

    schema: int
    split: str
    n: int
    positives: int
    patients: int | None
    operating_point: OperatingPoint
    metrics: Mapping[str, Estimate]
    confusion: Confusion
    per_class: Mapping[str, ClassResult]
    timing: Mapping[str, float]

    @property
    def share(self) -> float:
        """The share of films with pneumonia, NaN where there is no film."""
        return self.positives / self.n if self.n else math.nan


@dataclass(frozen=True, slots=True)
class Evaluation(CoreMetrics):
    """The whole evaluation of one split: what ``metrics.json`` holds. ``scale`` is that of every
    probability and threshold in it, in words."""

    operating_points: tuple[PointResult, ...] = ()
    calibration: CalibrationResult | None = None
    prevalence: PrevalenceResult | None = None
    decision_curve: NetBenefit | None = None
    abstention: AbstentionResult | None = None
    notes: tuple[str, ...] = ()
    subgroups: SubgroupsResult | None = None
    re_chosen: PointResult | None = None
    shortcuts: tuple[ShortcutResult, ...] | None = None
    withheld: Withheld | None = None
    sites: tuple[SiteResult, ...] | None = None
    scale: str = AS_GIVEN

    @property
    def is_moved(self) -> bool:
        """Whether it was written on another scale, and brought to the model's when it was read."""
        return self.schema < SCHEMA and self.scale != AS_GIVEN

    @property
    def all_points(self) -> tuple[PointResult, ...]:
        """The operating points, the one that decides first, a re-chosen one last."""
        return (*self.operating_points, *([self.re_chosen] if self.re_chosen else []))


_R = TypeVar("_R")


def extended(kind: type[_R], core: CoreMetrics, **parts: object) -> _R:
    """A record of ``kind``, which has more than ``core``, from it and its further parts."""
    return kind(**{field.name: getattr(core, field.name) for field in fields(CoreMetrics)}, **parts)


def write_evaluation(file: Path, found: Evaluation) -> None:
    """Write ``metrics.json``, whole or not at all. Raises OutputNotWritable."""
    write_json(file, evaluation_json(found))


def evaluation_json(found: Evaluation) -> dict[str, object]:
    """What ``metrics.json`` holds of it, JSON-ready."""
    absent = [key for key in ONLY_WHERE_DONE if getattr(found, key) is None]
    return {key: value for key, value in to_plain(found).items() if key not in absent}
