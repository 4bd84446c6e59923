"""Point metrics against scikit-learn, to 1e-9, ties and extremes included."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import rankdata

from pneumoscope.metrics import calibration, scores
from pneumoscope.metrics.scores import Confusion, ScoreTable, confusion

CLOSE = {"rel": 1e-9, "abs": 1e-9}


@st.composite
def rows(draw: st.DrawFn, both: bool = True) -> tuple[Any, Any]:
    """Labels and probabilities, often tied, with exact zeros and ones and neighbouring floats."""
    grid = [0.0, 5e-324, 1e-17, 0.2, 0.5, np.nextafter(0.5, 1), 1 / 15, 1 - 2**-53, 1.0]
    probability = st.one_of(st.sampled_from(grid), st.floats(0, 1))
    pairs = draw(st.lists(st.tuples(st.integers(0, 1), probability), min_size=1, max_size=60))
    if both:
        pairs += [(0, draw(probability)), (1, draw(probability))]
    labels, probabilities = zip(*pairs, strict=True)
    return np.array(labels), np.array(probabilities)


@given(rows())
def test_probabilities_agree_with_sklearn(data: tuple[Any, Any]) -> None:
    y, p = data
    assert scores.auroc(y, p) == pytest.approx(sk.roc_auc_score(y, p), **CLOSE)
    assert scores.average_precision(y, p) == pytest.approx(
        sk.average_precision_score(y, p), **CLOSE
    )
    assert scores.brier(y, p) == pytest.approx(sk.brier_score_loss(y, p), **CLOSE)
    assert scores.log_loss(y, p) == pytest.approx(sk.log_loss(y, p), **CLOSE)
    for ours, theirs in (
        (scores.roc_curve(y, p), sk.roc_curve(y, p, drop_intermediate=False)),
        (scores.precision_recall_curve(y, p), sk.precision_recall_curve(y, p)),
    ):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@given(rows(), st.floats(0, 1))
def test_decisions_agree_with_sklearn(data: tuple[Any, Any], threshold: float) -> None:
    y, p = data
    called = (p >= threshold).astype(int)
    counts = confusion(y, called)
    cells = [[counts.tn, counts.fp], [counts.fn, counts.tp]]
    assert cells == sk.confusion_matrix(y, called).tolist()
    c = counts.scores()
    assert c["accuracy"] == pytest.approx(sk.accuracy_score(y, called), **CLOSE)
    assert c["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(y, called), **CLOSE)
    assert c["mcc"] == pytest.approx(sk.matthews_corrcoef(y, called), **CLOSE)
    assert c["f1"] == pytest.approx(sk.f1_score(y, called, zero_division=0), **CLOSE)
    flipped = sk.f1_score(1 - y, 1 - called, zero_division=0)
    assert math.isnan(c["f1_normal"]) or c["f1_normal"] == pytest.approx(flipped, **CLOSE)
    assert c["recall"] == c["sensitivity"] == pytest.approx(sk.recall_score(y, called), **CLOSE)
    assert c["specificity"] == pytest.approx(sk.recall_score(y, called, pos_label=0), **CLOSE)
    nan = {"zero_division": np.nan}
    assert c["precision"] == pytest.approx(
        sk.precision_score(y, called, **nan), nan_ok=True, **CLOSE
    )
    npv = sk.precision_score(y, called, pos_label=0, **nan)
    assert c["npv"] == pytest.approx(npv, nan_ok=True, **CLOSE)


def test_rsna_figures_of_the_tutorial() -> None:
    """ResNet-18 on RSNA, published: accuracy .805, precision .545, recall .835."""
    c = Confusion(tn=1657, fp=422, fn=100, tp=505).scores()
    assert (round(c["accuracy"], 3), round(c["precision"], 3), round(c["recall"], 3)) == (
        0.806,
        0.545,
        0.835,
    )


@given(rows(both=False), st.floats(0, 1), st.randoms())
def test_order_of_rows_is_no_matter(data: tuple[Any, Any], threshold: float, random: Any) -> None:
    y, p = data
    order = np.array(random.sample(range(y.size), y.size))
    for metric in (
        *(scores.auroc, scores.average_precision, scores.brier, scores.log_loss, calibration.ece),
    ):
        assert metric(y, p) == pytest.approx(metric(y[order], p[order]), nan_ok=True, **CLOSE)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_is_undefined_and_silent(label: int) -> None:
    y, p = np.full(3, label), np.array([0.1, 0.5, 0.5])
    assert math.isnan(scores.auroc(y, p)) and math.isnan(scores.average_precision(y, p))
    fpr, tpr, thresholds = scores.roc_curve(y, p)
    assert np.isnan(fpr).all() == (label == 1) and np.isnan(tpr).all() == (label == 0)
    assert thresholds.tolist() == [np.inf, 0.5, 0.1]
    c = confusion(y, p >= 0.3).scores()
    assert math.isnan(c["balanced_accuracy"]) and math.isnan(c["mcc"])
    assert math.isnan(c["f1"]) == math.isnan(c["recall"]) == (label == 0)


def test_nothing_at_all_is_undefined_and_silent() -> None:
    y, p = np.array([], dtype=int), np.array([])
    found = [f(y, p) for f in (scores.auroc, scores.average_precision, scores.brier)]
    found += [
        scores.log_loss(y, p),
        calibration.ece(y, p),
        confusion(y, p > 0.5).scores()["accuracy"],
    ]
    assert all(map(math.isnan, found))
    assert scores.roc_curve(y, p)[2].tolist() == [np.inf]
    assert scores.precision_recall_curve(y, p)[0].tolist() == [1.0]


@given(st.lists(st.floats(-800, 800), min_size=1, max_size=20))
def test_logistic_is_scipys_at_any_logit(logits: list[float]) -> None:
    found = scores.probability(logits)
    np.testing.assert_allclose(
        found, expit(np.array(logits)), rtol=0, atol=np.finfo(float).eps
    )  # one rounding
    assert float(scores.probability(0.0)) == 0.5


@given(st.lists(st.sampled_from([0.0, 0.2, 0.5, 1.0]), max_size=20))
def test_midranks_are_scipys(values: list[float]) -> None:
    np.testing.assert_array_equal(scores.midranks(np.array(values)), rankdata(values))


def test_float32_and_bool_inputs() -> None:
    y, p = np.array([False, True, True]), np.array([0.2, 0.4, 0.9], dtype=np.float32)
    assert scores.auroc(y, p) == 1.0
    assert scores.brier(y, p) == pytest.approx((0.04 + 0.36 + 0.01) / 3, abs=1e-6)


@given(rows(), st.floats(0, 1), st.integers(0, 2**32))
def test_weights_mean_repeated_rows(data: tuple[Any, Any], threshold: float, seed: int) -> None:
    """Scoring weighted rows is scoring the rows repeated that often, by scikit-learn too."""
    y, p = data
    order = np.argsort(-p, kind="stable")
    y, p = y[order], p[order]
    weights = np.random.default_rng(seed).integers(0, 4, size=(3, y.size))
    found, gaps = ScoreTable(y, p, threshold).scores(weights.astype(float))
    for r, times in enumerate(weights):
        again_y, again_p = np.repeat(y, times), np.repeat(p, times)
        c = confusion(again_y, again_p >= threshold).scores()
        plain = {name: c[name] for name in ("accuracy", "f1", "mcc", "npv", "precision")}
        plain |= {"auroc": scores.auroc(again_y, again_p)}
        plain |= {"average_precision": scores.average_precision(again_y, again_p)}
        plain |= {"brier": scores.brier(again_y, again_p), "ece": calibration.ece(again_y, again_p)}
        plain |= {"log_loss": scores.log_loss(again_y, again_p)}
        for name, value in plain.items():
            assert found[name][r] == pytest.approx(value, nan_ok=True, **CLOSE), name
        if 0 < y @ times < times.sum():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ap = sk.average_precision_score(y, p, sample_weight=times)
            assert found["average_precision"][r] == pytest.approx(ap, **CLOSE)
            assert found["auroc"][r] == pytest.approx(
                sk.roc_auc_score(y, p, sample_weight=times), **CLOSE
            )
