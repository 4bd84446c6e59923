"""Localisation against hand-worked numbers."""

from __future__ import annotations

import numpy as np
import pytest

from pneumoscope.explain.localise import (
    area_share,
    boxes_to_mask,
    energy,
    left_out_prior,
    localise,
    overlap,
    pointing,
)
from pneumoscope.plain import to_plain


def test_measures_by_hand() -> None:
    heat = np.array([[[0, 0.2], [1.0, 0.8]], [[1.0, 0], [1.0, 0]], [[0, 0], [0, 0.0]]])
    masks = np.array([[[0, 0], [1, 0]], [[1, 1], [0, 0]], [[1, 0], [0, 0]]], bool)
    # The second has two hottest pixels, one inside; the third is flat, a blind guess.
    assert pointing(heat, masks).tolist() == [1.0, 0.5, 0.25]
    assert energy(heat, masks) == pytest.approx([0.5, 0.5, 0.25])
    # Hot: two pixels, one shared; two, one shared of three; all four.
    assert overlap(heat, masks) == pytest.approx([1 / 2, 1 / 3, 1 / 4])
    assert overlap(heat, masks, 0.9) == pytest.approx([1.0, 1 / 3, 1 / 4])
    assert area_share(masks).tolist() == [0.25, 0.5, 0.25]


def test_boxes_are_pixels_by_their_centre() -> None:
    mask = boxes_to_mask([(1.4, 0.0, 1.2, 2.0), (3.0, 3.0, 9.0, 9.0)], 4)
    expected = np.zeros((4, 4), bool)
    expected[0:2, 1:3] = True  # centres 1.5 and 2.5 lie in 1.4 to 2.6
    expected[3, 3] = True
    assert (mask == expected).all()


def test_the_prior_leaves_each_patient_out() -> None:
    masks = np.zeros((3, 1, 3), bool)
    masks[[0, 1, 2], 0, [0, 1, 2]] = True
    prior = left_out_prior(masks, np.array(["a", "a", "b"]))
    assert prior[0].tolist() == prior[1].tolist() == [[0, 0, 1]]
    assert prior[2].tolist() == [[0.5, 0.5, 0]]
    assert left_out_prior(masks[:1]).tolist() == [[[1, 1, 1]]]


def test_a_perfect_map_beats_both_rivals_and_a_flat_one_neither() -> None:
    rng = np.random.default_rng(0)
    masks = np.zeros((60, 10, 10), bool)
    for mask, (y, x) in zip(masks, rng.integers(0, 7, (60, 2)), strict=True):
        mask[y : y + 3, x : x + 3] = True
    best = {each.measure: each for each in localise(masks.astype(np.float32), masks)}
    assert best["pointing"].value.value == best["overlap"].value.value == 1.0
    assert best["pointing"].chance.value == pytest.approx(0.09)
    assert best["pointing"].above_chance.low > 0 and best["pointing"].above_prior.low > 0
    assert best["energy"].value.n == 60
    flat = {each.measure: each for each in localise(np.ones((60, 10, 10)), masks)}
    for each in flat.values():
        assert each.value.value == pytest.approx(0.09)
        assert each.above_chance.value == pytest.approx(0)
    assert flat["pointing"].above_prior.value < 0


def test_the_interval_is_over_patients() -> None:
    """Films copied four times tell no more: the interval of patients stays, that of films
    halves."""
    rng = np.random.default_rng(1)
    masks = np.zeros((40, 4, 4), bool)
    masks[:, :2] = True
    heat = rng.random((40, 4, 4))
    four = np.repeat(heat, 4, axis=0), np.repeat(masks, 4, axis=0)
    width = [
        found[1].value.high - found[1].value.low
        for found in (
            localise(heat, masks),
            localise(*four, patients=np.repeat(np.arange(40), 4)),
            localise(*four),
        )
    ]
    assert width[1] == pytest.approx(width[0], rel=0.1)
    assert width[2] == pytest.approx(width[0] / 2, rel=0.15)
    # The error of a mean of 40.
    assert width[0] == pytest.approx(2 * 1.96 * _energy_error(heat, masks), rel=0.1)


def _energy_error(heat: np.ndarray, masks: np.ndarray) -> float:
    return float(energy(heat, masks).std() / 40**0.5)


def test_no_films_are_no_figure() -> None:
    found = localise(np.zeros((0, 4, 4)), np.zeros((0, 4, 4), bool))
    assert all(np.isnan(each.value.value) for each in found)
    assert to_plain(found[0])["value"]["value"] is None


def test_twelve_misses_of_twelve_are_no_certainty() -> None:
    """Resamples of misses are misses; 0 of 12 is up to 24 % by Wilson, as worked by hand: z²/(n +
    z²) = 3.84/15.84."""
    masks, heat = np.zeros((12, 4, 4), bool), np.zeros((12, 4, 4))
    masks[:, 1:3, 1:3], heat[:, 0, 0] = True, 1.0
    prior = np.zeros((1, 4, 4))
    prior[0, 1, 1] = 1.0
    found = localise(heat, masks, prior)[0]
    assert (found.value.value, found.value.low) == (0, 0)
    assert found.value.high == pytest.approx(3.8415 / 15.8415, abs=1e-4)
    assert (found.prior.value, found.prior.high) == (1, 1)
    assert found.prior.low == pytest.approx(1 - found.value.high)
    # Chance is a quarter on every film: the difference is as unsure as the value alone.
    assert found.above_chance.high == pytest.approx(found.value.high - 0.25)
    assert found.above_prior.value == -1 and found.above_prior.high == pytest.approx(
        -1 + 2**0.5 * found.value.high
    )
    alike = localise(heat, masks, prior, np.repeat(["a", "b", "c"], 4))[0]
    assert alike.value.high == pytest.approx(3.8415 / 6.8415, abs=1e-4)
