"""Calibration: whether probabilities mean what they say, and what a temperature changes."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pneumoscope.evaluation.predictions import at_temperature
from pneumoscope.evaluation.results import CalibrationFigures
from pneumoscope.formatting import Cell, brief, cell, full, number, split_name, written_alike
from pneumoscope.readings import Estimate
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit import curves
from pneumoscope.report.kit.curves import ReliabilityCurve
from pneumoscope.report.kit.draw import SQUARE, unit, write
from pneumoscope.report.kit.figure import MUTED, NORMAL, PAPER, RULE, PageFigure, make_figure
from pneumoscope.report.kit.page import Variables
from pneumoscope.report.review.context import ReportContext

_ROWS = (
    ("slope", "Slope", "1; below it the probabilities are too extreme"),
    ("intercept", "Intercept", "0 at a slope of 1"),
    ("in_the_large", "Calibration in the large", "0; below it they are too high on average"),
    ("ece", "ECE", "0"),
    ("brier", "Brier score", "0"),
    ("log_loss", "Log loss", "0"),
)


def rows(run: EvaluatedRun) -> list[tuple[str, str, list[Cell]]]:
    """(title, what is best, [(value, interval) as given, and at the temperature])."""
    found = run.results.calibration
    if found is None:
        return []
    columns = [part for part in (found.before, found.after) if part]
    return [
        (title, best, [cell(getattr(column, key)) for column in columns])
        for key, title, best in _ROWS
    ]


def words(run: EvaluatedRun) -> str:
    """Whether the probabilities are shown to be off, the temperature, and what it changes."""
    found = run.results.calibration
    if found is None:
        return ""
    slope, large = found.before.slope, found.before.in_the_large
    said = ""
    if math.isfinite(slope.value):
        kinds = [*_off(slope, 1, "too extreme", "too cautious")]
        if slope.high < 0:
            kinds = ["the wrong way round (a higher one means less pneumonia)"]
        kinds += _off(large, 0, "too high on average", "too low on average")
        said = (
            f"As given, the probabilities are {' and '.join(kinds)}"
            if kinds
            else "The probabilities as given are not shown to be off"
        )
        said += f": calibration slope {full(slope)}, in the large {brief(large)}. "
    if found.after is None or found.chosen_on is None:
        why = why_unfitted(run)
        return said + f"No temperature {f'was fitted: {why}' if why else 'could be fitted'}."
    return (
        f"{said}A temperature of {number(found.temperature)}, fitted on the "
        f"{split_name(found.chosen_on)} split, {_effect(found.before, found.after)}; no decision "
        "changes by it."
    )


def _effect(before: CalibrationFigures, after: CalibrationFigures) -> str:
    """What a temperature does to the judged films: proper scores decide, for the ECE alone falls
    also where probabilities get worse."""
    moves = (
        ("log loss", before.log_loss, after.log_loss),
        ("Brier score", before.brier, after.brier),
        ("ECE", before.ece, after.ece),
    )
    proper = [new.value - old.value for _, old, new in moves[:2]]
    verdict = "changes the probabilities of these films"
    if all(written_alike(old.value, new.value) for _, old, new in moves[:2]):
        verdict = "makes the probabilities of these films neither better nor worse"
    elif max(proper) < 0:
        verdict = "makes the probabilities of these films better"
    elif min(proper) > 0:
        verdict = "makes the probabilities of these films worse"
    return f"{verdict}: {', '.join(_move(title, old, new) for title, old, new in moves)}"


def _move(title: str, old: Estimate, new: Estimate) -> str:
    """From what to what a figure goes, or that it stays where both read the same."""
    if written_alike(old.value, new.value):
        return f"{title} stays {brief(new)}"
    return f"{title} {brief(old)} to {brief(new)}"


def why_unfitted(run: EvaluatedRun) -> str:
    """Why nothing is fitted for several models that answer together; empty for one model."""
    if run.members == 1:
        return ""
    return f"the {run.members} models whose mean is judged have no validation films in common"


def _off(found: Estimate, right: float, below: str, above: str) -> Iterator[str]:
    """What the interval says where it leaves the right value out; nothing where it does not."""
    if found.high < right:
        yield below
    if found.low > right:
        yield above


def figures(run: EvaluatedRun) -> Iterator[PageFigure]:
    """The reliability of the probabilities as given, and at the temperature."""
    found = run.results.calibration
    table = at_temperature(run.predictions, 1.0)
    bins = curves.reliability(table["label"], table["probability"])
    ece = found.before.ece if found else run.estimate("ece")
    if bins is not None:
        yield make_figure(
            "reliability",
            draw_reliability(bins),
            "Reliability",
            "Below the diagonal the model claims too much, above it too little. Bars are "
            f"{bins.level:.0%} Wilson intervals; the strip below counts the films in each bin.",
            "Reliability diagram: observed share of pneumonia against the probability given, in "
            f"{len(bins.count)} bins. ECE {full(ece)}.",
        )
    if found is None or found.after is None or found.temperature is None:
        return
    bins = curves.reliability(run.predictions["label"], run.predictions["probability"])
    if bins is not None:
        yield make_figure(
            "reliability_calibrated",
            draw_reliability(bins),
            "Reliability at the temperature",
            f"The same films, each logit divided by {number(found.temperature)}, which was fitted "
            f"on the {split_name(found.chosen_on)} split. Bars are {bins.level:.0%} Wilson "
            "intervals.",
            "Reliability diagram after temperature scaling: observed share of pneumonia against "
            f"the calibrated probability, in {len(bins.count)} bins. ECE {full(found.after.ece)}.",
        )


def draw_reliability(bins: ReliabilityCurve) -> Figure:
    """Observed share against predicted probability, with the number of films below."""
    figure = Figure(figsize=SQUARE)
    axes = figure.add_axes((0.135, 0.29, 0.84, 0.68))
    unit(axes)
    axes.set_ylabel("Share that is pneumonia")
    axes.tick_params(labelbottom=False)
    axes.plot([0, 1], [0, 1], color=RULE, linewidth=1, zorder=1)
    reach = np.abs((bins.observed - bins.low, bins.high - bins.observed))
    line = axes.errorbar(bins.predicted, bins.observed, yerr=reach, color=NORMAL, elinewidth=1.1)
    line[0].set(linewidth=0.9, marker="o", markersize=6, markeredgecolor=PAPER, zorder=3)
    counts = figure.add_axes((0.135, 0.115, 0.84, 0.13), sharex=axes)
    _draw_counts(counts, bins)
    return figure


def _draw_counts(axes: Axes, bins: ReliabilityCurve) -> None:
    axes.bar(bins.predicted, bins.count, width=0.035, color=MUTED, alpha=0.6, linewidth=0)
    for at, count in zip(bins.predicted.tolist(), bins.count.tolist(), strict=True):
        write(axes, f"{count:,}", (at, count), (0, 1.5), ha="center", fontsize=7.5, color=MUTED)
    axes.set(yticks=[], ylim=(0, float(bins.count.max()) * 1.45), xlabel="Probability given")
    axes.set_ylabel("films", color=MUTED, fontsize=8.5)
    axes.spines["left"].set_visible(False)


def gather(context: ReportContext) -> Variables | None:
    """What the section prints."""
    drawn, table = context.drawn("reliability", "reliability_calibrated"), rows(context.run)
    if not drawn and not table:
        return None
    found = context.run.results.calibration
    return {
        "figures": drawn,
        "ece": full(context.run.estimate("ece")),
        "rows": table,
        "said": words(context.run),
        "temperature": found.temperature if found else None,
    }
