"""Comparison of runs: the records of ``comparison.json`` and its reader.

The fields are the keys of the file, in its order; undefined numbers are null there and NaN here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from pneumoscope.evaluation.results import ClassResult
from pneumoscope.metrics.paired import Difference, Discordance
from pneumoscope.metrics.scores import Confusion
from pneumoscope.plain import to_plain
from pneumoscope.readings import Estimate, OperatingPoint
from pneumoscope.storage import read_record

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """A run as compared: how it came to be, and its own figures; None where it does not say."""

    letter: str
    name: str
    folder: str
    version: str | None
    recipe: str | None
    seed: int | None
    backbone: str | None
    parameters: int | None
    epochs: int | None
    best_epoch: int | None
    precision: str | None
    threads: int | None
    train_seconds: float | None
    operating_point: OperatingPoint
    metrics: Mapping[str, Estimate]
    confusion: Confusion
    per_class: Mapping[str, ClassResult]
    warnings: tuple[str, ...]
    scale: str = ""


@dataclass(frozen=True, slots=True)
class ComparedDifference(Difference):
    """A difference of several: ``p_holm`` is p adjusted for their number, None where the file
    tests no hypothesis by it."""

    p_holm: float | None = None

    @classmethod
    def of(cls, found: Difference, p_holm: float | None = None) -> ComparedDifference:
        """``found`` with its adjusted p."""
        return cls(**asdict(found), p_holm=p_holm)

    def to_json(self) -> dict[str, Any]:
        plain = to_plain(self)
        if self.p_holm is None:
            del plain["p_holm"]
        return plain


@dataclass(frozen=True, slots=True)
class Agreement:
    """Films of one class by who reads them rightly, and McNemar's test on them alone.

    ``p_holm`` is p adjusted for the number of pairs and classes; both are NaN in files of 0.1.0.
    """

    both: int
    first_only: int
    second_only: int
    neither: int
    p: float = math.nan
    p_holm: float = math.nan
    method: str = ""


@dataclass(frozen=True, slots=True)
class ComparedDecisions(Discordance):
    """The decisions of two runs, for each class, and p adjusted for the number of pairs."""

    by_class: Mapping[str, Agreement]
    p_holm: float

    @classmethod
    def of(
        cls, found: Discordance, by_class: Mapping[str, Agreement], p_holm: float
    ) -> ComparedDecisions:
        """``found`` with what else is told of it."""
        return cls(**asdict(found), by_class=by_class, p_holm=p_holm)


@dataclass(frozen=True, slots=True)
class ComparedPair:
    """Two runs by their letters; differences, by metric, are second − first."""

    first: str
    second: str
    differences: Mapping[str, ComparedDifference]
    decisions: ComparedDecisions
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and sample standard deviation (n - 1) over runs; NaN where one run has no value, for
    over the others they would not be those of the recipe."""

    mean: float
    sd: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Over all of ``values`` or none."""
        known = bool(values) and all(map(math.isfinite, values))
        sd = stdev(values) if known and len(values) > 1 else math.nan
        return cls(mean(values) if known else math.nan, sd)


@dataclass(frozen=True, slots=True)
class SeedGroup:
    """Runs of one recipe under several seeds, and their metrics."""

    recipe: str | None
    runs: tuple[str, ...]
    seeds: tuple[int | None, ...]
    metrics: Mapping[str, Spread]


@dataclass(frozen=True, slots=True)
class RecipePair:
    """Two recipes by their places among the groups; ``differences``, by metric, are of the means
    over seeds, second − first, and hold the luck of seeds and of films."""

    first: int
    second: int
    differences: Mapping[str, ComparedDifference]
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class RecipeDifference:
    """A key of the recipes that is not the same in all runs; ``absent`` where a run lacks it."""

    key: str
    values: tuple[object, ...]
    absent: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What ``comparison.json`` holds; ``headline`` and the verdicts of pairs are in words."""

    name: str
    schema: int
    version: str
    created: str
    command: str
    split: str
    n: int
    positives: int
    patients: int | None
    level: float
    resamples: int
    seed: int
    runs: tuple[ComparedRun, ...]
    pairs: tuple[ComparedPair, ...]
    seeds: tuple[SeedGroup, ...]
    recipes: tuple[RecipePair, ...]
    recipe_differences: tuple[RecipeDifference, ...]
    notes: tuple[str, ...]
    headline: str = ""


def read_comparison(folder: Path) -> Comparison:
    """The comparison in a folder. Raises NotARun where its file is missing or damaged."""
    return read_record(Comparison, folder / "comparison.json", (SCHEMA,))
