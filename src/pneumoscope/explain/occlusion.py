"""Occlusion: by how much the logit falls where a grey square lies on a film (Zeiler 2014).

No torch: it asks a model for answers alone, so it explains whatever answers, an export as a run,
with all views, members and the temperature that the answer is made of.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope.explain.heat import Heat, scaled, within_margin
from pneumoscope.inference.model import Engine
from pneumoscope.records import Grey, InputSpec

PATCH = 0.25
"""Side of the grey square, as part of the visible side."""


def occlusion(engine: Engine, spec: InputSpec, films: Grey) -> Heat:
    """Heatmaps float32 (N, S, S), 0–1, of films uint8 (N, S, S), air dark, as ``spec`` makes them;
    what its margin cuts off is cold. The model answers fifty times for each film, so heat is as
    fine as the squares lie apart, and runs evenly between them."""
    visible = spec.visible
    edge = (spec.stored - visible) // 2
    falls = np.stack([_falls(engine, film, edge, visible) for film in films])
    heat = scaled(_even(spread(falls, visible), max(1, squares(visible)[0] // 2)))
    return within_margin(heat, spec.stored)


def _falls(engine: Engine, film: Grey, edge: int, visible: int) -> NDArray[np.float64]:
    """By how much each square lowers the logit of ``film``, float64 (squares,)."""
    patch, starts = squares(visible)
    places = [(edge + top, edge + left) for top in starts for left in starts]
    # The bare film is the last, so that both are answered in one batch.
    copies = np.repeat(film[None], len(places) + 1, axis=0)
    for copy, (top, left) in zip(copies[:-1], places, strict=True):
        copy[top : top + patch, left : left + patch] = np.rint(film.mean())
    logits = engine.batch(copies)
    falls: NDArray[np.float64] = logits[-1] - logits[:-1]
    return falls


def _even(heat: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Maps (B, v, v), each pixel the mean of the ``width`` by ``width`` around it: steps of that
    width become slopes."""
    before, after = width // 2, (width - 1) // 2
    for axis in (1, 2):
        pads = [(0, 0)] * 3
        pads[axis] = (before, after)
        padded = np.pad(heat, pads, mode="edge")
        heat = np.lib.stride_tricks.sliding_window_view(padded, width, axis).mean(axis=-1)
    return heat


def squares(side: int, part: float = PATCH) -> tuple[int, list[int]]:
    """(side of the square, its first pixels along an axis): half a square apart, the last one at
    the edge, so that every pixel is covered."""
    patch = min(side, max(2, round(part * side)))
    stride = max(1, patch // 2)
    return patch, sorted({*range(0, side - patch + 1, stride), side - patch})


def spread(falls: NDArray[Any], side: int) -> NDArray[np.float64]:
    """The mean over the squares that cover a pixel, float64 (B, side, side), of what each of the
    ``squares``, row by row, lowers the logit of B films by (B, squares)."""
    patch, starts = squares(side)
    heat, covers = np.zeros((len(falls), side, side)), np.zeros((side, side))
    places = [(top, left) for top in starts for left in starts]
    for place, (top, left) in enumerate(places):
        here = np.s_[..., top : top + patch, left : left + patch]
        heat[here] += falls[:, place, None, None]
        covers[here] += 1
    return heat / covers
