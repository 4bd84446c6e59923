"""Built-in film: a drawn chest with pneumonia that the service reads before it says it is ready.

It is kept as a file, since drawing it needs more than reading does.
"""

from __future__ import annotations

import io
from importlib.resources import files

import numpy as np
from PIL import Image

from pneumoscope.records import Grey

DRAWN = (18, 1, 1, 128)
"""By ``imaging.phantom.draw_phantom``: seed, index, label, size."""


def built_in_film() -> bytes:
    """The film as a file, a PNG."""
    return (files("pneumoscope.serve") / "built_in.png").read_bytes()


def built_in_pixels() -> Grey:
    """Its grey levels, uint8 (H, W), 0–255, air dark."""
    return np.asarray(Image.open(io.BytesIO(built_in_film())))
