"""Abstention: thresholds by hand, the guarantee exactly, and risk against coverage by a loop."""

from __future__ import annotations

import numpy as np
import pytest

from pneumoscope.errors import BadLabels, ChosenOnTest, InputError
from pneumoscope.metrics.conformal import (
    fit_conformal,
    readings,
    risk_coverage,
    spread_of_miss_rate,
)
from pneumoscope.readings import Conformal


def test_thresholds_by_hand() -> None:
    """19 films of each class at a tenth: k = ⌊.1 · 20⌋ = 2, the second from the wrong end."""
    steps = np.arange(1, 20) / 20
    labels, p = np.repeat([1, 0], 19), np.r_[steps, steps]
    found = fit_conformal(labels, p, "val", 0.1)
    assert found.pneumonia_from == pytest.approx(0.10)
    assert found.normal_to == pytest.approx(0.90)
    assert (found.positives, found.negatives, found.chosen_on) == (19, 19, "val")
    few = fit_conformal(labels, p, "val", 0.04)  # k = 0: nothing can be ruled out
    assert (few.pneumonia_from, few.normal_to) == (0.0, 1.0)
    assert (readings(p, few, 0.5) == -1).all()


def test_refusals() -> None:
    y, p = np.array([0, 1]), np.array([0.2, 0.8])
    with pytest.raises(ChosenOnTest):
        fit_conformal(y, p, "test")
    with pytest.raises(BadLabels):
        fit_conformal(np.ones(3, dtype=int), np.full(3, 0.5), "val")
    for rate in (0.0, 1.0, -0.1):
        with pytest.raises(InputError, match="error rate"):
            fit_conformal(y, p, "val", rate)


def test_readings_of_films_between() -> None:
    p = np.array([0.1, 0.4, 0.5, 0.6, 0.9])
    both = Conformal(0.1, 0.4, 0.6, 9, 9, "val")
    assert readings(p, both, 0.5).tolist() == [0, -1, -1, -1, 1]
    neither = Conformal(0.1, 0.6, 0.4, 9, 9, "val")
    assert readings(p, neither, 0.5).tolist() == [0, 0, 1, 1, 1]
    assert readings(p, neither, 0.55).tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("apart", [1.0, 4.0])
@pytest.mark.parametrize("rate", [0.05, 0.1])
def test_the_guarantee_holds_on_average(apart: float, rate: float) -> None:
    """Exchangeable films, 4,000 validation sets: at most the rate of each class is misread."""
    rng = np.random.default_rng(0)
    labels, missed, alarms = np.repeat([1, 0], [60, 40]), [], []
    for _ in range(4000):
        p = 1 / (1 + np.exp(-(rng.normal(size=100) + apart * (labels - 0.5))))
        found = fit_conformal(labels, p, "val", rate)
        new = 1 / (1 + np.exp(-(rng.normal(size=100) + apart * (labels - 0.5))))
        read = readings(new, found, 0.5)
        missed.append((read[labels == 1] == 0).mean())
        alarms.append((read[labels == 0] == 1).mean())
    slack = 4 * 0.07 / np.sqrt(4000)
    assert np.mean(missed) <= rate + slack and np.mean(alarms) <= rate + slack
    if apart == 1.0:  # where the classes overlap nothing is wasted: k / (n + 1)
        assert np.mean(missed) == pytest.approx(np.floor(rate * 61 + 1e-9) / 61, abs=slack)


def test_spread_against_simulation() -> None:
    rng = np.random.default_rng(1)
    scores = np.sort(rng.random((20_000, 99)), axis=1)
    assert spread_of_miss_rate(0.1, 99) == pytest.approx(scores[:, 9].std(), rel=0.03)


def test_risk_and_coverage_against_a_loop() -> None:
    rng = np.random.default_rng(2)
    labels = (rng.random(150) < 0.5).astype(int)
    logits = np.round(rng.normal(2 * labels - 1, 1.5), 1)
    found = risk_coverage(labels, logits, 0.25)
    assert found is not None
    certainty = np.abs(logits - 0.25)
    area = 0.0
    for at, cut in enumerate(np.unique(certainty)[::-1]):
        kept = certainty >= cut
        wrong = ((logits >= 0.25) != (labels == 1)) & kept
        assert (found.kept[at], found.wrong[at]) == (kept.sum(), wrong.sum())
        tied = (certainty == cut).sum()
        area += tied * wrong.sum() / kept.sum() / 150
    assert found.area == pytest.approx(area)
    assert found.coverage[-1] == 1.0
    assert risk_coverage(labels[:0], logits[:0], 0.0) is None


def test_long_curves_are_thinned_and_keep_their_ends() -> None:
    rng = np.random.default_rng(3)
    labels, logits = (rng.random(5000) < 0.5).astype(int), rng.normal(size=5000)
    found = risk_coverage(labels, logits, 0.0, points=50)
    assert found is not None
    assert found.kept.size == 50 and found.kept[0] == 1 and found.kept[-1] == 5000
