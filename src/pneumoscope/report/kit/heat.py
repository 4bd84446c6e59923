"""Films under their heat, small enough for a page: the overlay and its colour bar as data URIs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumoscope.explain.overlay import Box, Colour, colour_bar, draw_overlay
from pneumoscope.records import Grey
from pneumoscope.report.kit.uri import data_uri

FILM_SIDE = 168
"""Longest side in pixels of a film on the page, and of its overlay: sharp at 120 CSS pixels, about
5 kB each."""


@dataclass(frozen=True, slots=True)
class Heatmaps:
    """Heat float32 (S, S), 0–1, of films by image id; a film may be missing.

    ``about`` says how the heat was made. Where none could be, ``missing`` says why. ``boxes`` are
    the known places of the abnormality, (x, y, width, height) in pixels of the film.
    """

    maps: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    about: str = ""
    missing: str = ""
    boxes: Mapping[str, tuple[Box, ...]] = field(default_factory=dict)


HeatLookup = Callable[[Sequence[str]], Callable[[], Heatmaps]]
"""Begins the heatmaps of these image ids, and gives what ends and returns them: while another
process makes them, figures are drawn."""


def overlay(film: Grey, image_id: str, found: Heatmaps, side: int = FILM_SIDE) -> Colour | None:
    """The film uint8 (S, S) under its heat, uint8 (side, side, 3); None where it has no heat."""
    heat = found.maps.get(image_id)
    if heat is None:
        return None
    return draw_overlay(film, heat, found.boxes.get(image_id, ()), side)


def bar_uri() -> str:
    """A data URI of the colour bar, lying, from cold to hot."""
    lying = np.rot90(colour_bar(256, 12), -1)
    return data_uri(Image.fromarray(lying), lossless=True)
