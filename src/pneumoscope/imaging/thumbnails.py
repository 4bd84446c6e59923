"""Small versions of films: thumbnails of stored ones in one pass over the memory map, on which
every check of the audit works, and looks of whole films while they are read, to find copies by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumoscope.records import Film, Grey

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats32 = NDArray[np.float32]

SIDE = 32

LOOK = 48
"""Side in pixels at which fine structure is compared."""

_PLAIN = 2.0
_WIDEST = 0.25
"""Grey levels of deviation below which a row of a thumbnail is plain, and the part of a film's side
that is plain border at most."""

_COARSE = 128
"""Pixels of a side, at least, before its cells are averaged: more than two to a cell."""


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


def without_borders(thumbs: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Thumbnails (N, side, side) without plain rows and columns at their edges, stretched to the
    same size: shutters, bars and the plate's edge are not of the film."""
    edges = np.concatenate([_borders(thumbs), _borders(thumbs.transpose(0, 2, 1))], axis=1)
    side = thumbs.shape[-1]
    found = thumbs.copy()
    for row in np.flatnonzero(edges.any(axis=1)):
        top, bottom, left, right = (edges[row] / side).tolist()
        down, across = (
            cell_means(side, side, top, 1 - bottom),
            cell_means(side, side, left, 1 - right),
        )
        found[row] = np.rint(down @ (thumbs[row].astype(np.float32) @ across.T))
    return found


def _borders(thumbs: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Rows that are border at the top and the bottom of each film, int64 (N, 2)."""
    most = round(_WIDEST * thumbs.shape[-1])
    plain = thumbs.std(axis=2, dtype=np.float32) < _PLAIN
    wide = [np.cumprod(part[:, :most], axis=1).sum(axis=1) for part in (plain, plain[:, ::-1])]
    # One row more: the last is border and film in one.
    found: NDArray[np.int64] = np.stack([rows + (rows > 0) for rows in wide], axis=1)
    return found


def coarse_of(film: Film) -> Grey:
    """``film`` as uint8 (H, W) with sides of 128 to 256 px, or its own where those are smaller:
    means over blocks of native pixels, whatever a JPEG was reduced to while it was decoded."""
    drawn = max(1, round(film.height / film.pixels.shape[0]))
    down, right = (max(1, _block(size) // drawn) for size in (film.height, film.width))
    if down == right == 1:
        return film.pixels
    return np.asarray(Image.fromarray(film.pixels).reduce((right, down)))


def _block(size: int) -> int:
    """The side in native pixels of the blocks over which a film of ``size`` is averaged."""
    # A multiple of the 2, 4 or 8 that the decoder reduces by; blocks of 8 keep their means then.
    most = max(1, size // _COARSE)
    return most - most % 8 if most >= 8 else 1 << (most.bit_length() - 1)


def looks_of(films: Sequence[Grey]) -> NDArray[np.uint8]:
    """Looks, uint8 (N, 48, 48), of films as ``coarse_of`` gives them: the mean over each cell.

    Fast for many films of one size: what is done for each alone makes reading threads wait for
    each other.
    """
    looks = np.empty((len(films), LOOK, LOOK), np.uint8)
    done = 0
    for (height, width), same in groupby(films, key=np.shape):
        part = list(same)
        count = len(part)
        # Weights are whole numbers and every sum fits its type (255 · 256 in 16 bits, 255 · 256² in
        # float32), so all is exact, and no look depends on the films beside it.
        rows = _cells(height).astype(np.uint16) @ np.concatenate(part, axis=1, dtype=np.uint16)
        down = rows.reshape(LOOK * count, width).T.astype(np.float32, order="C")
        sums = (_cells(width) @ down).reshape(LOOK, LOOK, count)
        means = np.rint(sums / np.float32(height * width))
        looks[done : done + count] = means.transpose(2, 1, 0)
        done += count
    return looks


@lru_cache(maxsize=512)
def _cells(pixels: int) -> csr_array:
    """How many 48ths of each pixel lie in each cell, float32 (48, pixels); rows sum to
    ``pixels``."""
    # scipy takes longer to import than a film to be read, which needs no looks.
    from scipy.sparse import csr_array

    return csr_array(np.rint(cell_means(LOOK, pixels) * pixels))


def spreads(thumbs: NDArray[np.uint8]) -> Floats32:
    """The standard deviation of each film's grey levels, float32 (N,)."""
    found = np.empty(len(thumbs), np.float32)
    for part in batches(len(thumbs)):
        found[part] = thumbs[part].std(axis=(1, 2), dtype=np.float32)
    return found


@dataclass(frozen=True, slots=True)
class Crop:
    """The middle part of a film that is compared: ``wide`` and ``high`` in parts of it."""

    wide: float = 1.0
    high: float = 1.0

    def of(self, films: NDArray[Any], side: int) -> Floats32:
        """Films (N, S, S) cut to this window and averaged into float32 (N, side, side)."""
        rows, columns = (
            cell_means(side, films.shape[-1], round(0.5 - part / 2, 4), round(0.5 + part / 2, 4))
            for part in (self.high, self.wide)
        )
        cut: Floats32 = rows @ (films.astype(np.float32) @ columns.T)
        return cut


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
