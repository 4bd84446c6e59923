"""Fitting to a square, against hand-worked pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.imaging.geometry import fit_boxes, fit_square, fit_square_mask
from pneumoscope.records import InputSpec


def test_a_film_of_the_right_size_is_untouched() -> None:
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert fit_square(image, InputSpec(8, 8)) is image


def test_shrinking_averages_so_that_detail_cannot_alias() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    small = fit_square(stripes, InputSpec(8, 8))
    assert np.abs(small.astype(int) - 127).max() <= 16


def test_pad_centres_the_film_on_air() -> None:
    wide = np.full((4, 8), 200, np.uint8)
    got = fit_square(wide, InputSpec(8, 8, "pad"))
    assert (got[:2] == 0).all() and (got[2:6] == 200).all() and (got[6:] == 0).all()


def test_crop_keeps_the_centre() -> None:
    tall = np.repeat(np.arange(8, dtype=np.uint8)[:, None], 4, axis=1)
    assert fit_square(tall, InputSpec(4, 4, "crop"))[:, 0].tolist() == [2, 3, 4, 5]


@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
@given(height=st.integers(1, 90), width=st.integers(1, 90), side=st.integers(1, 70))
def test_any_film_becomes_the_square(fit, height: int, width: int, side: int) -> None:
    flat = np.full((height, width), 77, np.uint8)
    got = fit_square(flat, InputSpec(side, side, fit))
    assert got.shape == (side, side) and got.dtype == np.uint8
    assert got.max() <= 77
    if fit != "pad":
        assert (got == 77).all()


def test_mask_takes_the_same_path() -> None:
    mask = np.zeros((40, 20), bool)
    mask[10:30, 5:15] = True
    got = fit_square_mask(mask, InputSpec(20, 20))
    assert got[6:14, 6:14].all() and not got[:4].any() and not got[:, :4].any()


@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    side=st.integers(1, 40),
    seed=st.integers(0, 9),
)
def test_mirroring_and_turning_a_film_does_the_same_to_its_square(
    fit, height: int, width: int, side: int, seed: int
) -> None:
    """No axis is treated otherwise than the other, and nothing drifts to a side."""
    film = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    spec = InputSpec(side, side, fit)
    square = fit_square(film, spec).astype(int)
    assert square.min() >= (0 if fit == "pad" else film.min()) and square.max() <= film.max()
    # Pillow resizes one axis after the other and rounds between them.
    assert np.abs(fit_square(film.T, spec).T.astype(int) - square).max() <= 1
    if (height - width) % 2 == 0 or fit == "squash":  # an odd pixel has to go to one side
        assert np.abs(fit_square(film[:, ::-1], spec)[:, ::-1].astype(int) - square).max() <= 1


@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
@given(
    height=st.integers(40, 130),
    width=st.integers(40, 130),
    corners=st.tuples(*[st.floats(0.0, 1.0)] * 4),
)
def test_boxes_go_where_a_painted_box_goes(fit, height: int, width: int, corners) -> None:
    rows, columns = (
        sorted((round(a * n), round(b * n))) for a, b, n in _spans(corners, height, width)
    )
    if rows[1] - rows[0] < 6 or columns[1] - columns[0] < 6:
        return
    painted = np.zeros((height, width), bool)
    painted[rows[0] : rows[1], columns[0] : columns[1]] = True
    spec = InputSpec(64, 64, fit)
    mask = fit_square_mask(painted, spec)
    box = (columns[0], rows[0], columns[1] - columns[0], rows[1] - rows[0])
    fitted = fit_boxes([box], (height, width), spec)
    centre = np.arange(64) + 0.5
    drawn = np.zeros((64, 64), bool)
    for x, y, w, h in fitted:
        drawn |= ((centre >= y) & (centre < y + h))[:, None] & (centre >= x) & (centre < x + w)
    # Only pixels that an edge cuts may differ: one on each side, by Pillow's rounding.
    apart = np.argwhere(drawn != mask)
    if fitted:
        x, y, w, h = fitted[0]
        near_x = np.minimum(abs(apart[:, 1] + 0.5 - x), abs(apart[:, 1] + 0.5 - x - w))
        near_y = np.minimum(abs(apart[:, 0] + 0.5 - y), abs(apart[:, 0] + 0.5 - y - h))
        assert (np.minimum(near_x, near_y) <= 1.0).all()
    else:
        assert not mask.any()


def _spans(corners, height: int, width: int):
    top, bottom, left, right = corners
    return (top, bottom, height), (left, right, width)


def test_boxes_against_hand_worked_ones() -> None:
    box = [(10.0, 20.0, 30.0, 40.0)]
    assert fit_boxes(box, (100, 200), InputSpec(50, 50)) == ((2.5, 10.0, 7.5, 20.0),)
    assert fit_boxes(box, (100, 200), InputSpec(50, 50, "pad")) == ((2.5, 17.5, 7.5, 10.0),)
    # The centre square begins at x = 50, right of the box.
    assert fit_boxes(box, (100, 200), InputSpec(50, 50, "crop")) == ()
    wide = [(40.0, 20.0, 30.0, 40.0)]
    assert fit_boxes(wide, (100, 200), InputSpec(50, 50, "crop")) == ((0.0, 10.0, 10.0, 20.0),)
