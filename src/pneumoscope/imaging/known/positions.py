"""Positions in which a film can lie, turned and inverted: how much it looks like a chest in each,
and how far it lies from training films.

A position is a row of what is returned: 0 is the film as it is, 1 to 3 turned back by as many
quarters, 4 to 7 the same inverted. Chests are looked for in several framings of a film, for what
lies around them (arms, neck, belly, shutters that are no plain border) differs between sites.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pneumoscope.imaging.appearance import CELLS, drawn_chests, to_unit
from pneumoscope.imaging.known.reference import Reference, coarse_cells
from pneumoscope.imaging.thumbnails import Floats32, cell_means, without_borders

TURNS = 4
POSITIONS = 2 * TURNS

_Part = tuple[float, float, float, float]
_FRAMINGS: tuple[_Part, ...] = (
    (0, 1, 0, 1),
    (0, 1, 0.1, 0.9),
    (0, 0.8, 0, 1),
    (0.2, 1, 0, 1),
    (0.1, 0.9, 0.1, 0.9),
)
"""Top, bottom, left and right of the parts of a film in which a chest is looked for."""


def likeness(thumbs: NDArray[np.uint8]) -> Floats32:
    """Likeness to drawn chests less what their components leave of a film, float32 (8, N), in each
    position in the best framing, from thumbnails (N, 32, 32)."""
    found = np.full((POSITIONS, len(thumbs)), -np.inf, np.float32)
    for part, seen in _views().items():
        flat = _framed(thumbs, part).reshape(len(thumbs), -1)
        for turn in seen:
            for inverted, score in enumerate(_scores(flat, turn)):
                row = found[turn + TURNS * inverted]
                np.maximum(row, score, out=row)
    return found


def distances(thumbs: NDArray[np.uint8], reference: Reference) -> Floats32:
    """Distances, float32 (8, N), of films in each position, in units of that up to which films are
    like the training films; with or without border, whichever lies nearer."""
    found = [
        [reference.distances(cells) for cells in _cells_by_position(films)]
        for films in (thumbs, without_borders(thumbs))
    ]
    nearest: Floats32 = np.min(found, axis=0) / reference.bounds[0]
    return nearest


def _cells_by_position(thumbs: NDArray[np.uint8]) -> Iterator[Floats32]:
    cells = coarse_cells(thumbs)
    for films in (cells, -cells):
        for turn in range(TURNS):
            yield np.rot90(films, -turn, (1, 2))


def _views() -> dict[_Part, list[int]]:
    """Each part of a film that is a framing of it turned back, with these turns."""
    seen: dict[_Part, list[int]] = {}
    for framing in _FRAMINGS:
        part = framing
        for turn in range(TURNS):
            seen.setdefault(part, []).append(turn)
            top, bottom, left, right = part
            part = (round(1 - right, 4), round(1 - left, 4), top, bottom)
    return seen


def _framed(thumbs: NDArray[np.uint8], part: _Part) -> Floats32:
    """A part of films, float32 (N, 16, 16), each of mean 0 and length 1."""
    down, across = (cell_means(CELLS, thumbs.shape[-1], *ends) for ends in (part[:2], part[2:]))
    return to_unit(down @ (thumbs.astype(np.float32) @ across.T))


def _scores(flat: Floats32, turn: int) -> Iterator[Floats32]:
    """Likeness less residual of films (N, 256) turned back, as they are and inverted."""
    # Turning the reference instead of the films: one product for both signs, and no copies.
    drawn = drawn_chests()
    chest, mean, *components = (
        np.rot90(each.reshape(CELLS, CELLS), turn).ravel()
        for each in (drawn.chest, drawn.mean, *drawn.components)
    )
    seen = flat @ np.stack([chest, mean, *components], axis=1)
    length, centre = (flat * flat).sum(axis=1), drawn.components @ drawn.mean
    for sign in (1, -1):
        away = length - 2 * sign * seen[:, 1] + drawn.mean @ drawn.mean
        kept = ((sign * seen[:, 2:] - centre) ** 2).sum(axis=1)
        yield sign * seen[:, 0] - (away - kept)
