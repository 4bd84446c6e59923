"""The wider judgement in the report: each part says what the figures say, or is left out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pneumoscope.report.evaluated import EvaluatedRun, read_evaluated
from pneumoscope.report.review import abstention, calibration, points, subgroups, yardsticks
from pneumoscope.report.review.topics import topic_remarks
from pneumoscope.report.run.answers import answers
from pneumoscope.report.run.card import card_text
from pneumoscope.report.run.render import write_report
from pneumoscope.report.run.summary import summarise

SECTIONS = ("operating", "calibration", "prevalence", "decision", "subgroups", "abstention")


@pytest.fixture
def judged(reported: Path) -> EvaluatedRun:
    return read_evaluated(reported)


def changed(folder: Path, change: Callable[[dict[str, Any]], None]) -> EvaluatedRun:
    metrics = json.loads((folder / "metrics.json").read_text())
    change(metrics)
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return read_evaluated(folder)


def test_every_section_is_there_with_its_figure(reported: Path) -> None:
    page = (reported / "report.html").read_text(encoding="utf-8")
    for name in SECTIONS:
        assert f'<section id="{name}"' in page
    for name in ("prevalence", "decision-curve", "subgroups", "risk-coverage"):
        assert f'id="figure-{name}"' in page
    figure = re.search(r'aria-label="(Forest plot[^"]+)"', page)
    assert figure and "groups" in figure[1]


def test_no_share_without_its_interval(reported: Path, judged: EvaluatedRun) -> None:
    for row in points.point_rows(judged):
        assert len(row.cells) == 4 and len(row.validation) in (0, 2)
        for value, interval in (*row.cells, *row.validation):
            assert re.fullmatch(r"[\d.]+", value) and re.fullmatch(r"[\d.]+–[\d.]+", interval)
    for _, _, cells in calibration.rows(judged):
        assert len(cells) == 2
        assert all(re.search(r"\d(–| to )[−\d]", interval) for _, interval in cells)
    for group in subgroups.rows(judged):
        for value, interval in group.cells:
            assert (value in ("–", "too few")) == (interval == "")


def test_sentences_say_what_metrics_say(judged: EvaluatedRun) -> None:
    said = {remark.lead: remark.text for remark in topic_remarks(judged)}
    row = next(item for item in judged.results.prevalence.at if item.asked)
    assert said["Prevalence."].startswith("Where 5% of films show pneumonia")
    assert f"{row.ppv.value:.1%}" in said["Prevalence."]
    temperature = judged.results.calibration.temperature
    assert f"A temperature of {temperature:.3f}, fitted on the validation" in said["Calibration."]
    found = judged.results.abstention.conformal
    assert f"{found.withheld} of 60 films are left" in said["Abstention."]


def test_a_model_that_calls_every_film_pneumonia_is_told_of_it_first(reported: Path) -> None:
    def flat(metrics: dict[str, Any]) -> None:
        metrics["metrics"]["sensitivity"]["value"] = 1.0
        metrics["metrics"]["specificity"]["value"] = 0.0

    run = changed(reported, flat)
    assert summarise(run)[0].text.startswith("Every film is called pneumonia")
    assert "**Every film is called pneumonia" in card_text(run)


def test_abstaining_that_does_not_help_is_called_so(reported: Path) -> None:
    def worse(metrics: dict[str, Any]) -> None:
        found = metrics["abstention"]["conformal"]
        found["withheld"], found["wrong"]["value"] = 21, 0.161
        found["wrong_without"]["value"] = 0.088

    text = abstention.words(changed(reported, worse))
    assert text.startswith("Of the 80% of films farthest from the threshold, ")
    assert "16.1%" in text and "Withholding by this rule does not help on these films." in text

    def better(metrics: dict[str, Any]) -> None:
        metrics["abstention"]["conformal"]["wrong"]["value"] = 0.02

    assert "does not help" not in abstention.words(changed(reported, better))

    def none(metrics: dict[str, Any]) -> None:
        found = metrics["abstention"]["conformal"]
        found["read"], found["withheld"] = 60, 0
        found["wrong"] = found["wrong_without"]

    text = abstention.words(changed(reported, none))
    assert "none of 60 films is left to a person, so this rule changes nothing: " in text
    assert "with none left out" not in text

    def other_cuts(metrics: dict[str, Any]) -> None:
        none(metrics)
        metrics["abstention"]["conformal"]["wrong"] = {
            **metrics["abstention"]["conformal"]["wrong_without"],
            "value": 0.119,
        }
        metrics["abstention"]["conformal"]["wrong_without"]["value"] = 0.144

    text = abstention.words(changed(reported, other_cuts))
    assert "by the cuts of this rule, 11.9%" in text and "against 14.4%" in text
    assert "changes nothing" not in text


@pytest.mark.parametrize(
    ("slope", "large", "wanted"),
    [
        # An interval that holds 1 is no proof of being right, least of all a wide one.
        ((0.4, -1.7, 2.5), (0.0, -0.2, 0.2), "are not shown to be off: calibration slope 0.400"),
        ((0.4, -1.7, 2.5), (0.3, 0.1, 0.5), "are too low on average: calibration slope 0.400"),
        ((0.7, 0.6, 0.8), (-0.3, -0.5, -0.1), "are too extreme and too high on average: "),
        ((1.5, 1.2, 1.8), (0.0, -0.2, 0.2), "are too cautious: "),
    ],
)
def test_miscalibration_is_said_where_an_interval_shows_it(
    make_run: Callable[..., Path],
    slope: tuple[float, ...],
    large: tuple[float, ...],
    wanted: str,
) -> None:
    def set_both(metrics: dict[str, Any]) -> None:
        before = metrics["calibration"]["before"]
        for key, found in (("slope", slope), ("in_the_large", large)):
            before[key].update(zip(("value", "low", "high"), found, strict=True))

    said = calibration.words(changed(make_run(), set_both))
    assert wanted in said and f"in the large {large[0]:.3f}".replace("-", "−") in said


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("members", "no_temperature", "no_abstention"),
    [
        (1, "could be fitted", "it needs validation films of both classes"),
        (
            5,
            "was fitted: the 5 models whose mean is judged have no validation films in common",
            "the 5 models whose mean is judged have no validation films in common",
        ),
    ],
)
def test_why_nothing_was_fitted(
    make_run: Callable[..., Path],
    film: Callable[[str], np.ndarray],
    members: int,
    no_temperature: str,
    no_abstention: str,
) -> None:
    def drop(metrics: dict[str, Any]) -> None:
        metrics["calibration"].update(temperature=None, chosen_on=None, after=None)
        metrics["abstention"].update(conformal=None, ladder=[])

    folder = make_run(members=members)
    said = calibration.words(changed(folder, drop))
    assert said.endswith(f". No temperature {no_temperature}.")
    page = write_report(folder, film).read_text(encoding="utf-8")
    assert said.split(". ")[-1] in page
    assert f"<p>Abstention was not fitted: {no_abstention}.</p>" in page


def test_a_broken_guarantee_is_said(make_run: Callable[..., Path]) -> None:
    def drop(metrics: dict[str, Any]) -> None:
        metrics["abstention"]["conformal"]["alarms"].update(value=0.4, low=0.3, high=0.5)

    said = abstention.words(changed(make_run(), drop))
    assert "guarantee does not hold" in said and "false alarms (40.0% (30.0–50.0%))" in said
    assert "guarantee" not in abstention.words(read_evaluated(make_run(name="002-other")))

    def stray(metrics: dict[str, Any]) -> None:
        """As far as one validation set in six or so strays by chance."""
        found = metrics["abstention"]["conformal"]
        low = found["miss_rate"] + found["spread"]["normal"]
        found["alarms"].update(value=low + 0.03, low=low, high=low + 0.06)

    assert "guarantee" not in abstention.words(changed(make_run(name="003-chance"), stray))


def test_the_worst_group_is_named_only_where_its_interval_shows_it(
    make_run: Callable[..., Path],
) -> None:
    def spoil(metrics: dict[str, Any]) -> None:
        for fact in metrics["subgroups"]["facts"]:
            for group in fact["groups"]:
                if group["sensitivity"] is not None:
                    group["sensitivity"].update(value=0.9, low=0.0, high=1.0)
                    if group["name"] == "viral":
                        group["sensitivity"].update(value=0.2, low=0.1, high=0.3)

    said = subgroups.words(changed(make_run(), spoil))
    assert "Sensitivity is lowest where subtype is viral: 0.200 (0.100–0.300)" in said


@pytest.mark.usefixtures("undrawn")
def test_a_run_judged_before_these_parts_existed(
    make_run: Callable[..., Path], film: Callable[[str], np.ndarray]
) -> None:
    folder = make_run()
    new = ("operating_points", "calibration", "prevalence", "decision_curve", "subgroups")

    def old(metrics: dict[str, Any]) -> None:
        for key in (*new, "abstention", "notes"):
            del metrics[key]

    before = changed(folder, old)
    page = write_report(folder, film).read_text(encoding="utf-8")
    assert not [name for name in SECTIONS if f'<section id="{name}"' in page]
    assert topic_remarks(before) == []
    assert "## Operating points" not in card_text(before)


@pytest.mark.usefixtures("undrawn")
def test_re_chosen_is_marked_optimistic(
    make_run: Callable[..., Path], film: Callable[[str], np.ndarray]
) -> None:
    folder = make_run()

    def add(metrics: dict[str, Any]) -> None:
        again = {**metrics["operating_points"][1], "name": "re-chosen", "chosen_on": "external"}
        metrics["re_chosen"] = again

    rows = points.point_rows(changed(folder, add))
    assert [row.optimistic for row in rows] == [False] * (len(rows) - 1) + [True]
    page = write_report(folder, film).read_text(encoding="utf-8")
    assert "(optimistic)" in page and "never to be used" in page


@pytest.mark.usefixtures("undrawn")
def test_no_card_where_there_is_no_model(
    make_run: Callable[..., Path], film: Callable[[str], np.ndarray]
) -> None:
    folder = make_run()
    (folder / "model.json").unlink()
    page = write_report(folder, film, card=False).read_text(encoding="utf-8")
    assert not (folder / "model_card.md").exists()
    assert "model_card.md" not in page and "Classifier.load" not in page


def test_the_card_holds_points_and_calibration(judged: EvaluatedRun) -> None:
    card = card_text(judged)
    assert "## Operating points" in card and "## Calibration and abstention" in card
    table = card[card.index("| Point |") : card.index("## Calibration and")]
    names = {name.split(":")[0] for name in re.split(r", |\n\| ", table)}
    assert {"youden_smooth", "f1", "sensitivity >= 0.95", "specificity >= 0.95"} <= names
    assert "cost 5:1" in table


@pytest.mark.usefixtures("undrawn")
def test_equal_cuts_share_a_row_and_what_does_not_carry_over_is_said(
    make_run: Callable[..., Path], film: Callable[[str], np.ndarray]
) -> None:
    folder = make_run()

    def alike(metrics: dict[str, Any]) -> None:
        by_name = {point["name"]: point for point in metrics["operating_points"]}
        held, other = by_name["specificity"], by_name["f1"]
        low = {"value": 0.449, "low": 0.385, "high": 0.514}
        held["specificity"] |= low
        held["validation"]["specificity"] |= {"value": 0.985, "low": 0.96, "high": 0.995}
        metrics["operating_points"] = [
            by_name["youden"],
            held,
            {**held, "name": other["name"], "rule": other["rule"]},
        ]

    run = changed(folder, alike)
    rows = points.point_rows(run)
    assert [row.names for row in rows] == [("youden",), ("specificity >= 0.95", "f1")]
    assert rows[1].validation[1] == ("0.985", "0.960–0.995")
    said = (
        "Not carried over from validation films to these: “specificity >= 0.95” has a specificity "
        "of 0.449 (0.385–0.514) here, 0.985 (0.960–0.995) there."
    )
    assert said in points.words(run) and said.split(": ")[1] in card_text(run).replace("&gt;", ">")
    page = write_report(folder, film).read_text(encoding="utf-8")
    assert page.count("on validation</th>") == 2 and "Not carried over" in page


def test_hundreds_of_films_stay_small(
    make_run: Callable[..., Path], simulated: Callable[..., Any]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (224, 224), dtype=np.uint8)
    folder = make_run(simulated(624, 390, seed=4))
    report = write_report(folder, lambda image_id: noise)
    assert report.stat().st_size < 5_000_000


def test_a_slope_below_0_is_called_the_wrong_way_round(make_run: Callable[..., Path]) -> None:
    def turned(metrics: dict[str, Any]) -> None:
        metrics["calibration"]["before"]["slope"].update(value=-0.16, low=-0.27, high=-0.05)

    said = calibration.words(changed(make_run(), turned))
    assert said.startswith("As given, the probabilities are the wrong way round")
    assert "too extreme" not in said


def test_a_model_no_better_than_a_guess_is_not_to_be_trusted(make_run: Callable[..., Path]) -> None:
    def guessing(metrics: dict[str, Any]) -> None:
        metrics["metrics"]["auroc"].update(value=0.446, low=0.383, high=0.511)

    folder = make_run()
    asked = {each.lead: each.text for each in answers(changed(folder, guessing))}
    assert asked["When not to trust it?"].startswith("Not at all on films like these: ")
    scales = {row.auroc.title: row.auroc.at for row in _rows(read_evaluated(folder))}
    assert scales["This model"] is not None and scales["Chance"] == (50.0, 50.0, 50.0)


def _rows(run: EvaluatedRun) -> list[yardsticks.Yardstick]:
    context: Any = SimpleNamespace(run=replace(run, manifest={**run.manifest, "external": 1}))
    found: Any = yardsticks.gather(context)
    assert found is not None and found["start"] == "0"
    return list(found["rows"])


def test_thresholds_that_read_the_same_are_told_apart(judged: EvaluatedRun) -> None:
    rows = points.point_rows(judged)
    twice = [rows[0], replace(rows[0], own=False)]
    assert points.close_words(twice).endswith("differ behind the third place.")
    assert points.close_words(twice[:1]) == ""
