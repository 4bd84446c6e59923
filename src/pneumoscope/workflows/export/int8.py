"""An export in int8: by which of the run's films it is fitted, and by which it is judged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.errors import NotExportable
from pneumoscope.evaluation.predictions import patients_of
from pneumoscope.export.quantise import CALIBRATED_ON, Int8, int8_words, judged, quantised
from pneumoscope.inference.exported import GraphEngine, OnnxEngine
from pneumoscope.listener import Listener
from pneumoscope.readings import OperatingPoint
from pneumoscope.workflows.export.films import OwnFilms


def check_quantisable(films: OwnFilms) -> None:
    """Refuse, before any work, what cannot be judged in int8. Raises NotExportable."""
    if films.sets is None:
        raise NotExportable(
            "int8 is fitted on the run's training films and judged on its validation films",
            got=films.why,
            remedy="say where they lie now: --data DATA; or leave --int8 out",
        )
    if len(films.sets) > 1:
        raise NotExportable(
            "int8 of the mean of several models cannot be judged",
            got=f"{len(films.sets)} models: what is validation to one trained another",
            remedy="export one of them, or leave --int8 out",
        )


def in_int8(
    graph: bytes, films: OwnFilms, points: Sequence[OperatingPoint], listener: Listener
) -> tuple[bytes, Int8]:
    """``graph`` in int8, and what that costs. Raises NotExportable where it is too much."""
    listener.stage("Quantise it")
    own = _own(films)
    small = quantised(graph, own.images[_fitted_on(own)])
    return small, cost_of(OnnxEngine(small, int8=True), graph, films, points, listener)


def cost_of(
    small: GraphEngine,
    graph: bytes,
    films: OwnFilms,
    points: Sequence[OperatingPoint],
    listener: Listener,
) -> Int8:
    """What ``small``, of int8, costs beside ``graph`` in ONNX Runtime. Raises NotExportable where
    it is too much."""
    own = _own(films)
    rows = own.rows("val")
    found = judged(
        own.labels(rows),
        (OnnxEngine(graph).logits(own.images, rows), small.logits(own.images, rows)),
        points[0].threshold,
        patients_of(own.table["patient_id"].iloc[rows]),
        len(_fitted_on(own)),
    )
    what = f"{found.films:,} films (validation, {small.runtime})"
    listener.choice("int8", what, int8_words(found))
    return found


def _own(films: OwnFilms) -> PreparedSet:
    assert films.sets is not None  # check_quantisable
    return films.sets[0]


def _fitted_on(own: PreparedSet) -> NDArray[np.int64]:
    """The training films by which ranges are fitted, of all of them evenly."""
    training = own.rows("train")
    some: NDArray[np.int64] = training[
        np.unique(np.linspace(0, len(training) - 1, CALIBRATED_ON).astype(int))
    ]
    return some
