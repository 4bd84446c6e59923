"""Is it the same film? A short code to search all pairs, and a look at the pixels to be sure.

Chest films all look alike: plain correlation of thumbnails puts strangers at .99. Two steps tell
copies from strangers. Codes are perceptual hashes in real numbers: coarse cosines, each divided by
how much it varies, so that what all chests share counts for nothing; ``close_pairs`` compares all
pairs. ``likeness`` then correlates the fine structure (ribs, vessels) under small shifts and
scales.

Measured on 5,856 Kermany films of 224 px. Of 300 films, copies saved as JPEG of quality 30–95,
resized by a third to twice, cropped by 1 or 2 % a side, turned by 1 degree, or changed in
brightness, contrast (.8–1.25) or gamma (.7–1.4): 99.7–100 % found. Cropped by 4 %: 17 %, and
histogram equalisation: 63 %, so what is not found is not proof of absence. The most alike of all
pairs that are not equal reach .930 (another exposure of one child, by the look of it), then .882.
JPEG of quality 95 and twice the size were measured at 112 px, with the looks of version 0.1.0.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope.imaging.thumbnails import LOOK, Floats32, batches, cell_means, cosines

RowIndices = NDArray[np.int64]

CLOSE = 0.85
"""Cosine of two codes above which a pair is looked at: 112 of 17 million pairs of strangers."""

CLOSE_UNWHITENED = 0.92
"""The same for codes that were not whitened by their own set."""

COPY = 0.95
"""Likeness above which a pair is one film."""

ENOUGH_TO_WHITEN = 500
"""Sets smaller than this lend no trustworthy variances."""

_COARSE = 10
_ENOUGH = 5000
"""Films that variances are taken from, about."""

_BLOCK = 1024
_PAIRS = 64 * LOOK * LOOK
"""Pixels of a batch of pairs: what it needs stays in the processor's cache."""

_SHIFTS = (0.0, -0.03, -0.015, 0.015, 0.03)
_COARSE_MOVES = tuple(product((0.0, -0.04, 0.04), _SHIFTS, _SHIFTS))
_FINE_MOVES = tuple(product((-0.02, 0.0, 0.02), (-0.0075, 0.0, 0.0075), (-0.0075, 0.0, 0.0075)))
"""Changes of scale, shift down and shift right, in parts of the side."""

_FINE_GAIN = 0.06
"""What the fine search adds at most; to copies it added .055."""


class Whitening:
    """Mean and deviation of each coarse cosine, by which codes are made comparable.

    From ``coarse`` cosines (N, D) when they are many; else every cosine is raised by its frequency
    to the power 1.5, at which chest films are about white.
    """

    def __init__(self, coarse: Floats32) -> None:
        self._mean, self._scale = np.float32(0), _frequencies()[_kept()] ** -1.5
        self.close = CLOSE_UNWHITENED
        if len(coarse) >= ENOUGH_TO_WHITEN:
            some = coarse[:: max(1, len(coarse) // _ENOUGH)]
            self._mean, self._scale = some.mean(axis=0), some.std(axis=0) + 1e-3
            self.close = CLOSE

    def codes(self, coarse: Floats32) -> Floats32:
        """Unit vectors, float32 (N, D), of coarse cosines (N, D)."""
        codes = (coarse - self._mean) / self._scale
        codes /= np.linalg.norm(codes, axis=1, keepdims=True) + np.float32(1e-6)
        return codes


def coarse_cosines(thumbs: Floats32 | NDArray[np.uint8]) -> Floats32:
    """What codes are made of: the coarse cosines, float32 (N, D), of thumbnails (N, S, S)."""
    planes = _planes(thumbs.shape[-1])
    coarse = np.empty((len(thumbs), planes.shape[1]), np.float32)
    for part in batches(len(thumbs), 1024):
        flat = thumbs[part].reshape(-1, len(planes))
        coarse[part] = flat.astype(np.float32) @ planes
    return coarse


def blocks(count: int) -> list[tuple[int, int]]:
    """Blocks of the pairs of ``count`` films for ``close_pairs``, which together hold each pair
    once."""
    return [(i, j) for i in range(0, count, _BLOCK) for j in range(i, count, _BLOCK)]


def close_pairs(
    codes: Floats32, block: tuple[int, int], least: float
) -> tuple[RowIndices, RowIndices, Floats32]:
    """Pairs (row, later row, cosine) at ``least`` or above of a block of 1024 by 1024."""
    i, j = block
    cosine = codes[i : i + _BLOCK] @ codes[j : j + _BLOCK].T
    close = cosine >= least
    # Hardly a row has any: to look for rows first takes a third of the time.
    some = np.flatnonzero(close.any(axis=1))
    rows, columns = np.nonzero(close[some])
    rows = some[rows]
    if i == j:
        later = columns > rows
        rows, columns = rows[later], columns[later]
    return rows + i, columns + j, cosine[rows, columns]


def likeness(first: NDArray[Any], second: NDArray[Any], least: float = -1.0) -> Floats32:
    """How alike the fine structure of films is, float32 (P,), 1 for the same film.

    ``first`` and ``second`` are grey levels (P, S, S), pair by pair; each may have its own S.
    The best correlation over scales of 0.94–1.06 and shifts up to 4 % of the side. Pairs that
    cannot reach ``least`` have what a coarse search found.
    """
    side = min(LOOK, first.shape[-1], second.shape[-1])
    parts = batches(len(first), max(1, _PAIRS // side**2))
    best = [_best(_fine(first[part], side), _fine(second[part], side), least) for part in parts]
    return np.concatenate(best) if best else np.zeros(0, np.float32)


def _best(still: Floats32, moving: Floats32, least: float) -> Floats32:
    """The best correlation of each pair: a coarse search of moves, then a fine one around it."""
    count, side = still.shape[:2]
    still = _unit(_cut(still))
    best = np.full(count, -1.0, np.float32)
    move = np.zeros((count, 3))
    for step in _COARSE_MOVES:
        rows, columns = (_resample(side, 1 + step[0], shift) for shift in step[1:])
        alike = (still * _unit(_cut(rows @ (moving @ columns.T)))).sum(axis=1)
        better = alike > best
        best[better], move[better] = alike[better], step
    hope = np.flatnonzero(best >= least - _FINE_GAIN)
    still, moving, start = still[hope], moving[hope], move[hope]
    for step in _FINE_MOVES if len(hope) else ():
        scale, down, right = (start + step).T
        rows, columns = _resamples(side, 1 + scale, down), _resamples(side, 1 + scale, right)
        moved = (rows @ moving @ columns.transpose(0, 2, 1)).astype(np.float32, copy=False)
        best[hope] = np.maximum(best[hope], (still * _unit(_cut(moved))).sum(axis=1))
    return best


def _frequencies() -> Floats32:
    """How many half-waves each of the coarse cosines (10, 10) has, in any direction."""
    k = np.arange(_COARSE, dtype=np.float32)
    frequencies: Floats32 = np.hypot(k[:, None], k)
    return frequencies


def _kept() -> NDArray[np.bool_]:
    """Which of the coarse cosines (10, 10) are looked at: a mean level, and the finest, are not."""
    frequency = _frequencies()
    kept: NDArray[np.bool_] = (frequency > 0) & (frequency <= _COARSE - 1)
    return kept


@lru_cache(maxsize=4)
def _planes(side: int) -> Floats32:
    """The coarse cosines as pictures, (side · side, D): one product takes all of all films."""
    basis = cosines(side)[:_COARSE]
    planes: Floats32 = np.kron(basis, basis)[_kept().ravel()].T.copy()
    return planes


def _fine(films: NDArray[Any], side: int) -> Floats32:
    """Float32 (P, side, side): what is finer than ribs are wide, without the finest grain."""
    weights = cell_means(side, films.shape[-1])
    small = weights @ (films.astype(np.float32) @ weights.T)
    soft, wide = _blur(side, 0.6), _blur(side, side / 20)
    fine: Floats32 = soft @ small @ soft.T - wide @ small @ wide.T
    return fine


@lru_cache(maxsize=16)
def _blur(side: int, sigma: float) -> Floats32:
    at = np.arange(side, dtype=np.float32)
    weights = np.exp(-0.5 * ((at[:, None] - at) / sigma) ** 2)
    blur: Floats32 = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return blur


@lru_cache(maxsize=128)
def _resample(side: int, scale: float, shift: float) -> Floats32:
    one: Floats32 = _resamples(side, np.array([scale]), np.array([shift]))[0]
    return one


def _resamples(side: int, scale: NDArray[Any], shift: NDArray[Any]) -> Floats32:
    """Weights (P, side, side) of linear interpolation, scaled about the centre, then shifted.

    ``shift`` is in parts of the side.
    """
    centre = (side - 1) / 2
    at = (np.arange(side) - centre) * scale[:, None] + centre + shift[:, None] * side
    at = np.clip(at, 0, side - 1).astype(np.float32)
    weights: Floats32 = np.maximum(1 - np.abs(at[..., None] - np.arange(side, dtype=np.float32)), 0)
    return weights


def _cut(films: Floats32) -> Floats32:
    """Without the outer tenth, which a crop or a shift replaces."""
    edge = round(films.shape[-1] * 0.1)
    return films[:, edge:-edge, edge:-edge]


def _unit(films: Floats32) -> Floats32:
    """Films (P, …) as vectors (P, D) of mean 0 and length 1; a constant one as zeros."""
    flat = films.reshape(len(films), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    unit: Floats32 = flat / np.maximum(length, 1e-3)
    return unit.astype(np.float32, copy=False)
