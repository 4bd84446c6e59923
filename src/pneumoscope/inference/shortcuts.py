"""Shortcut check: test films with a part of them hidden. What does the model still know?

A model that tells pneumonia from the border alone, where little lung is, or from a thumbnail, in
which no consolidation has a shape, has learnt how films were made.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pneumoscope.imaging.hidden import VARIANTS, altered
from pneumoscope.inference.model import Engine, film_batches
from pneumoscope.listener import Advance
from pneumoscope.metrics.scores import Floats
from pneumoscope.records import Grey


def shortcut_logits(
    predictor: Engine,
    images: Grey,
    rows: NDArray[np.int64],
    fill: Grey,
    *,
    advance: Advance | None = None,
) -> dict[str, Floats]:
    """Logits of each of ``VARIANTS``, float64 (n,), for ``rows`` of ``images`` uint8 (N, S, S).
    ``fill`` is ``mean_film`` of training rows."""
    found = {variant: np.empty(len(rows)) for variant in VARIANTS}
    for part, films in film_batches(images, rows, advance):
        for variant, logits in found.items():
            logits[part] = predictor.batch(altered(films, variant, fill))
    return found
