"""Sentences that set one figure against another: none does so where both read the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import nan
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pneumoscope.evaluation.comparison import (
    Agreement,
    ComparedDecisions,
    ComparedDifference,
    ComparedPair,
)
from pneumoscope.evaluation.site.local import CurvePoint
from pneumoscope.readings import Estimate
from pneumoscope.report.compare.words import headline, verdict
from pneumoscope.report.evaluated import read_evaluated
from pneumoscope.report.groups.crossval import _verdict
from pneumoscope.report.groups.learning import _remarks
from pneumoscope.report.groups.matrix import _against
from pneumoscope.report.review import abstention, withheld, yardsticks
from pneumoscope.report.review.calibration import _effect
from pneumoscope.report.review.subgroups import _worst
from pneumoscope.report.site.words import curve_words


def estimate(value: float, width: float = 0.02) -> Estimate:
    return Estimate(value, value - width, value + width, 0.95, "bootstrap", 100)


def of(**results: Any) -> Any:
    """A run of which only these results are asked."""
    return SimpleNamespace(results=SimpleNamespace(n=624, **results))


def test_films_that_would_be_withheld_move_only_what_reads_otherwise() -> None:
    both = {"auroc": (0.9472, 0.9468), "sensitivity": (0.844, 0.850), "specificity": (0.8, nan)}
    found = SimpleNamespace(
        n=3, reasons={"NOT-CHEST-LIKE": 3}, metrics={k: estimate(v) for k, (_, v) in both.items()}
    )
    run = of(withheld=found, metrics={k: estimate(v) for k, (v, _) in both.items()})
    said = withheld.words(run)
    assert "AUROC stays 0.947 (0.927–0.967), sensitivity is 0.850" in said
    assert "0.870) instead of 0.844 (0.824–0.864), specificity is undefined." in said


def test_a_temperature_that_changes_nothing_to_be_seen_is_called_so() -> None:
    names = ("log_loss", "brier", "ece")
    old = SimpleNamespace(**{name: estimate(0.2491) for name in names})
    same = SimpleNamespace(**{name: estimate(0.2489) for name in names})
    assert _effect(old, same) == (  # type: ignore[arg-type]
        "makes the probabilities of these films neither better nor worse: log loss stays 0.249 "
        "(0.229–0.269), Brier score stays 0.249 (0.229–0.269), ECE stays 0.249 (0.229–0.269)"
    )
    less = SimpleNamespace(log_loss=estimate(0.2), brier=estimate(0.2489), ece=estimate(0.2))
    said = _effect(old, less)  # type: ignore[arg-type]
    assert "these films better: log loss 0.249 (0.229–0.269) to 0.200" in said
    assert "Brier score stays 0.249" in said


def conformal(read: int, films: int) -> Any:
    return SimpleNamespace(
        wrong=estimate(0.0884),
        wrong_without=estimate(0.0881),
        read=read,
        withheld=films - read,
        miss_rate=0.1,
        missed=estimate(0.05),
        alarms=estimate(0.05),
        spread={"pneumonia": 0.1, "normal": 0.1},
    )


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (624, "8.8% (6.8–10.8%) are misread, as many as at the operating point."),
        (600, "of the others 8.8% (6.8–10.8%) are misread, as many as with none left out. With"),
    ],
)
def test_abstaining_that_leaves_the_share_is_called_so(read: int, words: str) -> None:
    curve = SimpleNamespace(
        coverage=[0.8, 1.0], risk=[0.0879, 0.0881], low=[0.05, 0.06], high=[0.1, 0.11]
    )
    run = of(abstention=SimpleNamespace(risk_coverage=curve, conformal=conformal(read, 624)))
    said = abstention.words(run)
    assert words in said and "no fewer than the 8.8% of all" in said
    far = abstention.far_films(run)
    assert far is not None and not far.fewer


def test_a_verdict_stands_beside_figures_that_bear_it_out(make_run: Callable[..., Path]) -> None:
    run = read_evaluated(make_run())
    above = replace(estimate(0.9), low=0.5003)
    assert yardsticks.verdict(run, above) == "Not shown to be better than chance"
    folds: Any = [SimpleNamespace(baselines=[beside(0.9397)]), SimpleNamespace(baselines=[])]
    assert (
        _verdict(estimate(0.94), 0.94, folds[:1]) == "No better than thumbnails, which see no lungs"
    )
    assert _verdict(estimate(0.94), 0.941, folds[:1]) == "Better than chance"


def beside(auroc: float) -> Any:
    return SimpleNamespace(name="thumbnail", what="thumbnails", auroc=estimate(auroc))


def test_a_group_that_reads_like_all_films_is_not_the_worst() -> None:
    low = Estimate(0.9002, 0.9001, 0.9003, 0.95, "bootstrap", 10**6)
    assert list(_worst("Sensitivity", estimate(0.9004), [("age", "18 to 30", low)])) == []


def difference(value: float, low: float, high: float, p: float) -> ComparedDifference:
    return ComparedDifference(value, low, high, p, 0.95, "DeLong", 100, p_holm=p)


def pair(p: float = 0.5, **found: tuple[float, float, float]) -> ComparedPair:
    names = ("auroc", "sensitivity", "specificity")
    made = {name: difference(*found.get(name, (0.0, -0.1, 0.1)), p) for name in names}
    tests = {name: Agreement(40, 3, 7, 0, p, p, "exact") for name in ("normal", "pneumonia")}
    return ComparedPair("A", "B", made, ComparedDecisions(6, 14, p, "exact", 100, tests, p))


def test_runs_that_read_the_same_share_the_lead() -> None:
    aurocs = {"A": estimate(0.9403), "B": estimate(0.9401), "C": estimate(0.9)}
    assert headline(aurocs, [pair()]) == (
        "A and B share the highest AUROC to three places: A 0.940 (0.920–0.960) and B 0.940 "
        "(0.920–0.960)."
    )


def test_a_difference_too_small_to_be_seen_is_called_so() -> None:
    said = verdict(pair(0.001, auroc=(0.0002, 0.0001, 0.0004)), several=False)
    assert said.startswith("B ranks better than A, but by less than three places show: AUROC 0.000")
    said = verdict(pair(auroc=(0.0, 0.0, 0.0)), several=False)
    assert said.startswith("A and B rank the films alike. ")


def test_what_does_not_differ_is_not_said_to_differ() -> None:
    found = {"sensitivity": (0.05, 0.01, 0.09), "specificity": (0.0, -0.02, 0.02)}
    assert verdict(pair(0.01, **found), several=False).endswith(
        "B differs from A in sensitivity by +0.050 (+0.010 to +0.090); in specificity none is "
        "shown, 0.000 (−0.020 to +0.020)."
    )
    assert verdict(pair(0.5, **found), several=False).endswith(
        "; by the intervals alone, for the adjusted test of the class shows none."
    )


def test_curves_that_stay_are_said_to_stay() -> None:
    points = (CurvePoint(100, 10, 0.8121, 0.01, 0.5), CurvePoint(200, 10, 0.8119, 0.01, 0.5))
    local: Any = SimpleNamespace(curve=points, curve_of="head")
    assert curve_words(local) == (
        "“head” fitted on 200 labelled films has the AUROC that it has on 100, 0.812."
    )
    over = [SimpleNamespace(mean=mean, sd=0.01) for mean in (0.8121, 0.8119)]
    steps = [
        SimpleNamespace(share=share, metrics={"auroc": each})
        for share, each in zip((0.5, 1.0), over, strict=True)
    ]
    curve: Any = SimpleNamespace(
        recipes=["small"],
        of=lambda recipe: steps,
        counted="patients",
        differences=(),
        meaning="All the rest.",
    )
    assert next(iter(_remarks(curve))).text.endswith("to 100% the AUROC stays 0.812.")
    said = _against(estimate(0.7123), estimate(0.7121))
    assert said == "0.712 (0.692–0.732) against the same, 0.712 (0.692–0.732)"
