"""Frontal films: which of some films are upright frontal chest films with air dark, by three
witnesses: the drawn reference of ``imaging.appearance``, the training films of a model, and the
``contours`` of the film.

Where there are training films, contours say whether it is a chest, and nothing else withholds a
film whose contours leave no doubt: other signs tell of another site then. Bounds were set on
Kermany's training films and phantoms as other sites might have made them, and on pictures made of
these or of other things: ``benchmarks/site_changes.py``. Without training films the drawn reference
alone decides, and a little outside its bounds is enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pneumoscope.imaging.appearance import (
    TURNED,
    chest_likeness,
    fineness,
    right_grey,
    turn_back,
    turn_evidence,
    turns,
    unit_films,
)
from pneumoscope.imaging.known.contours import contour_likeness
from pneumoscope.imaging.known.reference import Reference, coarse_cells
from pneumoscope.imaging.thumbnails import Floats32, without_borders

Bools = NDArray[np.bool_]

LEAST_ALIKE, MOST_RESIDUAL = 0.5, 0.21
"""Likeness to a chest and residual: each leaves 0.3 % of Kermany's 5,216 training films out."""

LEAST_CONTOUR, SURE_CONTOUR = -2.5, 3.3
"""Log odds of contours below which a film is no chest, and from which it is one, whatever drawn
chests and training films say of its turn and distance. Of films changed three times at once 99.5 %
and more lie above the first."""

CLEARLY_TURNED = 0.3
"""Where the drawn reference suffices: past what 99.5 % of training films reach by one change."""

LEAST_FINE = 0.1
"""The part of the deviation finer than 16 by 16 cells: two thirds of the least among training films
and phantoms, for films of 28 px have less."""

LEANS = 0.05
"""Evidence of a turn, by the drawn reference, that is believed where the film turned back lies
nearer to the training films by ``NEARER``."""

DOUBTED = 1.2
"""How far a film that seems turned must lie from the training films, in units of the distance up to
which films are like them. With 1.0 four of 16 changes had .6 to 1.1 % of films withheld."""

NEARER = 0.05
"""By how much the square of its distance falls when a turned film is turned back, in squares of the
distance up to which films are like the training films."""


@dataclass(frozen=True, slots=True)
class Frontal:
    """What N films are, each bool (N,). ``chest`` is of the film with its grey levels and turn
    righted; ``unlike`` and ``far`` are of the training films, false without these; ``doubtful``
    is a film that drawn chests find odd or turned, whether or not that was enough, or whose
    contours are more unlike a chest's than like them."""

    chest: Bools
    inverted: Bools
    turned: Bools
    doubtful: Bools
    unlike: Bools
    far: Bools


def judge(
    thumbs: NDArray[np.uint8], reference: Reference | None, stored: NDArray[np.uint8]
) -> Frontal:
    """Of films as thumbnails (N, 32, 32), squashed whole: ``thumbs``, for the drawn reference; and
    as the model takes them, by its fit, as its training films were: ``stored``."""
    bare = without_borders(thumbs)
    inverted, films = right_grey(unit_films(bare))
    evidence = turn_evidence(films)
    distant = None
    if reference is not None and reference.knows():
        distant = _distances(stored, reference)
    turned = _turned(evidence, distant)
    alike, residual = chest_likeness(turn_back(films, turned))
    odd = (alike < LEAST_ALIKE) | (residual > MOST_RESIDUAL)
    doubtful = odd | (evidence.max(axis=1) > TURNED)
    unlike = far = np.zeros(len(thumbs), np.bool_)
    if distant is not None and reference is not None:
        upright = contour_likeness(bare)
        unsure = upright < SURE_CONTOUR
        inverted, turned = inverted & unsure, np.where(unsure, turned, 0)
        odd = _righted_likeness(bare, inverted, turned, upright) < LEAST_CONTOUR
        doubtful |= upright < 0
        unlike = distant[:, 0] > 1
        far = (upright < 0) & (distant[:, 0] > reference.bounds[1] / reference.bounds[0])
    chest = ~odd & (fineness(bare) >= LEAST_FINE)
    return Frontal(chest, inverted, turned != 0, doubtful, unlike, far)


def _righted_likeness(
    thumbs: NDArray[np.uint8], inverted: Bools, turned: NDArray[np.int64], upright: Floats32
) -> Floats32:
    """Likeness of contours of films put right, where ``upright`` is theirs as they lie."""
    found = upright.copy()
    rows = np.flatnonzero(inverted | (turned != 0))
    grey = np.where(inverted[rows, None, None], 255 - thumbs[rows], thumbs[rows])
    found[rows] = contour_likeness(turn_back(grey, turned[rows]))
    return found


def _turned(evidence: Floats32, distant: Floats32 | None) -> NDArray[np.int64]:
    """Quarter turns of films by the drawn evidence (N, 3), and the distances that ``_distances``
    gives, where there are any."""
    if distant is None:
        return turns(evidence, TURNED)
    nearer = distant[:, 1:] ** 2 < distant[:, :1] ** 2 - NEARER
    distant_too = (evidence > TURNED) & (distant[:, :1] > DOUBTED)
    believed = (evidence > CLEARLY_TURNED) | distant_too | ((evidence > LEANS) & nearer)
    return turns(np.where(believed, evidence, 0), 0.0)


def _distances(thumbs: NDArray[np.uint8], reference: Reference) -> Floats32:
    """Distances, float32 (N, 4), of films as they are and turned back by 1, 2 and 3 quarters, in
    units of that up to which films are like the training films; with or without border, whichever
    lies nearer."""
    found = [
        [reference.distances(np.rot90(cells, -quarters, (1, 2))) for quarters in range(4)]
        for cells in map(coarse_cells, (thumbs, without_borders(thumbs)))
    ]
    nearest: Floats32 = np.min(found, axis=0).T / reference.bounds[0]
    return nearest
