"""Model that reads films: what is known of it, and the engine that computes its logits.

There are two engines: torch for a run (``predictor``), ONNX Runtime for an export (``exported``).
Everything else, from files to answers, is the same code for both and needs neither.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pneumoscope.imaging.known.reference import Reference
from pneumoscope.listener import Advance
from pneumoscope.manifest import Population
from pneumoscope.metrics.scores import Floats
from pneumoscope.readings import Conformal, OperatingPoint
from pneumoscope.records import Grey, InputSpec

# Sums in a matrix product depend on the size of the batch, so another size is another last digit.
BATCH = 64


class Engine(ABC):
    """Computes the logits of stored films, in fixed batches."""

    @abstractmethod
    def batch(self, films: Grey) -> Floats:
        """Logits, float64 (B,), of one batch uint8 (B, S, S)."""

    def logits(
        self, images: Grey, rows: NDArray[np.int64], *, advance: Advance | None = None
    ) -> Floats:
        """Logits of pneumonia, float64 (n,), for ``rows`` of ``images`` uint8 (N, S, S), air dark.

        Films are handled in fixed batches, so the same rows always give the same logits.
        """
        logits = np.empty(len(rows))
        for part, films in film_batches(images, rows, advance):
            logits[part] = self.batch(films)
        return logits


@dataclass(frozen=True, slots=True)
class Model:
    """A model, or the mean of several, that is ready to read: ``title`` says which, ``device``
    where it computes. ``scale`` names that of probabilities and thresholds, ``population`` whom
    it knows; ``notes`` are (what, choice, why) of what was settled on loading; ``reference`` is
    what it keeps of its training films, None where it keeps nothing."""

    engine: Engine
    title: str
    device: str
    spec: InputSpec
    operating_points: tuple[OperatingPoint, ...]
    conformal: Conformal | None
    scale: str
    population: Population
    notes: tuple[tuple[str, str, str], ...] = ()
    reference: Reference | None = None


def film_batches(
    images: Grey, rows: NDArray[np.int64], advance: Advance | None = None
) -> Iterator[tuple[slice, Grey]]:
    """``rows`` of ``images`` in batches of BATCH films, each with its part of the rows; ``advance``
    hears of a batch when the next one is asked for."""
    for start in range(0, len(rows), BATCH):
        films = np.asarray(images[rows[start : start + BATCH]])
        yield slice(start, start + len(films)), films
        if advance:
            advance(start + len(films), len(rows))
