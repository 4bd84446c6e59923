"""Stored values to grey levels: exact tables over every value that a pixel can take.

A film has at most 16 bits, so each step of PS3.3 C.11 is worked out once for each of at most
65,536 values, in float64, instead of once for each of millions of pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope.errors import UnreadableImage
from pneumoscope.records import Grey

Values = NDArray[np.float64]
Stored = NDArray[np.uint8] | NDArray[np.uint16]
"""Stored values as unsigned bit patterns."""
_ROWS = 256
_LEAST_SHOWN = 0.1
_BUT_MARKERS = 0.95
_EDGE = 0.5 / 255


@dataclass(frozen=True, slots=True)
class Lut:
    """A look-up table: ``data[0]`` is for inputs up to ``first``, ``bits`` the output's depth."""

    data: NDArray[np.uint16]
    first: int
    bits: int

    def __call__(self, values: Values) -> Values:
        """Inputs below the table get its first entry, above it the last (PS3.3 C.11.1.1.1)."""
        place = np.clip(np.floor(values) - self.first, 0, len(self.data) - 1)
        return np.asarray(self.data[place.astype(np.intp)], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Window:
    """A VOI window; ``function`` is LINEAR, LINEAR_EXACT or SIGMOID (PS3.3 C.11.2.1.2)."""

    centre: float
    width: float
    function: str = "LINEAR"

    def __call__(self, x: Values) -> Values:
        """Modality values to 0..1."""
        c, w = self.centre, self.width
        if self.function == "SIGMOID":
            # Beyond ±30 the result is 0 or 1 to the last bit of a grey level.
            return 1.0 / (1.0 + np.exp(np.clip(-4.0 * (x - c) / w, -30.0, 30.0)))
        if self.function == "LINEAR":
            c, w = c - 0.5, w - 1.0
        if w == 0.0:
            return (x > c).astype(np.float64)
        # Clipping meets the formula's branches: at x = c ± w/2 they have the same value.
        return np.clip((x - c) / w + 0.5, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Display:
    """How the stored values of one grey film are to be shown.

    ``bits`` and ``signed`` give the stored values. ``modality`` is a Lut, or (slope, intercept).
    ``voi`` is a Lut, a Window, or None to stretch the film's own range. ``padding`` is the
    closed range of stored values that are no part of the film.
    """

    bits: int
    signed: bool
    modality: Lut | tuple[float, float] = (1.0, 0.0)
    voi: Lut | Window | None = None
    inverted: bool = False
    padding: tuple[int, int] | None = None

    @property
    def needs_range(self) -> bool:
        """Whether the table depends on which values the film has.

        Up to 8 bits without a window are display values already, and keep the whole range.
        """
        return self.voi is None and self.bits > 8


def stored_values(bits: int, signed: bool) -> NDArray[np.int64]:
    """The value that each pattern of ``bits`` bits stands for, in two's complement if signed."""
    values = np.arange(1 << bits, dtype=np.int64)
    if signed:
        values[1 << (bits - 1) :] -= 1 << bits
    return values


def modality_values(bits: int, signed: bool, modality: Lut | tuple[float, float]) -> Values:
    """The modality value of each bit pattern."""
    values = stored_values(bits, signed).astype(np.float64)
    if isinstance(modality, Lut):
        return modality(values)
    return values * modality[0] + modality[1]


def shows(display: Display, counts: NDArray[np.int64]) -> bool:
    """Whether the display's window or table shows the film whose bit patterns have ``counts``,
    int64 (2**bits,): at least a tenth of its pixels, over at least a tenth of the grey levels.

    Exports write windows of other films, of 8 bits on 12, or 0 and 1: such a window leaves nothing
    to read where the pixels are fine.
    """
    if display.voi is None:
        return True
    seen = np.where(_padded(display), 0, counts)
    total = int(seen.sum())
    shown = _share(display, None)
    if shown is None or np.count_nonzero(seen) < 2:
        return True  # one value: no window would show more
    share = np.clip(shown, 0.0, 1.0)
    inside = int(seen[(share > _EDGE) & (share < 1 - _EDGE)].sum())
    low, high = _quantiles(share, seen, (0.01, 0.99))
    return inside >= _LEAST_SHOWN * total and high - low >= _LEAST_SHOWN


def grey_table(display: Display, counts: NDArray[np.int64] | None = None) -> Grey:
    """Uint8 (2**bits,): the grey level of each bit pattern, 0 where it is padding.

    ``counts`` is int64 (2**bits,): how many pixels have each pattern, where ``needs_range``. A film
    of one value that is stretched by its own range is all 0.
    """
    padded = _padded(display)
    share = _share(display, None if counts is None else np.where(padded, 0, counts))
    if share is None:
        return np.zeros(len(padded), dtype=np.uint8)
    if display.inverted:
        share = 1.0 - share
    table: Grey = np.floor(np.clip(share, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    table[padded] = 0
    return table


def _share(display: Display, counts: NDArray[np.int64] | None) -> Values | None:
    """0–1 for each bit pattern before inversion; None for a film of one value."""
    values = modality_values(display.bits, display.signed, display.modality)
    if isinstance(display.voi, Lut):
        return display.voi(values) / float((1 << display.voi.bits) - 1)
    if isinstance(display.voi, Window):
        return display.voi(values)
    seen = np.ones(len(values), np.int64) if counts is None else counts
    low, high = unsqueezed(values, seen) if seen.any() else (0.0, 0.0)
    return None if low == high else (values - low) / (high - low)


def unsqueezed(values: Values, counts: NDArray[np.int64]) -> tuple[float, float]:
    """The range over which a film is stretched: that of its values, or, where all but a twentieth
    of the pixels would share a tenth of the grey levels because of a marker far from them, that of
    the values near these pixels."""
    there = values[counts > 0]
    low, high = float(there.min()), float(there.max())
    first, last = _quantiles(values, counts, (0.01, _BUT_MARKERS))
    span = last - first
    if span >= _LEAST_SHOWN * (high - low) or span == 0:
        return low, high
    # The film's own ends lie near; the grey edges of a marker, on the way to it, do not count.
    near = there[(there >= first - span) & (there <= last + span)]
    return float(near.min()), float(near.max())


def _quantiles(
    values: Values, counts: NDArray[np.int64], parts: tuple[float, float]
) -> tuple[float, float]:
    """The values below which those parts of all pixels lie."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(counts[order])
    places = np.searchsorted(below, [part * below[-1] for part in parts])
    low, high = values[order][np.minimum(places, len(values) - 1)].tolist()
    return low, high


def _padded(display: Display) -> NDArray[np.bool_]:
    if display.padding is None:
        return np.zeros(1 << display.bits, dtype=np.bool_)
    low, high = sorted(display.padding)
    stored = stored_values(display.bits, display.signed)
    return (stored >= low) & (stored <= high)


def pattern_counts(stored: Stored, bits: int) -> NDArray[np.int64]:
    """Int64 (2**bits,): how many pixels have each bit pattern."""
    counts = np.zeros(1 << bits, dtype=np.int64)
    for top in range(0, len(stored), _ROWS):
        counts += np.bincount(stored[top : top + _ROWS].ravel(), minlength=len(counts))
    return counts


def apply_table(table: Grey, stored: Stored) -> Grey:
    """The grey level of each bit pattern; in bands, for an index takes eight bytes."""
    out = np.empty(stored.shape, dtype=np.uint8)
    for top in range(0, len(stored), _ROWS):
        np.take(table, stored[top : top + _ROWS], out=out[top : top + _ROWS], mode="clip")
    return out


def stretch(values: NDArray[Any]) -> Grey:
    """Grey of any number type (H, W) to uint8 by its own finite range, see ``unsqueezed``;
    constant becomes 0.

    NaN and -inf become 0, +inf becomes 255.
    """
    low, high = _finite_range(values)
    if values.dtype.kind == "u" and values.dtype.itemsize == 2 and low < high:
        counts = pattern_counts(values, 16)
        low, high = unsqueezed(np.arange(1 << 16, dtype=np.float64), counts)
    out = np.zeros(values.shape, dtype=np.uint8)
    if low == high:
        return out
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        levels = np.arange(1 << 16, dtype=np.float64)
        table = np.clip((levels - low) * (255.0 / (high - low)) + 0.5, 0, 255).astype(np.uint8)
        return apply_table(table, values)
    for top in range(0, len(values), _ROWS):  # in bands, for float64 takes eight times the film
        band = values[top : top + _ROWS].astype(np.float64)
        # Halves first: the difference of two large floats may be beyond the largest.
        share = (band / 2 - low / 2) / (high / 2 - low / 2)
        share = np.nan_to_num(share, nan=0.0, posinf=1.0, neginf=0.0)
        out[top : top + _ROWS] = np.clip(share, 0.0, 1.0) * 255.0 + 0.5
    return out


def _finite_range(values: NDArray[Any]) -> tuple[float, float]:
    if values.dtype.kind != "f":
        return float(values.min()), float(values.max())
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def luma(rgb: NDArray[Any], bits: int) -> Grey:
    """Rec. 601 luma of unsigned (..., 3) with ``bits`` bits a sample, as uint8 over all bits."""
    if rgb.shape[-1] != 3:
        raise UnreadableImage("the colours have no three samples a pixel", got=rgb.shape[-1])
    top = (1 << bits) - 1
    out = np.empty(rgb.shape[:-1], dtype=np.uint8)
    weights = np.array([299.0, 587.0, 114.0]) * (255.0 / (1000.0 * top))
    for start in range(0, len(rgb), _ROWS):
        band = rgb[start : start + _ROWS].astype(np.float64) @ weights
        out[start : start + _ROWS] = np.clip(band + 0.5, 0, 255)
    return out
