"""Certificate of an export: it is held against the run, film by film, before it is written.

The run answers in torch and float32, the export in ONNX Runtime. Exporters have been wrong in
silence (pytorch 166797, 169178), so none is trusted: what differs is not written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pneumoscope.errors import NotExportable
from pneumoscope.formatting import plural
from pneumoscope.imaging.geometry import fit_square
from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.inference.exported import EACH, GraphEngine
from pneumoscope.inference.model import Engine
from pneumoscope.metrics.scores import Floats, probability
from pneumoscope.readings import OperatingPoint
from pneumoscope.records import Grey, InputSpec

TOLERANCE = 1e-4
"""The largest difference of a logit: ten times what rounding makes of ``default``'s network, and a
hundredth of what bf16 makes of it."""

PHANTOMS = 100
BATCHES = (1, 7, 64)
_WORLD = 20_181
_LEAST = 64


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison: ``model`` says of which (model, mean, or a member by its name), ``films``
    phantoms or validation, ``sha256`` is of their pixels as the model takes them. ``decisions``
    counts the films that some operating point called otherwise."""

    model: str
    films: str
    count: int
    batches: tuple[int, ...]
    largest_difference: float
    decisions: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A model that is compared: what it is called, the run's engine, which of the graph's outputs
    is its logit (None: of ``OUTPUT``, else a column of ``EACH``), and where it decides."""

    name: str
    run: Engine
    column: int | None
    points: Sequence[OperatingPoint]


def phantoms(spec: InputSpec) -> Grey:
    """Drawn films as the model takes them, uint8 (100, S, S), always the same."""
    size = max(_LEAST, spec.stored)
    drawn = (draw_phantom(_WORLD, i, label=i % 2, size=size).image for i in range(PHANTOMS))
    return np.stack([fit_square(film, spec) for film in drawn])


def compare(
    asked: Asked,
    graph: GraphEngine,
    films: str,
    images: Grey,
    rows: NDArray[np.int64] | None = None,
) -> Check:
    """Hold ``graph`` against the run on ``rows`` of ``images`` uint8 (N, S, S), all unless told.
    Raises NotExportable where they differ."""
    rows = np.arange(len(images)) if rows is None else rows
    theirs = asked.run.logits(images, rows)
    sizes = BATCHES if films == "phantoms" else BATCHES[-1:]
    found = [_answers(asked, graph, images[rows], size) for size in sizes]
    # A NaN is no agreement.
    apart = max(float(np.nan_to_num(np.abs(mine - theirs), nan=np.inf).max()) for mine in found)
    changed = max(_changed(mine, theirs, asked.points) for mine in found)
    check = Check(asked.name, films, len(rows), sizes, apart, changed, _digest(images[rows]))
    if not apart <= TOLERANCE or changed:
        raise NotExportable(
            f"the exported file in {graph.runtime} answers otherwise than the run",
            got=f"on {plural(len(rows), 'film')} ({films}, {asked.name}) logits differ by up to "
            f"{apart:.2g}, and {changed:,} are called otherwise",
            expected=f"no more than {TOLERANCE:g}, and none",
            remedy=f"nothing is written; {graph.instead}",
        )
    return check


def _answers(asked: Asked, graph: GraphEngine, films: Grey, size: int) -> Floats:
    parts = [films[start : start + size] for start in range(0, len(films), size)]
    if asked.column is None:
        return np.concatenate([graph.run(part) for part in parts])
    return np.concatenate([graph.run(part, EACH)[:, asked.column] for part in parts])


def _changed(mine: Floats, theirs: Floats, points: Sequence[OperatingPoint]) -> int:
    """Films that are called otherwise at some operating point."""
    thresholds = np.array([point.threshold for point in points])
    calls = [probability(logits)[:, None] >= thresholds for logits in (mine, theirs)]
    return int((calls[0] != calls[1]).any(axis=1).sum())


def _digest(films: Grey) -> str:
    return hashlib.sha256(films.tobytes()).hexdigest()
