"""Contours of a film: whether its edges run as those of an upright frontal chest film, air dark.

A blur with a bright middle is as like a chest as many a film, and lies nearer to the mean of
training films than they do, for nothing fine is in it to differ by. So the edges are asked by
themselves, whatever the greys: how much of a film's contrast rises in which direction in which
part of it (a histogram of oriented gradients), weighed by a logistic regression. It was learnt from
films as other sites might have made them, phantoms and drawn pictures of other things, and is kept
as numbers alone (``contours.npz``, written by ``benchmarks/contours.py``).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pneumoscope.imaging.thumbnails import Floats32, cell_means

PARTS, DIRECTIONS = 4, 8

_WEIGHTS = Path(__file__).with_name("contours.npz")


def contour_likeness(thumbs: NDArray[np.uint8]) -> Floats32:
    """Log odds, float32 (N,), that thumbnails (N, 32, 32) are upright chest films with air dark:
    above 0 where they are more like these than like anything else."""
    weights, intercept = _weights()
    odds: Floats32 = contours(thumbs) @ weights + intercept
    return odds


def contours(thumbs: NDArray[np.uint8]) -> Floats32:
    """The root of each direction's share in the contrast of each part of thumbnails (N, 32, 32),
    float32 (N, 128): 8 directions in which they brighten, in 4 by 4 parts."""
    films = thumbs.astype(np.float32)
    down = films[:, 2:, 1:-1] - films[:, :-2, 1:-1]
    across = films[:, 1:-1, 2:] - films[:, 1:-1, :-2]
    rise = np.hypot(across, down)
    course = np.arctan2(down, across) * np.float32(DIRECTIONS / (2 * np.pi))
    part, half = cell_means(PARTS, rise.shape[-1]), DIRECTIONS // 2
    shares = np.empty((len(films), DIRECTIONS, PARTS, PARTS), np.float32)
    for direction in range(-half, half):
        # The course goes from -4 to 4, which are one direction.
        off = half - np.abs(course) if direction == -half else np.abs(course - direction)
        shares[:, direction] = part @ (rise * np.maximum(1 - off, 0)) @ part.T
    whole = np.maximum(shares.sum(axis=(1, 2, 3), keepdims=True), 1e-3)
    found: Floats32 = np.sqrt(shares / whole).reshape(len(films), DIRECTIONS * PARTS**2)
    return found


@cache
def _weights() -> tuple[Floats32, np.float32]:
    with np.load(_WEIGHTS, allow_pickle=False) as kept:
        return kept["weights"], np.float32(kept["intercept"])
