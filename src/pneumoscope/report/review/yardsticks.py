"""Yardsticks: what others published on the same films, what models without lungs reach, chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pneumoscope.audit.baselines import JudgedBaseline
from pneumoscope.evaluation.shortcuts import CHANCE
from pneumoscope.formatting import (
    ABSENT,
    Cell,
    brief,
    cell,
    number,
    split_name,
    written_alike,
)
from pneumoscope.readings import Estimate
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.page import Variables
from pneumoscope.report.kit.rows import KeyFigure, Whisker, key_figure, whisker
from pneumoscope.report.review.context import ReportContext
from pneumoscope.sources.known_sets import Published

NO_INTERVAL = "no interval given"
"""What stands in its place: publications give none."""


@dataclass(frozen=True, slots=True)
class Yardstick:
    """A row of the table: AUROC, with its interval where it was measured here, accuracy, and who
    says so. ``own`` is the model of the report."""

    auroc: KeyFigure
    accuracy: Cell
    source: str
    own: bool = False


def published(run: EvaluatedRun) -> tuple[Published, ...]:
    """What others reached on the very films on which the model is judged; empty where these are
    not the official test split of a known set, or its results are not known."""
    known, results = run.known_set, run.results
    if known is None or run.split != "test" or known.test != (results.n, results.positives):
        return ()
    return known.published


def measured(run: EvaluatedRun) -> list[tuple[JudgedBaseline, Estimate]]:
    """The models without lungs that could be judged on the same films, the best first."""
    found = [(each, each.auroc) for each in run.baselines if each.auroc]
    found = [pair for pair in found if math.isfinite(pair[1].value)]
    return sorted(found, key=lambda pair: -pair[1].value)


def words(run: EvaluatedRun) -> str:
    """The yardsticks in one clause, with their AUROC: published, without the lungs, chance."""
    parts = []
    if others := [each.auroc for each in published(run) if math.isfinite(each.auroc)]:
        parts.append(
            f"published models reach {number(min(others))}–{number(max(others))} on the same films"
        )
    without = [f"{each.what} {brief(auroc)}" for each, auroc in measured(run)]
    if without:
        without[0] = f"without the lungs {without[0]}"
    return ", ".join([*parts, *without, f"chance {CHANCE:g}"])


def verdict(run: EvaluatedRun, auroc: Estimate) -> str:
    """Where the model stands among them, by its interval."""
    others = [each.auroc for each in published(run) if math.isfinite(each.auroc)]
    best = next(iter(measured(run)), None)
    if not _above(auroc.low, CHANCE):
        return "Not shown to be better than chance"
    if best and not _above(auroc.low, best[1].value):
        return f"Not shown to be better than {best[0].what}, which see no lungs"
    if others and _above(min(others), auroc.high):
        return "Below all that was published on these films"
    if others and _above(min(others), auroc.value):
        return "At the lower end of what was published on these films"
    if others and not _above(auroc.value, max(others)):
        return "Within the range published on these films"
    if others:
        return "Above what was published on these films"
    return "Better than models that see no lungs" if best else "Better than chance"


def _above(one: float, other: float) -> bool:
    """Whether the one is larger, and reads larger too: a verdict stands beside both figures."""
    return one > other and not written_alike(one, other)


def gather(context: ReportContext) -> Variables | None:
    """What the section prints; None where there is nothing to stand beside the model."""
    run = context.run
    auroc, accuracy = run.estimate("auroc"), run.estimate("accuracy")
    others, without = published(run), run.baselines
    elsewhere = "external" in run.manifest
    if auroc is None or not (others or without or elsewhere):
        return None
    start = CHANCE if auroc.value >= CHANCE else 0.0
    own = Yardstick(
        key_figure("This model", auroc, start),
        cell(accuracy) if accuracy else (ABSENT, ""),
        f"judged on the {split_name(run.split)} split",
        own=True,
    )
    reached = sorted(others, key=lambda each: -each.auroc)
    beside = [
        *(_published(each, start) for each in reached),
        *(_baseline(each, start) for each in without),
    ]
    return {
        "rows": [own, *beside, _chance(start)],
        "start": f"{start:g}",
        "published": bool(others),
        "without": bool(without),
        "elsewhere": elsewhere and not without,
        "n": run.results.n,
    }


def _published(found: Published, start: float) -> Yardstick:
    at: Whisker | None = whisker(found.auroc, found.auroc, found.auroc, start)
    auroc = KeyFigure(found.system, number(found.auroc), NO_INTERVAL, at)
    return Yardstick(auroc, (number(found.accuracy), ""), found.source)


def _baseline(found: JudgedBaseline, start: float) -> Yardstick:
    title = f"Without the lungs: {found.what}"
    auroc = KeyFigure(title, ABSENT, found.why_not or "")
    if found.auroc:
        auroc = key_figure(title, found.auroc, start)
    return Yardstick(auroc, (ABSENT, ""), "measured here, on the same films")


def _chance(start: float) -> Yardstick:
    at: Whisker | None = whisker(CHANCE, CHANCE, CHANCE, start)
    return Yardstick(KeyFigure("Chance", number(CHANCE), "", at), (ABSENT, ""), "a guess")


def card_rows(run: EvaluatedRun) -> Sequence[tuple[str, str, str]]:
    """(what, AUROC with its interval, source) of each yardstick, for the model card."""
    rows = [
        (each.system, f"{number(each.auroc)} ({NO_INTERVAL})", each.source)
        for each in sorted(published(run), key=lambda each: -each.auroc)
    ]
    for each in run.baselines:
        said = brief(each.auroc) if each.auroc else f"not measured: {each.why_not}"
        rows.append((f"Without the lungs: {each.what}", said, "measured here, on the same films"))
    auroc = run.estimate("auroc")
    if not rows or auroc is None:
        return []
    own = ("This model", brief(auroc), f"judged on the {split_name(run.split)} split")
    return [own, *rows, ("Chance", number(CHANCE), "a guess")]
