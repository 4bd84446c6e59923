"""Overlays: the film shines through, heat brightens, boxes and lines lie where they belong."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from pneumoscope.explain.overlay import (
    OPACITY,
    _table,
    colour_bar,
    draw_film,
    draw_overlay,
    to_png,
    with_bar,
)

FILM = np.full((32, 32), 90, np.uint8)


def _luminance(rgb: np.ndarray) -> np.ndarray:
    return rgb[..., :3] @ np.array([0.2126, 0.7152, 0.0722])


def test_no_heat_is_the_bare_film() -> None:
    got = draw_overlay(FILM, np.zeros((32, 32), np.float32), side=64)
    assert got.shape == (64, 64, 3) and got.dtype == np.uint8
    assert (got == 90).all()
    assert (got == draw_film(FILM, side=64)).all()


def test_the_film_shines_through_the_hottest_heat() -> None:
    hot = np.ones((32, 32), np.float32)
    dark, bright = (draw_overlay(np.full_like(FILM, g), hot, side=32)[5, 5] for g in (0, 200))
    assert bright.astype(int) - dark == pytest.approx((1 - OPACITY) * 200, abs=1)


def test_the_colours_are_cividis() -> None:
    wanted = colormaps["cividis"](np.linspace(0.25, 1.0, 256))[:, :3] * 255
    np.testing.assert_array_equal(_table(), wanted)


def test_the_bar_rises_in_brightness_alone() -> None:
    """Who sees no colour still sees the order of heat."""
    bar = _luminance(colour_bar(200, 4)[:, 0].astype(float))
    top = bar[:100]
    assert (np.diff(top) <= 1.0).all() and top[0] > top[-1] + 30
    # From the hottest down to half, no level is met twice.
    assert colour_bar(200, 4).shape == (200, 4, 3)


def test_the_line_runs_at_half_of_the_maximum() -> None:
    heat = np.zeros((32, 32), np.float32)
    heat[:, 16:] = 1.0
    got = draw_overlay(FILM, heat, side=64)
    white = np.argwhere((got == 255).all(axis=2))
    assert len(white) and set(white[:, 1]) <= {31, 32, 33}


def test_boxes_are_drawn_where_they_are() -> None:
    got = draw_overlay(FILM, np.zeros((32, 32), np.float32), [(8, 4, 10, 20)], side=64)
    blue = np.argwhere((got == (86, 180, 233)).all(axis=2))
    assert blue.min(axis=0).tolist() == [8, 16]
    assert blue.max(axis=0).tolist() == [47, 35]


def test_png_reads_back() -> None:
    picture = with_bar(draw_overlay(FILM, np.ones((32, 32), np.float32), side=128))
    assert picture.shape[0] == 128 and picture.shape[1] > 128
    assert (np.asarray(Image.open(io.BytesIO(to_png(picture)))) == picture).all()
    assert to_png(picture) == to_png(picture)
