"""Is it a film at all? Masks have a handful of grey levels, cut-out lungs a black background."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pneumoscope.records import Grey

Kind = Literal["MASK", "CUT-OUT"]

TOLD = {
    "MASK": "masks and drawings, by their few grey levels",
    "CUT-OUT": "films whose background was blackened",
}
"""What each of the kinds is called of several pictures."""

_SAMPLE = 64  # rows and columns that are looked at, at least
_LEVELS = 3
_NEAR = 6  # grey levels around a plain one that JPEG and reduced decoding smear it over
_APART = 40  # levels of a mask are far apart; all greys of an underexposed film lie nearer
_MOSTLY = 0.95
_DARK = 8
_LEAST_BLACK, _MOST_FILLED = 0.35, 0.72
_RIM = 0.98


def kind_of(pixels: Grey) -> Kind | None:
    """What uint8 (H, W) is, if it is no film. A film of one grey level is None: it shows nothing,
    but is no mask."""
    height, width = pixels.shape
    few = pixels[:: max(1, height // _SAMPLE), :: max(1, width // _SAMPLE)]
    counts = np.bincount(few.ravel(), minlength=256)
    if _is_mask(counts.copy()):
        return "MASK"
    # Nearly every film ends here: reading threads wait for each other at each further step.
    if int(counts[: _DARK + 1].sum()) < _LEAST_BLACK * few.size:
        return None
    return "CUT-OUT" if _is_cut_out(few) else None


def _is_mask(left: NDArray[np.int64]) -> bool:
    """Whether nearly all pixels are near one of three levels that lie apart, of which at least two
    occur. ``left`` counts the pixels of each level, int64 (256,), and is used up."""
    size = int(left.sum())
    levels: list[int] = []
    plain: list[int] = []
    for _ in range(_LEVELS):
        level = int(left.argmax())
        if not left[level] or any(abs(level - other) < _APART for other in levels):
            break
        levels.append(level)
        near = slice(max(0, level - _NEAR), level + _NEAR + 1)
        plain.append(int(left[near].sum()))
        left[near] = 0
    return len(levels) > 1 and sum(plain) >= _MOSTLY * size and plain[1] >= 0.02 * size


def _is_cut_out(few: Grey) -> bool:
    """Whether what is not black, and does not reach the rim, leaves much of its own frame black:
    two lungs, where a film on a black ground fills its frame."""
    dark = few <= _DARK
    rim = np.concatenate([dark[0], dark[-1], dark[:, 0], dark[:, -1]])
    if rim.mean() < _RIM or dark.all():
        return False
    rows, columns = np.flatnonzero(~dark.all(axis=1)), np.flatnonzero(~dark.all(axis=0))
    frame = ~dark[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return bool(frame.mean() <= _MOST_FILLED)
