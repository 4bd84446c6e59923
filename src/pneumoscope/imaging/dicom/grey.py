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


def grey_table(display: Display, used: NDArray[np.bool_] | None = None) -> Grey:
    """Uint8 (2**bits,): the grey level of each bit pattern, 0 where it is padding.

    ``used`` is bool (2**bits,): the patterns that the film has, where ``needs_range``. A film of
    one value that is stretched by its own range is all 0.
    """
    values = modality_values(display.bits, display.signed, display.modality)
    padded = _padded(display)
    if isinstance(display.voi, Lut):
        share = display.voi(values) / float((1 << display.voi.bits) - 1)
    elif isinstance(display.voi, Window):
        share = display.voi(values)
    else:
        seen = values if used is None else values[used & ~padded]
        if seen.size == 0 or seen.min() == seen.max():
            return np.zeros(len(values), dtype=np.uint8)
        share = (values - seen.min()) / (seen.max() - seen.min())
    if display.inverted:
        share = 1.0 - share
    table: Grey = np.floor(np.clip(share, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    table[padded] = 0
    return table


def _padded(display: Display) -> NDArray[np.bool_]:
    if display.padding is None:
        return np.zeros(1 << display.bits, dtype=np.bool_)
    low, high = sorted(display.padding)
    stored = stored_values(display.bits, display.signed)
    return (stored >= low) & (stored <= high)


def patterns_used(stored: Stored, bits: int) -> NDArray[np.bool_]:
    """Bool (2**bits,): which bit patterns a film has."""
    used = np.zeros(1 << bits, dtype=np.bool_)
    for top in range(0, len(stored), _ROWS):
        used[stored[top : top + _ROWS]] = True
    return used


def apply_table(table: Grey, stored: Stored) -> Grey:
    """The grey level of each bit pattern; in bands, for an index takes eight bytes."""
    out = np.empty(stored.shape, dtype=np.uint8)
    for top in range(0, len(stored), _ROWS):
        np.take(table, stored[top : top + _ROWS], out=out[top : top + _ROWS], mode="clip")
    return out


def stretch(values: NDArray[Any]) -> Grey:
    """Grey of any number type (H, W) to uint8 by its own finite range; constant becomes 0.

    NaN and -inf become 0, +inf becomes 255.
    """
    low, high = _finite_range(values)
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
