"""The model card: intended use, figures with intervals, limits, and the disclaimer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pneumoscope.report.evaluated import read_evaluated
from pneumoscope.report.run.card import card_text
from pneumoscope.report.run.model import views


def test_card_holds_what_a_reader_must_know(make_run: Callable[..., Path]) -> None:
    card = card_text(read_evaluated(make_run()))
    for part in (
        "Research use only. Not a medical device.",
        "## Intended use",
        "## Data",
        "## Limits",
        "Classifier.load",
        "at least 0.410",
        "chosen on the validation split",
        "patient ids are not known",
    ):
        assert part in card, part


def test_a_fixed_threshold_was_chosen_on_no_films(make_run: Callable[..., Path]) -> None:
    run = read_evaluated(make_run())
    point = replace(run.results.operating_point, name="fixed")
    card = card_text(replace(run, results=replace(run.results, operating_point=point)))
    assert "at least 0.410 (fixed beforehand)." in card
    assert "chosen on the validation split)" not in card


@pytest.mark.parametrize(
    ("turned", "mirror", "expected"),
    [
        (0, False, "of the film alone"),
        (0, True, "mean over the film and its mirror image"),
        (6.0, False, "mean over the film and the film turned by 6° to both sides"),
        (
            *(6.0, True),
            "mean over the film, the film turned by 6° to both sides and their mirror images",
        ),
    ],
)
def test_it_says_of_which_views_the_answer_is_the_mean(
    make_run: Callable[..., Path], turned: float, mirror: bool, expected: str
) -> None:
    judged = read_evaluated(make_run())
    judged.model.update(turn_average=turned, flip_average=mirror)
    said = f"- Logit, the answer before it is made a probability: {expected}\n"
    assert said in card_text(judged)
    assert views({}) == "of the film alone"  # a bundle of an earlier version


def test_every_row_of_the_table_has_an_interval(make_run: Callable[..., Path]) -> None:
    card = card_text(read_evaluated(make_run()))
    card = card[card.index("## Performance") : card.index("## Operating points")]
    rows = [line for line in card.splitlines() if line.startswith("| ") and "Metric" not in line]
    assert len(rows) == 13
    assert all("–" in row.split("|")[3] or " to " in row.split("|")[3] for row in rows)


def test_only_rows_of_the_judged_split_are_read(
    make_run: Callable[..., Path], simulated: Callable[..., list[dict[str, Any]]]
) -> None:
    val = [
        {**row, "image_id": f"val-{row['image_id']}", "split": "val"}
        for row in simulated(20, 10, seed=8)
    ]
    judged = read_evaluated(make_run([*val, *simulated(60, 40, seed=1)]))
    assert len(judged.predictions) == judged.results.n == 60
    assert set(judged.predictions["split"]) == {"test"}
    assert judged.predictions.index[0] == 20  # the line in the whole table, which "row N" names


@pytest.mark.parametrize(
    ("flow", "words"),
    [
        ({"patients_known": True}, "keeps all films of a patient in one part"),
        ({"patients_known": True, "patients_divided": 170}, "170 patient ids lie in more than one"),
        ({"patients_known": True, "patient_each_film": True}, "an id of its own"),
        ({"patients_known": False}, "patient ids are not known"),
        ({"patients_known": False, "patients_divided": 3}, "3 patient ids lie in more than one"),
    ],
)
def test_nothing_is_claimed_of_patients_that_is_not_so(
    make_run: Callable[..., Path], flow: dict[str, object], words: str
) -> None:
    folder = make_run(flow={"found": 1, "kept": 1, "dropped": [], "splits": {}, **flow})
    assert words in card_text(read_evaluated(folder))
