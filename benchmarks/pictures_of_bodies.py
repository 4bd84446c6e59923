"""Drawn pictures of other things with a bright or a dark middle, easily taken for a chest.

Families come in three parts. Of ``LEARNT`` a rule may be made, by ``CHOSEN`` rules are compared,
and ``CHECKED`` is read once a rule is chosen. None is one of the 40 pictures by which the gate is
judged (``no_chest_films``), though some are of the same kinds. All are uint8 (H, W).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from benchmarks.no_chest_films import page, scaled
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from pneumoscope.records import Grey

_SIDE = 128
Random = np.random.Generator
Levels = NDArray[np.float64]
Family = Callable[[Random], Grey]


def _axes(rng: Random, zoom: tuple[float, float] = (0.8, 1.2), turn: float = 0.1) -> list[Levels]:
    """Across and down, about -1 to 1, a little turned, moved and zoomed."""
    y, x = np.mgrid[-1 : 1 : _SIDE * 1j, -1 : 1 : _SIDE * 1j] * rng.uniform(*zoom)
    angle, (right, down) = rng.uniform(-turn, turn), rng.uniform(-0.12, 0.12, 2)
    cos, sin = np.cos(angle), np.sin(angle)
    return [cos * x + sin * y + right, cos * y - sin * x + down]


def _inside(x: Levels, y: Levels, at: tuple[float, float], wide: float, high: float) -> Levels:
    """0 to 1, 1 within an ellipse."""
    reach = np.hypot((x - at[0]) / wide, (y - at[1]) / high)
    inside: Levels = np.clip((1 - reach) * 8 + 0.5, 0, 1)
    return inside


def _cloud(rng: Random, power: float) -> Levels:
    """Noise of deviation 1 of which long waves are the stronger."""
    ways = np.fft.fftfreq(_SIDE) * _SIDE
    waves = np.hypot(ways[:, None], ways)
    waves[0, 0] = np.inf
    found = np.real(np.fft.ifft2(np.fft.fft2(rng.normal(size=waves.shape)) / waves**power))
    cloud: Levels = found / found.std()
    return cloud


def _exposed(levels: Levels, rng: Random, grain: float = 0.08) -> Grey:
    """With grain, a curve of contrast, and black and white cut off somewhere."""
    seen = levels + rng.uniform(0, grain) * np.ptp(levels) * rng.normal(size=levels.shape)
    low, high = np.quantile(seen, (rng.uniform(0, 0.03), rng.uniform(0.97, 1)))
    part = np.clip((seen - low) / max(high - low, 1e-9), 0, 1)
    return scaled(part ** np.exp(rng.uniform(-0.6, 0.6)))


def _middle(rng: Random) -> Grey:
    x, y = _axes(rng, (0.6, 1.6), 1.5)
    reach = np.hypot(x, y * rng.uniform(0.6, 1.6)) ** rng.uniform(0.4, 3)
    return _exposed(reach * rng.choice((-1, 1)), rng)


def _several_blobs(rng: Random) -> Grey:
    x, y = _axes(rng)
    found = np.zeros_like(x)
    for _ in range(int(rng.integers(2, 7))):
        at, (wide, high) = rng.uniform(-0.9, 0.9, 2), rng.uniform(0.15, 0.8, 2)
        blob = np.exp(-(((x - at[0]) / wide) ** 2) - ((y - at[1]) / high) ** 2)
        found += rng.normal() * blob
    return _exposed(found, rng)


def _slice(rng: Random) -> Grey:
    """An axial slice: a body on black, in it lungs or an abdomen's organs, spine, ribs, table."""
    x, y = _axes(rng, (0.7, 1.5))
    wide, high = rng.uniform(0.75, 1.1), rng.uniform(0.55, 0.95)
    body = _inside(x, y, (0, 0), wide, high)
    found = body * rng.uniform(0.25, 0.5)
    found += 0.3 * _inside(x, y, (0, 0), wide * 0.9, high * 0.88)
    lungs = rng.random() < 0.6
    for side in (-1, 1):
        size = rng.uniform(0.25, 0.42) * wide, rng.uniform(0.45, 0.75) * high
        organ = _inside(x, y, (side * 0.45 * wide, rng.uniform(-0.1, 0.1)), *size)
        found += organ * (-rng.uniform(0.4, 0.6) if lungs else rng.uniform(-0.15, 0.2))
    found += rng.uniform(0, 0.2) * _inside(x, y, (0.08, -0.15), 0.3 * wide, 0.35 * high)
    found += 0.5 * _inside(x, y, (0, 0.55 * high), 0.12, 0.14)
    for angle in rng.uniform(0, 2 * np.pi, int(rng.integers(4, 16))):
        at = (0.84 * wide * np.cos(angle), 0.82 * high * np.sin(angle))
        found += 0.5 * _inside(x, y, at, 0.07, 0.05)
    if rng.random() < 0.6:
        found += 0.25 * (np.abs(y - high - 0.08 + 0.1 * x**2) < 0.03)
    return _exposed(gaussian_filter(found, 1) + 0.05 * body * _cloud(rng, 1), rng)


def _hills(rng: Random) -> Grey:
    x, y = _axes(rng, turn=3)
    found = _cloud(rng, rng.uniform(1.3, 2.3)) * rng.uniform(0.1, 0.6)
    found += np.tanh(rng.uniform(-2, 2) * x) + rng.uniform(-2, 2) * np.exp(-(x**2) - y**2)
    return _exposed(found, rng, 0.02)


def _figures(rng: Random) -> Grey:
    rows, columns, digits = (int(n) for n in rng.integers((4, 1, 1), (32, 9, 8)))
    gap = " " * int(rng.integers(1, 9))
    lines = [
        gap.join(str(n).rjust(digits) for n in rng.integers(0, 10**digits, columns))
        for _ in range(rows)
    ]
    found = page(lines, int(rng.integers(12, 34)))
    if rng.random() < 0.4:  # cut out of the page, as a screen shows it
        top, left = (int(n) for n in rng.integers(0, 60, 2))
        found = found[
            top : top + int(rng.integers(200, 700)), left : left + int(rng.integers(150, 500))
        ]
    return 255 - found if rng.random() < 0.2 else found


def _hand(rng: Random) -> Grey:
    x, y = _axes(rng, turn=0.6)
    found = 0.4 * _inside(x, y, (0, 0.45), rng.uniform(0.35, 0.5), rng.uniform(0.35, 0.5))
    for finger in range(5):
        lean = (finger - 2) * rng.uniform(0.2, 0.3)
        across = x - lean * (0.5 - y)
        flesh = _inside(across, y, (lean, -0.15), 0.1, rng.uniform(0.5, 0.75))
        bone = _inside(across, y, (lean, -0.1), 0.045, 0.6) * (np.abs(np.sin(5 * y)) > 0.15)
        found = np.maximum(found, 0.4 * flesh) + 0.35 * bone * flesh
    found += 0.35 * _inside(x, y, (0, 1), 0.2, 0.5)
    return _exposed(found, rng)


def _fan(rng: Random) -> Grey:
    """Ultrasound: a sector of speckle with dark and bright parts."""
    x, y = _axes(rng)
    far, angle = np.hypot(x, y + 1.1), np.arctan2(x, y + 1.1)
    sector = (np.abs(angle) < rng.uniform(0.5, 0.9)) & (far > 0.2) & (far < rng.uniform(1.6, 2.1))
    inner = np.exp(0.7 * _cloud(rng, 1.5) - rng.uniform(0, 0.8) * far)
    for _ in range(int(rng.integers(1, 4))):
        at, size = rng.uniform(-0.5, 0.5, 2), rng.uniform(0.1, 0.4, 2)
        inner *= 1 - 0.9 * _inside(x, y, (at[0], at[1]), *size)
    speckle = np.hypot(rng.normal(size=x.shape), rng.normal(size=x.shape))
    return _exposed(sector * inner * gaussian_filter(speckle, 0.8), rng)


def _rings(rng: Random) -> Grey:
    x, y = _axes(rng, (0.6, 1.4))
    far = np.hypot(x, y * rng.uniform(0.7, 1.4))
    found = np.cos(far * rng.uniform(2, 12) + rng.uniform(0, 6)) * np.exp(-rng.uniform(0, 2) * far)
    return _exposed(found, rng)


def _flower(rng: Random) -> Grey:
    x, y = _axes(rng, (0.8, 1.8), 3)
    far, angle = np.hypot(x, y), np.arctan2(y, x)
    petals = rng.uniform(0.5, 0.8) + rng.uniform(0.1, 0.35) * np.cos(
        int(rng.integers(3, 13)) * angle
    )
    found = np.clip((petals - far) * 6, 0, 1) * (1 - rng.uniform(-0.3, 0.5) * far)
    found += rng.uniform(-0.9, 0.5) * _inside(x, y, (0, 0), 0.22, 0.22)
    return _exposed(found + rng.uniform(0.05, 0.3) * _cloud(rng, 1.5), rng)


def _breast(rng: Random) -> Grey:
    x, y = _axes(rng)
    shape = _inside(x, y, (-1.1, 0), rng.uniform(1.1, 1.9), rng.uniform(0.7, 1.1))
    gland = np.exp(_cloud(rng, 1.6)) * _inside(x, y, (-0.5, 0), 0.6, 0.6)
    found = shape * (0.4 + rng.uniform(0.1, 0.4) * gland)
    return _exposed(found if rng.random() < 0.5 else found[:, ::-1], rng)


def _head(rng: Random) -> Grey:
    """A slice through a head by magnetic resonance."""
    x, y = _axes(rng, (0.8, 1.3), 0.3)
    wide, high = rng.uniform(0.6, 0.85), rng.uniform(0.75, 0.98)
    found = _inside(x, y, (0, 0), wide, high) * rng.uniform(0.6, 1)
    found -= rng.uniform(0.4, 0.6) * _inside(x, y, (0, 0), wide * 0.92, high * 0.93)
    brain = _inside(x, y, (0, 0), wide * 0.85, high * 0.86)
    found += brain * (rng.uniform(0.3, 0.6) + 0.12 * np.sin(9 * _cloud(rng, 2)))
    for side in (-1, 1):
        found += rng.uniform(-0.4, 0.4) * _inside(x - side * 0.12, y, (0, 0), 0.09, 0.3)
    return _exposed(gaussian_filter(found, 0.8), rng)


def _lateral(rng: Random) -> Grey:
    """A chest from the side: spine behind, breast bone before, one clear space each."""
    x, y = _axes(rng)
    found = 0.7 * _inside(x, y, (0, 0.2), rng.uniform(0.7, 0.95), 1.4)
    found -= rng.uniform(0.3, 0.5) * _inside(x, y, (0.05, -0.1), 0.55, rng.uniform(0.6, 0.75))
    found += 0.3 * _inside(x, y, (-0.2, 0.3), rng.uniform(0.25, 0.4), 0.3)
    spine = np.abs(x - 0.5 - 0.15 * np.cos(2 * y)) < 0.13
    found += spine * (0.2 + 0.06 * np.sign(np.sin(rng.uniform(14, 20) * y)))
    found += 0.35 * np.clip((y - 0.55 + 0.2 * x) * 6, 0, 1) * _inside(x, y, (0, 0.2), 0.8, 1.4)
    found = gaussian_filter(found, 1.5) + 0.03 * _cloud(rng, 1)
    return _exposed(found if rng.random() < 0.5 else found[:, ::-1], rng)


def _ridges(rng: Random) -> Grey:
    x, _ = _axes(rng, turn=3)
    found = -np.abs(_cloud(rng, rng.uniform(1.2, 2))) + rng.uniform(-1, 1) * x
    return _exposed(found + rng.uniform(0, 1) * _cloud(rng, 2.5), rng, 0.02)


def _limb(rng: Random) -> Grey:
    """A knee or a forearm: bones along soft tissue, a joint across."""
    x, y = _axes(rng, turn=0.4)
    found = 0.4 * np.clip((rng.uniform(0.45, 0.8) - np.abs(x) - 0.1 * y**2) * 8, 0, 1)
    for at in rng.uniform(-0.25, 0.25, int(rng.integers(1, 3))):
        half = rng.uniform(0.1, 0.25) + rng.uniform(0, 0.25) * np.exp(-((y / 0.3) ** 2))
        found += 0.35 * np.clip((half - np.abs(x - at)) * 12, 0, 1)
    found -= 0.3 * (np.abs(y - rng.uniform(-0.2, 0.2)) < 0.03)
    found = gaussian_filter(found, 1.2)
    return _exposed(found if rng.random() < 0.7 else found.T, rng)


def _belly(rng: Random) -> Grey:
    """An abdomen: spine, wings of the pelvis, gas."""
    x, y = _axes(rng)
    found = 0.6 * np.clip((rng.uniform(0.8, 1.1) - np.abs(x)) * 6, 0, 1)
    found += (np.abs(x) < 0.12) * (0.25 + 0.06 * np.sign(np.sin(16 * y)))
    for side in (-1, 1):
        found += 0.25 * _inside(x, y, (side * 0.5, rng.uniform(0.6, 0.9)), 0.3, 0.4)
        found += 0.1 * _inside(x, y, (side * 0.5, -0.7), 0.4, 0.5)
    for _ in range(int(rng.integers(2, 14))):
        at, size = rng.uniform(-0.7, 0.7, 2), rng.uniform(0.06, 0.25, 2)
        found -= rng.uniform(0.1, 0.4) * _inside(x, y, (at[0], at[1]), *size)
    return _exposed(gaussian_filter(found, 1.5) + 0.03 * _cloud(rng, 1), rng)


def _landscape(rng: Random) -> Grey:
    x, y = _axes(rng)
    skyline = rng.uniform(-0.4, 0.4) + 0.2 * np.cumsum(rng.normal(size=_SIDE)) / np.sqrt(_SIDE)
    ground = y > skyline
    found = np.where(ground, 0.35 * _cloud(rng, 1.2), rng.uniform(0.5, 2) - 0.4 * y)
    for _ in range(int(rng.integers(0, 5))):
        at, size = rng.uniform(-0.9, 0.9, 2), rng.uniform(0.1, 0.4, 2)
        box = (np.abs(x - at[0]) < size[0]) & (np.abs(y - at[1]) < size[1])
        found[box] = rng.uniform(-1, 2) + 0.1 * x[box]
    return _exposed(found, rng)


def _portrait(rng: Random) -> Grey:
    """Head and shoulders before a wall, lit from a side."""
    x, y = _axes(rng)
    found = rng.uniform(0, 1) + rng.uniform(-0.3, 0.3) * x + 0.1 * _cloud(rng, 2)
    parts = (((0, 1.1), rng.uniform(0.7, 1), 0.8), ((0, -0.1), 0.38, 0.55), ((0, -0.45), 0.42, 0.3))
    for at, wide, high in parts:
        inside = _inside(x, y, at, wide, high)
        found = found * (1 - inside) + inside * (rng.uniform(0, 1) + rng.uniform(-0.3, 0.3) * x)
    for side in (-0.14, 0.14):
        found -= 0.3 * _inside(x, y, (side, -0.15), 0.07, 0.04)
    return _exposed(found, rng)


def _cells(rng: Random) -> Grey:
    x, y = _axes(rng)
    found = np.zeros_like(x)
    for _ in range(int(rng.integers(5, 60))):
        at, size = rng.uniform(-1, 1, 2), rng.uniform(0.05, 0.25)
        found = np.maximum(found, rng.uniform(0.4, 1) * _inside(x, y, (at[0], at[1]), size, size))
    return _exposed((found + 0.1 * _cloud(rng, 1.5)) * rng.choice((-1, 1)), rng)


def _fundus(rng: Random) -> Grey:
    """The back of an eye: a disc on black, a bright spot, dark vessels."""
    x, y = _axes(rng, (0.9, 1.3))
    found = _inside(x, y, (0, 0), 0.95, 0.95) * (0.6 - 0.2 * np.hypot(x, y))
    found += 0.4 * _inside(x, y, (rng.choice((-0.5, 0.5)), 0), 0.14, 0.16)
    vessels = np.exp(-((_cloud(rng, 2) / 0.08) ** 2))
    return _exposed(found - 0.15 * vessels * _inside(x, y, (0, 0), 0.95, 0.95), rng)


def _vessels(rng: Random) -> Grey:
    """An angiogram: dark branches on a cloudy ground."""
    picture = Image.new("L", (_SIDE, _SIDE), 0)
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(4, 14))):
        steps = rng.normal(0, 6, (30, 2)) + rng.normal(0, 4, 2)
        walk = np.cumsum(steps, axis=0) + rng.uniform(20, 108, 2)
        draw.line([tuple(p) for p in walk], fill=255, width=int(rng.integers(1, 6)))
    dark = gaussian_filter(np.asarray(picture) / 255, 0.8)
    x, y = _axes(rng)
    corner = np.clip((1.2 - np.hypot(x, y)) * 5, 0, 1)
    return _exposed((0.6 + 0.12 * _cloud(rng, 1.8) - 0.4 * dark) * corner, rng)


def _teeth(rng: Random) -> Grey:
    """A panoramic film of the jaws, squashed to a square."""
    x, y = _axes(rng)
    bow = y - 0.25 * x**2 - rng.uniform(-0.1, 0.1)
    found = 0.5 * (np.abs(bow) < rng.uniform(0.4, 0.7)) + 0.2 * np.exp(-((x / 0.2) ** 2))
    row = np.abs(np.abs(bow) - 0.18) < 0.14
    found += 0.5 * row * (np.abs(np.sin(x * rng.uniform(18, 26))) > 0.35) * (np.abs(x) < 0.7)
    return _exposed(gaussian_filter(found, 1) + 0.04 * _cloud(rng, 1.2), rng)


def _form(rng: Random) -> Grey:
    """A sheet with boxes, lines and a dark picture in the middle."""
    picture = Image.new("L", (_SIDE, _SIDE), int(rng.integers(200, 256)))
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(2, 9))):
        (left, right), (top, bottom) = (np.sort(rng.integers(4, 124, 2)).tolist() for _ in "xy")
        fill = None if rng.random() < 0.6 else int(rng.integers(0, 255))
        draw.rectangle((left, top, right, bottom), fill, outline=int(rng.integers(0, 120)))
    for row in range(int(rng.integers(8, 20)), 120, int(rng.integers(5, 12))):
        draw.line((int(rng.integers(5, 40)), row, int(rng.integers(60, 124)), row), fill=40)
    return np.asarray(picture)


def _plate(rng: Random) -> Grey:
    """A lit round thing on a table: a plate, a coin, a lamp, with a shade and a pattern."""
    x, y = _axes(rng, (0.9, 1.8))
    disc = _inside(x, y, (0, 0), rng.uniform(0.7, 1), rng.uniform(0.6, 1))
    light = 0.7 + 0.3 * x * rng.uniform(-1, 1) + 0.3 * y * rng.uniform(-1, 1)
    found = disc * light - rng.uniform(0, 0.5) * _inside(x, y, (0, 0), 0.5, 0.5)
    return _exposed(found + 0.12 * _cloud(rng, rng.uniform(1, 2)), rng)


LEARNT: dict[str, Family] = {
    "a middle": _middle,
    "several blobs": _several_blobs,
    "axial slices": _slice,
    "hills": _hills,
    "tables of figures": _figures,
    "hands": _hand,
    "ultrasound": _fan,
    "rings": _rings,
}
CHOSEN: dict[str, Family] = {
    "flowers": _flower,
    "breasts": _breast,
    "heads": _head,
    "chests from the side": _lateral,
    "ridges": _ridges,
    "knees, forearms": _limb,
    "abdomens": _belly,
    "landscapes": _landscape,
    "portraits": _portrait,
    "cells": _cells,
}
CHECKED: dict[str, Family] = {
    "backs of eyes": _fundus,
    "vessels": _vessels,
    "jaws": _teeth,
    "forms": _form,
    "round things": _plate,
}
PARTS = {"learnt": LEARNT, "chosen": CHOSEN, "checked": CHECKED}


def drawn_families(part: str, seed: int, count: int = 100) -> dict[str, list[Grey]]:
    """``count`` pictures of each family of one of ``PARTS``."""
    return {
        name: [make(np.random.default_rng([seed, 5, row])) for row in range(count)]
        for name, make in PARTS[part].items()
    }
