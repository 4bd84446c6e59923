"""Calibration against a bin-by-bin loop, a case worked by hand, scipy and statsmodels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize_scalar
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss as sk_log_loss

from pneumoscope.metrics.calibration import (
    COOLEST,
    HOTTEST,
    bin_of,
    ece,
    recalibrate,
    reliability_bins,
    temperature,
)


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
    curve = reliability_bins(y, p, bins=10)
    filled = curve.counts > 0
    observed, predicted = calibration_curve(y, p, n_bins=10)
    np.testing.assert_allclose(curve.observed[filled], observed)
    np.testing.assert_allclose(curve.mean_probability[filled], predicted)
    assert curve.counts.sum() == 300 and curve.positives.sum() == y.sum()
    assert np.isnan(curve.observed[~filled]).all() and (~filled).sum() == 3
    assert curve.edges.tolist() == np.linspace(0, 1, 11).tolist()


def test_edges_of_bins() -> None:
    assert bin_of(np.array([0.0, 0.5, 1.0]), 2).tolist() == [0, 1, 1]
    empty = reliability_bins(np.array([], dtype=int), np.array([]))
    assert empty.counts.tolist() == [0] * 15 and math.isnan(empty.observed[0])


def logits_of(n: int, scale: float, shift: float = 0.0, seed: int = 3) -> tuple[Any, Any]:
    """Labels drawn from calibrated logits, and those logits stretched and shifted."""
    rng = np.random.default_rng(seed)
    true = rng.normal(0.3, 1.8, n)
    labels = (rng.random(n) < 1 / (1 + np.exp(-true))).astype(int)
    return labels, scale * true + shift


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.7])
def test_temperature_against_scipy(scale: float) -> None:
    labels, logits = logits_of(700, scale)

    def loss(log_t: float) -> float:
        p = 1 / (1 + np.exp(-logits / np.exp(log_t)))
        return float(sk_log_loss(labels, p))

    best = minimize_scalar(loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-10})
    assert temperature(labels, logits) == pytest.approx(np.exp(best.x), rel=1e-5)
    assert temperature(labels, logits) == pytest.approx(scale, rel=0.15)


def test_temperature_where_the_rows_do_not_say() -> None:
    assert math.isnan(temperature(np.array([1, 1]), np.array([0.3, 2.0])))
    apart, logits = np.array([0, 0, 1, 1]), np.array([-2.0, -1.0, 1.0, 2.0])
    assert temperature(apart, logits) == pytest.approx(COOLEST)
    assert temperature(1 - apart, logits) == pytest.approx(HOTTEST)


@pytest.mark.parametrize("clustered", [False, True])
def test_recalibration_against_statsmodels(clustered: bool) -> None:
    labels, logits = logits_of(500, 1.7, 0.4)
    patients = np.arange(500) // 3
    more = {"cov_type": "cluster", "cov_kwds": {"groups": patients}} if clustered else {}
    reference = sm.Logit(labels, sm.add_constant(logits)).fit(disp=0, **more)
    found = recalibrate(labels, logits, patients if clustered else None)
    ours = (found.intercept, found.slope, found.intercept_error, found.slope_error)
    np.testing.assert_allclose(ours, [*reference.params, *reference.bse], rtol=1e-6)
    family = sm.families.Binomial()
    model = sm.GLM(labels, np.ones(500), family=family, offset=logits)
    each = patients if clustered else np.arange(500)  # each film its own cluster is HC1
    large = model.fit(cov_type="cluster", cov_kwds={"groups": each})
    np.testing.assert_allclose(found.large, large.params[0], rtol=1e-6)
    np.testing.assert_allclose(found.large_error, large.bse[0], rtol=1e-5)


def test_recalibration_without_a_maximum_is_nan() -> None:
    apart = recalibrate(np.array([0, 0, 1, 1]), np.array([-2.0, -1.0, 1.0, 2.0]))
    assert math.isnan(apart.slope) and math.isnan(apart.slope_error)
    assert apart.large == pytest.approx(0.0, abs=1e-9)
    single = recalibrate(np.ones(5, dtype=int), np.arange(5.0))
    assert math.isnan(single.large)
    one_patient = recalibrate(np.array([0, 1]), np.array([-1.0, 1.0]), np.array(["p", "p"]))
    assert one_patient.large == pytest.approx(0) and math.isnan(one_patient.large_error)
    constant = recalibrate(np.array([0, 1, 1]), np.zeros(3))
    assert math.isnan(constant.slope) and constant.large == pytest.approx(math.log(2))
