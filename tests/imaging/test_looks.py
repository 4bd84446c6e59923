"""Looks: one size for every film, whatever a recipe stores and a decoder reduces."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.imaging.read import read_film
from pneumoscope.imaging.similar import likeness
from pneumoscope.imaging.thumbnails import LOOK, coarse_of, looks_of
from pneumoscope.records import Film, Grey


def reference(pixels: Grey) -> Grey:
    """The mean over each of 48 by 48 cells, by pixels repeated 48 times."""
    fine = pixels.astype(np.float64).repeat(LOOK, 0).repeat(LOOK, 1)
    height, width = pixels.shape
    means = fine.reshape(LOOK, height, LOOK, width).mean(axis=(1, 3))
    return np.rint(means).astype(np.uint8)


@pytest.mark.parametrize("shape", [(28, 28), (48, 48), (100, 131), (224, 224), (255, 240)])
def test_a_look_is_the_mean_over_cells(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    coarse = coarse_of(Film(pixels, *shape))
    assert coarse is pixels
    difference = looks_of([coarse])[0].astype(int) - reference(pixels)
    assert np.abs(difference).max() <= 1 and (difference != 0).mean() < 0.01  # ties


def test_a_look_does_not_depend_on_the_films_beside_it() -> None:
    rng = np.random.default_rng(1)
    films = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in [(200, 180)] * 5 + [(30, 90)]]
    together = looks_of(films)
    assert all(
        (looks_of([film])[0] == look).all() for film, look in zip(films, together, strict=True)
    )


@pytest.mark.parametrize("size", [(300, 420), (620, 520), (1000, 800), (1500, 1100)])
def test_a_jpeg_has_one_look_whatever_it_is_reduced_to(size: tuple[int, int]) -> None:
    large = draw_phantom(2, 3, label=1, size=256).image
    noise = np.random.default_rng(0).normal(0, 6, size[::-1])
    film = np.asarray(Image.fromarray(large).resize(size, Image.Resampling.BICUBIC)) + noise
    buffer = io.BytesIO()
    Image.fromarray(np.clip(film, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=85)
    read = [read_film(buffer.getvalue(), side) for side in (0, 64, 224)]
    assert len({each.pixels.shape for each in read}) > 1  # the decoder did reduce it
    looks = looks_of([coarse_of(each) for each in read]).astype(int)
    assert np.abs(looks - looks[0]).max() <= 2
    assert likeness(looks[:1].repeat(2, 0), looks[1:]).min() > 0.998
