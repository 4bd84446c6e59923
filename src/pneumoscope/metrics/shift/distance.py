"""Two-sample test: whether two sets of films come from one place, by what is measured of each.

The energy distance (Székely and Rizzo 2013) with a permutation test, which assumes nothing of how
the numbers are distributed; beside the p value, which any difference makes small where there are
many films, how well a film of one set is told from one of the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope.metrics.scores import auroc

LEAST = 30
"""Films of a set below which nothing is said of it."""
MOST = 400
"""Films of a set that are looked at: of more, so many are drawn."""
_PERMUTATIONS = 999
_SHOWN = 0.05
UNLIKE, VERY_UNLIKE = 0.70, 0.85
"""AUROC at which two sets are told apart well, and very well: the bounds of the audit."""


@dataclass(frozen=True, slots=True)
class SetDifference:
    """How far a set of films is from another, ``against``; ``films`` and ``others`` are how many
    were looked at. ``distance`` is the energy distance as a part of its largest value, 0–1,
    ``p`` of the permutation test, ``auroc`` how well the films of one are told from the others,
    .5 where they are not. The last three are None where ``films`` or ``others`` are too few."""

    against: str
    films: int
    others: int
    distance: float | None = None
    p: float | None = None
    auroc: float | None = None

    @property
    def verdict(self) -> str:
        """``too few to tell``, ``alike``, ``somewhat unlike``, ``unlike`` or ``very unlike``."""
        if self.p is None or self.auroc is None:
            return "too few to tell"
        if self.p >= _SHOWN:
            return "alike"
        grades = [
            word
            for bound, word in ((VERY_UNLIKE, "very unlike"), (UNLIKE, "unlike"))
            if self.auroc >= bound
        ]
        return grades[0] if grades else "somewhat unlike"

    @property
    def unlike(self) -> bool:
        """Whether the two sets are told apart well."""
        return self.verdict in ("unlike", "very unlike")


def set_difference(
    films: NDArray[Any], others: NDArray[Any], against: str, seed: int = 0
) -> SetDifference:
    """How far ``films`` (N, D) are from ``others`` (M, D), which are numbers of one scale; the
    same for the same seed. Each row counts as independent of the others."""
    draw = np.random.default_rng(seed)
    mine, theirs = _some(films, draw), _some(others, draw)
    found = SetDifference(against, len(mine), len(theirs))
    if min(len(mine), len(theirs)) < LEAST:
        return found
    both = np.concatenate([mine, theirs]).astype(np.float64)
    apart = _distances(both)
    here = np.arange(len(both)) < len(mine)
    shuffled = np.stack([draw.permutation(here) for _ in range(_PERMUTATIONS)], axis=1)
    energy, largest = _energy(apart, np.column_stack([here, shuffled]))
    reached = int((energy[1:] >= energy[0]).sum())
    return SetDifference(
        against,
        len(mine),
        len(theirs),
        distance=float(max(energy[0], 0.0) / largest[0]) if largest[0] else 0.0,
        p=(reached + 1) / (_PERMUTATIONS + 1),
        auroc=auroc(here.astype(np.int64), _nearer(apart, here)),
    )


def _some(rows: NDArray[Any], draw: np.random.Generator) -> NDArray[Any]:
    if len(rows) <= MOST:
        return rows
    return np.asarray(rows[np.sort(draw.choice(len(rows), MOST, replace=False))])


def _distances(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    squares = (rows**2).sum(axis=1)
    between = squares[:, None] + squares - 2 * rows @ rows.T
    apart: NDArray[np.float64] = np.sqrt(np.maximum(between, 0.0))
    np.fill_diagonal(apart, 0.0)
    return apart


def _energy(
    apart: NDArray[np.float64], groups: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Energy distance and twice the mean distance between the groups, float (P,), for each column
    of ``groups`` bool (N, P)."""
    one = groups.astype(np.float64)
    sums = apart @ one
    within = (one * sums).sum(axis=0)
    across = ((1 - one) * sums).sum(axis=0)
    rest = apart.sum() - within - 2 * across
    n = one.sum(axis=0)
    m = len(one) - n
    between = 2 * across / (n * m)
    return between - within / n**2 - rest / m**2, between


def _nearer(apart: NDArray[np.float64], here: NDArray[np.bool_]) -> NDArray[np.float64]:
    """For each row how much nearer it lies to the first group than to the second, float (N,),
    itself left out."""
    one = here.astype(np.float64)
    mine = apart @ one / np.maximum(one.sum() - one, 1)
    others = apart @ (1 - one) / np.maximum((1 - one).sum() - (1 - one), 1)
    nearer: NDArray[np.float64] = others - mine
    return nearer
