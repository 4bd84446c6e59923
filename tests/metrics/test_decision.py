"""Net benefit against Vickers and Elkin's formula, count by count, and a case worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from pneumoscope.metrics.decision import decision_curve
from pneumoscope.metrics.intervals import wilson
from pneumoscope.metrics.resample import IntervalSettings


def test_worked_by_hand() -> None:
    """Ten films, four pneumonia. At 0.2 five are called, four rightly: 4/10 − 1/10 · 0.25."""
    labels = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    p = np.array([0.9, 0.8, 0.5, 0.2, 0.6, 0.1, 0.1, 0.1, 0.05, 0.05])
    curve = decision_curve(labels, p, np.array([0.2, 0.5]), settings=IntervalSettings(resamples=50))
    # At 0.5, the odds are 1: three found, one alarm. Acting on all: .4 − .6 and .4 − .15.
    assert curve.model == pytest.approx([0.4 - 0.1 * 0.25, 0.3 - 0.1])
    assert curve.everyone == pytest.approx([0.4 - 0.6 * 0.25, 0.4 - 0.6])


def test_against_a_confusion_at_each_threshold() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random(400) < 0.3).astype(int)
    p = np.round(np.clip(0.25 + 0.3 * labels + rng.normal(0, 0.2, 400), 0, 1), 2)
    grid = np.arange(1, 100) / 100
    curve = decision_curve(labels, p, grid, settings=IntervalSettings(resamples=200))
    for at, threshold in enumerate(grid):
        _, fp, _, tp = confusion_matrix(labels, p >= threshold).ravel()
        expected = tp / 400 - fp / 400 * threshold / (1 - threshold)
        assert curve.model[at] == pytest.approx(expected, abs=1e-12)
    assert (curve.low <= curve.model).all() and (curve.model <= curve.high).all()


def test_band_against_a_plain_bootstrap() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], [150, 100])
    p = np.clip(0.3 + 0.35 * labels + rng.normal(0, 0.2, 250), 0.001, 0.999)
    at = 0.35
    curve = decision_curve(labels, p, np.array([at]))
    drawn = []
    for _ in range(4000):
        rows = np.r_[rng.integers(0, 150, 150), rng.integers(150, 250, 100)]
        called = p[rows] >= at
        tp, fp = (called & (labels[rows] == 1)).sum(), (called & (labels[rows] == 0)).sum()
        drawn.append(tp / 250 - fp / 250 * at / (1 - at))
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert (curve.low[0], curve.high[0]) == pytest.approx((low, high), abs=0.008)
    # Where no film is a false alarm the model's band is that of sensitivity but for the alarms
    # that may go unseen, which at this threshold cost next to nothing.
    far = decision_curve(labels, np.where(labels == 1, p, 0.0), np.array([1e-3]))
    sharp = decision_curve(labels, np.where(labels == 1, p - 0.3, 0.0), np.array([0.01]))
    found = wilson(int((p[labels == 1] - 0.3 >= 0.01).sum()), 100)
    assert far.high[0] == pytest.approx(0.4)
    assert (sharp.low[0], sharp.high[0]) == pytest.approx(
        (0.4 * found.low, 0.4 * found.high), abs=1e-4
    )


def test_grid_in_any_order_and_patients_widen() -> None:
    rng = np.random.default_rng(2)
    patients = np.repeat(np.arange(60), 5)
    labels = np.repeat(np.arange(60) % 2, 5)
    p = np.repeat(np.clip(0.3 + 0.3 * (np.arange(60) % 2) + rng.normal(0, 0.2, 60), 0, 1), 5)
    grid = np.array([0.5, 0.1, 0.3])
    alone = decision_curve(labels, p, grid)
    rising = decision_curve(labels, p, np.sort(grid))
    assert alone.model[[1, 2, 0]] == pytest.approx(rising.model)
    assert alone.low[[1, 2, 0]] == pytest.approx(rising.low)
    together, sorted_ = (decision_curve(labels, p, x, patients) for x in (grid, np.sort(grid)))
    assert together.low[[1, 2, 0]] == pytest.approx(sorted_.low)
    assert (together.high - together.low > 1.5 * (alone.high - alone.low)).any()
