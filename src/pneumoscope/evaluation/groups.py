"""Results of runs that belong together: mean and deviation, and the records of ``summary.json``.

The fields are the keys of the file, in its order; undefined numbers are null there and NaN here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from pneumoscope.records import Estimate


@dataclass(frozen=True, slots=True)
class MeanSd:
    """The mean of a metric over runs, and its sample standard deviation (n - 1)."""

    mean: float
    sd: float

    @classmethod
    def of(cls, values: Sequence[float]) -> MeanSd:
        """NaN for the mean of no value, and for the deviation of fewer than two."""
        sd = stdev(values) if len(values) > 1 else math.nan
        return cls(mean(values) if values else math.nan, sd)


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
    """A metric over the ``n`` runs in which it is defined, and of every run."""

    n: int
    values: tuple[SeedValue, ...]

    @classmethod
    def of_seeds(cls, values: Sequence[SeedValue]) -> OverSeeds:
        """What the runs come to together."""
        known = [each.value for each in values if math.isfinite(each.value)]
        both = MeanSd.of(known)
        return cls(both.mean, both.sd, len(known), tuple(values))


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
