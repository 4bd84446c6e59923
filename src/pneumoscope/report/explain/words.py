"""What came of an explanation, in sentences; from plain data, as explain.json holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pneumoscope.formatting import percent, percent_interval
from pneumoscope.records import Estimate

Json = Mapping[str, Any]

SAME = 0.95
"""Rank correlation from which two maps are said to be the same."""

CAUTION = (
    "A heatmap shows where the network looks, not why, and not that it is right. It is no outline "
    "of the disease. Heat is relative to the hottest pixel of its own film."
)


def located(title: str, measures: Json, count: int) -> str:
    """One sentence on where the hottest point lies, and one on what that is worth."""
    pointing = measures["pointing"]
    said = (
        f"{title}'s maximum lies inside the abnormality in {percent(pointing['value']['value'])} "
        f"({percent_interval(Estimate.from_json(pointing['value']))}) of {count:,} true positives; "
        f"chance {percent(pointing['chance']['value'])}, "
        f"a fixed location prior {percent(pointing['prior']['value'])}."
    )
    return f"{said} {_worth(pointing)}"


def _worth(pointing: Json) -> str:
    chance, prior = pointing["above_chance"], pointing["above_prior"]
    if chance["low"] is None or chance["low"] <= 0:
        return "That is not shown to be better than chance."
    if prior["high"] < 0:
        return "That is worse than a map that looks at no film."
    if prior["low"] <= 0:
        return "That is better than chance, but not shown to be better than a fixed place."
    return "That is better than both."


def sane(title: str, check: Json) -> str:
    """Whether the map depends on what was learnt, in words."""
    by_level = {each["level"]: each["rank"] for each in check["levels"]}
    numbers = ", ".join(f"{level} {rank:.2f}" for level, rank in by_level.items())
    numbers = numbers.replace("-", "−")
    if check["passed"]:
        said = f"{title}: the map changes when weights are randomised: passed"
    else:
        said = f"{title}: the map hardly changes when weights are randomised: not passed"
    said = f"{said} (rank correlation with the trained map: {numbers})."
    if not check["passed"]:
        said += " It shows the film more than what the network has learnt."
    elif by_level.get("head", 0.0) >= SAME:
        said += (
            " It does not change with the last layer: it shows what the network sees, not what "
            "speaks for pneumonia."
        )
    return said


def headline(about: Json) -> list[str]:
    """The lines at the head of the page: the first method's place, and which methods passed."""
    titles = {each["name"]: each["title"] for each in about["methods"]}
    lines = located_lines(about)[:1]
    for passed, verb in ((True, "changes, as it must"), (False, "hardly changes")):
        names = [
            titles[name] for name, check in about["sanity"].items() if check["passed"] == passed
        ]
        if names:
            lines.append(
                f"When the weights are randomised, the map of {', '.join(names)} {verb}: "
                f"{'passed' if passed else 'not passed, trust it no further'}."
            )
    return lines


def located_lines(about: Json) -> list[str]:
    """A sentence for each method on where it points; none where the truth is not known."""
    found = about["localisation"]
    if not found:
        return []
    titles = {each["name"]: each["title"] for each in about["methods"]}
    measured = found["methods"].items()
    return [located(titles[name], measures, found["films"]) for name, measures in measured]


def summary(about: Json) -> list[str]:
    """What came of every method, in sentences: where it points, and its sanity check."""
    titles = {each["name"]: each["title"] for each in about["methods"]}
    checks = [sane(titles[name], check) for name, check in about["sanity"].items()]
    return [*located_lines(about), *checks]
