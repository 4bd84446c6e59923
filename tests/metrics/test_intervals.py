"""Intervals against published figures, statsmodels and naive loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from pneumoscope.metrics import calibration, scores
from pneumoscope.metrics.intervals import (
    RANGES,
    bootstrap,
    delong,
    structural_components,
    wilson,
)
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.plain import to_plain
from pneumoscope.readings import Estimate

HANLEY = (
    np.r_[np.zeros(58, int), np.ones(51, int)],
    np.r_[
        np.repeat(np.arange(5.0), [33, 6, 6, 11, 2]), np.repeat(np.arange(5.0), [3, 2, 2, 11, 33])
    ],
)
"""109 CT images rated 1–5, normal and abnormal (Hanley & McNeil 1982, table I)."""


def binormal(n: int, seed: int, share: float = 0.6, shift: float = 2.0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    y = (np.arange(n) < share * n).astype(int)
    return y, 1 / (1 + np.exp(-(shift * (rng.normal(size=n) + shift * (y - 0.5)))))


def sound(name: str, e: Estimate) -> bool:
    """An interval within range that holds its value, or no value at all."""
    if math.isnan(e.value):
        return e.method.startswith("undefined") and math.isnan(e.low) and math.isnan(e.high)
    least, most = RANGES.get(name, (0.0, 1.0))
    return least - 1e-12 <= e.low <= e.value <= e.high <= most + 1e-12


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_as_published(hits: int, n: int, low: float, high: float) -> None:
    """Newcombe 1998, table I, method 3."""
    e = wilson(hits, n)
    assert (round(e.low, 4), round(e.high, 4), e.value) == (low, high, hits / n)


@given(st.integers(0, 500), st.integers(1, 500), st.floats(0.5, 0.999))
def test_wilson_is_statsmodels(hits: int, n: int, level: float) -> None:
    hits = min(hits, n)
    e = wilson(hits, n, level)
    low, high = proportion_confint(hits, n, alpha=1 - level, method="wilson")
    assert (e.low, e.high) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))
    assert sound("accuracy", e)


def test_wilson_of_nothing() -> None:
    assert sound("accuracy", wilson(0, 0)) and to_plain(wilson(0, 0))["value"] is None


def test_delong_as_published() -> None:
    """Stata's ``roctab`` on the same data: area .8932, error .0307, plain .83295 to .95339."""
    v10, v01 = structural_components(*HANLEY)
    error = math.sqrt(v10.var(ddof=1) / 51 + v01.var(ddof=1) / 58)
    area = delong(*HANLEY).value
    assert (round(area, 4), round(error, 4)) == (0.8932, 0.0307)
    plain = (area - 1.959964 * error, area + 1.959964 * error)
    assert plain == (pytest.approx(0.83295, abs=5e-6), pytest.approx(0.95339, abs=5e-6))
    e = delong(*HANLEY)
    logit = math.log(area / (1 - area))
    reach = 1.959964 * error / (area * (1 - area))
    assert e.low == pytest.approx(1 / (1 + math.exp(reach - logit)), abs=1e-6)
    assert e.high == pytest.approx(1 / (1 + math.exp(-reach - logit)), abs=1e-6)


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=25), st.lists(st.integers(0, 6), min_size=1)
)
def test_delong_is_its_definition(positive: list[int], negative: list[int]) -> None:
    """Every pair compared, as DeLong 1988 writes it."""
    y = np.r_[np.ones(len(positive), int), np.zeros(len(negative), int)]
    s = np.array([*positive, *negative], dtype=float)
    won = [[(x > z) + (x == z) / 2 for z in negative] for x in positive]
    v10, v01 = structural_components(y, s)
    np.testing.assert_allclose(v10, np.mean(won, axis=1), atol=1e-12)
    np.testing.assert_allclose(v01, np.mean(won, axis=0), atol=1e-12)
    e = delong(y, s)
    assert e.value == pytest.approx(np.mean(won)) and sound("auroc", e)
    mirrored = delong(y, -s)
    assert (mirrored.low, mirrored.high) == (
        pytest.approx(1 - e.high, abs=1e-9),
        pytest.approx(1 - e.low, abs=1e-9),
    )


def test_delong_of_a_perfect_ranking_admits_what_n_cannot_exclude() -> None:
    """With k disjoint pairs all won, an AUROC at the bound would do that in α/2 of cases."""
    y, s = np.r_[np.zeros(30, int), np.ones(50, int)], np.r_[np.zeros(30), np.ones(50)]
    e = delong(y, s)
    assert e.value == e.high == 1.0 and e.low**30 == pytest.approx(0.025)
    assert "30 disjoint pairs" in e.method
    assert delong(y, -s).high == pytest.approx(1 - e.low)
    alone = delong(np.array([1, 0, 0, 0]), np.array([2.0, 1.0, 3.0, 0.0]))
    assert alone.low < 0.25 and alone.high > 0.9
    constant = delong(y, np.zeros(80))
    assert constant.value == 0.5 and constant.low == pytest.approx(wilson(15, 30).low)
    assert "undefined" in delong(np.ones(4, int), np.arange(4.0)).method


METRICS: dict[str, Any] = {
    "auroc": lambda y, p: scores.auroc(y, p),
    "average_precision": lambda y, p: scores.average_precision(y, p),
    "brier": lambda y, p: scores.brier(y, p),
    "log_loss": lambda y, p: scores.log_loss(y, p),
    "ece": lambda y, p: calibration.ece(y, p),
    **{
        name: lambda y, p, name=name: scores.confusion(y, p >= 0.5).scores()[name]
        for name in (
            *("accuracy", "sensitivity", "specificity", "precision", "recall", "npv"),
            *("f1", "f1_normal", "balanced_accuracy", "mcc"),
        )
    },
}


def test_values_are_the_plain_metrics() -> None:
    y, p = binormal(150, 0)
    found = bootstrap(y, p, 0.5, settings=IntervalSettings(resamples=20))
    assert set(found) == set(METRICS)
    for name, metric in METRICS.items():
        assert found[name].value == metric(y, p), name


@pytest.mark.parametrize("films", [1, 3])
def test_bootstrap_is_the_naive_loop(films: int) -> None:
    """Patients drawn one by one in plain Python give the same standard errors, within noise."""
    y, p = binormal(180, 1)
    patients = np.arange(y.size) // films
    rng = np.random.default_rng(5)
    groups = [np.flatnonzero(patients == i) for i in range(patients[-1] + 1)]
    strata = [[g for g in groups if y[g].any()], [g for g in groups if not y[g].any()]]
    draws: dict[str, list[float]] = {name: [] for name in METRICS}
    for _ in range(700):
        parts = [s[i] for s in strata for i in rng.integers(len(s), size=len(s))]
        rows = np.concatenate(parts)
        for name, metric in METRICS.items():
            draws[name].append(metric(y[rows], p[rows]))
    found = bootstrap(
        y, p, 0.5, None if films == 1 else patients, settings=IntervalSettings(resamples=4000)
    )
    for name, e in found.items():
        least, most = RANGES.get(name, (0.0, 1.0))
        u, low, high = ((x - least) / (most - least) for x in (e.value, e.low, e.high))
        if name != "ece":
            logits = [math.log(x / (1 - x)) for x in (low, high)]
            error = (logits[1] - logits[0]) / 2 / 1.959964 * u * (1 - u) * (most - least)
            assert error == pytest.approx(np.std(draws[name]), rel=0.12), name
        assert sound(name, e)


def test_a_model_that_calls_nothing_is_not_certain_of_its_accuracy() -> None:
    """Drawing patients moves the share of positives a little; the model may err otherwise."""
    labels = np.repeat([0, 1], 8)
    patients = np.array([*"aabbccde", *"ffgghhij"])
    found = bootstrap(labels, np.linspace(0.1, 0.4, 16), 0.5, patients)
    accuracy, balanced = found["accuracy"], found["balanced_accuracy"]
    assert accuracy.value == balanced.value == 0.5
    assert (accuracy.low, accuracy.high) == pytest.approx((balanced.low, balanced.high), abs=0.01)
    assert accuracy.high - accuracy.low > 0.4 and "rule of three" in accuracy.method


def test_clusters_widen_and_singletons_do_not() -> None:
    y, p = binormal(100, 2)
    twice_y, twice_p = np.repeat(y, 2), np.repeat(p, 2)
    once, naive = bootstrap(y, p, 0.5), bootstrap(twice_y, twice_p, 0.5)
    clustered = bootstrap(twice_y, twice_p, 0.5, np.repeat(np.arange(100), 2))
    for name in ("auroc", "f1", "average_precision", "brier"):
        width = {
            k: e[name].high - e[name].low
            for k, e in {"once": once, "naive": naive, "clustered": clustered}.items()
        }
        assert width["clustered"] == pytest.approx(width["once"], rel=0.1)
        assert width["naive"] == pytest.approx(width["once"] / math.sqrt(2), rel=0.1)
    assert "patient-clustered" in clustered["f1"].method and "stratified" in once["f1"].method


def test_order_of_rows_and_names_of_patients_change_nothing() -> None:
    y, p = binormal(90, 3)
    p = np.round(p, 1)
    ids = np.array([f"p{i // 2:03d}" for i in range(90)])
    order = np.random.default_rng(0).permutation(90)
    for patients, shuffled in ((None, None), (ids, ids[order])):
        here = bootstrap(y, p, 0.5, patients, settings=IntervalSettings(resamples=100, seed=4))
        there = bootstrap(
            y[order], p[order], 0.5, shuffled, settings=IntervalSettings(resamples=100, seed=4)
        )
        for name, e in here.items():
            for a, b in ((e.low, there[name].low), (e.high, there[name].high)):
                assert a == pytest.approx(b, abs=1e-9), name
    assert (
        bootstrap(y, p, 0.5, settings=IntervalSettings(seed=1))["f1"].low
        != bootstrap(y, p, 0.5, settings=IntervalSettings(seed=2))["f1"].low
    )


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    y, p = binormal(60, 4)
    whole = bootstrap(y, p, 0.5, settings=IntervalSettings(resamples=50))
    monkeypatch.setattr("pneumoscope.metrics.resample._CHUNK", 7 * 60)
    chunked = bootstrap(y, p, 0.5, settings=IntervalSettings(resamples=50))
    for name, e in whole.items():
        assert chunked[name].low == pytest.approx(e.low, abs=1e-12), name


def test_a_perfect_classifier_is_not_certain() -> None:
    y, p = np.repeat([0, 1], [40, 60]), np.repeat([0.1, 0.9], [40, 60])
    found = bootstrap(y, p, 0.5)
    for name in ("auroc", "average_precision", "accuracy", "f1", "balanced_accuracy", "mcc"):
        e = found[name]
        assert e.value == e.high == 1.0 and 0.7 < e.low < 0.97 and "rule of three" in e.method
    wide = bootstrap(y, p, 0.5, np.arange(100) // 10)
    assert wide["f1"].low < found["f1"].low


def test_a_small_ece_may_be_zero() -> None:
    """Perfect calibration gives a plug-in ECE of some .05 on 200 films; the interval says 0."""
    rng = np.random.default_rng(6)
    p = rng.random(200)
    y = (rng.random(200) < p).astype(int)
    e = bootstrap(y, p, 0.5)["ece"]
    assert e.low == pytest.approx(0, abs=1e-6) and e.value > 0.02
    far = bootstrap(y, np.clip(p + 0.4, 0, 1), 0.5)["ece"]
    assert far.low > 0.2


ROW = st.tuples(
    st.integers(0, 1),
    st.one_of(st.sampled_from([0.0, 1e-300, 0.5, 1 - 2**-53, 1.0]), st.floats(0, 1)),
    st.integers(0, 8),
)


@given(st.lists(ROW, max_size=30), st.floats(0, 1), st.booleans(), st.floats(0.5, 0.99))
def test_wild_rows_give_sound_intervals(
    rows: list[tuple[int, float, int]], threshold: float, clustered: bool, level: float
) -> None:
    y, p, ids = (np.array([r[k] for r in rows], dtype=t) for k, t in enumerate((int, float, int)))
    found = bootstrap(y, p, threshold, ids if clustered else None, IntervalSettings(level, 40))
    found["auroc again"] = delong(y, p, level)
    for name, e in found.items():
        assert sound(name, e), (name, e)
