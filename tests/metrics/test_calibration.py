"""Calibration against a bin-by-bin loop and a case worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from pneumoscope.metrics.calibration import bin_of, ece, reliability


def test_ece_by_hand() -> None:
    """Two bins: two films at .2 with one positive, one film at .9 that is positive."""
    y, p = np.array([0, 1, 1]), np.array([0.2, 0.2, 0.9])
    assert ece(y, p, bins=2) == pytest.approx(2 / 3 * 0.3 + 1 / 3 * 0.1)


def test_ece_against_a_loop() -> None:
    rng = np.random.default_rng(0)
    p = np.r_[rng.random(400), 0.0, 1.0]
    y = (rng.random(p.size) < p**2).astype(int)
    total = 0.0
    for k in range(15):
        inside = (p >= k / 15) & ((p < (k + 1) / 15) | (k == 14))
        total += inside.mean() * abs(y[inside].mean() - p[inside].mean())
    assert ece(y, p) == pytest.approx(total, abs=1e-12)


def test_reliability_against_sklearn_and_empty_bins() -> None:
    rng = np.random.default_rng(1)
    p = rng.random(300) * 0.7
    y = (rng.random(300) < p).astype(int)
    curve = reliability(y, p, bins=10)
    filled = curve.counts > 0
    observed, predicted = calibration_curve(y, p, n_bins=10)
    np.testing.assert_allclose(curve.observed[filled], observed)
    np.testing.assert_allclose(curve.mean_probability[filled], predicted)
    assert curve.counts.sum() == 300 and curve.positives.sum() == y.sum()
    assert np.isnan(curve.observed[~filled]).all() and (~filled).sum() == 3
    assert curve.edges.tolist() == np.linspace(0, 1, 11).tolist()


def test_edges_of_bins() -> None:
    assert bin_of(np.array([0.0, 0.5, 1.0]), 2).tolist() == [0, 1, 1]
    empty = reliability(np.array([], dtype=int), np.array([]))
    assert empty.counts.tolist() == [0] * 15 and math.isnan(empty.observed[0])
