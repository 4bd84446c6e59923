"""The figures' numbers against scikit-learn, scipy and cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics as sklearn_metrics

from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.report.kit import curves


def cohort(count: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 2, count)
    # Rounded, so that there are ties.
    scores = np.round(1 / (1 + np.exp(-draw.normal(1.8 * (labels - 0.5)))), 2)
    return labels, scores


def test_roc_is_sklearns_and_the_point_lies_on_it() -> None:
    labels, scores = cohort()
    found = curves.roc(labels, scores, 0.5, settings=IntervalSettings(resamples=20))
    assert found is not None
    area = np.trapezoid(found.sensitivity, found.false_positive_rate)
    assert area == pytest.approx(sklearn_metrics.roc_auc_score(labels, scores), abs=1e-12)
    called = scores >= 0.5
    assert found.at == (called[labels == 0].mean(), called[labels == 1].mean())


def test_roc_band_is_that_of_a_plain_bootstrap() -> None:
    labels, scores = cohort(200, seed=1)
    found = curves.roc(labels, scores, 0.5, settings=IntervalSettings(seed=4))
    assert found is not None
    draw, rows = np.random.default_rng(9), []
    negatives, positives = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
    for _ in range(1000):
        pick = np.r_[draw.choice(negatives, negatives.size), draw.choice(positives, positives.size)]
        fpr, tpr, _ = sklearn_metrics.roc_curve(labels[pick], scores[pick])
        rows.append(np.interp(found.grid, fpr, tpr))
    low, high = np.quantile(rows, [0.025, 0.975], axis=0)
    middle = slice(10, 90)
    assert np.abs(found.low - low)[middle].max() < 0.04
    assert np.abs(found.high - high)[middle].max() < 0.04


def test_roc_band_is_wider_when_films_share_patients() -> None:
    labels, scores = cohort(60, seed=2)
    labels, scores = np.repeat(labels, 6), np.repeat(scores, 6)
    patients = np.repeat(np.arange(60), 6).astype(str)
    alone = curves.roc(labels, scores, 0.5)
    shared = curves.roc(labels, scores, 0.5, patients=patients)
    assert alone is not None
    assert shared is not None
    assert (shared.high - shared.low).mean() > 1.5 * (alone.high - alone.low).mean()


def test_rows_without_a_patient_are_not_one_patient() -> None:
    labels, scores = cohort(100, seed=3)
    alone = curves.roc(labels, scores, 0.5)
    blank = curves.roc(labels, scores, 0.5, patients=[""] * 100)
    assert alone is not None
    assert blank is not None
    assert (blank.high - blank.low).mean() == pytest.approx(
        (alone.high - alone.low).mean(), rel=0.15
    )


def test_same_seed_same_band() -> None:
    labels, scores = cohort(120, seed=5)
    first = curves.roc(labels, scores, 0.5, settings=IntervalSettings(resamples=50))
    again = curves.roc(labels, scores, 0.5, settings=IntervalSettings(resamples=50))
    assert first is not None
    assert again is not None
    np.testing.assert_array_equal(first.low, again.low)


def test_precision_recall_is_sklearns() -> None:
    labels, scores = cohort()
    found = curves.precision_recall(labels, scores, 0.5)
    precision, recall, _ = sklearn_metrics.precision_recall_curve(labels, scores)
    assert found is not None
    np.testing.assert_allclose(found.precision, precision, atol=1e-12)
    np.testing.assert_allclose(found.recall, recall, atol=1e-12)
    assert found.prevalence == labels.mean()


def test_nothing_called_has_no_point_on_precision_recall() -> None:
    labels, scores = cohort()
    found = curves.precision_recall(labels, scores, 1.1)
    assert found is not None
    assert found.at is None


@pytest.mark.parametrize("labels", [[], [0, 0], [1, 1]])
def test_one_class_has_no_curves(labels: list[int]) -> None:
    scores = [0.5] * len(labels)
    assert curves.roc(labels, scores, 0.5) is None
    assert curves.precision_recall(labels, scores, 0.5) is None


def test_reliability_leaves_empty_bins_out_and_carries_wilson() -> None:
    labels = [0, 1, 1, 1]
    found = curves.reliability(labels, [0.1, 0.15, 0.9, 1.0], bins=5)
    assert found is not None
    assert found.count.tolist() == [2, 2]
    np.testing.assert_allclose(found.predicted, [0.125, 0.95])
    np.testing.assert_allclose(found.observed, [0.5, 1.0])
    exact = binomtest(1, 2).proportion_ci(method="wilson")
    np.testing.assert_allclose([found.low[0], found.high[0]], exact, atol=1e-9)


def test_reliability_of_nothing_is_none() -> None:
    assert curves.reliability([], []) is None


def test_histogram_counts_every_film_once() -> None:
    labels, scores = cohort()
    found = curves.histogram(labels, scores)
    assert found.normal.sum() == (labels == 0).sum()
    assert found.pneumonia.sum() == (labels == 1).sum()
    ends = curves.histogram([0, 1], [0.0, 1.0], bins=4)
    assert ends.normal.tolist() == [1, 0, 0, 0]
    assert ends.pneumonia.tolist() == [0, 0, 0, 1]
