"""Frontal films: which of some films are upright frontal chest films with air dark, by two
witnesses: the drawn reference of ``imaging.appearance`` and the training films of a model.

A film lies in another position (turned, inverted) where both witnesses prefer that one; it is no
chest where drawn chests find it clearly unlike, or unlike and the training films lie far. What the
drawn chests alone find a little odd is remarked (``doubtful``). Bounds were set on Kermany's
training films and phantoms as other sites might have made them, and on pictures made of these or of
other things: ``benchmarks/site_changes.py``. Without training films a little outside is enough.
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
from pneumoscope.imaging.known.positions import TURNS, distances, likeness
from pneumoscope.imaging.known.reference import Reference
from pneumoscope.imaging.thumbnails import Floats32, without_borders

Bools = NDArray[np.bool_]

LEAST_ALIKE, MOST_RESIDUAL = 0.5, 0.21
"""Likeness to a chest and residual of a whole film past which it is remarked: each leaves 0.3 % of
Kermany's 5,216 training films out."""

CLEARLY_UNLIKE, UNLIKE = 0.2, 0.4
"""Likeness less residual in the best framing: below the first the drawn reference suffices, below
the second the training films must bear it out. 99.7 % of films changed once lie above the first."""

DOUBTED = 1.3
"""How far from the training films bears it out, in units of the distance up to which films are like
them."""

NEARER = 0.05
"""By how much the square of its distance falls when a turned film is turned back, in squares of the
distance up to which films are like the training films."""

CLEARLY_TURNED = 0.3
"""Evidence of a turn that needs no training films: past what 99.5 % of training films reach by one
change."""

LEAST_FINE = 0.1
"""The part of the deviation finer than 16 by 16 cells: two thirds of the least among training films
and phantoms, for films of 28 px have less."""


@dataclass(frozen=True, slots=True)
class Frontal:
    """What N films are, each bool (N,). ``chest`` is of the film with its grey levels and turn
    righted; ``unlike`` and ``far`` are of the training films, false without these; ``doubtful``
    is a film that drawn chests find odd or turned, whether or not that was enough."""

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
    if reference is None or not reference.knows():
        return _by_drawn(bare)
    alike, distant = likeness(bare), distances(stored, reference)
    evidence = turn_evidence(unit_films(bare))
    position = _position(alike, distant, evidence)
    best, away = (part[position, np.arange(len(bare))] for part in (alike, distant))
    # What is withheld as turned anyhow is called so only where it is like a chest then.
    borne_out = (away > DOUBTED) | (position > 0)
    odd = (best < CLEARLY_UNLIKE) | ((best < UNLIKE) & borne_out)
    return Frontal(
        chest=~odd & (fineness(bare) >= LEAST_FINE),
        inverted=position >= TURNS,
        turned=position % TURNS != 0,
        doubtful=_odd(unit_films(bare)) | (evidence.max(axis=1) > TURNED),
        unlike=distant[0] > 1,
        far=distant[0] > reference.bounds[1] / reference.bounds[0],
    )


def _by_drawn(bare: NDArray[np.uint8]) -> Frontal:
    """By the drawn reference alone."""
    inverted, films = right_grey(unit_films(bare))
    evidence = turn_evidence(films)
    turned = turns(evidence, TURNED)
    odd = _odd(turn_back(films, turned))
    chest = ~odd & (fineness(bare) >= LEAST_FINE)
    none = np.zeros(len(bare), np.bool_)
    return Frontal(chest, inverted, turned != 0, odd | (turned != 0), none, none)


def _odd(films: Floats32) -> Bools:
    alike, residual = chest_likeness(films)
    return (alike < LEAST_ALIKE) | (residual > MOST_RESIDUAL)


def _position(alike: Floats32, distant: Floats32, evidence: Floats32) -> NDArray[np.int64]:
    """The position in which each film lies, int64 (N,), 0 where it is upright with air dark: the
    one nearest to the training films, of those in which it is more like a chest than as it is and
    nearer to them, or of which the drawn ``evidence`` (N, 3) of a turn is clear."""
    clear = np.zeros_like(alike, np.bool_)
    clear[1:TURNS] = evidence.T > CLEARLY_TURNED
    nearer = distant**2 < distant[0] ** 2 - NEARER
    believed = (alike > alike[0]) & (nearer | clear)
    position: NDArray[np.int64] = np.where(believed, distant, np.inf).argmin(axis=0)
    return position
