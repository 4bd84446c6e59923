"""Films on paper: small data URIs for the page, mosaics as PNG for the figures folder."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from pneumoscope.evaluation.gallery import Shown
from pneumoscope.records import CLASSES
from pneumoscope.report.plates import MUTED, NORMAL, PNEUMONIA

Film = Callable[[str], "NDArray[np.uint8] | None"]

SIDE = 168
"""Longest side in pixels of a film on the page: sharp at 120 CSS pixels, about 5 kB each."""
LOSSLESS = 64
"""Films no larger than this are written as PNG, which is then smaller than JPEG and exact."""
MOSAIC = 160
ACROSS = 8


@dataclass(frozen=True, slots=True)
class Tile:
    """A film on the page. ``uri`` is empty where the film could not be read."""

    shown: Shown
    uri: str
    alt: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A titled row of films."""

    title: str
    note: str
    films: tuple[Shown, ...]
    judged: bool = True
    """False where only the truth is told, since the model played no part in the choice."""


def tile(shown: Shown, film: Film, *, judged: bool = True) -> Tile:
    """One film as a small data URI, with words for those who cannot see it."""
    image = film(shown.image_id)
    alt = f"Chest film {shown.name}, truly {CLASSES[shown.label]}"
    if judged:
        alt += f", read as {CLASSES[shown.called]} with probability {shown.probability:.2f}"
    return Tile(shown, "" if image is None else to_uri(image), alt)


def to_uri(image: NDArray[np.uint8]) -> str:
    """A data URI of a grey image uint8 (H, W), its longest side at most ``SIDE`` pixels."""
    picture = Image.fromarray(image)
    # For the eye only: what the network sees is resized by imaging.geometry alone.
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small = max(picture.size) <= LOSSLESS
    if small:
        picture.save(out, "PNG", optimize=True)
    else:
        picture.save(out, "JPEG", quality=80, optimize=True)
    kind = "png" if small else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode('ascii')}"


def draw_mosaic(panels: Sequence[Panel], film: Film) -> Figure | None:
    """All panels on one sheet, or None where they hold no film. Truth and reading below each."""
    rows = [
        (panel, panel.films[start : start + ACROSS], start == 0)
        for panel in panels
        for start in range(0, len(panel.films), ACROSS)
    ]
    if not rows:
        return None
    titles = sum(first for *_, first in rows)
    height = len(rows) * 1.28 + titles * 0.36
    figure = Figure(figsize=(ACROSS * 1.02, height * 1.02))
    axes = figure.add_axes((0.005, 0.005, 0.99, 0.99))
    axes.set(xlim=(0, ACROSS), ylim=(height, 0), aspect="equal")
    axes.axis("off")
    top = 0.0
    for panel, films, first in rows:
        if first:
            axes.text(0.03, top + 0.26, panel.title, fontsize=11, weight="bold")
            top += 0.36
        for column, shown in enumerate(films):
            _draw_tile(axes, shown, film(shown.image_id), (column, top), panel.judged)
        top += 1.28
    axes.set(xlim=(0, ACROSS), ylim=(height, 0))
    return figure


def _draw_tile(
    axes: Axes,
    shown: Shown,
    image: NDArray[np.uint8] | None,
    corner: tuple[float, float],
    judged: bool,
) -> None:
    left, top = corner[0] + 0.03, corner[1] + 0.03
    if image is None:
        axes.add_patch(Rectangle((left, top), 0.94, 0.94, facecolor="none", edgecolor=MUTED))
        axes.text(left + 0.47, top + 0.5, "not available", ha="center", fontsize=7, color=MUTED)
    else:
        picture = Image.fromarray(image)
        picture.thumbnail((MOSAIC, MOSAIC), Image.Resampling.LANCZOS)
        tall, wide = picture.height / max(picture.size), picture.width / max(picture.size)
        x, y = left + 0.47 * (1 - wide), top + 0.47 * (1 - tall)
        extent = (x, x + 0.94 * wide, y + 0.94 * tall, y)
        axes.imshow(np.asarray(picture), cmap="gray", vmin=0, vmax=255, extent=extent)
    wrong = judged and not shown.right
    if wrong:
        axes.add_patch(
            Rectangle((left, top), 0.94, 0.94, facecolor="none", edgecolor=PNEUMONIA, linewidth=2)
        )
    truth = CLASSES[shown.label]
    words = f"{shown.probability:.2f}  {truth}" if judged else truth
    axes.text(left, top + 1.09, words, fontsize=8, color=PNEUMONIA if shown.label else NORMAL)
