"""Phantoms of adult proportions in a wide field: longer lungs, a smaller heart, heavier builds, the
neck, the belly and what lies beside the chest on the film.

The phantoms of the package, from which the drawn reference is made, have the proportions of a child
and fill the film. These are what the gate's bounds must let pass (``site_changes``).
"""

from __future__ import annotations

import numpy as np

from pneumoscope.imaging import phantom
from pneumoscope.imaging.anatomy import Anatomy, Frame, draw_anatomy, draw_chest
from pneumoscope.records import Grey


def draw_adult(seed: int, index: int, size: int) -> Grey:
    """A film, uint8 (size, size); every second shows a pneumonia."""
    rng = np.random.default_rng([seed, 9, index])
    anatomy = _anatomy(rng)
    frame = _pose(rng, size)
    chest = draw_chest(frame, anatomy, rng)
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


def _pose(rng: np.random.Generator, size: int) -> Frame:
    turn = np.deg2rad(rng.normal(0, 2.5))
    zoom = np.array([rng.uniform(0.85, 1.25), rng.uniform(0.9, 1.2)])
    offset = np.array([rng.normal(0, 0.05), rng.uniform(-0.08, 0.12)])
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) * zoom
    x, y = np.meshgrid(*[np.linspace(-1, 1, size, dtype=np.float32)] * 2)
    u, v = (
        (row[0] * x + row[1] * y + shift).astype(np.float32)
        for row, shift in zip(matrix, offset, strict=True)
    )
    return Frame(u, v, 2.0 / size, np.linalg.inv(matrix), offset)
