"""Readings of films, and what decides and judges them: operating points, limits, estimates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from pneumoscope.plain import to_plain
from pneumoscope.records import Grey, Split


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric and its interval. ``value`` is NaN where it is undefined (0/0)."""

    value: float
    low: float
    high: float
    level: float
    method: str
    n: int

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Estimate:
        """What ``to_json`` wrote; what is missing is unknown: NaN, 95 %, no method, no film."""
        value, low, high = (
            math.nan if found.get(key) is None else float(found[key])
            for key in ("value", "low", "high")
        )
        level, method = float(found.get("level") or 0.95), str(found.get("method") or "")
        return cls(value, low, high, level, method, int(found.get("n") or 0))


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A decision threshold and the split it was chosen on.

    A film is called pneumonia when ``probability >= threshold``.
    """

    name: str
    threshold: float
    rule: str
    chosen_on: Split | Literal["external"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """A temperature and the split it was chosen on: the calibrated logit is logit / temperature.

    Order and decisions stay as they are; only what a probability claims changes.
    """

    temperature: float
    chosen_on: Split


@dataclass(frozen=True, slots=True)
class Conformal:
    """Between which probabilities a reading is withheld, and the split that was found on.

    ``pneumonia_from`` is the lowest probability at which pneumonia is a plausible label,
    ``normal_to`` the highest at which normal is. Both are plausible between them, and the film is
    left to a person; where ``normal_to`` is the lower of the two there is no such film.
    ``positives`` and ``negatives`` count the films of ``chosen_on``.
    """

    miss_rate: float
    pneumonia_from: float
    normal_to: float
    positives: int
    negatives: int
    chosen_on: Split


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model says of one film: the one answer of command line, library and service.

    ``probability`` of pneumonia, 0–1, ``logit`` and the threshold of ``operating_point`` are on the
    model's ``scale``, as everywhere; they are None where the film could not be read, and ``error``
    then says why. ``decision`` is normal or pneumonia at ``operating_point``; None too where the
    model ``abstained`` or has no operating point; ``outcome`` tells these apart in a word.
    ``findings`` are codes of what is odd about the film. ``heatmap`` is uint8 (H, W) where one was
    asked for.
    """

    name: str
    probability: float | None = None
    logit: float | None = None
    decision: str | None = None
    operating_point: OperatingPoint | None = None
    abstained: bool = False
    findings: tuple[str, ...] = ()
    error: str | None = None
    heatmap: Grey | None = None
    scale: str | None = None

    @property
    def outcome(self) -> str:
        """``normal``, ``pneumonia``, ``withheld``, ``undecided`` (the model has no operating point)
        or ``not read``."""
        if self.error is not None:
            return "not read"
        return self.decision or ("withheld" if self.abstained else "undecided")

    def to_json(self) -> dict[str, Any]:
        """JSON-ready, without the heatmap."""
        named = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "heatmap"}
        point = self.operating_point
        return named | {
            "operating_point": to_plain(point) if point else None,
            "findings": list(self.findings),
        }
