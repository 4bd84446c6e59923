"""Page of a learning curve: how the figures grow with the patients that were trained on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from pneumoscope.evaluation.groups import LearningCurve, LearningPoint, OverSeeds
from pneumoscope.formatting import (
    cell,
    listed,
    mean_sd,
    number,
    plural,
    signed,
    signed_interval,
    written_alike,
)
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.catalogue import METRICS, TERMINAL
from pneumoscope.report.kit.door import door_lines
from pneumoscope.report.kit.draw import look_of
from pneumoscope.report.kit.figure import PageFigure, house_style, make_figure
from pneumoscope.report.kit.page import Page, PageSection, Variables
from pneumoscope.report.kit.rows import Remark, difference_row, reach_of
from pneumoscope.run import Run
from pneumoscope.storage import write_atomic

_DRAWN = ("auroc", "balanced_accuracy")


@dataclass(frozen=True, slots=True)
class LearningContext:
    """All that a section may draw on; ``run`` is the last of the runs, of the largest share."""

    curve: LearningCurve
    run: EvaluatedRun


def write_learning_page(folder: Path, curve: LearningCurve, run: EvaluatedRun) -> Path:
    """Write ``report.html`` into ``folder``, which exists; return it. Raises OutputNotWritable."""
    text = PAGE.render(
        LearningContext(curve, run),
        curve=curve,
        recipes=listed(list(curve.recipes)),
        seeds=len(curve.points[0].runs),
        said=list(_remarks(curve)),
        door=door_lines(run.door),
    )
    page = Run(folder).report_file
    write_atomic(page, text)
    return page


def _remarks(curve: LearningCurve) -> Iterator[Remark]:
    for recipe in curve.recipes:
        few, most = curve.of(recipe)[-2:]
        low, high = few.metrics["auroc"], most.metrics["auroc"]
        goes = f"goes from {number(low.mean)} to {number(high.mean)}{_beside(low, high)}"
        if written_alike(low.mean, high.mean):
            goes = f"stays {number(high.mean)}"
        yield Remark(
            f"What more {curve.counted} bring, {recipe}.",
            f"From {_percent(few.share)} of the training {curve.counted} to "
            f"{_percent(most.share)} the AUROC {goes}.",
        )
    yield from _between(curve)
    yield Remark("What is the same everywhere.", curve.meaning)
    yield Remark(
        "What the curve does not say.",
        "It is of films of this data. How much films of another hospital would bring, and what "
        "would come behind its right end, it does not show.",
    )


def _between(curve: LearningCurve) -> Iterator[Remark]:
    """Of every two recipes, the difference of AUROC at each share."""
    for first, second in dict.fromkeys((each.first, each.second) for each in curve.differences):
        said = [
            f"{signed(found.value)} ({signed_interval(found)}) at {_percent(each.share)}"
            for each in curve.differences
            if (each.first, each.second) == (first, second)
            and math.isfinite((found := each.differences["auroc"]).value)
        ]
        if said:
            text = (
                f"The AUROC of {second} minus that of {first}: {listed(said)} of the training "
                f"{curve.counted}."
            )
            yield Remark(f"{second} beside {first}.", text)


def _percent(share: float) -> str:
    return f"{100 * share:g}%"


def _beside(low: OverSeeds, high: OverSeeds) -> str:
    """How sure that step is."""
    if not (math.isfinite(low.sd) and math.isfinite(high.sd)):
        return "; with one seed each, how far seeds alone move it is not known"
    step, spread = abs(high.mean - low.mean), max(low.sd, high.sd)
    told = "more" if step > spread else "no more"
    return (
        f"; that step of {number(step)} is {told} than one standard deviation between seeds, "
        f"{number(spread)}"
    )


def _curves(context: LearningContext) -> Variables:
    with house_style():
        return {"figures": [_figure(context.curve, name) for name in _DRAWN]}


def _figure(curve: LearningCurve, name: str) -> PageFigure:
    title = METRICS[name].title
    return make_figure(
        f"learning-{name}",
        draw_learning(curve, name),
        f"{title} by training films",
        "A small dot is one seed, with the 95% interval of its test; the line goes through the "
        "means. The films are drawn on a scale of equal ratios.",
        f"{title} of {listed(list(curve.recipes))} by the number of training films.",
    )


def draw_learning(curve: LearningCurve, name: str) -> Figure:
    """A line for each recipe over the number of its training films. Call within ``house_style``."""
    figure = Figure(figsize=(5.0, 3.5))
    axes = figure.subplots()
    for at, recipe in enumerate(curve.recipes):
        look, points = look_of(at), curve.of(recipe)
        aside = 1.02 ** (at - (len(curve.recipes) - 1) / 2)  # or intervals would lie on each other
        films = [point.films * aside for point in points]
        means = [point.metrics[name].mean for point in points]
        axes.plot(films, means, color=look.colour, linestyle=look.linestyle, label=recipe)
        for x, point in zip(films, points, strict=True):
            for value in point.metrics[name].values:
                axes.vlines(x, value.low, value.high, color=look.colour, lw=0.7, alpha=0.6)
                axes.plot(x, value.value, look.mark, color=look.colour, markersize=4)
    axes.set(xscale="log", xlabel="Training films", ylabel=METRICS[name].title)
    every = sorted({point.films for point in curve.points})
    axes.xaxis.set_major_locator(FixedLocator(every))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(every, [f"{films:,}" for films in every])
    axes.yaxis.set_major_locator(MaxNLocator(6))
    if len(curve.recipes) > 1:
        axes.legend(frameon=False, loc="lower right")
    figure.tight_layout()
    return figure


@dataclass(frozen=True, slots=True)
class LearningRow:
    """A point as the table shows it: who was trained on, and a cell for each metric."""

    point: LearningPoint
    share: str
    patients: str
    cells: tuple[tuple[str, str], ...]


def _results(context: LearningContext) -> Variables:
    shown = [METRICS[name] for name in TERMINAL]
    return {
        "curve": context.curve,
        "metrics": shown,
        "rows": [
            LearningRow(
                point,
                _percent(point.share),
                "not known" if point.patients is None else plural(point.patients, "patient"),
                tuple(_cell(point.metrics[metric.key]) for metric in shown),
            )
            for point in context.curve.points
        ],
    }


def _differences(context: LearningContext) -> Variables | None:
    """A table for each pair of recipes, with a row for each share and metric; none with one."""
    found = context.curve.differences
    reach = reach_of(each.differences[name] for each in found for name in _DRAWN)
    pairs = []
    for first, second in dict.fromkeys((each.first, each.second) for each in found):
        of_pair = [each for each in found if (each.first, each.second) == (first, second)]
        rows = [
            difference_row(f"{METRICS[n].title}, {_percent(at.share)}", at.differences[n], reach)
            for n in _DRAWN
            for at in of_pair
        ]
        pairs.append((first, second, rows))
    seeds = len(context.curve.points[0].runs)
    if not pairs:
        return None
    counted = context.curve.counted
    return {"pairs": pairs, "reach": f"{reach:g}", "seeds": seeds, "counted": counted}


def _cell(over: OverSeeds) -> tuple[str, str]:
    """Mean ± sd over seeds, or the value of the only one with its interval."""
    if len(over.values) == 1:
        return cell(over.values[0].estimate)
    return mean_sd(over.mean, over.sd), ""


def _reproduce(context: LearningContext) -> Variables:
    return {"curve": context.curve, "recipe": context.run.recipe}


PAGE: Page[LearningContext] = Page(
    "learning",
    (
        PageSection("curves", "Curves", _curves),
        PageSection("differences", "Differences", _differences),
        PageSection("results", "Results", _results),
        PageSection("reproduce", "Reproduction", _reproduce),
    ),
)
