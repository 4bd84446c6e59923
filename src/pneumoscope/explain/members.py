"""Mean heatmaps: of one model, or of several that answer together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pneumoscope.explain.cam import heatmaps
from pneumoscope.explain.heat import Heat, scaled
from pneumoscope.explain.stages import Stage
from pneumoscope.listener import Advance
from pneumoscope.models.bundle import Bundle
from pneumoscope.records import Grey


def mean_heat(
    bundles: Sequence[Bundle],
    films: Grey,
    method: str,
    *,
    stages: Sequence[Stage | None] | None = None,
    advance: Advance | None = None,
) -> Heat:
    """Heatmaps float32 (N, S, S), 0–1, of films uint8 (N, S, S): the mean of the bundles' maps,
    scaled to its own maximum; of a single bundle its maps as they are.

    ``stages`` are the layers that the bundles' maps look at, else ``cam.stage_for`` says.
    ``advance`` counts a film once for each bundle. Raises as ``cam.heatmaps``.
    """
    total = np.zeros(films.shape, np.float32)
    for number, bundle in enumerate(bundles):
        total += heatmaps(
            bundle.network,
            films,
            method,
            mirror=bundle.flip_average,
            stage=stages[number] if stages else None,
            advance=_within(number, len(bundles), advance),
        )
    return scaled(total)


def _within(number: int, count: int, advance: Advance | None) -> Advance | None:
    """What hears how far bundle ``number`` of ``count`` is, and tells how far they all are."""
    if advance is None:
        return None
    return lambda done, total: advance(number * total + done, count * total)
