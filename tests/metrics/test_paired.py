"""Paired differences against statsmodels, the definition written out, and each other."""

from __future__ import annotations

import itertools
import math
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_ind
from statsmodels.stats.contingency_tables import mcnemar as oracle
from statsmodels.stats.multitest import multipletests

from pneumoscope.metrics.intervals import structural_components
from pneumoscope.metrics.paired import (
    PAIRED_METRICS,
    Difference,
    delong_paired,
    holm,
    mcnemar,
    over_seeds,
    paired_bootstrap,
    resampled_scores,
)
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.metrics.scores import auroc, confusion
from pneumoscope.plain import to_plain


def films(n: int, seed: int, ties: bool = False) -> tuple[Any, Any, Any]:
    """Labels and two models' probabilities, correlated."""
    draw = np.random.default_rng(seed)
    labels = (np.arange(n) % 5 < 3).astype(int)
    shared = draw.normal(size=n)
    logits = [d * (labels - 0.5) + shared + draw.normal(size=n) for d in (1.5, 2.5)]
    first, second = (1 / (1 + np.exp(-logit)) for logit in logits)
    return labels, np.round(first, 1) if ties else first, np.round(second, 1) if ties else second


def table(first: Any, second: Any) -> Any:
    return [
        [(first & second).sum(), (first & ~second).sum()],
        [(~first & second).sum(), (~first & ~second).sum()],
    ]


@pytest.mark.parametrize(("less", "more"), [(0, 1), (3, 9), (12, 12), (0, 24), (5, 19)])
def test_few_discordant_films_are_binomial(less: int, more: int) -> None:
    first = np.r_[np.ones(less), np.zeros(more), np.ones(50), np.zeros(7)].astype(bool)
    second = np.r_[np.zeros(less), np.ones(more), np.ones(50), np.zeros(7)].astype(bool)
    found = mcnemar(first, second)
    assert (found.first_only, found.second_only, found.n) == (less, more, 57 + less + more)
    assert found.p == pytest.approx(oracle(table(first, second), exact=True).pvalue, abs=1e-12)
    assert "exact" in found.method


@pytest.mark.parametrize(("less", "more"), [(0, 25), (12, 13), (10, 40), (200, 150)])
def test_many_discordant_films_are_chi_square(less: int, more: int) -> None:
    first = np.r_[np.ones(less), np.zeros(more), np.ones(50)].astype(bool)
    second = np.r_[np.zeros(less), np.ones(more), np.ones(50)].astype(bool)
    found = mcnemar(first, second)
    wanted = oracle(table(first, second), exact=False, correction=True).pvalue
    assert found.p == pytest.approx(wanted, abs=1e-12)
    assert "continuity correction" in found.method


def test_equal_discordance_says_nothing() -> None:
    """statsmodels corrects |b − c| = 0 to −1 and gives p < 1; the correction ends at 0 here."""
    first = np.r_[np.ones(15), np.zeros(15)].astype(bool)
    assert mcnemar(first, ~first).p == 1.0
    assert mcnemar(first, first).p == 1.0
    assert mcnemar(first[:0], first[:0]).p == 1.0


@pytest.mark.parametrize("n", [40, 400])
def test_one_film_a_patient_is_plain_mcnemar(n: int) -> None:
    labels, a, b = films(n, 3)
    right = [(p >= 0.5) == (labels == 1) for p in (a, b)]
    alone = mcnemar(*right, patients=np.arange(n)[::-1])
    assert alone.p == pytest.approx(mcnemar(*right).p, abs=1e-12)
    assert "by patients" in alone.method


def test_patients_change_sign_as_a_whole() -> None:
    """Every way of exchanging the two models within whole patients, counted."""
    first = np.array([0, 0, 1, 0, 0, 1, 1, 0, 0], bool)
    second = np.array([1, 1, 0, 1, 1, 1, 0, 1, 1], bool)
    patients = np.array(list("aaabbccdd"))
    gains = [1, 2, -1, 2]  # a: +1 +1 −1, b: +1 +1, c: 0 −1, d: +1 +1
    sums = [
        sum(s * g for s, g in zip(signs, gains, strict=True))
        for signs in itertools.product((-1, 1), repeat=4)
    ]
    wanted = np.mean([abs(total) >= 4 for total in sums])
    assert mcnemar(first, second, patients).p == pytest.approx(wanted)


def pair_loop(labels: Any, scores: Any) -> Any:
    """Who wins each pair of a positive and a negative, (M, N): DeLong's kernel, written out."""
    positive, negative = scores[labels == 1], scores[labels == 0]
    return np.array([[(x > y) + 0.5 * (x == y) for y in negative] for x in positive])


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_delong_is_its_definition(ties: bool, seed: int) -> None:
    labels, a, b = films(60, seed, ties)
    won = [pair_loop(labels, scores) for scores in (a, b)]
    m, n = won[0].shape
    s10 = np.cov(np.stack([w.mean(axis=1) for w in won]))
    s01 = np.cov(np.stack([w.mean(axis=0) for w in won]))
    contrast = np.array([-1, 1])
    error = math.sqrt(contrast @ (s10 / m + s01 / n) @ contrast)
    value = won[1].mean() - won[0].mean()
    found = delong_paired(labels, a, b)
    assert found.value == pytest.approx(value, abs=1e-12)
    assert found.high - found.low == pytest.approx(2 * 1.959964 * error, rel=1e-6)
    assert found.p == pytest.approx(math.erfc(abs(value / error) / math.sqrt(2)), abs=1e-12)


def test_against_a_constant_it_is_the_one_sample_delong() -> None:
    labels, a, _ = films(200, 5)
    found = delong_paired(labels, np.full(200, 0.5), a)
    v10, v01 = structural_components(labels, a)
    error = math.sqrt(v10.var(ddof=1) / v10.size + v01.var(ddof=1) / v01.size)
    assert found.value == pytest.approx(auroc(labels, a) - 0.5)
    assert found.high - found.low == pytest.approx(2 * 1.959964 * error, rel=1e-6)


def test_turning_the_pair_turns_the_sign() -> None:
    labels, a, b = films(150, 6)
    one, two = delong_paired(labels, a, b), delong_paired(labels, b, a)
    assert (one.value, one.low, one.p) == pytest.approx((-two.value, -two.high, two.p))


def test_ranking_alike_is_not_certainty() -> None:
    labels, a, _ = films(100, 7)
    found = delong_paired(labels, a, a**3)
    assert (found.value, found.p) == (0.0, 1.0)
    assert found.low == -found.high
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 40))
    assert "rule of three" in found.method
    perfect = delong_paired(labels, np.full(100, 0.5), labels.astype(float))
    assert perfect.value == 0.5
    assert 0 < perfect.low < 0.5 < perfect.high <= 1
    assert perfect.p == pytest.approx(2 * 0.5**40)


@pytest.mark.parametrize("labels", [np.zeros(5, int), np.ones(5, int), np.zeros(0, int)])
def test_one_class_has_no_difference(labels: Any) -> None:
    scores = np.linspace(0, 1, labels.size)
    found = to_plain(delong_paired(labels, scores, scores))
    assert found["value"] is found["low"] is found["high"] is found["p"] is None
    assert found["method"].startswith("undefined")


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12), st.booleans())
def test_any_pair_is_sound(seed: int, positives: int, negatives: int, ties: bool) -> None:
    draw = np.random.default_rng(seed)
    labels = np.repeat([1, 0], [positives, negatives])
    a, b = draw.integers(0, 4 if ties else 999, size=(2, labels.size)).astype(float)
    found = delong_paired(labels, a, b)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert 0 <= found.p <= 1


def values(labels: Any, p: Any, threshold: float) -> dict[str, float]:
    found = confusion(labels, p >= threshold).scores()
    return {"auroc": auroc(labels, p)} | {name: found[name] for name in PAIRED_METRICS[1:]}


def bootstrapped(labels: Any, a: Any, b: Any, patients: Any = None) -> dict[str, Difference]:
    drawn = resampled_scores(
        labels, [(a, 0.5), (b, 0.6)], patients, IntervalSettings(resamples=3000, seed=1)
    )
    first, second = ({name: drawn[name][at] for name in PAIRED_METRICS} for at in (0, 1))
    one, two = values(labels, a, 0.5), values(labels, b, 0.6)
    return paired_bootstrap(labels, first, second, {k: two[k] - one[k] for k in one}, patients)


def test_resamples_are_those_of_one_set_of_films() -> None:
    """A model against itself differs in no resample; each run's own scores are the plain ones."""
    labels, a, b = films(120, 8)
    drawn = resampled_scores(
        labels, [(a, 0.5), (b, 0.6), (a, 0.5)], None, IntervalSettings(resamples=50, seed=1)
    )
    alone = resampled_scores(labels, [(b, 0.6)], None, IntervalSettings(resamples=50, seed=1))
    for name in PAIRED_METRICS:
        np.testing.assert_array_equal(drawn[name][0], drawn[name][2])
        np.testing.assert_array_equal(drawn[name][1], alone[name][0])
        assert not np.array_equal(drawn[name][0], drawn[name][1])


def test_bootstrap_agrees_with_closed_forms() -> None:
    """Independent films: the variance of paired proportions, and DeLong's."""
    labels, a, b = films(500, 9)
    found = bootstrapped(labels, a, b)
    gains = ((b >= 0.6) == labels).astype(float) - ((a >= 0.5) == labels)
    for name, of in (("sensitivity", labels == 1), ("specificity", labels == 0)):
        half = 1.959964 * gains[of].std() / math.sqrt(of.sum())
        assert found[name].value == pytest.approx(gains[of].mean())
        assert (found[name].high - found[name].low) / 2 == pytest.approx(half, rel=0.06)
    exact = delong_paired(labels, a, b)
    assert found["auroc"].high == pytest.approx(exact.high, abs=0.004)


def test_films_of_a_patient_are_drawn_together() -> None:
    """Each film four times over: taken for independent the interval is half as wide."""
    labels, a, b = (np.repeat(column, 4) for column in films(100, 10))
    patients = np.repeat(np.arange(100), 4)
    alone, together = bootstrapped(labels, a, b), bootstrapped(labels, a, b, patients)
    for name in PAIRED_METRICS:
        ratio = (together[name].high - together[name].low) / (alone[name].high - alone[name].low)
        assert ratio == pytest.approx(2, rel=0.08), name
        assert together[name].method.startswith("patient-clustered paired bootstrap")


def test_deciding_alike_is_not_certainty() -> None:
    labels, a, _ = films(100, 11)
    drawn = resampled_scores(
        labels, [(a, 0.5), (a, 0.5)], None, IntervalSettings(resamples=100, seed=1)
    )
    parts = [{name: drawn[name][at] for name in PAIRED_METRICS} for at in (0, 1)]
    found = paired_bootstrap(labels, *parts, dict.fromkeys(PAIRED_METRICS, 0.0))
    assert found["sensitivity"].high == pytest.approx(1 - 0.025 ** (1 / 60))
    assert found["specificity"].high == pytest.approx(1 - 0.025 ** (1 / 40))
    assert all(each.p == 1.0 and each.low == -each.high < 0 for each in found.values())


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_statsmodels(p: list[float]) -> None:
    with patch("gc.collect"):  # statsmodels calls it each time, for a fifth of a second
        theirs = list(multipletests(p, method="holm")[1])
    assert holm(p) == pytest.approx(theirs, abs=1e-12)


def test_holm_passes_over_what_was_not_tested() -> None:
    assert holm([0.04, math.nan, 0.01])[::2] == [0.04, 0.02]
    assert math.isnan(holm([0.04, math.nan])[1])


@pytest.mark.parametrize(
    ("first", "second"),
    [([0.90, 0.92, 0.91], [0.94, 0.95, 0.93]), ([0.9, 0.8], [0.85, 0.9, 0.7, 0.88])],
)
def test_without_luck_of_films_seeds_are_compared_as_scipy_does(
    first: list[float], second: list[float]
) -> None:
    found = over_seeds(first, second, films=0.0, n=100)
    theirs = ttest_ind(second, first, equal_var=False)
    low, high = theirs.confidence_interval(0.95)
    assert (found.low, found.high, found.p) == pytest.approx((low, high, theirs.pvalue))
    assert found.value == pytest.approx(np.mean(second) - np.mean(first))


def test_one_seed_each_is_told_by_the_films_alone() -> None:
    found = over_seeds([0.90], [0.92, 0.94], films=0.02, n=100)
    assert (found.low, found.high) == pytest.approx((0.03 - 1.96 * 0.02, 0.03 + 1.96 * 0.02), 1e-3)
    assert found.method.endswith("of one seed each")


def test_the_interval_over_seeds_and_films_holds_the_truth() -> None:
    rng, held, truth = np.random.default_rng(0), 0, 0.02
    for _ in range(800):
        films = rng.normal(0, 0.01)  # moves all runs of a recipe alike
        one, two = rng.normal(0.90, 0.01, 3), rng.normal(0.90 + truth + films, 0.02, 3)
        found = over_seeds(list(one), list(two), films=0.01, n=100)
        held += found.low <= truth <= found.high
    assert 0.93 <= held / 800 <= 0.975


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ([0.9, math.nan], [0.8, 0.9], "not known of every run"),
        ([0.9, 0.9], [0.8, 0.8], "alike"),
    ],
)
def test_seeds_that_say_nothing_of_two_recipes(
    first: list[float], second: list[float], why: str
) -> None:
    found = over_seeds(first, second, films=0.0, n=100)
    assert math.isnan(found.value) and why in found.method
