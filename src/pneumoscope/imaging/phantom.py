"""A synthetic chest radiograph with a known truth: the phantom.

No tell lies in the coarse greys. The shadow a pneumonia casts is drawn for every film; on a
normal film it is spread so smoothly (as overlying soft tissue would) that only its structure is
lost: fluffy borders, air bronchograms, reticulation and vessels swallowed up. A classifier that
looks at thumbnails, histograms or file facts therefore fails, one that sees texture does not:
``benchmarks/phantom_shortcuts.py`` measures both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pneumoscope.imaging.anatomy import (
    Chest,
    Field,
    Frame,
    draw_anatomy,
    draw_chest,
    ellipse,
    ramp,
)

GENERATOR_VERSION = 1
"""Raised whenever the same seed would give other pixels; part of a source's fingerprint."""

SUBTYPES: tuple[str, str, str] = ("lobar", "patchy", "interstitial")

# Independent random streams: what the label decides never moves another stream's draws.
_ANATOMY, _VESSELS, _DISEASE, _FILM = range(4)

# Share of the opacity's attenuation that its smooth twin on a normal film keeps. The lower, the
# sooner a small network learns, and the more a thumbnail tells: on 1900 films the 8x8 thumbnail's
# AUROC was 0.63 at 0.70 and 0.65 at 0.60; the bound to keep is 0.75.
_TWIN_SHARE = 0.60

_GLYPHS = {"R": (30, 17, 17, 30, 20, 18, 17), "L": (16, 16, 16, 16, 16, 16, 31)}


@dataclass(frozen=True, slots=True)
class Phantom:
    """One drawn film.

    ``image`` uint8 (H, W), 0–255, air dark. ``mask`` bool (H, W), true on the opacity, empty
    exactly when ``label`` is 0. ``facts`` are scalars; only ``subtype`` (truth: lobar, patchy,
    interstitial or none) depends on the label.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    label: int
    facts: dict[str, str | float | int]


@dataclass(frozen=True, slots=True)
class _Shadow:
    """An opacity before it meets the film: attenuation (H, W), its cover 0–1, vessels lost."""

    density: Field
    cover: Field


def draw_phantom(
    seed: int,
    index: int,
    *,
    label: int,
    size: int = 128,
    difficulty: float = 1.0,
    patient: int | None = None,
) -> Phantom:
    """Draw film ``index`` of world ``seed``: the same arguments give the same pixels.

    ``size`` is the nominal side in pixels (H and W vary around it by up to 8 %).
    ``difficulty`` divides the opacity's contrast; 1 is what the benchmark measures. Films with
    the same ``patient`` (default: ``index``) share anatomy and disease, not pose or exposure.
    """
    who = index if patient is None else patient
    film = np.random.default_rng([seed, _FILM, index])
    anatomy = draw_anatomy(np.random.default_rng([seed, _ANATOMY, who]))
    frame = _pose(film, size)
    chest = draw_chest(frame, anatomy, np.random.default_rng([seed, _VESSELS, who]))
    disease = np.random.default_rng([seed, _DISEASE, who])
    subtype = SUBTYPES[_pick_subtype(disease)]
    shadow = _draw_shadow(frame, chest, subtype, disease)
    attenuation = _add_shadow(chest, shadow, label, difficulty)
    attenuation = attenuation + _haze(film, frame, chest)
    image, facts = _expose(film, frame, chest, attenuation)
    extent = shadow.cover * chest.lung * np.float32(label)
    # Half of the peak, not half of full cover: a faint or part-hidden opacity keeps its truth.
    mask = extent > max(0.5 * float(extent.max()), 1e-3)
    facts["subtype"] = subtype if label else "none"
    return Phantom(image, mask, label, facts)


def true_subtype(seed: int, patient: int, label: int) -> str:
    """The subtype ``draw_phantom`` will draw, known without drawing; "none" for label 0."""
    if not label:
        return "none"
    return SUBTYPES[_pick_subtype(np.random.default_rng([seed, _DISEASE, patient]))]


def _pick_subtype(rng: np.random.Generator) -> int:
    return int(rng.choice(3, p=(0.35, 0.40, 0.25)))


def _pose(rng: np.random.Generator, size: int) -> Frame:
    """Where the film lies on the body: aspect, rotation, shift and magnification."""
    height, width = (round(size * rng.uniform(0.92, 1.08)) for _ in range(2))
    turn = np.deg2rad(rng.normal(0.0, 2.2))
    zoom = rng.uniform(0.84, 1.02) * rng.uniform(0.97, 1.03, 2)
    offset = np.array([rng.normal(0, 0.03), rng.uniform(-0.08, 0.04)])
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) * zoom
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    m = matrix.astype(np.float32)
    u = m[0, 0] * x + m[0, 1] * y + np.float32(offset[0])
    v = m[1, 0] * x + m[1, 1] * y + np.float32(offset[1])
    return Frame(u, v, 2.0 / size, np.linalg.inv(matrix), offset)


def _weave(rng: np.random.Generator, shape: tuple[int, int], cells: int) -> Field:
    """Smooth noise (H, W), mean 0, deviation about 1, with about ``cells`` knots a side.

    Two small matrix products replace a wide Gaussian filter: about fifty times faster.
    """
    knots = rng.standard_normal((cells, cells), dtype=np.float32)
    field: Field = _basis(shape[0], cells) @ knots @ _basis(shape[1], cells).T
    return field


@lru_cache(maxsize=256)
def _basis(n: int, cells: int) -> Field:
    """Cosine-window interpolation weights (n, cells), rows of unit length."""
    at = np.linspace(0.0, cells - 1.0, n, dtype=np.float32)[:, None]
    near = np.clip(1.0 - np.abs(at - np.arange(cells, dtype=np.float32)) / 1.5, 0.0, 1.0)
    weight = near * near * (3.0 - 2.0 * near)
    unit: Field = weight / np.sqrt((weight * weight).sum(axis=1, keepdims=True))
    unit.flags.writeable = False
    return unit


def _spread(field: Field, cells: int) -> Field:
    """``field`` with everything finer than ``cells`` a side smoothed away, its mass kept."""
    rows, cols = _basis(field.shape[0], cells), _basis(field.shape[1], cells)
    rows, cols = (w / w.sum(axis=1, keepdims=True) for w in (rows, cols))
    gather_r, gather_c = (w / w.sum(axis=0, keepdims=True) for w in (rows, cols))
    smooth: Field = rows @ (gather_r.T @ field @ gather_c) @ cols.T
    return smooth


def _draw_shadow(frame: Frame, chest: Chest, subtype: str, rng: np.random.Generator) -> _Shadow:
    """The opacity of ``subtype`` as structure: attenuation about 0.3 at its heart."""
    draw = {"lobar": _lobar, "patchy": _patchy, "interstitial": _interstitial}[subtype]
    mid = _weave(rng, frame.u.shape, 17)
    fine = _weave(rng, frame.u.shape, 34)
    contrast = np.float32(rng.uniform(0.27, 0.40))
    cover, texture = draw(frame, chest, mid, fine, rng)
    return _Shadow(contrast * cover * texture * chest.lung, cover)


def _lobar(
    frame: Frame, chest: Chest, mid: Field, fine: Field, rng: np.random.Generator
) -> tuple[Field, Field]:
    """One lobe: dense, sharp at the fissure, fluffy elsewhere, dark air bronchograms inside."""
    side = float(rng.choice((-1.0, 1.0)))
    lower = rng.random() < 0.6
    centre = (side * rng.uniform(0.32, 0.48), rng.uniform(0.05, 0.30) if lower else -0.30)
    radius = ellipse(frame, centre, (rng.uniform(0.36, 0.52), rng.uniform(0.34, 0.48)))
    fissure = centre[1] + (-0.18 if lower else 0.20) + rng.uniform(-0.1, 0.1) * side * frame.u
    beyond = (frame.v - fissure) if lower else (fissure - frame.v)
    cover = ramp(1.0 - radius + 0.16 * mid, 0.16) * ramp(beyond, 0.03)
    bronchi = np.minimum(chest.branches * 0.7, 0.9)
    return cover, np.maximum(1.0 + 0.45 * fine + 0.25 * mid - bronchi, 0.0)


def _patchy(
    frame: Frame, chest: Chest, mid: Field, fine: Field, rng: np.random.Generator
) -> tuple[Field, Field]:
    """Bronchopneumonia: several cotton-wool foci, often on both sides."""
    cover = np.zeros_like(frame.u)
    for _ in range(int(rng.integers(3, 7))):
        side = float(rng.choice((-1.0, 1.0)))
        centre = (side * rng.uniform(0.22, 0.55), rng.uniform(-0.45, 0.45))
        radius = ellipse(frame, centre, (rng.uniform(0.10, 0.20), rng.uniform(0.10, 0.20)))
        cover = np.maximum(cover, ramp(1.0 - radius + 0.35 * mid, 0.28))
    return cover, np.maximum(0.95 + 0.48 * fine, 0.0)


def _interstitial(
    frame: Frame, chest: Chest, mid: Field, fine: Field, rng: np.random.Generator
) -> tuple[Field, Field]:
    """A net of thickened septa with small nodes, widest around the hila and bases."""
    reach = (rng.uniform(0.50, 0.72), rng.uniform(0.45, 0.70))
    radius = ellipse(frame, (rng.uniform(-0.2, 0.2), rng.uniform(-0.05, 0.25)), reach)
    cover = ramp(1.0 - radius + 0.12 * mid, 0.25)
    other = _weave(rng, frame.u.shape, 28)
    septa = ramp(0.35 - np.abs(fine), 0.4) + ramp(0.35 - np.abs(other), 0.4)
    return cover, 0.15 + 0.58 * septa + 0.35 * np.maximum(fine * other, 0.0)


def _add_shadow(chest: Chest, shadow: _Shadow, label: int, difficulty: float) -> Field:
    """The chest's attenuation with the opacity (label 1) or its structureless twin (0)."""
    still = chest.soft + chest.bones
    if not label:
        within = np.maximum(_spread(chest.lung, 10), 0.15)
        twin = np.float32(_TWIN_SHARE) * chest.lung * _spread(shadow.density, 10) / within
        return still + chest.vessels + twin / np.float32(difficulty)
    # Silhouette sign: vessels in filled lung have no air beside them to stand out against.
    lost = 0.85 * shadow.cover / np.float32(max(difficulty, 1.0))
    return still + chest.vessels * (1.0 - lost) + shadow.density / np.float32(difficulty)


def _haze(rng: np.random.Generator, frame: Frame, chest: Chest) -> Field:
    """Smooth attenuation every film has: soft tissue, uneven aeration, a skin fold or a lead."""
    shape = frame.u.shape
    haze = chest.body * (0.045 * _weave(rng, shape, 4) + 0.030 * _weave(rng, shape, 7))
    haze = haze + chest.lung * (0.03 * _weave(rng, shape, 7) + np.float32(rng.uniform(-0.05, 0.09)))
    haze = haze + chest.lung * ramp(frame.u, 0.2) * np.float32(rng.normal(0, 0.04))
    fold, lead = rng.random(2)
    slope, at = rng.normal(0, 0.35), rng.uniform(0.25, 0.7) * float(rng.choice((-1.0, 1.0)))
    edge = frame.u - np.float32(at) - np.float32(slope) * frame.v
    if fold < 0.12:
        haze = haze + 0.05 * ramp(edge, 0.012) * ramp(0.25 - edge, 0.25) * chest.body
    if lead < 0.15:
        wire = edge + 0.1 * np.sin(5.0 * frame.v + 9.0 * np.float32(at))
        haze = haze + 0.16 * ramp(0.006 - np.abs(wire), frame.pixel)
    return haze


def _expose(
    rng: np.random.Generator, frame: Frame, chest: Chest, attenuation: Field
) -> tuple[NDArray[np.uint8], dict[str, str | float | int]]:
    """Attenuation to grey levels: exposure, contrast, gamma, quantum noise, border, marker."""
    level, contrast, gamma = rng.uniform(0.48, 0.64), rng.uniform(3.0, 4.6), rng.uniform(0.8, 1.25)
    noise = rng.uniform(0.008, 0.022)
    grain = rng.standard_normal(frame.u.shape, dtype=np.float32)
    # Fewer quanta reach the film behind dense tissue, so grain grows with attenuation.
    seen = attenuation + np.float32(noise) * (0.5 + 0.5 * attenuation) * grain
    floor = 1.0 / (1.0 + np.exp(contrast * level))
    light = 1.0 / (1.0 + np.exp(np.float32(contrast) * (np.float32(level) - seen)))
    light = np.clip((light - floor) / (1.0 - floor), 0.0, 1.0) ** np.float32(gamma)
    peak = rng.uniform(225, 255)
    collimated = _collimate(rng, light)
    marker = _stamp_marker(rng, light)
    image = np.clip(light * np.float32(peak) + np.float32(0.5), 0, 255).astype(np.uint8)
    return image, {"marker": marker, "collimated": collimated, "gamma": round(gamma, 3)}


def _collimate(rng: np.random.Generator, light: Field) -> int:
    """Blacken up to four edges in place on one film in four; 1 where it was done."""
    if rng.random() >= 0.25:
        return 0
    top, bottom, left, right = (
        max(0, round(light.shape[0] * rng.uniform(-0.05, 0.07))) for _ in range(4)
    )
    height, width = light.shape
    light[:top] *= 0.06
    light[height - bottom :] *= 0.06
    light[:, :left] *= 0.06
    light[:, width - right :] *= 0.06
    return 1


def _stamp_marker(rng: np.random.Generator, light: Field) -> str:
    """Stamp a lead R or L in place near an upper corner; the letter, or "none"."""
    chance, x, y = rng.random(), rng.uniform(0.02, 0.10), rng.uniform(0.03, 0.30)
    if chance < 0.4:
        return "none"
    letter = "R" if chance < 0.85 else "L"
    bits = np.array([[row >> b & 1 for b in (4, 3, 2, 1, 0)] for row in _GLYPHS[letter]])
    glyph = np.kron(bits, np.ones((max(1, light.shape[0] // 96),) * 2)).astype(np.float32)
    rows, cols = glyph.shape
    top, left = int(y * light.shape[0]), int(x * light.shape[1])
    if letter == "L":
        left = light.shape[1] - left - cols
    patch = light[top : top + rows, left : left + cols]
    np.maximum(patch, 0.95 * glyph, out=patch)
    return letter
