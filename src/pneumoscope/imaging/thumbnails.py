"""Small versions of all films, made in one pass over the memory map.

Every check of the audit works on these: N films cost N kilobytes, whatever their stored size.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats32 = NDArray[np.float32]

SIDE = 32

LOOK = 48
"""Side in pixels at which fine structure is compared."""


def thumbnails(images: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.uint8]:
    """Uint8 (N, S, S) to uint8 (N, side, side): the mean over each cell, rounded.

    Cells are exact: the mean over four cells of side 32 is the cell of side 16. A film smaller
    than ``side`` is taken as constant over each of its pixels.
    """
    small = np.empty((len(images), side, side), np.uint8)
    weights = cell_means(side, images.shape[-1])
    for part in batches(len(images), 256):
        small[part] = np.rint(weights @ (images[part].astype(np.float32) @ weights.T))
    return small


def look_of(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Uint8 (H, W) to uint8 (48, 48): the mean over each cell, near enough to find copies by.

    Large films are first reduced by whole numbers, which takes a fifth of the time.
    """
    film = Image.fromarray(image)
    return np.asarray(film.resize((LOOK, LOOK), Image.Resampling.BOX, reducing_gap=1.0))


def spreads(thumbs: NDArray[np.uint8]) -> Floats32:
    """The standard deviation of each film's grey levels, float32 (N,)."""
    found = np.empty(len(thumbs), np.float32)
    for part in batches(len(thumbs)):
        found[part] = thumbs[part].std(axis=(1, 2), dtype=np.float32)
    return found


def batches(count: int, size: int = 4096) -> Iterator[slice]:
    """Slices of at most ``size`` that cover ``count`` rows: floats are held of one at a time."""
    return (slice(start, start + size) for start in range(0, count, size))


@lru_cache(maxsize=256)
def cell_means(cells: int, pixels: int, low: float = 0.0, high: float = 1.0) -> Floats32:
    """Weights (cells, pixels), rows summing to 1, that average the part low–high into cells."""
    edges = np.linspace(low * pixels, high * pixels, cells + 1)
    starts = np.arange(pixels)
    overlap = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    overlap = np.clip(overlap, 0.0, None)
    weights: Floats32 = (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32)
    weights.flags.writeable = False
    return weights


@lru_cache(maxsize=8)
def cosines(side: int) -> Floats32:
    """The orthonormal DCT-II (side, side): row k is the cosine of k half-waves."""
    at = (np.arange(side) + 0.5) / side
    rows = np.cos(np.pi * np.outer(np.arange(side), at)) * np.sqrt(2 / side)
    rows[0] /= np.sqrt(2)
    basis: Floats32 = rows.astype(np.float32)
    basis.flags.writeable = False
    return basis
