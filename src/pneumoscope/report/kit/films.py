"""Films on paper: small data URIs for the page, mosaics as PNG for the figures folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from pneumoscope.formatting import number
from pneumoscope.records import CLASSES
from pneumoscope.report.kit.figure import MUTED, NORMAL, PNEUMONIA
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
ACROSS = 8
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
) -> Figure | None:
    """All panels on one sheet, or None where they hold no film. Truth and reading below each film,
    and its heat where the panel shows it."""
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
    figure = Figure(figsize=(ACROSS * 1.02, height * 1.02))
    axes = figure.add_axes((0.005, 0.005, 0.99, 0.99))
    axes.set(xlim=(0, ACROSS), ylim=(height, 0), aspect="equal")
    axes.axis("off")
    top = 0.0
    for (panel, films, first), tall in zip(rows, heights, strict=True):
        if first:
            axes.text(0.03, top + 0.26, panel.title, fontsize=11, weight="bold")
            top += 0.36
        for column, shown in enumerate(films):
            image = film(shown.image_id)
            over = None
            if panel.heated and image is not None:
                over = overlay(image, shown.image_id, heat, MOSAIC)
            _draw_film(axes, image, (column, top))
            if over is not None:
                _draw_film(axes, over, (column, top + _STEP))
            _draw_words(axes, shown, (column, top, top + tall), panel.predicted)
        top += tall
    axes.set(xlim=(0, ACROSS), ylim=(height, 0))
    return figure


def _draw_film(axes: Axes, image: NDArray[np.uint8] | None, corner: tuple[float, float]) -> None:
    left, top = corner[0] + 0.03, corner[1] + 0.03
    if image is None:
        axes.add_patch(Rectangle((left, top), 0.94, 0.94, facecolor="none", edgecolor=MUTED))
        axes.text(left + 0.47, top + 0.5, "not available", ha="center", fontsize=7, color=MUTED)
        return
    picture = Image.fromarray(image)
    picture.thumbnail((MOSAIC, MOSAIC), Image.Resampling.LANCZOS)
    tall, wide = picture.height / max(picture.size), picture.width / max(picture.size)
    x, y = left + 0.47 * (1 - wide), top + 0.47 * (1 - tall)
    extent = (x, x + 0.94 * wide, y + 0.94 * tall, y)
    axes.imshow(np.asarray(picture), cmap="gray", vmin=0, vmax=255, extent=extent)


def _draw_words(
    axes: Axes, shown: Shown, place: tuple[float, float, float], predicted: bool
) -> None:
    """The frame of a misread film and the line below; ``place`` is left, top and end."""
    left, top, end = place[0] + 0.03, place[1] + 0.03, place[2]
    if predicted and not shown.right:
        axes.add_patch(
            Rectangle((left, top), 0.94, 0.94, facecolor="none", edgecolor=PNEUMONIA, linewidth=2)
        )
    truth = CLASSES[shown.label]
    words = f"{number(shown.probability)}  {truth}" if predicted else truth
    axes.text(left, end - 0.16, words, fontsize=8, color=PNEUMONIA if shown.label else NORMAL)
