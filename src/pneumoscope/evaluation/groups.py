"""Results of runs that belong together: mean and deviation, and the records of their files.

``summary.json`` sums up the seeds of one recipe, ``learning_curve.json`` those of each share of the
training patients; the ``metrics.json`` of a cross-validation has the metrics of all folds' test
films pooled, beside those of each fold. The fields are the keys of the file, in its order;
undefined numbers are null there and NaN here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from pneumoscope.evaluation.comparison import ComparedDifference
from pneumoscope.evaluation.results import SCHEMA, CoreMetrics, SiteResult
from pneumoscope.readings import Estimate, OperatingPoint
from pneumoscope.storage import read_record


@dataclass(frozen=True, slots=True)
class MeanSd:
    """The mean of a metric over runs, and its sample standard deviation (n - 1)."""

    mean: float
    sd: float
    n: int

    @classmethod
    def of(cls, values: Iterable[float]) -> MeanSd:
        """Over the ``n`` values that are defined. NaN for the mean of none, and for the deviation
        of fewer than two."""
        known = [value for value in values if math.isfinite(value)]
        sd = stdev(known) if len(known) > 1 else math.nan
        return cls(mean(known) if known else math.nan, sd, len(known))


@dataclass(frozen=True, slots=True)
class SeedValue:
    """A metric of the run of one seed, with its interval."""

    seed: int
    value: float
    low: float
    high: float

    @property
    def estimate(self) -> Estimate:
        """The same as the run's own report has it, but for the method."""
        return Estimate(self.value, self.low, self.high, 0.95, "", 0)


@dataclass(frozen=True, slots=True)
class OverSeeds(MeanSd):
    """A metric over the runs in which it is defined, and of every run."""

    values: tuple[SeedValue, ...]

    @classmethod
    def of_seeds(cls, values: Sequence[SeedValue]) -> OverSeeds:
        """What the runs come to together."""
        over = MeanSd.of(each.value for each in values)
        return cls(over.mean, over.sd, over.n, tuple(values))


@dataclass(frozen=True, slots=True)
class SeedRun:
    """The run of one seed: its folder, how long it took, the epoch that was kept."""

    seed: int
    folder: str
    train_seconds: float | None
    seconds: float
    epochs: int
    best_epoch: int
    threshold: float


@dataclass(frozen=True, slots=True)
class SeedsSummary:
    """What runs that differ only in their seed say together: ``summary.json``."""

    schema: int
    version: str
    name: str
    command: str
    data: str
    recipe: str
    backbone: str
    split: str
    n: int
    positives: int
    meaning: str
    runs: tuple[SeedRun, ...]
    metrics: Mapping[str, OverSeeds]


@dataclass(frozen=True, slots=True)
class OverFolds(MeanSd):
    """A metric over the folds in which it is defined, and of every fold."""

    values: tuple[float, ...]

    @classmethod
    def of_folds(cls, values: Sequence[float]) -> OverFolds:
        """What the folds come to together."""
        over = MeanSd.of(values)
        return cls(over.mean, over.sd, over.n, tuple(values))


@dataclass(frozen=True, slots=True)
class FoldRun:
    """The run of one fold: its folder, its test films, its own threshold, how long it took."""

    folder: str
    n: int
    positives: int
    patients: int | None
    threshold: float
    seconds: float


@dataclass(frozen=True, slots=True)
class FoldThresholds(OperatingPoint):
    """The operating point of pooled folds: each fold's own threshold, and none for all."""

    thresholds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class OfficialTest:
    """How many films of the official test split no fold holds, None where that was not recorded,
    and what that means."""

    left_out: int | None
    meaning: str


@dataclass(frozen=True, slots=True)
class PooledMetrics(CoreMetrics):
    """What the folds of a cross-validation say together: its ``metrics.json``. ``sites`` is empty,
    and not in the file, where the films are of one set."""

    operating_point: FoldThresholds
    version: str
    data: str
    recipe: str
    backbone: str
    meaning: Mapping[str, str]
    folds: tuple[FoldRun, ...]
    over_folds: Mapping[str, OverFolds]
    name: str
    command: str
    official_test: OfficialTest
    sites: tuple[SiteResult, ...] = ()


@dataclass(frozen=True, slots=True)
class LearningPoint:
    """A recipe trained on ``share`` (0–1] of the training patients: the films and patients that
    this was (None where some are unknown), its runs, a seed each, and each metric over them."""

    recipe: str
    share: float
    films: int
    positives: int
    patients: int | None
    runs: tuple[SeedRun, ...]
    metrics: Mapping[str, OverSeeds]


@dataclass(frozen=True, slots=True)
class LearningDifference:
    """Two recipes trained on ``share`` of the training patients: by metric, the mean over seeds of
    the second less that of the first, with the luck of seeds and of films."""

    share: float
    first: str
    second: str
    differences: Mapping[str, ComparedDifference]


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """``learning_curve.json``: every point, recipe by recipe and from few patients to all; ``n``
    and ``positives`` count the judged films, which are the same for all. ``differences`` between
    recipes, share by share; none with one recipe, and in files before them."""

    schema: int
    version: str
    name: str
    command: str
    data: str
    backbone: str
    split: str
    n: int
    positives: int
    meaning: str
    points: tuple[LearningPoint, ...]
    differences: tuple[LearningDifference, ...] = ()

    def of(self, recipe: str) -> list[LearningPoint]:
        """The points of one recipe."""
        return [point for point in self.points if point.recipe == recipe]

    @property
    def recipes(self) -> tuple[str, ...]:
        """The recipes, each once, in their order."""
        return tuple(dict.fromkeys(point.recipe for point in self.points))

    @property
    def counted(self) -> str:
        """What shares are of: patients, or films where these are not known."""
        return "films" if any(point.patients is None for point in self.points) else "patients"


def read_summary(file: Path) -> SeedsSummary:
    """``summary.json``. Raises NotARun where it is missing or damaged."""
    return read_record(SeedsSummary, file, (1, SCHEMA))


def read_pooled(file: Path) -> PooledMetrics:
    """``metrics.json`` of a cross-validation. Raises NotARun where it is missing or damaged."""
    return read_record(PooledMetrics, file, (1, SCHEMA))


def read_learning(file: Path) -> LearningCurve:
    """``learning_curve.json``. Raises NotARun where it is missing or damaged."""
    return read_record(LearningCurve, file, (1, SCHEMA))
