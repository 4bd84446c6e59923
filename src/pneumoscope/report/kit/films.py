"""Films on paper: small data URIs for the page, mosaics as PNG for the figures folder."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from pneumoscope.formatting import number
from pneumoscope.records import CLASSES
from pneumoscope.report.kit.figure import MUTED, NORMAL, PNEUMONIA, PNG_LEVEL
from pneumoscope.report.kit.gallery import Shown
from pneumoscope.report.kit.heat import FILM_SIDE, Heatmaps, overlay
from pneumoscope.report.kit.uri import data_uri

ImageLookup = Callable[[str], "NDArray[np.uint8] | None"]
"""The stored image of an image id, uint8 (H, W), air dark, or None."""
HiddenLookup = Callable[[str], "Mapping[str, NDArray[np.uint8]]"]
"""A film as the shortcut check showed it, by ``variant``; empty where it cannot be had."""

LOSSLESS = 64
"""Films no larger than this are written as PNG, which is then smaller than JPEG and exact."""
MOSAIC = 160
"""Pixels of a tile of a mosaic, and dots of an inch."""
ACROSS = 8
_FILM = round(0.94 * MOSAIC)
_STEP = 0.98
"""From a film of a mosaic down to its heat, in tiles."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A film on the page, and the same under its heat; a URI is empty where there is no picture."""

    shown: Shown
    uri: str
    alt: str
    heat_uri: str = ""
    heat_alt: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """A titled row of films."""

    title: str
    note: str
    films: tuple[Shown, ...]
    predicted: bool = True
    """False where only the truth is told, since the model played no part in the choice."""
    heated: bool = False
    """True where each film is shown a second time, under its heat."""


def tile(
    shown: Shown, film: ImageLookup, heat: Heatmaps | None = None, *, predicted: bool = True
) -> Tile:
    """One film, and its heat where given, as small data URIs, with words for those who cannot
    see them."""
    image = film(shown.image_id)
    alt = f"Chest film {shown.name}, truly {CLASSES[shown.label]}"
    if predicted:
        alt += f", read as {CLASSES[shown.called]} with probability {number(shown.probability)}"
    if image is None:
        return Tile(shown, "", alt)
    picture = overlay(image, shown.image_id, heat) if heat else None
    if heat is None or picture is None:
        return Tile(shown, to_uri(image), alt)
    words = heat_words(heat.maps[shown.image_id])
    return Tile(
        shown, to_uri(image), alt, data_uri(Image.fromarray(picture)), f"{shown.name}: {words}"
    )


def heat_words(heat: NDArray[np.float32]) -> str:
    """Where on the film float32 (S, S) the heat has its maximum, as seen on the picture."""
    if not heat.any():
        return "no heat, nothing on it speaks for pneumonia"
    y, x = (int(i) for i in np.unravel_index(heat.argmax(), heat.shape))
    down = ("top", "middle", "bottom")[3 * y // heat.shape[0]]
    across = ("left", "centre", "right")[3 * x // heat.shape[1]]
    place = "centre" if (down, across) == ("middle", "centre") else f"{down} {across}"
    return f"heatmap, hottest at the {place} of the picture"


def to_uri(image: NDArray[np.uint8]) -> str:
    """A data URI of a grey image uint8 (H, W), its longest side at most ``FILM_SIDE`` pixels."""
    picture = Image.fromarray(image)
    # For the eye only: what the network sees is resized by imaging.geometry alone.
    picture.thumbnail((FILM_SIDE, FILM_SIDE), Image.Resampling.LANCZOS)
    return data_uri(picture, lossless=max(picture.size) <= LOSSLESS)


def draw_mosaic(
    panels: Sequence[Panel], film: ImageLookup, heat: Heatmaps | None = None
) -> bytes | None:
    """All panels on one sheet as PNG, or None where they hold no film. Truth and reading below each
    film, and its heat where the panel shows it. Call within ``house_style``."""
    heat = heat or Heatmaps()
    rows = [
        (panel, panel.films[start : start + ACROSS], start == 0)
        for panel in panels
        for start in range(0, len(panel.films), ACROSS)
    ]
    if not rows:
        return None
    heights = [1.28 + _STEP * (panel.heated and bool(heat.maps)) for panel, *_ in rows]
    height = sum(heights) + 0.36 * sum(first for *_, first in rows)
    tall = math.ceil(height * MOSAIC)
    figure = Figure(figsize=(ACROSS, tall / MOSAIC), dpi=MOSAIC)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.set(xlim=(0, ACROSS), ylim=(tall / MOSAIC, 0))
    sheet = np.full((tall, ACROSS * MOSAIC, 3), 255, np.uint8)
    top = 0.0
    for (panel, films, first), high in zip(rows, heights, strict=True):
        if first:
            axes.text(0.03, top + 0.26, panel.title, fontsize=11, weight="bold")
            top += 0.36
        for column, shown in enumerate(films):
            corner = (column + 0.03, top + 0.03)
            image = film(shown.image_id)
            if image is None:
                _draw_missing(axes, corner)
            else:
                _paste(sheet, image, corner)
                over = overlay(image, shown.image_id, heat, _FILM) if panel.heated else None
                if over is not None:
                    _paste(sheet, over, (corner[0], corner[1] + _STEP))
            _draw_words(axes, shown, (*corner, top + high), panel.predicted)
        top += high
    return _under(figure, sheet)


def _under(figure: Figure, sheet: NDArray[np.uint8]) -> bytes:
    """PNG of ``figure`` over ``sheet``: matplotlib would enlarge each film slowly, in floats."""
    figure.patch.set_alpha(0)
    canvas: Any = FigureCanvasAgg(figure)  # matplotlib types none of its methods
    canvas.draw()
    words, found = Image.fromarray(np.asarray(canvas.buffer_rgba())), Image.fromarray(sheet)
    found.paste(words, mask=words)
    out = io.BytesIO()
    found.save(out, "PNG", compress_level=PNG_LEVEL, dpi=(MOSAIC, MOSAIC))
    return out.getvalue()


def _paste(sheet: NDArray[np.uint8], image: NDArray[np.uint8], corner: tuple[float, float]) -> None:
    """Lay a film, uint8 (H, W) or (H, W, 3), into the sheet, (left, top) in tiles."""
    size = image.shape[1::-1]
    wide, tall = (max(1, round(_FILM * side / max(size))) for side in size)
    # For the eye only: what the network sees is resized by imaging.geometry alone.
    picture = Image.fromarray(image).convert("RGB").resize((wide, tall), Image.Resampling.LANCZOS)
    x, y = (round(at * MOSAIC) for at in corner)
    x, y = x + (_FILM - wide) // 2, y + (_FILM - tall) // 2
    sheet[y : y + tall, x : x + wide] = np.asarray(picture)


def _draw_missing(axes: Axes, corner: tuple[float, float]) -> None:
    axes.add_patch(Rectangle(corner, 0.94, 0.94, facecolor="none", edgecolor=MUTED))
    where = (corner[0] + 0.47, corner[1] + 0.47)
    axes.text(*where, "not available", ha="center", fontsize=7, color=MUTED)


def _draw_words(
    axes: Axes, shown: Shown, place: tuple[float, float, float], predicted: bool
) -> None:
    """The frame of a misread film and the line below; ``place`` is left, top and end."""
    left, top, end = place
    if predicted and not shown.right:
        axes.add_patch(
            Rectangle((left, top), 0.94, 0.94, facecolor="none", edgecolor=PNEUMONIA, linewidth=2)
        )
    truth = CLASSES[shown.label]
    words = f"{number(shown.probability)}  {truth}" if predicted else truth
    axes.text(left, end - 0.16, words, fontsize=7.5, color=PNEUMONIA if shown.label else NORMAL)
