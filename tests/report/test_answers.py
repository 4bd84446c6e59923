"""The four questions: one sentence each, from the records, in report, card and terminal alike."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from tests.helpers.doors import DOOR

from pneumoscope.audit.baselines import JudgedBaseline
from pneumoscope.audit.people import AgeSpread, SplitPeople
from pneumoscope.cli.results import show_answers
from pneumoscope.cli.screen import Screen
from pneumoscope.data.door import KnownPatients
from pneumoscope.data.together.groups import Divided
from pneumoscope.plain import to_plain
from pneumoscope.readings import Estimate
from pneumoscope.report.evaluated import EvaluatedRun, read_evaluated
from pneumoscope.report.kit.door import divided_words, shared_words
from pneumoscope.report.review import people, yardsticks
from pneumoscope.report.run.answers import answers
from pneumoscope.report.run.card import card_text
from pneumoscope.report.run.render import write_report
from pneumoscope.sources.known_sets import KERMANY, NIH


def estimate(value: float, low: float, high: float, n: int) -> Estimate:
    return Estimate(value, low, high, 0.95, "DeLong", n)


LUNGLESS = (
    JudgedBaseline("metadata", "file facts alone", "test", estimate(0.834, 0.8, 0.86, 60)),
    JudgedBaseline("thumbnail", "8 × 8 thumbnails", "test", estimate(0.886, 0.86, 0.91, 60)),
    JudgedBaseline("border", "the outer tenth alone", "test", why_not="too few films"),
)
MakeRun = Callable[..., Path]


def known(make_run: MakeRun, **manifest: Any) -> EvaluatedRun:
    """A run of 60 films, the official test split of a set with published results."""
    here = replace(KERMANY, test=(60, 40))
    baselines = [to_plain(each) for each in LUNGLESS]
    return read_evaluated(make_run(known_set=to_plain(here), baselines=baselines, **manifest))


def said(run: EvaluatedRun) -> dict[str, str]:
    return {answer.lead: answer.text for answer in answers(run)}


def test_each_answer_carries_its_figure(make_run: MakeRun) -> None:
    run = known(make_run)
    auroc = run.results.metrics["auroc"]
    found = said(run)
    assert list(found) == ["Is it good?", "How sure is that?", "For whom?", "When not to trust it?"]
    assert (
        f"AUROC {auroc.value:.3f} ({auroc.low:.3f}–{auroc.high:.3f}) on 60 films"
        in found["Is it good?"]
    )
    for yardstick in (
        "0.942–0.991 on the same films",
        "thumbnails 0.886 (0.860–0.910)",
        "file facts alone 0.834 (0.800–0.860)",
        "chance 0.5",
    ):
        assert yardstick in found["Is it good?"]
    assert f"± {(auroc.high - auroc.low) / 2:.3f}" in found["How sure is that?"]
    assert "3,879 films of children of one to five years" in found["For whom?"]
    wrong = 1 - run.results.metrics["specificity"].value
    assert f"{wrong:.1%} (" in found["When not to trust it?"]
    assert "false positives" in found["When not to trust it?"]


def test_report_card_and_terminal_say_the_same(
    make_run: MakeRun, film: Callable[[str], np.ndarray], undrawn: None
) -> None:
    run = known(make_run)
    page = write_report(run.folder, film).read_text("utf-8").replace("\u2060", "")
    page = page.replace("±\u00a0", "± ")
    out = io.StringIO()
    show_answers(run, Screen(Console(file=out, width=80, soft_wrap=True)))
    card = (run.folder / "model_card.md").read_text("utf-8")
    first = page[: page.index("</section>")]
    for lead, text in said(run).items():
        assert f"<strong>{lead}</strong> {text}" in first
        assert f"- **{lead}** {text}" in card
        assert f"{lead} {text}" in " ".join(out.getvalue().split())
    lines = out.getvalue().splitlines()
    assert all(line.startswith("  ") and len(line) <= 80 for line in lines)


def test_an_old_run_opens_with_what_it_has(make_run: MakeRun) -> None:
    found = said(read_evaluated(make_run()))
    assert "published" not in found["Is it good?"] and "chance 0.5" in found["Is it good?"]
    assert "age and place are not known" in found["For whom?"]
    assert "not provable" in found["How sure is that?"]
    assert "## Beside what" not in card_text(read_evaluated(make_run(name="002-old")))


def test_others_splits_are_no_yardstick(make_run: MakeRun) -> None:
    run = known(make_run)
    assert len(yardsticks.published(run)) == len(KERMANY.published)
    elsewhere = replace(run, manifest={**run.manifest, "known_set": to_plain(KERMANY)})
    assert yardsticks.published(elsewhere) == ()  # 60 films are not the 624


@pytest.mark.parametrize(
    ("low", "value", "high", "expected"),
    [
        (0.45, 0.6, 0.7, "Not shown to be better than chance"),
        (0.87, 0.9, 0.92, "Not shown to be better than 8 × 8 thumbnails, which see no lungs"),
        (0.9, 0.92, 0.93, "Below all that was published on these films"),
        (0.9, 0.93, 0.96, "At the lower end of what was published on these films"),
        (0.93, 0.96, 0.98, "Within the range published on these films"),
        (0.991, 0.995, 0.999, "Above what was published on these films"),
    ],
)
def test_the_verdict_goes_by_the_interval(
    make_run: MakeRun, low: float, value: float, high: float, expected: str
) -> None:
    assert yardsticks.verdict(known(make_run), estimate(value, low, high, 60)) == expected


def test_a_model_of_one_answer_is_told_first(make_run: MakeRun) -> None:
    run = known(make_run)
    one = {
        **run.results.metrics,
        "sensitivity": estimate(1.0, 0.9, 1.0, 40),
        "specificity": estimate(0.0, 0.0, 0.1, 20),
    }
    found = said(replace(run, results=replace(run.results, metrics=one)))
    assert found["Is it good?"].startswith("No. Every film is called pneumonia")


def test_copies_are_told_before_patients_and_doubtful_numbers_are_not_provable() -> None:
    assert shared_words(DOOR) == "4 of 535 test films are training films too, by their pixels"
    patients = replace(DOOR, divided=(Divided("test", "train", 12, 12, 0, 0),))
    assert shared_words(patients) == "12 of 535 test films are of patients of training films"
    doubtful = replace(patients, patients=KnownPatients(9, 9, "film names", start_anew=True))
    assert "not provable" in shared_words(doubtful) and "not provable" in divided_words(doubtful)
    assert "may belong" in divided_words(doubtful)
    pairs = (*doubtful.divided, Divided("test", "val", 3, 3, 0, 0))
    told = divided_words(replace(doubtful, divided=pairs))
    assert told.count("may belong") == 2 and told.count("not provable") == 1
    val = replace(DOOR, divided=(Divided("val", "train", 8, 0, 8, 0),))
    assert shared_words(val) == "8 of 450 validation films are training films too, by their pixels"


def test_who_is_in_it_is_told_and_what_is_not_known_too(make_run: MakeRun) -> None:
    grown = SplitPeople("external", 60, 44, AgeSpread(21.0, 58.0, 88.0, 50), {"F": 25}, {})
    run = read_evaluated(
        make_run(
            external=True,
            known_set=to_plain(NIH),
            trained_on=to_plain(KERMANY),
            people=[to_plain(grown)],
        )
    )
    row = people.who_rows(run)[0]
    assert row.age == "21 to 88 years, median 58, known for 50"
    assert row.sex == "F 25, not known 35" and row.view == "not known"
    sentence = people.words(replace(run, results=replace(run.results, split="external")))
    assert "of children of one to five years" in sentence and "mostly adults" in sentence
    assert "children and adults are not alike" in sentence
    assert dict(people.set_lines(None))["Place"] == "not known"


def test_the_first_answer_says_that_no_other_hospital_was_judged(make_run: MakeRun) -> None:
    good = said(known(make_run))["Is it good?"]
    assert "No film of another hospital was judged" in good
    assert "pneumoscope evaluate RUN --data" in good
    there = said(known(make_run, name="there", external=True))["Is it good?"]
    assert "another hospital" not in there
