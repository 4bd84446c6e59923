"""Thresholds against an exhaustive search, and their refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.errors import BadLabels, BadRecipe, ChosenOnTest
from pneumoscope.metrics.scores import confusion
from pneumoscope.metrics.thresholds import RULES, choose
from pneumoscope.plain import to_plain

ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.one_of(st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.floats(0, 1))),
    max_size=40,
)


def arrays(pairs: list[tuple[int, float]]) -> tuple[Any, Any]:
    return np.array([y for y, _ in pairs]), np.array([p for _, p in pairs])


@given(
    ROWS, st.sampled_from(["youden", "f1", "sensitivity", "specificity", "cost"]), st.floats(0, 1)
)
def test_no_threshold_does_better(pairs: list[tuple[int, float]], rule: Any, target: float) -> None:
    y, p = arrays([*pairs, (0, 0.4), (1, 0.6)])
    target = 10 * target + 0.01 if rule == "cost" else target
    goal = target if rule in ("sensitivity", "specificity", "cost") else None
    point = choose(rule, y, p, "val", goal)
    assert 0 <= point.threshold <= np.nextafter(1, 2) and point.chosen_on == "val"

    def worth(threshold: float) -> float:
        c = confusion(y, p >= threshold)
        found = c.scores()
        if rule == "youden":
            return found["sensitivity"] + found["specificity"] - 1
        if rule == "f1":
            return found["f1"]
        if rule == "cost":
            return -(target * c.fn + c.fp) / y.size
        other = "specificity" if rule == "sensitivity" else "sensitivity"
        return found[other] if found[rule] >= target - 1e-12 else -1.0

    best = max(worth(t) for t in [*np.unique(p), 2.0])
    assert worth(point.threshold) == pytest.approx(best, abs=1e-9)
    order = np.random.default_rng(0).permutation(y.size)
    assert choose(rule, y[order], p[order], "val", goal) == point


def test_lies_midway_in_the_gap() -> None:
    y, p = np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.7, 0.8])
    for rule in ("youden", "f1", "sensitivity", "specificity"):
        assert choose(rule, y, p, "val").threshold == pytest.approx(0.5)


def test_ties_take_the_middle() -> None:
    """Youden ties at three cuts, .15, .35 and .55; and of two the lower."""
    y = np.array([0, 1, 0, 1, 0, 1])
    p = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert choose("youden", y, p, "val").threshold == pytest.approx(0.35)
    assert choose("youden", y[:4], p[:4], "val").threshold == pytest.approx(0.15)


def test_neighbouring_floats_stay_apart() -> None:
    low = 0.5
    for high in (np.nextafter(low, 1), np.nextafter(np.nextafter(low, 1), 1)):
        point = choose("youden", np.array([0, 1]), np.array([low, high]), "val")
        assert low < point.threshold <= high
    saturated = choose("specificity", np.array([0, 1]), np.array([1.0, 0.2]), "val", 1.0)
    assert saturated.threshold > 1.0


def test_records_the_rule() -> None:
    y, p = np.array([0, 1]), np.array([0.2, 0.9])
    assert choose("sensitivity", y, p, "val", 0.9).rule == "sensitivity >= 0.9"
    assert to_plain(choose("f1", y, p, "train")) == {
        "name": "f1",
        "threshold": pytest.approx(0.55),
        "rule": "maximum f1",
        "chosen_on": "train",
    }
    empty = np.array([])
    assert choose("fixed", empty.astype(int), empty, "val").threshold == 0.5
    assert choose("fixed", empty.astype(int), empty, "val", 0.3).threshold == 0.3


@pytest.mark.parametrize("rule", RULES)
def test_never_on_test(rule: Any) -> None:
    with pytest.raises(ChosenOnTest, match="test"):
        choose(rule, np.array([0, 1]), np.array([0.2, 0.9]), "test")


@pytest.mark.parametrize("rule", ["youden", "f1", "sensitivity", "specificity", "cost"])
@pytest.mark.parametrize("labels", [[], [0, 0], [1, 1]])
def test_one_class_is_refused(rule: Any, labels: list[int]) -> None:
    y = np.array(labels, dtype=int)
    with pytest.raises(BadLabels, match="one class"):
        choose(rule, y, np.full(y.size, 0.5), "val")


def test_bad_rules_and_targets() -> None:
    y, p = np.array([0, 1]), np.array([0.2, 0.9])
    with pytest.raises(BadRecipe, match="'youden'"):
        choose("yuden", y, p, "val")  # type: ignore[arg-type]
    with pytest.raises(BadRecipe, match="out of range"):
        choose("sensitivity", y, p, "val", 95)
    for cost in (0, -1, float("inf")):
        with pytest.raises(BadRecipe, match="cost ratio"):
            choose("cost", y, p, "val", cost)
    with pytest.raises(BadRecipe, match="no target"):
        choose("youden", y, p, "val", 0.9)


def test_smooth_youden_finds_the_crossing_of_two_known_densities() -> None:
    """Two normals of equal spread cross midway: at logit 0 for means −2 and 2."""
    rng = np.random.default_rng(0)
    logits = np.r_[rng.normal(-2, 1, 4000), rng.normal(2, 1, 4000)]
    labels = np.repeat([0, 1], 4000)
    found = choose("youden_smooth", labels, 1 / (1 + np.exp(-logits)), "val")
    assert abs(np.log(found.threshold / (1 - found.threshold))) < 0.15


def test_smooth_youden_varies_less_than_the_staircase() -> None:
    cuts: dict[str, list[float]] = {"youden": [], "youden_smooth": []}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        logits = np.r_[rng.normal(-1.5, 1, 60), rng.normal(1.5, 1.4, 120)]
        labels = np.repeat([0, 1], [60, 120])
        for rule, found in cuts.items():
            found.append(choose(rule, labels, 1 / (1 + np.exp(-logits)), "val").threshold)
    assert np.std(cuts["youden_smooth"]) < 0.8 * np.std(cuts["youden"])


@pytest.mark.parametrize("values", [(0.0, 1.0), (0.5, 0.5), (0.2, 0.9)])
def test_smooth_youden_survives_constant_classes(values: tuple[float, float]) -> None:
    labels = np.array([0, 0, 1, 1])
    found = choose("youden_smooth", labels, np.array(values)[labels], "val")
    assert 0 <= found.threshold <= 1
    if values[0] < values[1]:
        assert values[0] < found.threshold < values[1]


def test_dearer_misses_lower_the_threshold() -> None:
    """Two films of each class: at .3 a miss costs less than two alarms, at 5 more."""
    y, p = np.array([0, 1, 0, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4, 0.9])
    assert choose("cost", y, p, "val", 0.5).threshold == pytest.approx(0.65)
    point = choose("cost", y, p, "val")
    assert point.threshold == pytest.approx(0.15)
    assert point.rule == "least cost, a missed pneumonia counts as 5 false alarms"
