"""Subgroups: figures for parts of the films, and the group that is shown to fare worst."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pneumoscope.evaluation.results import FactResult, GroupResult
from pneumoscope.formatting import ABSENT, Cell, brief, cell, number, written_alike
from pneumoscope.readings import Estimate
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.draw import SQUARE, write
from pneumoscope.report.kit.figure import MUTED, NORMAL, PAPER, PNEUMONIA, PageFigure, make_figure
from pneumoscope.report.kit.page import Variables
from pneumoscope.report.review.context import ReportContext

MANY = 10
"""Among so many groups one finding may be chance, which is then said."""
_LINE = 0.235
"""Height of a line of the forest plot, inches."""
_NEEDS = {
    "auroc": ("pneumonia", "normal"),
    "sensitivity": ("pneumonia",),
    "specificity": ("normal",),
}
"""The classes that each figure needs films of."""


@dataclass(frozen=True, slots=True)
class SubgroupRow:
    """A subgroup as printed; a cell is (value, interval) or the reason why there is none."""

    fact: str
    name: str
    n: int
    positives: int
    cells: tuple[Cell, ...]


def rows(run: EvaluatedRun) -> list[SubgroupRow]:
    """Every group of every fact, in the order of metrics.json."""
    return [
        SubgroupRow(
            fact=fact.title,
            name=group.name,
            n=group.n,
            positives=group.positives,
            cells=(
                _cell(group, "auroc", group.auroc),
                _cell(group, "sensitivity", group.sensitivity),
                _cell(group, "specificity", group.specificity),
            ),
        )
        for fact in _facts(run)
        for group in fact.groups
    ]


def _facts(run: EvaluatedRun) -> tuple[FactResult, ...]:
    return run.results.subgroups.facts if run.results.subgroups else ()


def _cell(group: GroupResult, key: str, found: Estimate | None) -> Cell:
    if found is not None:
        return cell(found)
    few = any(name in group.too_few for name in _NEEDS[key])
    return ("too few" if few else ABSENT), ""


def words(run: EvaluatedRun) -> str:
    """The group that fares worst in sensitivity and in specificity, where intervals show it."""
    facts = _facts(run)
    if not facts:
        return ""
    groups = [(fact.title, group) for fact in facts for group in fact.groups]
    found = [(fact, group.name, group.sensitivity) for fact, group in groups]
    cleared = [(fact, group.name, group.specificity) for fact, group in groups]
    said = [
        *_worst("Sensitivity", run.estimate("sensitivity"), found),
        *_worst("Specificity", run.estimate("specificity"), cleared),
    ]
    if not said:
        return f"Of {len(groups)} groups not one is shown to fare worse than all films together."
    few = "; with so many groups one such finding may be chance" if len(groups) >= MANY else ""
    said[1:] = [text[0].lower() + text[1:] for text in said[1:]]
    return "; ".join(said) + f" (of {len(groups)} groups{few})."


def _worst(
    metric: str, whole: Estimate | None, groups: Sequence[tuple[str, str, Estimate | None]]
) -> Iterator[str]:
    """What is said of the lowest of (fact, group, figure), where its interval lies below the
    figure of all films."""
    shown = [(found, fact, name) for fact, name, found in groups if found is not None]
    if whole is None or not shown:
        return
    worst, fact, name = min(shown, key=lambda item: item[0].value)
    if worst.high < whole.value and not written_alike(worst.value, whole.value):
        yield (
            f"{metric} is lowest where {fact} is {name}: {brief(worst)} "
            f"against {number(whole.value)} of all"
        )


def figures(run: EvaluatedRun) -> Iterator[PageFigure]:
    """The forest plot of those facts that have a figure."""
    found = run.results.subgroups
    facts = [
        fact
        for fact in _facts(run)
        if any(group.sensitivity or group.specificity for group in fact.groups)
    ]
    if found is None or not facts:
        return
    both = {key: run.estimate(key) for key in ("sensitivity", "specificity")}
    whole = {key: e.value for key, e in both.items() if e and math.isfinite(e.value)}
    yield make_figure(
        "subgroups",
        draw_forest(facts, whole),
        "Subgroups",
        "Sensitivity and specificity at the operating point with 95% intervals, beside the number "
        "of normal and pneumonia films. Dashed: all films. A class with fewer than "
        f"{found.few} films has no mark.",
        f"Forest plot of {sum(len(fact.groups) for fact in facts)} groups. {words(run)}",
    )


def draw_forest(facts: Sequence[FactResult], whole: Mapping[str, float]) -> Figure:
    """Sensitivity and specificity of each group, a line each, with the counts beside the name."""
    groups = [group for fact in facts for group in fact.groups]
    height = 0.75 + _LINE * (len(groups) + 1.15 * len(facts))
    figure = Figure(figsize=(SQUARE[0], height))
    axes = figure.add_axes((0.45, 0.42 / height, 0.53, (height - 0.75) / height))
    y = 0.0
    for fact in facts:
        y += 1.15
        _write_left(axes, fact.title, y, -146, weight="bold")
        for group in fact.groups:
            y += 1.0
            _draw_group(axes, group, y)
    for key, colour in (("sensitivity", PNEUMONIA), ("specificity", NORMAL)):
        if key in whole:
            axes.axvline(whole[key], color=colour, linewidth=0.8, linestyle=(0, (2, 2)), alpha=0.8)
    axes.set(xlim=(_least(groups), 1.005), ylim=(y + 0.7, 0.5), yticks=[])
    axes.spines["left"].set_visible(False)
    top = {"xycoords": "axes fraction"}
    write(axes, "sensitivity", (0.0, 1), (0, 8), color=PNEUMONIA, **top)
    write(axes, "specificity", (0.0, 1), (62, 8), color=NORMAL, **top)
    write(axes, "normal + pneumonia", (0, 1), (-5, 8), ha="right", color=MUTED, **top)
    return figure


def _draw_group(axes: Axes, group: GroupResult, y: float) -> None:
    name = group.name if len(group.name) <= 17 else group.name[:16] + "…"
    _write_left(axes, name, y, -146)
    counts = f"{group.n - group.positives:,} + {group.positives:,}"
    _write_left(axes, counts, y, -5, ha="right", color=MUTED)
    _whisker(axes, group.sensitivity, y - 0.16, PNEUMONIA)
    _whisker(axes, group.specificity, y + 0.16, NORMAL)


def _write_left(axes: Axes, words: str, y: float, points: float, **style: Any) -> None:
    """Words beside the axes, on the line of ``y``, so many points from their left edge."""
    write(axes, words, (0, y), (points, -3), xycoords=("axes fraction", "data"), **style)


def _whisker(axes: Axes, found: Estimate | None, y: float, colour: str) -> None:
    if found is None or math.isnan(found.value):
        return
    axes.plot([found.low, found.high], [y, y], color=colour, linewidth=1.3, alpha=0.75)
    (dot,) = axes.plot([found.value], [y], color=colour, marker="o", markersize=5, zorder=4)
    dot.set(markeredgecolor=PAPER, markeredgewidth=0.8)


def _least(groups: Sequence[GroupResult]) -> float:
    """Where the axis begins: a tenth below the lowest interval at most."""
    both = [found for group in groups for found in (group.sensitivity, group.specificity)]
    lows = [found.low for found in both if found and math.isfinite(found.low)]
    return float(max(0.0, np.floor(min(lows, default=0.0) * 10) / 10 - 0.02))


def gather(context: ReportContext) -> Variables | None:
    """What the section prints."""
    found = context.run.results.subgroups
    if found is None or not (found.facts or found.same):
        return None
    return {
        "figures": context.drawn("subgroups"),
        "said": words(context.run),
        "rows": rows(context.run),
        "tells": [fact.title for fact in found.facts if fact.tells_label],
        "same": found.same,
        "few": found.few,
    }
