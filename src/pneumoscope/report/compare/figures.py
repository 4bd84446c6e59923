"""Curves of several runs over each other, told apart by colour, line and mark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from pneumoscope.formatting import number
from pneumoscope.metrics.scores import Floats, precision_recall_curve, roc_curve
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.draw import Look, framed, look_of, unit, write
from pneumoscope.report.kit.figure import (
    MUTED,
    PAPER,
    RULE,
    PageFigure,
    house_style,
    make_figure,
)

MOST_DRAWN = 8
"""More curves than these on one figure tell nothing; the tables hold all runs."""
_CLOSE_UP_FROM = 0.9
_FALLING_BELOW = 0.85
"""Average precision below which a curve leaves the upper right corner free, not the lower left."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A curve as drawn, its operating point, and the words of its legend."""

    across: Floats
    up: Floats
    at: tuple[float, float] | None
    look: Look
    words: str


def draw_curves(letters: Sequence[str], runs: Sequence[EvaluatedRun]) -> list[PageFigure]:
    """ROC and precision–recall curves of the runs, none where the films are of one class."""
    labels = runs[0].predictions["label"]
    if not len(labels) or labels.min() == labels.max():
        return []
    drawn = list(zip(letters, runs, strict=True))[:MOST_DRAWN]
    left_out = len(runs) - len(drawn)
    more = f" The first {len(drawn)} of {len(runs)} runs are drawn." if left_out else ""
    with house_style():
        return [_roc(drawn, more), _precision_recall(drawn, more)]


def _roc(drawn: Sequence[tuple[str, EvaluatedRun]], more: str) -> PageFigure:
    lines, close = [], True
    for at, (letter, run) in enumerate(drawn):
        labels, scores = _columns(run)
        across, up, _ = roc_curve(labels, scores)
        called = scores >= run.threshold
        point = float(called[labels == 0].mean()), float(called[labels == 1].mean())
        value = _value(run, "auroc")
        close &= value >= _CLOSE_UP_FROM
        lines.append(_Line(across, up, point, look_of(at), f"{letter}  AUROC {number(value)}"))
    figure, axes = framed("False positive rate (1 − specificity)", "Sensitivity")
    unit(axes)
    axes.plot([0, 1], [0, 1], color=RULE, linewidth=1, zorder=1)
    _draw(axes, lines)
    if close:
        _close_up(axes, lines)
    _legend(axes, lines, "lower right")
    said = " The inset is the upper left corner, enlarged." if close else ""
    return make_figure(
        "compare_roc",
        figure,
        "ROC curves",
        "Sensitivity against false alarms over all thresholds. The marks are the runs’ own "
        f"operating points.{said}{more}",
        f"ROC curves. {'. '.join(line.words for line in lines)}.",
    )


def _precision_recall(drawn: Sequence[tuple[str, EvaluatedRun]], more: str) -> PageFigure:
    lines, share, least = [], 0.0, 1.0
    for at, (letter, run) in enumerate(drawn):
        labels, scores = _columns(run)
        precision, recall, _ = precision_recall_curve(labels, scores)
        called, share = scores >= run.threshold, run.results.share
        point = None
        if called.any():
            point = float(called[labels == 1].mean()), float((labels[called] == 1).mean())
        value = _value(run, "average_precision")
        least = min(least, value)
        lines.append(_Line(recall, precision, point, look_of(at), f"{letter}  AP {number(value)}"))
    figure, axes = framed("Recall (sensitivity)", "Precision (positive predictive value)")
    unit(axes)
    floor = max(0.0, math.floor(share * 10 - 0.5) / 10)
    if floor:
        axes.set(ylim=(floor - 0.01, 1 + 0.02 * (1 - floor)))
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.axhline(share, color=RULE, linewidth=1, zorder=1)
    words = f"a guess reaches the prevalence, {share:.3f}"
    write(axes, words, (0.02, share), (0, -11 if floor else 5), color=MUTED, fontsize=8.5)
    _draw(axes, lines)
    if least < _FALLING_BELOW:
        _legend(axes, lines, "upper right")
    else:
        _legend(axes, lines, "lower left", (0.0, (share - floor) / (1 - floor) + 0.03))
    cut = f" The scale begins at {floor:.1f}." if floor else ""
    return make_figure(
        "compare_precision_recall",
        figure,
        "Precision and recall",
        "The share of pneumonia calls that are right, against the share of pneumonia found; AP "
        f"is average precision.{cut}{more}",
        f"Precision–recall curves. {'. '.join(line.words for line in lines)}. "
        f"Prevalence {share:.3f}.",
    )


def _draw(axes: Axes, lines: Sequence[_Line], width: float = 1.5) -> None:
    for line in lines:
        colour, style = line.look.colour, line.look.linestyle
        axes.plot(line.across, line.up, color=colour, linestyle=style, linewidth=width, zorder=3)
        if line.at is not None:
            axes.plot(
                [line.at[0]],
                [line.at[1]],
                marker=line.look.mark,
                markersize=7,
                color=colour,
                markeredgecolor=PAPER,
                markeredgewidth=1.2,
                zorder=5,
            )


def _close_up(axes: Axes, lines: Sequence[_Line]) -> None:
    """The upper left corner, where good curves crowd, in the empty part of the square."""
    inset = axes.inset_axes((0.45, 0.4, 0.53, 0.46))
    _draw(inset, lines, 1.3)
    inset.set(xlim=(-0.004, 0.3), ylim=(0.7, 1.006))
    for axis in (inset.xaxis, inset.yaxis):
        axis.set_major_locator(MaxNLocator(3))
    inset.tick_params(labelsize=8)


def _legend(
    axes: Axes, lines: Sequence[_Line], place: Any, at: tuple[float, float] | None = None
) -> None:
    for line in lines:
        # The curve and the mark of a run are two lines; the legend shows them as one.
        axes.plot(
            [],
            [],
            color=line.look.colour,
            linestyle=line.look.linestyle,
            marker=line.look.mark,
            markersize=5.5,
            markeredgecolor=PAPER,
            label=line.words,
        )
    axes.legend(
        loc=place,
        bbox_to_anchor=at,
        frameon=False,
        fontsize=9,
        handlelength=3.2,
        ncols=2 if len(lines) > MOST_DRAWN // 2 else 1,
        columnspacing=1.2,
        labelspacing=0.35,
        borderaxespad=0.2,
    )


def _columns(run: EvaluatedRun) -> tuple[Any, Floats]:
    rows = run.predictions
    return rows["label"].to_numpy(), rows["probability"].to_numpy(dtype=float)


def _value(run: EvaluatedRun, name: str) -> float:
    estimate = run.estimate(name)
    return estimate.value if estimate is not None else float("nan")
