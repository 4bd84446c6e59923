"""The door in words: short, with counts, nobody named; and on every page and card."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.helpers.doors import DOOR

from pneumoscope.data.door import Door
from pneumoscope.plain import to_plain
from pneumoscope.records import Word
from pneumoscope.report.evaluated import read_evaluated
from pneumoscope.report.kit.door import door_lines
from pneumoscope.report.run.card import card_text
from pneumoscope.report.run.render import write_report
from pneumoscope.report.run.summary import limits


def said(door: Door) -> dict[str, str]:
    return {line.title: line.text for line in door_lines(door)}


def test_each_line_has_its_counts() -> None:
    assert said(DOOR) == {
        "films": "4,285 used of 4,411 found",
        "left out": "16 × no image (6 normal, 10 pneumonia); 100 lateral views (100 pneumonia); "
        "10 films of a class that was said to be ignored: COVID (said of 10)",
        "read as": "films in the column 'image', labels in 'finding'. Several readers: a "
        "film has the label that more than half of them gave.",
        "normal": "410 used of 416 films: No Finding (said of 200), said by you: Finding 0 "
        "(said of 30), Finding 1 (said of 30), Finding 2 (said of 30) … and 4 more "
        "words, all in run.json",
        "pneumonia": "3,875 used of 3,985 films: PNEUMONIA (said of 3,875)",
        "patients": "2,790, known for 4,000 of 4,285 films by the column 'patient'",
        "copies": "8 films of different or unknown patients are copies of one another, in 3 groups "
        "(5 by equal pixels)",
        "chain": "41 films hang together by near copies, each like the next, and were not kept in "
        "one split. Pairs, by row of the prepared table: 3–17, 17–40",
        "splits": "train 3,300 (300 normal, 3,000 pneumonia); val 450 (50 normal, 400 pneumonia); "
        "official test 535 (60 normal, 475 pneumonia)",
        "divided": "12 of 535 test films belong with training films: 9 by patient id and 4 by "
        "pixels. 1 of 535 test films belong with validation films: 1 by near copies.",
    }
    assert [line.title for line in door_lines(DOOR) if line.warning] == ["chain", "divided"]


def test_what_is_not_known_is_said() -> None:
    bare = Door("mine", "unlabelled", "a folder of films", 5, 5)
    assert said(bare) == {
        "films": "5, all that were found",
        "read as": "a folder of films.",
        "classes": "no film has a label",
        "patients": "unknown, so whether one lies in two splits is not provable",
    }
    assert door_lines(None) == ()
    fine = said(replace(DOOR, divided=()))
    assert fine["divided"].startswith("nothing, as far as")
    assert "splits" not in {line.title for line in door_lines(DOOR, splits=False)}
    digits = replace(DOOR, readers="", words=(Word("1", "pneumonia", 3875),))
    assert said(digits)["pneumonia"] == "3,875 used of 3,985 films: “1” (3,875)"


def test_a_run_shows_it_at_the_top_and_in_its_card(
    make_run: Callable[..., Path], film: Callable, undrawn: None
) -> None:
    folder = make_run(door=to_plain(DOOR))
    page = write_report(folder, film).read_text("utf-8")
    top = page[: page.index("<nav")]
    assert "What was learnt from what" in top and "3,985 films: PNEUMONIA (said of 3,875)" in top
    assert len(re.findall('class="warning"', top)) == 2
    run = read_evaluated(folder)
    assert run.door == DOOR
    assert any("12 of 535 test films belong" in sentence for sentence in limits(run))
    card = card_text(run)
    for line in door_lines(DOOR):
        assert f"- {line.title}: " in card
    outside = make_run(name="outside", door=to_plain(DOOR), external=True)
    assert "What was judged" in write_report(outside, film).read_text("utf-8")


def test_a_run_of_before_opens_without_it(
    make_run: Callable[..., Path], film: Callable, undrawn: None
) -> None:
    folder = make_run()
    assert read_evaluated(folder).door is None
    assert 'class="door"' not in write_report(folder, film).read_text("utf-8")
    assert "left out: 3, blank image" in card_text(read_evaluated(folder))


@pytest.mark.parametrize("count", [0, 5, 6, 900])
def test_of_many_words_a_handful_is_shown(count: int) -> None:
    words = tuple(Word(f"word {i}", "pneumonia", 1) for i in range(count))
    text = said(replace(DOOR, words=words))["pneumonia"]
    assert text.count("word ") == min(count, 4)
    assert ("all in run.json" in text) == (count > 4)
