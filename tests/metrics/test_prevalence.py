"""PPV and NPV against Bayes' formula, the counts themselves, and Monte Carlo."""

from __future__ import annotations

import numpy as np
import pytest

from pneumoscope.metrics.intervals import undefined, wilson
from pneumoscope.metrics.prevalence import predictive_values
from pneumoscope.readings import Estimate


def test_bayes_by_hand() -> None:
    """Of 1,000 films 10 are pneumonia: 9 of them called, and 99 of the 990 others."""
    sensitivity, specificity = wilson(90, 100), wilson(900, 1000)
    ppv, npv = predictive_values(sensitivity, specificity, np.array([0.01]))
    assert ppv.value[0] == pytest.approx(9 / (9 + 99))
    assert npv.value[0] == pytest.approx(891 / (891 + 1))


def test_at_its_own_prevalence_it_is_the_share_of_right_calls() -> None:
    tp, fn, tn, fp = 80, 20, 250, 50
    own = np.array([(tp + fn) / 400])
    ppv, npv = predictive_values(wilson(tp, tp + fn), wilson(tn, tn + fp), own)
    assert ppv.value[0] == pytest.approx(tp / (tp + fp))
    assert npv.value[0] == pytest.approx(tn / (tn + fn))


def test_bounds_hold_the_value_and_keep_their_order() -> None:
    grid = np.linspace(0.01, 0.99, 50)
    for hits in (0, 1, 50, 99, 100):
        for cleared in (0, 1, 50, 99, 100):
            for bounds in predictive_values(wilson(hits, 100), wilson(cleared, 100), grid):
                if np.isnan(bounds.value).any():
                    assert (hits, cleared) in {(0, 100), (100, 0)}
                    continue
                assert (bounds.low >= 0).all() and (bounds.high <= 1).all()
                assert (bounds.low <= bounds.value).all() and (bounds.value <= bounds.high).all()


def test_perfect_specificity_still_has_an_interval() -> None:
    ppv, _ = predictive_values(wilson(90, 100), wilson(100, 100), np.array([0.01, 0.5]))
    assert ppv.value.tolist() == [1.0, 1.0] and ppv.high.tolist() == [1.0, 1.0]
    assert 0.05 < ppv.low[0] < 0.3 < ppv.low[1] < 1


def test_undefined_stays_undefined() -> None:
    ppv, npv = predictive_values(undefined("", 0, 0.95), wilson(3, 4), np.array([0.2]))
    assert np.isnan([ppv.value[0], ppv.low[0], npv.value[0]]).all()


def test_close_to_monte_carlo() -> None:
    """Where both shares are near normal, MOVER agrees with draws of them."""
    rng = np.random.default_rng(0)
    se, sp = rng.normal(0.8, 0.02, 400_000), rng.normal(0.7, 0.015, 400_000)
    share = 0.2
    drawn = share * se / (share * se + (1 - share) * (1 - sp))
    half = 1.959964 * np.array([0.02, 0.015])
    parts = [Estimate(m, m - h, m + h, 0.95, "", 1) for m, h in zip((0.8, 0.7), half, strict=True)]
    ppv, _ = predictive_values(*parts, np.array([share]))
    np.testing.assert_allclose(
        [ppv.low[0], ppv.high[0]], np.quantile(drawn, [0.025, 0.975]), atol=2e-3
    )


@pytest.mark.parametrize("known", ["specificity", "sensitivity"])
def test_with_one_part_known_only_the_other_counts(known: str) -> None:
    """Then the bounds are Bayes' formula at the ends of the other's interval, however skewed."""
    sure, other = Estimate(0.8, 0.8, 0.8, 0.95, "", 1), Estimate(0.9, 0.7, 0.93, 0.95, "", 1)
    parts = (other, sure) if known == "specificity" else (sure, other)
    share = np.array([0.3])
    for at, bounds in enumerate(predictive_values(*parts, share)):

        def bayes(x: float, npv: bool = bool(at)) -> float:
            se, sp = (x, 0.8) if known == "specificity" else (0.8, x)
            right, wrong = (0.7 * sp, 0.3 * (1 - se)) if npv else (0.3 * se, 0.7 * (1 - sp))
            return right / (right + wrong)

        expected = [bayes(0.7), bayes(0.9), bayes(0.93)]
        assert [bounds.low[0], bounds.value[0], bounds.high[0]] == pytest.approx(expected)
