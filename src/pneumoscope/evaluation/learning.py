"""Learning curve: figures by share of the training patients, the records of
``learning_curve.json``.

The fields are the keys of the file, in its order; undefined numbers are null there and NaN here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pneumoscope.evaluation.groups import OverSeeds, SeedRun
from pneumoscope.evaluation.results import SCHEMA
from pneumoscope.storage import read_record


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
class LearningCurve:
    """``learning_curve.json``: every point, recipe by recipe and from few patients to all; ``n``
    and ``positives`` count the judged films, which are the same for all."""

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

    def of(self, recipe: str) -> list[LearningPoint]:
        """The points of one recipe."""
        return [point for point in self.points if point.recipe == recipe]

    @property
    def recipes(self) -> tuple[str, ...]:
        """The recipes, each once, in their order."""
        return tuple(dict.fromkeys(point.recipe for point in self.points))


def read_learning(file: Path) -> LearningCurve:
    """``learning_curve.json``. Raises NotARun where it is missing or damaged."""
    return read_record(LearningCurve, file, (1, SCHEMA))
