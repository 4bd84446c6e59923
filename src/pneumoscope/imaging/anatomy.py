"""The healthy chest of a phantom: where body, lungs, bones and vessels lie, as numpy fields.

Body coordinates: ``u`` runs from the viewer's left (the patient's right) to the right, ``v``
from neck to abdomen, both about -1 to 1; a field is float32 (H, W). Attenuation is in units of
the mediastinum's: air 0, mediastinum about 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating[Any]]


class Anatomy(NamedTuple):
    """What two films of one patient share. Lengths in body units, right is the patient's."""

    apex: float
    base_right: float
    base_left: float
    width_right: float
    width_left: float
    mediastinum: float
    heart: float
    rib_spacing: float
    rib_start: float
    rib_slope: float
    bone: float
    build: float
    clavicle: float
    clavicle_tilt: float
    scoliosis: float
    breasts: float
    gas: float
    vessels: float


@dataclass(frozen=True, slots=True)
class Frame:
    """The film's grid in body coordinates: ``u``, ``v`` float32 (H, W); ``pixel`` in body units.

    ``inverse`` (2, 2) and ``offset`` (2,) bring body points back to normalised film positions.
    """

    u: Field
    v: Field
    pixel: float
    inverse: Field
    offset: Field


@dataclass(frozen=True, slots=True)
class Chest:
    """Fields (H, W) of one healthy chest; ``lung`` and ``body`` 0–1, the rest attenuation.

    ``lung`` is aerated lung that nothing opaque covers; ``branches`` traces the small vessels
    alone, a crest of about 1 on each.
    """

    body: Field
    lung: Field
    soft: Field
    bones: Field
    vessels: Field
    branches: Field


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """A patient: age and build in one draw, so that parts vary together and alone."""
    base = rng.uniform(0.34, 0.56)
    width = rng.uniform(0.64, 0.76)
    return Anatomy(
        apex=rng.uniform(-0.80, -0.68),
        base_right=base,
        base_left=base + rng.uniform(0.0, 0.10),
        width_right=width * rng.uniform(0.93, 1.05),
        width_left=width * rng.uniform(0.93, 1.05),
        mediastinum=rng.uniform(0.10, 0.15),
        heart=rng.uniform(0.85, 1.2),
        rib_spacing=rng.uniform(0.150, 0.185),
        rib_start=rng.uniform(-0.72, -0.62),
        rib_slope=rng.uniform(0.10, 0.26),
        bone=rng.uniform(0.09, 0.17),
        build=rng.uniform(-1.0, 1.0),
        clavicle=rng.uniform(-0.66, -0.54),
        clavicle_tilt=rng.uniform(0.05, 0.28),
        scoliosis=rng.uniform(-0.03, 0.03),
        breasts=max(0.0, rng.uniform(-0.12, 0.14)),
        gas=max(0.0, rng.uniform(-0.3, 0.3)),
        vessels=rng.uniform(0.7, 1.3),
    )


def ramp(x: Field, width: float) -> Field:
    """Smooth step: 0 where ``x <= -width``, 1 where ``x >= width``; the cheap sigmoid."""
    t = x * np.float32(0.5 / width)
    t += np.float32(0.5)
    np.minimum(np.maximum(t, 0.0, out=t), 1.0, out=t)
    step = t * np.float32(-2.0)
    step += np.float32(3.0)
    step *= t
    step *= t
    return step


def ellipse(frame: Frame, centre: tuple[float, float], axes: tuple[float, float]) -> Field:
    """Elliptic radius: 0 at ``centre``, 1 on the outline with semi-axes ``axes``."""
    du = (frame.u - np.float32(centre[0])) * np.float32(1.0 / axes[0])
    dv = (frame.v - np.float32(centre[1])) * np.float32(1.0 / axes[1])
    radius: Field = np.sqrt(du * du + dv * dv)
    return radius


def draw_chest(frame: Frame, anatomy: Anatomy, rng: np.random.Generator) -> Chest:
    """The healthy chest on ``frame``; ``rng`` shapes the vessels and is the patient's own."""
    u, v, a = frame.u, frame.v, anatomy
    across = np.abs(u)
    leftward = ramp(u, 0.15)
    width = a.width_right + (a.width_left - a.width_right) * leftward
    base = a.base_right + (a.base_left - a.base_right) * leftward
    lateral, dome = _lung_bounds(frame, anatomy, width, base)
    soften = frame.pixel * 1.2
    inner = across - 0.27
    lung = ramp(lateral - across, soften) * ramp(dome - v, soften)
    lung = lung * ramp(v - a.apex - 0.04 - 3.5 * inner * inner, soften) * ramp(across - 0.07, 0.04)
    depth = np.sqrt(np.clip(1.9 * (1.0 - across / np.maximum(lateral, 0.05)), 0.0, 1.0))
    middle, opaque = _mediastinum(frame, anatomy)
    body = _body(frame, anatomy)
    abdomen = ramp(v - dome, soften) * ramp(width + 0.04 - across, 0.06)
    below = ramp(v - a.base_right, 0.35)
    trunk = 0.20 * ramp(0.80 - across, 0.55) * ramp(v + 0.75, 0.35)
    soft = body * (0.47 + 0.06 * a.build + trunk + 0.08 * below)
    soft = soft - lung * (0.18 + 0.30 * depth) * (1.0 - 0.55 * opaque) + middle
    soft = soft + abdomen * (0.16 - _stomach_gas(frame, anatomy)) + _breasts(frame, anatomy)
    cage = across / (lateral + 0.035)
    bones = _ribs(frame, anatomy, cage) * (0.55 + 0.45 * lung) + _girdle(frame, anatomy)
    vessels, branches = _vessels(frame, anatomy, rng)
    aerated = lung * (1.0 - opaque)
    return Chest(body, aerated, soft, bones * body, vessels * aerated, branches * aerated)


def _lung_bounds(frame: Frame, a: Anatomy, width: Field, base: Field) -> tuple[Field, Field]:
    """Half-width of the pleura at each height, and the diaphragm's height at each ``|u|``."""
    t = np.clip((frame.v - a.apex) / (0.78 - a.apex), 0.0, 1.0)
    left = (1.0 - t) * (1.0 - t)
    lateral = width * np.sqrt(1.0 - left * np.sqrt(1.0 - t))
    s = (np.abs(frame.u) - 0.30) / (width - 0.28)
    out = np.maximum(s, 0.0)
    dome = base + 0.10 * s * s + 0.17 * out * out * out * out
    return lateral.astype(np.float32), dome.astype(np.float32)


def _body(frame: Frame, a: Anatomy) -> Field:
    """The skin's outline, 0–1: neck, shoulders, flanks; arms run off the film."""
    across = np.abs(frame.u)
    wall = 0.10 + 0.05 * a.build
    flank = max(a.width_right, a.width_left) + wall + 0.03 * frame.v
    shoulder = -0.92 + 0.75 * np.maximum(across - 0.30, 0.0) ** 1.5
    trunk = ramp(flank + 0.60 * ramp(-0.36 - frame.v, 0.30) - across, 0.025)
    neck = ramp(0.25 + 0.03 * a.build - across, 0.04)
    return trunk * np.maximum(ramp(frame.v - shoulder, 0.03), neck)


def _mediastinum(frame: Frame, a: Anatomy) -> tuple[Field, Field]:
    """Attenuation of heart, great vessels, spine and trachea; and how much they cover, 0–1."""
    u, v = frame.u, frame.v
    axis = u - np.float32(a.scoliosis) * np.sin(2.5 * v)
    m, h = a.mediastinum, a.heart
    fall = ramp(v - 0.06, 0.32)
    left = m + 0.24 * h * fall + 0.05 * ramp(0.12 - np.abs(v + 0.30), 0.10)
    right = m + 0.09 * h * ramp(0.42 - np.abs(v - 0.26), 0.30) + 0.03 * ramp(-0.35 - v, 0.2)
    band = ramp(left - axis, 0.022) * ramp(right + axis, 0.022)
    heart = ramp(left - 0.03 - axis, 0.10) * ramp(right + axis, 0.06) * fall
    opaque = band * ramp(v + 0.80, 0.30)
    beat = np.abs((v * 8.6 + 0.2) % 1.0 - 0.5)
    spine = ramp(0.085 - np.abs(axis), 0.02) * (0.07 + 0.05 * ramp(beat - 0.12, 0.06))
    spine = spine + 0.05 * ramp(0.028 - np.abs(np.abs(axis) - 0.055), 0.02) * ramp(0.2 - beat, 0.08)
    trachea = ramp(0.042 - np.abs(axis + 0.012), 0.025) * ramp(-0.22 - v, 0.08)
    attenuation = 0.14 * opaque + 0.10 * heart + spine - 0.11 * trachea
    return attenuation.astype(np.float32), opaque


def _stomach_gas(frame: Frame, a: Anatomy) -> Field | float:
    """Attenuation taken away by the gas bubble below the left dome, often none."""
    if a.gas <= 0:
        return 0.0
    bubble = ellipse(frame, (0.36, a.base_left + 0.17), (0.17, 0.09))
    return np.float32(a.gas) * ramp(1.0 - bubble, 0.2)


def _breasts(frame: Frame, a: Anatomy) -> Field | float:
    """Attenuation of two soft shadows over the lower zones, with the fold's edge below."""
    if a.breasts <= 0:
        return 0.0
    du = (np.abs(frame.u) - 0.46) * (1.0 / 0.34)
    dv = (frame.v - 0.28) * (1.0 / 0.34)
    return np.float32(a.breasts) * ramp(1.0 - np.sqrt(du * du + dv * dv), 0.28)


def _ribs(frame: Frame, a: Anatomy, cage: Field) -> Field:
    """Attenuation of all ribs at once: two families of arcs, periodic down the body."""
    s = np.minimum(cage, 1.2)
    inside = ramp(1.0 - cage, 0.03)
    rim = s * s * s * s
    back = (
        frame.v - a.rib_start - a.rib_slope * s * s - 0.10 * rim * rim + 0.05 * s
    ) / a.rib_spacing
    front = (frame.v - a.rib_start - 0.30 + 0.42 * s - 0.22 * s * s) / (a.rib_spacing * 1.08)
    posterior = _arcs(back, 0.20) * (0.95 + 0.35 * rim)
    anterior = _arcs(front, 0.24) * ramp(cage - 0.45, 0.15) * 0.6
    return np.float32(a.bone) * inside * (posterior + anterior)


def _arcs(phase: Field, half: float) -> Field:
    """Bars with brighter rims (cortex) at every whole ``phase`` from 0 to 9."""
    off = np.abs(phase - np.rint(phase))
    bar = ramp(half - off, 0.07)
    rim = ramp(0.07 - np.abs(off - (half - 0.05)), 0.06)
    return (0.75 * bar + 0.35 * rim) * ramp(phase + 0.5, 0.1) * ramp(9.5 - phase, 0.1)


def _girdle(frame: Frame, a: Anatomy) -> Field:
    """Attenuation of clavicles, scapulae and humeral heads."""
    across = np.abs(frame.u)
    line = a.clavicle - a.clavicle_tilt * (across - 0.08) + 0.045 * np.sin(8.0 * across)
    thick = 0.026 + 0.016 * ramp(0.20 - across, 0.12)
    collar = ramp(thick - np.abs(frame.v - line), 0.014)
    collar = collar * ramp(across - 0.07, 0.02) * ramp(0.80 - across, 0.05)
    blade = ramp(across - 0.60 - 0.16 * (frame.v + 0.3), 0.02) * ramp(0.06 - frame.v, 0.1)
    blade = blade * ramp(frame.v + 0.68, 0.08) * ramp(0.95 - across, 0.1)
    du, dv = (across - 0.96) / 0.13, (frame.v + 0.58) / 0.13
    head = ramp(1.0 - np.sqrt(du * du + dv * dv), 0.1)
    return np.float32(a.bone) * (1.15 * collar + 0.45 * blade + 1.2 * head)


def _vessels(frame: Frame, a: Anatomy, rng: np.random.Generator) -> tuple[Field, Field]:
    """Attenuation of the vessel trees: (all with the hila, the finer branches alone)."""
    levels = _grow_tree(rng)
    px = 2.0 / frame.pixel / 96.0
    coarse = _splat(frame, np.concatenate(levels[:2]), 1.1 * px)
    fine = _splat(frame, np.concatenate(levels[2:]), 0.6 * px)
    hila = ramp(1.0 - ellipse(frame, (-0.16, 0.0), (0.09, 0.16)), 0.6)
    hila = hila + ramp(1.0 - ellipse(frame, (0.17, -0.05), (0.09, 0.14)), 0.6)
    scale = np.float32(0.036 * a.vessels)
    return scale * (coarse + fine) + 0.07 * hila, scale * (0.5 * coarse + fine) / np.float32(0.036)


def _grow_tree(rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """Points (n, 2) in body units along both lungs' branching trees, one array a level."""
    side = np.repeat([-1.0, 1.0], 8)
    start = np.stack([0.15 * side, -0.04 - 0.02 * side], axis=1) + rng.normal(0, 0.02, (16, 2))
    heading = np.tile(np.linspace(-1.45, 1.35, 8), 2) + rng.normal(0, 0.12, 16)
    steps = np.arange(1, 15) / 14.0
    levels = []
    for length in (0.20, 0.15, 0.12, 0.10):
        turn = heading[:, None] + rng.normal(0, 0.45, (len(heading), 1)) * steps
        reach = length / 14.0 * rng.uniform(0.7, 1.25, (len(heading), 1))
        walk = np.stack([np.cos(turn) * reach * side[:, None], np.sin(turn) * reach], axis=-1)
        path = start[:, None, :] + np.cumsum(walk, axis=1)
        levels.append(path.reshape(-1, 2))
        fork = rng.uniform(0.2, 0.6, len(heading))
        heading = np.concatenate([turn[:, -1] - fork, turn[:, -1] + fork])
        start, side = np.tile(path[:, -1], (2, 1)), np.tile(side, 2)
    return levels


def _splat(frame: Frame, points: NDArray[np.float64], sigma: float) -> Field:
    """Lay points on the grid and blur by ``sigma`` pixels; a lone line's crest is about 1."""
    height, width = frame.u.shape
    place = (points - frame.offset) @ frame.inverse.T
    col = ((place[:, 0] + 1.0) * 0.5 * width).astype(np.intp)
    row = ((place[:, 1] + 1.0) * 0.5 * height).astype(np.intp)
    kept = (col >= 0) & (col < width) & (row >= 0) & (row < height)
    hits = np.bincount(row[kept] * width + col[kept], minlength=height * width)
    grid = np.minimum(hits.reshape(height, width), 2.0).astype(np.float32)
    # Imported late: every source is loaded to find the one that fits, phantoms seldom drawn.
    from scipy import ndimage

    blurred = ndimage.gaussian_filter(grid, sigma, truncate=2.0)
    crest: Field = blurred * np.float32(1.0 + 1.5 * sigma)
    return crest
