"""Shared films: which films of one set lie in another, of which only the codes of a reference are
at hand.

The other edition may be cropped: PneumoniaMNIST keeps the middle square of a film of which others
squash the whole. So films are held against windows of the reference's blurs, and windows of films
against whole blurs, by the cosines that both show. Measured, PneumoniaMNIST's 624 test films in the
reference of 5,856 Kaggle films: 555 found, all in its test split; of its 3,882 training films
3,867, all in other splits. Of strangers none (800 training films against those of other patients,
whole, at 28 px and mirrored; test films against the others; phantoms): the most alike reach .92.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pneumoscope.imaging.appearance import FLAT
from pneumoscope.imaging.known.reference import WAVES, Reference, blurred
from pneumoscope.imaging.thumbnails import (
    SIDE,
    Crop,
    Floats32,
    batches,
    cell_means,
    cosines,
    spreads,
)
from pneumoscope.records import SPLITS

NO_SPLIT = "none"

SHARED = 0.93
"""Cosine of the codes from which two films are one."""

_HALF_WAVES = 9
"""The finest cosine that is compared; finer ones differ between editions."""

_SEEN = 0.85
"""Of the half-waves that a window of a blur can hold, those that are true in it."""

_SOME = 1000
"""Films that are looked for in every window; more only in windows in which some of these were."""

_PARTS = tuple(round(0.4 + 0.05 * step, 2) for step in range(12))
_CROPS = (*(Crop(wide=part) for part in _PARTS), *(Crop(high=part) for part in _PARTS))
_VIEWS = (
    (Crop(), Crop()),
    *((Crop(), crop) for crop in _CROPS),
    *((crop, Crop()) for crop in _CROPS),
)
"""Windows of (the film, the reference's): one is whole, the other cut in one direction."""


def find_shared(films: NDArray[np.uint8], reference: Reference) -> NDArray[np.int64]:
    """For each of ``films`` (N, S, S) the row of the reference's film that it is, int64 (N,), -1
    where it is none of them, or shows nothing."""
    found = np.full(len(films), -1, np.int64)
    rows = np.flatnonzero(spreads(films) >= FLAT)
    if not len(rows) or not len(reference):
        return found
    some = rows[:: max(1, -(-len(rows) // _SOME))]
    found[some], views = _search(films[some], reference, range(len(_VIEWS)))
    rest = np.setdiff1d(rows, some)
    hopeful = {0, *views[found[some] >= 0].tolist()}
    for part in batches(len(rest)):
        found[rest[part]], _ = _search(films[rest[part]], reference, sorted(hopeful))
    return found


def splits_shared(films: NDArray[np.uint8], references: Sequence[Reference]) -> NDArray[np.object_]:
    """In which split of the models' own sets each of ``films`` lies, object (N,): train, val, test
    or ``none``; of several models the first of these. None for films that are not found."""
    names = np.array([*SPLITS, NO_SPLIT, None], dtype=object)
    found = np.full(len(films), len(SPLITS) + 1)
    left = list(references)
    while left:
        same = [each for each in left if np.array_equal(each.codes, left[0].codes)]
        rows = find_shared(films, left[0])
        here = rows >= 0
        for each in same:  # folds: one set, other splits
            places = np.minimum(each.splits[rows[here]], len(SPLITS))
            found[here] = np.minimum(found[here], places)
        left = [each for each in left if not any(each is one for one in same)]
    named: NDArray[np.object_] = names[found]
    return named


def _search(
    films: NDArray[np.uint8], reference: Reference, views: Iterable[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The row of each film's best match, -1 where it has none, and the view it was seen in."""
    best = np.full(len(films), -1.0, np.float32)
    match, seen = np.full(len(films), -1, np.int64), np.zeros(len(films), np.int64)
    blurs = blurred(films)
    for other, windows in _by_window(views):
        white = _Whitening(reference, other)
        codes = {view: white.codes(_through(window, blurs)) for view, window in windows}
        for part in batches(len(reference)):
            known = white.codes(_through(other, reference.waves(part))).T
            for view, own in codes.items():
                cosine = own @ known
                top = cosine.argmax(axis=1)
                value = cosine[np.arange(len(films)), top]
                better = value > best
                best[better], match[better] = value[better], top[better] + part.start
                seen[better] = view
    match[best < SHARED] = -1
    return match, seen


def _by_window(views: Iterable[int]) -> Iterator[tuple[Crop, list[tuple[int, Crop]]]]:
    """The views by their window of the reference, of which the codes are then made once: half of
    the views see it whole."""
    windows: dict[Crop, list[tuple[int, Crop]]] = {}
    for view in views:
        window, other = _VIEWS[view]
        windows.setdefault(other, []).append((view, window))
    yield from windows.items()


class _Whitening:
    """The cosines that a window of the reference's blurs shows truly, each divided by how much it
    varies among them."""

    def __init__(self, reference: Reference, window: Crop) -> None:
        waves = np.arange(WAVES)
        down, right = (
            (WAVES - 1) * _SEEN * part if part < 1 else WAVES for part in (window.high, window.wide)
        )
        finest = np.hypot(waves[:, None], waves)
        self._kept = (finest > 0) & (finest <= _HALF_WAVES)
        self._kept &= (waves[:, None] <= down) & (waves <= right)
        some = reference.waves(slice(None, None, max(1, len(reference) // 5000)))
        seen = _through(window, some)[:, self._kept]
        self._mean, self._scale = seen.mean(axis=0), seen.std(axis=0) + np.float32(1e-3)

    def codes(self, waves: Floats32) -> Floats32:
        """Unit vectors, float32 (N, D), of cosines (N, 12, 12)."""
        codes: Floats32 = (waves[:, self._kept] - self._mean) / self._scale
        codes /= np.linalg.norm(codes, axis=1, keepdims=True) + np.float32(1e-6)
        return codes


def _through(window: Crop, waves: Floats32) -> Floats32:
    """The cosines, float32 (N, 12, 12), of a window of the blurs that ``waves`` stand for."""
    if window == Crop():
        return waves
    down, right = _cut(window.high), _cut(window.wide)
    seen: Floats32 = down @ (waves @ right.T)
    return seen


@lru_cache(maxsize=64)
def _cut(part: float) -> Floats32:
    """From cosines along a whole side to those along its middle ``part``, float32 (12, 12)."""
    basis = cosines(SIDE)[:WAVES]
    middle = cell_means(SIDE, SIDE, round(0.5 - part / 2, 4), round(0.5 + part / 2, 4))
    cut: Floats32 = basis @ (middle @ basis.T)
    return cut
