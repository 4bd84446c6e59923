"""Overlay: a heatmap laid over its film, with a colour bar: uint8 RGB, and PNG.

The colours are cividis, made for every kind of colour vision (Nuñez 2018, PLoS ONE 13, e0199239):
brightness alone tells the heat. Cold places stay clear, so the film is seen, and a line marks half
of the maximum.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from pneumoscope.records import Grey

Colour = NDArray[np.uint8]
"""Pictures uint8 (H, W, 3), RGB."""

Box = tuple[float, float, float, float]

OVERLAY_SIDE = 448
"""Side in pixels of a film in a picture."""
OPACITY = 0.6
"""Of the hottest colour: four parts in ten of the film shine through it."""
LINE = 0.5
"""Part of the maximum at which the line is drawn."""
_BAR, _GAP = 18, 14
_WORDS = 74
_BOX = (86, 180, 233)  # Okabe and Ito's sky blue, which no heat and no film has


def draw_overlay(
    film: Grey, heat: NDArray[np.float32], boxes: Iterable[Box] = (), side: int = OVERLAY_SIDE
) -> Colour:
    """The film uint8 (S, S), air dark, under its heat float32 (S, S), 0–1: uint8 (side, side, 3).

    ``boxes`` (x, y, width, height) are in pixels of the film.
    """
    base = np.asarray(draw_film(film, (), side), np.float64)
    large = np.asarray(_enlarged(heat, side), np.float64)
    veil = (OPACITY * large)[..., None]
    mixed = base * (1 - veil) + _colours(large) * veil
    picture = Image.fromarray(np.clip(mixed + 0.5, 0, 255).astype(np.uint8))
    _draw_line(picture, large)
    _draw_boxes(picture, boxes, side / film.shape[0])
    return np.asarray(picture)


def draw_film(film: Grey, boxes: Iterable[Box] = (), side: int = OVERLAY_SIDE) -> Colour:
    """The bare film at the same size, with its boxes: uint8 (side, side, 3)."""
    picture = Image.fromarray(film).resize((side, side), Image.Resampling.BICUBIC).convert("RGB")
    _draw_boxes(picture, boxes, side / film.shape[0])
    return np.asarray(picture)


def with_bar(overlay: Colour) -> Colour:
    """The overlay uint8 (H, W, 3) with its colour bar on the right, from 0 to the maximum."""
    height, width = overlay.shape[:2]
    sheet = Image.new("RGB", (width + _GAP + _BAR + _WORDS, height), "white")
    sheet.paste(Image.fromarray(overlay), (0, 0))
    sheet.paste(Image.fromarray(colour_bar(height, _BAR)), (width + _GAP, 0))
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    left = width + _GAP + _BAR
    for share, words in ((1.0, "hottest"), (LINE, "half"), (0.0, "none")):
        y = min(max(round((1 - share) * (height - 1)), 0), height - 1)
        pen.line((left - _BAR, y, left + 4, y), fill="black", width=1)
        text = min(max(y - 8, 0), height - 17)
        pen.text((left + 8, text), words, fill="black", font=font)
    return np.asarray(sheet)


def colour_bar(height: int, width: int) -> Colour:
    """The colours of heat 1 (top) to 0 over a middle grey film, uint8 (height, width, 3)."""
    heat = np.linspace(1, 0, height)[:, None].repeat(width, axis=1)
    veil = (OPACITY * heat)[..., None]
    mixed = 128 * (1 - veil) + _colours(heat) * veil
    return np.asarray(np.clip(mixed + 0.5, 0, 255), np.uint8)


def to_png(picture: Colour, about: str = "") -> bytes:
    """The picture as PNG, the same bytes for the same picture; ``about`` is what it says of itself
    (PNG's keyword Description)."""
    out = io.BytesIO()
    said = PngInfo()
    if about:
        said.add_itxt("Description", about)
    Image.fromarray(picture).save(out, "PNG", compress_level=6, pnginfo=said)
    return out.getvalue()


def _enlarged(heat: NDArray[np.float32], side: int) -> Image.Image:
    return Image.fromarray(np.asarray(heat, np.float32)).resize(
        (side, side), Image.Resampling.BILINEAR
    )


@cache
def _table() -> NDArray[np.float64]:
    """Cividis from its middle up, float (256, 3), 0–255: its dark half would hide dark lungs."""
    # Of matplotlib, kept as numbers: an export is read, and its heat drawn, without it.
    table: NDArray[np.float64] = np.load(Path(__file__).with_name("cividis.npy"))
    return table


def _colours(heat: NDArray[np.float64]) -> NDArray[np.float64]:
    levels = np.clip(heat * 255 + 0.5, 0, 255).astype(np.uint8)
    return np.asarray(_table()[levels])


def _draw_line(picture: Image.Image, heat: NDArray[np.float64]) -> None:
    """A white line with a dark rim, two pixels wide, where heat crosses ``LINE``."""
    hot = heat >= LINE
    edge = np.zeros_like(hot)
    edge[:, 1:] |= hot[:, 1:] != hot[:, :-1]
    edge[1:] |= hot[1:] != hot[:-1]
    wide = edge.copy()
    wide[1:-1, 1:-1] |= edge[:-2, 1:-1] | edge[2:, 1:-1] | edge[1:-1, :-2] | edge[1:-1, 2:]
    picture.paste((20, 20, 20), mask=Image.fromarray(wide))
    picture.paste((255, 255, 255), mask=Image.fromarray(edge))


def _draw_boxes(picture: Image.Image, boxes: Iterable[Box], scale: float) -> None:
    pen = ImageDraw.Draw(picture)
    for x, y, width, height in boxes:
        left, top = x * scale, y * scale
        right, bottom = left + width * scale - 1, top + height * scale - 1
        pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=(20, 20, 20), width=4)
        pen.rectangle((left, top, right, bottom), outline=_BOX, width=2)
