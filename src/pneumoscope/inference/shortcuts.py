"""Test films with a part of them hidden: what does the model still know?

A model that tells pneumonia from the border alone, where little lung is, or from a thumbnail, in
which no consolidation has a shape, has learnt how films were made.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pneumoscope.imaging.hidden import VARIANTS, altered
from pneumoscope.inference.predict import BATCH, Advance, batch_logits
from pneumoscope.models.bundle import Bundle
from pneumoscope.records import Grey


def shortcut_logits(
    bundle: Bundle,
    images: Grey,
    rows: NDArray[np.int64],
    fill: Grey,
    *,
    device: str = "cpu",
    advance: Advance | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Logits of each of ``VARIANTS``, float64 (n,), for ``rows`` of ``images`` uint8 (N, S, S).
    ``fill`` is ``mean_film`` of training rows."""
    network = bundle.network.to(device)
    found = {variant: np.empty(len(rows)) for variant in VARIANTS}
    for start in range(0, len(rows), BATCH):
        films = np.asarray(images[rows[start : start + BATCH]])
        for variant, logits in found.items():
            hidden = altered(films, variant, fill)
            logits[start : start + len(films)] = batch_logits(bundle, hidden, device)
        if advance:
            advance(start + len(films), len(rows))
    network.to("cpu")
    return found
