"""What is no frontal film of a chest: by its facts, and by its grey levels."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from pneumoscope.imaging.geometry import boxes_on, fit_square
from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.imaging.pictures import kind_of
from pneumoscope.imaging.views import aside_of
from pneumoscope.records import InputSpec


@pytest.mark.parametrize(
    ("facts", "reasons"),
    [
        *(({"view": v}, ()) for v in ("PA", "AP", "AP Supine", "AP_horizontal", "Frontal", "")),
        *(
            ({"view": v}, ("LATERAL",))
            for v in ("L", "LL", "RL", "Lateral", "LATERAL VIEW", "lat", "COSTAL", "LAO")
        ),
        *(({"view": v}, ("OTHER-MODALITY",)) for v in ("Axial", "Coronal")),
        *(({"modality": m}, ()) for m in ("DX", "CR", "X-ray", "XR", "OT")),
        *(({"modality": m}, ("OTHER-MODALITY",)) for m in ("CT", "MR", "US")),
        *(({"body_part": p}, ()) for p in ("CHEST", "Thorax", "LUNG", "HEAD_TO_CHEST", "UNKNOWN")),
        *(({"body_part": p}, ("OTHER-PART",)) for p in ("ANKLE", "HAND", "Pelvis", "C SPINE")),
        ({"modality": "CT", "view": "L"}, ("OTHER-MODALITY", "LATERAL")),
        ({}, ()),
    ],
)
def test_facts_tell_what_is_no_frontal_film(
    facts: dict[str, str], reasons: tuple[str, ...]
) -> None:
    assert aside_of(facts) == reasons


def lungs(side: int = 96) -> np.ndarray:
    y, x = np.mgrid[:side, :side] / side
    left, right = (((x - c) / 0.13) ** 2 + ((y - 0.5) / 0.32) ** 2 < 1 for c in (0.3, 0.7))
    return np.asarray(left | right)


def test_masks_are_told_by_their_grey_levels_also_after_jpeg() -> None:
    mask = (lungs() * 255).astype(np.uint8)
    assert kind_of(mask) == "MASK"
    assert kind_of((lungs() * 120 + 30).astype(np.uint8)) == "MASK"
    out = io.BytesIO()
    Image.fromarray(mask).resize((400, 300)).save(out, "JPEG", quality=80)
    assert kind_of(np.asarray(Image.open(out))) == "MASK"


def test_cut_out_lungs_are_told_and_films_are_not() -> None:
    for index in range(12):
        film = fit_square(draw_phantom(3, index, label=index % 2, size=96).image, InputSpec(96, 96))
        assert kind_of(film) is None
        assert kind_of(np.where(lungs(), np.maximum(film, 12), 0).astype(np.uint8)) == "CUT-OUT"
        padded = np.zeros((96, 200), np.uint8)
        padded[:, 50:146] = film
        assert kind_of(padded) is None


def test_an_underexposed_film_is_no_mask() -> None:
    for index in range(8):
        film = draw_phantom(3, index, label=index % 2, size=28).image
        low, high = int(film.min()), int(film.max())
        flat = 150 + (film.astype(int) - low) * 34 // max(high - low, 1)
        assert kind_of(flat.astype(np.uint8)) is None


def test_one_grey_level_is_no_mask() -> None:
    assert kind_of(np.full((40, 40), 7, np.uint8)) is None
    assert kind_of(np.zeros((40, 40), np.uint8)) is None


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_any_picture_has_a_kind_or_none(pixels: np.ndarray) -> None:
    assert kind_of(pixels) in (None, "MASK", "CUT-OUT")


@pytest.mark.parametrize("side", [224, 256, 512, 1024])
def test_boxes_of_the_challenge_scale_to_the_film(side: int) -> None:
    (box,) = boxes_on([(256, 512, 128, 64)], (side, side), 1024)
    assert box == pytest.approx([v * side / 1024 for v in (256, 512, 128, 64)])
    assert boxes_on([(1, 1, side + 9, 4)], (side, side)) == ()
    assert boxes_on([(900, 900, 200, 200)], (side, side), 1024) == ()


@given(
    st.lists(st.tuples(*[st.floats(0, 1024)] * 4), max_size=6),
    st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
)
def test_every_box_that_is_kept_lies_on_the_film(
    boxes: list[tuple[float, float, float, float]], size: tuple[int, int]
) -> None:
    for x, y, w, h in boxes_on(boxes, size, 1024):
        assert x + w <= size[1] + 1 and y + h <= size[0] + 1
