"""Runs against each other: which pairs, by which method, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from math import isnan
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from pneumoscope.errors import NotComparable
from pneumoscope.evaluation.compare import (
    Side,
    check_same_films,
    compare_sides,
    letter,
    pairs_of,
)
from pneumoscope.evaluation.comparison import Spread
from pneumoscope.evaluation.predictions import SplitRows
from pneumoscope.metrics.paired import delong_paired
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.plain import to_plain
from pneumoscope.report.compare.words import verdict


def sides(count: int, n: int = 80, patients: Any = None) -> list[Side]:
    draw = np.random.default_rng(0)
    labels = (np.arange(n) % 2).astype(np.int64)
    shared = draw.normal(size=n)
    out = []
    for at in range(count):
        logits = (1 + at) * (labels - 0.5) + shared + draw.normal(size=n)
        ids = np.array([f"f{row}" for row in range(n)], dtype=object)
        p = 1 / (1 + np.exp(-logits))
        rows = SplitRows(ids, labels, logits, p, patients, n)
        out.append(Side(letter(at), f"run-{at}", rows, 0.5))
    return out


def test_letters_go_on_after_z() -> None:
    assert [letter(at) for at in (0, 25, 26, 27, 52)] == ["A", "Z", "AA", "AB", "BA"]


def test_many_runs_meet_the_first_only() -> None:
    assert len(pairs_of(4)) == 6
    assert pairs_of(5) == [(0, 1), (0, 2), (0, 3), (0, 4)]


def test_difference_is_second_less_first() -> None:
    both = sides(2)
    (pair,) = compare_sides(both, settings=IntervalSettings(resamples=200))
    a, b = both
    exact = delong_paired(a.rows.labels, a.rows.probabilities, b.rows.probabilities)
    assert to_plain(pair)["differences"]["auroc"] == to_plain(exact) | {
        "p_holm": pytest.approx(exact.p)
    }
    assert pair.differences["accuracy"].value == pytest.approx(b.right.mean() - a.right.mean())
    decisions = pair.decisions
    assert decisions.second_only == (b.right & ~a.right).sum()
    by_class = decisions.by_class.values()
    assert sum(cells.first_only for cells in by_class) == decisions.first_only
    assert sum(c.both + c.first_only + c.second_only + c.neither for c in by_class) == 80


def test_opposed_differences_do_not_cancel() -> None:
    """One run misses 22 films and the other alarms at 22: pooled, they err alike."""
    labels = np.repeat([1, 0], 60)
    lower, higher = (np.where(labels == 1, 0.8, 0.2) for _ in range(2))
    lower[:22], higher[60:82] = 0.1, 0.9
    ids = np.array([f"f{row}" for row in range(120)], dtype=object)
    both = [
        Side(letter(at), f"run-{at}", SplitRows(ids, labels, p - 0.5, p, None, 120), 0.5)
        for at, p in enumerate((lower, higher))
    ]
    (pair,) = compare_sides(both, settings=IntervalSettings(resamples=50))
    assert pair.decisions.p > 0.9
    ill, well = pair.decisions.by_class["pneumonia"], pair.decisions.by_class["normal"]
    assert (ill.first_only, ill.second_only) == (0, 22)
    assert (well.first_only, well.second_only) == (22, 0)
    exact = binomtest(0, 22, 0.5).pvalue  # scipy's sign test is the oracle
    assert ill.p == pytest.approx(exact) and ill.p_holm == pytest.approx(2 * exact)
    assert "They trade: " in verdict(pair, several=False)


def test_each_run_is_judged_at_its_own_threshold() -> None:
    a, b = sides(2)
    strict = replace(b, threshold=1.1)
    (pair,) = compare_sides([a, strict], settings=IntervalSettings(resamples=50))
    assert strict.values()["sensitivity"] == 0.0
    assert pair.differences["sensitivity"].value == -a.values()["sensitivity"]
    assert pair.differences["auroc"] == compare_sides([a, b])[0].differences["auroc"]


def test_several_pairs_are_adjusted_apart() -> None:
    found = compare_sides(sides(3), settings=IntervalSettings(resamples=100))
    for part in ([p.differences["auroc"] for p in found], [p.decisions for p in found]):
        least = min(part, key=lambda each: each.p)
        assert least.p_holm == pytest.approx(min(1.0, 3 * least.p))
        assert all(each.p_holm >= each.p for each in part)


def test_patients_with_several_films_are_clusters() -> None:
    patients = np.array([f"p{row // 4}" for row in range(80)])
    (pair,) = compare_sides(sides(2, patients=patients), settings=IntervalSettings(resamples=100))
    assert pair.differences["auroc"].method.startswith("patient-clustered")
    assert "by patients" in pair.decisions.method


def test_other_films_are_refused() -> None:
    a, b = sides(2)
    ids = b.rows.image_ids.copy()
    ids[3] = "other"
    with pytest.raises(NotComparable, match="not judged on the same films") as caught:
        check_same_films([a, replace(b, rows=replace(b.rows, image_ids=ids))])
    assert "79 films in common" in str(caught.value.got)
    assert "evaluate" in str(caught.value.remedy)


def test_other_labels_are_refused() -> None:
    a, b = sides(2)
    labels = b.rows.labels.copy()
    labels[7] = 1 - labels[7]
    with pytest.raises(NotComparable, match="by different labels") as caught:
        compare_sides([a, replace(b, rows=replace(b.rows, labels=labels))])
    assert "1 of 80 films, such as 'f7'" in str(caught.value.got)


def test_one_class_leaves_the_ranking_undefined() -> None:
    both = [
        replace(side, rows=replace(side.rows, labels=np.ones(80, np.int64))) for side in sides(2)
    ]
    (pair,) = compare_sides(both, settings=IntervalSettings(resamples=50))
    assert isnan(pair.differences["auroc"].value)
    assert to_plain(pair)["differences"]["auroc"]["p_holm"] is None
    assert isnan(pair.differences["specificity"].value)
    assert not isnan(pair.differences["sensitivity"].value)


def test_spread_over_seeds() -> None:
    known = Spread.of([0.9, 0.94])
    assert (known.mean, known.sd) == pytest.approx((0.92, 0.02 * 2**0.5))
    assert to_plain(Spread.of([0.8, float("nan")])) == {"mean": None, "sd": None}
