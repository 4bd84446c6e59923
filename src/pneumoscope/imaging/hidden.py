"""Films with a part of them hidden: what would a model that looks elsewhere still see?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pneumoscope.imaging.thumbnails import cell_means
from pneumoscope.records import Grey

VARIANTS = ("border", "centre", "thumbnail")
"""What is left of the film: its outer tenth, all but that, or 8 by 8 means."""
_CELLS = 8
_MOST_MEAN = 1000
_BATCH = 64


def mean_film(images: Grey, rows: NDArray[np.int64]) -> Grey:
    """The mean, pixel by pixel, of up to 1,000 ``rows`` of ``images`` uint8 (N, S, S), at even
    distances: uint8 (S, S). It stands for what is hidden: what the model is used to see there,
    and the same on every film. ``rows`` should be training films, and at least one."""
    some = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _MOST_MEAN)).astype(int))]
    total = np.zeros(images.shape[1:])
    for start in range(0, len(some), _BATCH):
        total += np.asarray(images[some[start : start + _BATCH]]).sum(axis=0, dtype=np.float64)
    return np.asarray(np.rint(total / len(some)), np.uint8)


def border_mask(side: int) -> NDArray[np.bool_]:
    """Bool (side, side), true in the outer tenth: a ring of a tenth of the side, at least 1."""
    ring = max(round(side / 10), 1)
    mask = np.ones((side, side), np.bool_)
    mask[ring:-ring, ring:-ring] = False
    return mask


def altered(films: Grey, variant: str, fill: Grey) -> Grey:
    """``films`` uint8 (B, S, S) as one of ``VARIANTS`` leaves them, uint8 (B, S, S); ``fill``
    uint8 (S, S) stands where they are hidden."""
    side = films.shape[-1]
    if variant == "thumbnail":
        small, large = cell_means(_CELLS, side), _enlarging(side)
        coarse = small @ (films.astype(np.float32) @ small.T)
        return np.asarray(np.rint(large @ coarse @ large.T).clip(0, 255), np.uint8)
    border = border_mask(side)
    kept = border if variant == "border" else ~border
    return np.where(kept, films, fill)


def _enlarging(side: int) -> NDArray[np.float32]:
    """Weights (side, 8) of bilinear interpolation between the centres of 8 cells, as in
    ``torch.nn.functional.interpolate`` with ``align_corners=False``."""
    at = ((np.arange(side) + 0.5) * _CELLS / side - 0.5).clip(0, _CELLS - 1)
    weights = np.maximum(1 - np.abs(at[:, None] - np.arange(_CELLS)), 0)
    return np.asarray(weights, np.float32)
