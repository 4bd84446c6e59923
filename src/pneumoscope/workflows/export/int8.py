"""An export in int8: by which of the run's films it is fitted, and by which it is judged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pneumoscope.errors import NotExportable
from pneumoscope.evaluation.predictions import patients_of
from pneumoscope.export.quantise import CALIBRATED_ON, Int8, int8_words, judged, quantised
from pneumoscope.inference.exported import OnnxEngine
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
    assert films.sets is not None  # check_quantisable
    own = films.sets[0]
    training, rows = own.rows("train"), own.rows("val")
    some = training[np.unique(np.linspace(0, len(training) - 1, CALIBRATED_ON).astype(int))]
    small = quantised(graph, own.images[some])
    found = judged(
        own.labels(rows),
        (
            OnnxEngine(graph).logits(own.images, rows),
            OnnxEngine(small, int8=True).logits(own.images, rows),
        ),
        points[0].threshold,
        patients_of(own.table["patient_id"].iloc[rows]),
        len(some),
    )
    listener.choice("int8", f"{found.films:,} films (validation)", int8_words(found))
    return small, found
