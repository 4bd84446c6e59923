"""Phantoms of adult proportions in a wide field: longer lungs, a smaller heart, heavier builds, the
neck, the belly and what lies beside the chest on the film.

The phantoms of the package, from which the drawn reference is made, have the proportions of a child
and fill the film. The gate's bounds must let them pass (``site_changes``): ``draw_adult``,
and ``draw_ill_adult`` with what films from a ward have besides.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pneumoscope.imaging import phantom
from pneumoscope.imaging.anatomy import Anatomy, Chest, Frame, draw_anatomy, draw_chest, ramp
from pneumoscope.records import Grey


def draw_adult(seed: int, index: int, size: int) -> Grey:
    """A film, uint8 (size, size); every second shows a pneumonia."""
    rng = np.random.default_rng([seed, 9, index])
    anatomy = _anatomy(rng)
    frame = _pose(rng, size)
    return _film(frame, draw_chest(frame, anatomy, rng), index, rng)


def draw_ill_adult(seed: int, index: int, size: int) -> Grey:
    """As ``draw_adult``, of people who lie ill: farther off or turned, arms on the film, larger
    hearts, lungs less full or of unequal width, and an image of less contrast."""
    rng = np.random.default_rng([seed, 10, index])
    anatomy, unequal = _anatomy(rng), rng.uniform(-0.15, 0.15)
    base = rng.uniform(0.2, 0.75)
    anatomy = anatomy._replace(
        heart=rng.uniform(0.8, 1.6),
        base_right=base,
        base_left=base + rng.uniform(-0.1, 0.15),
        width_right=anatomy.width_right * (1 + unequal),
        width_left=anatomy.width_left * (1 - unequal),
        mediastinum=rng.uniform(0.08, 0.2),
        scoliosis=rng.uniform(-0.1, 0.1),
    )
    frame = _pose(rng, size, 1.4)
    film = _film(frame, _armed(draw_chest(frame, anatomy, rng), frame, rng), index, rng)
    dark, light = rng.uniform(0, 90), rng.uniform(165, 255)
    return np.rint(dark + film * ((light - dark) / 255)).astype(np.uint8)


def _armed(chest: Chest, frame: Frame, rng: np.random.Generator) -> Chest:
    """With an upper arm on either side, none, or one, each with its bone."""
    soft, bones = chest.soft, chest.bones
    for side in (-1, 1):
        if rng.random() < 0.3:
            continue
        middle = rng.uniform(1.0, 1.25) + rng.uniform(-0.1, 0.2) * frame.v
        off, below = np.abs(side * frame.u - middle), ramp(frame.v + rng.uniform(0.3, 0.6), 0.1)
        soft = np.maximum(soft, 0.45 * below * ramp(rng.uniform(0.14, 0.22) - off, 0.03))
        bones = bones + 0.25 * below * ramp(0.06 - off, 0.02)
    return replace(chest, soft=soft, bones=bones)


def _film(frame: Frame, chest: Chest, index: int, rng: np.random.Generator) -> Grey:
    subtype = phantom.SUBTYPES[index % 3]
    shadow = phantom._draw_shadow(frame, chest, subtype, rng)
    attenuation = phantom._add_shadow(chest, shadow, index % 2, 1.0)
    attenuation = attenuation + phantom._haze(rng, frame, chest)
    return phantom._expose(rng, frame, chest, attenuation)[0]


def _anatomy(rng: np.random.Generator) -> Anatomy:
    child, base = draw_anatomy(rng), rng.uniform(0.45, 0.85)
    return child._replace(
        apex=rng.uniform(-0.95, -0.72),
        base_right=base,
        base_left=base + rng.uniform(0, 0.08),
        heart=rng.uniform(0.6, 1.15),
        mediastinum=rng.uniform(0.07, 0.14),
        breasts=max(0.0, rng.uniform(-0.12, 0.3)),
        build=rng.uniform(-1, 2),
        clavicle=rng.uniform(-0.75, -0.5),
        rib_slope=rng.uniform(0.15, 0.35),
        bone=rng.uniform(0.05, 0.15),
    )


def _pose(rng: np.random.Generator, size: int, widest: float = 1.25) -> Frame:
    turn = np.deg2rad(rng.normal(0, 2.5))
    zoom = np.array([rng.uniform(0.85, widest), rng.uniform(0.9, widest - 0.05)])
    offset = np.array([rng.normal(0, 0.05), rng.uniform(-0.08, 0.12)])
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) * zoom
    x, y = np.meshgrid(*[np.linspace(-1, 1, size, dtype=np.float32)] * 2)
    u, v = (
        (row[0] * x + row[1] * y + shift).astype(np.float32)
        for row, shift in zip(matrix, offset, strict=True)
    )
    return Frame(u, v, 2.0 / size, np.linalg.inv(matrix), offset)
