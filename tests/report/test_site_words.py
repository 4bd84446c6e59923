"""What the site card says of labelled films, from figures made up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pneumoscope.evaluation.site.local import Candidate, LocalFigures, LocalResult
from pneumoscope.readings import Estimate
from pneumoscope.report.site.words import _local, equal_words

HALF = Estimate(0.5, 0.4, 0.6, 0.95, "bootstrap", 100)
FIGURES = LocalFigures(HALF, HALF, HALF, HALF, HALF)
CARRIED = Candidate("carried", "as it comes", 1.9, 0.1, HALF)
LINE = Candidate("temperature and offset", "two numbers", 0.690, 0.01, HALF)
STATISTICS = Candidate("statistics", "batch norms", 0.690, 0.01, HALF)


def result(*ways: Candidate) -> LocalResult:
    return LocalResult(
        films=100,
        positives=46,
        patients=None,
        folds=5,
        carried=FIGURES,
        adapted=FIGURES,
        candidates=(replace(ways[0], kept=True), *ways[1:]),
        thresholds="fixed by the recipe",
        local_thresholds=False,
        gain=HALF,
        curve=(),
        curve_of="head",
        needed=(),
    )


@pytest.mark.parametrize(
    "ways", [(CARRIED, LINE), (CARRIED, LINE, replace(STATISTICS, loss=0.680))]
)
def test_rows_that_differ_need_no_words(ways: tuple[Candidate, ...]) -> None:
    assert equal_words(result(*ways)) == ""


def test_two_ways_with_one_row_say_why() -> None:
    said = equal_words(result(CARRIED, LINE, STATISTICS))
    assert "held at 0" in said and "one probability" in said


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.38, 0.46, ": worse than a guess"), (0.45, 0.6, ": not shown to be better"), (0.6, 0.7, "")],
)
def test_a_model_that_ranks_no_better_than_a_guess_is_called_so(
    low: float, high: float, said: str
) -> None:
    auroc = Estimate((low + high) / 2, low, high, 0.95, "bootstrap", 100)
    first = next(iter(_local(replace(result(CARRIED), carried=replace(FIGURES, auroc=auroc)), 0)))
    assert said in first and ("a guess (AUROC 0.5)" in first) == bool(said)
