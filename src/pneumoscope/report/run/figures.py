"""Figures of data and judgement: one ``Figure`` each from plain numbers, labels on the lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, MaxNLocator

from pneumoscope.evaluation.curves import Floats, Histogram, Ints, PrCurve, Reliability, RocCurve
from pneumoscope.records import CLASSES
from pneumoscope.report.kit.figure import INK, MUTED, NORMAL, PAPER, PNEUMONIA, RULE

SQUARE = (4.6, 4.3)
COLOURS = (NORMAL, PNEUMONIA)


def draw_roc(curve: RocCurve, auroc: str, point: str) -> Figure:
    """ROC with its band; ``auroc`` and ``point`` are the words written beside the curve."""
    figure, axes = _unit_square("False positive rate (1 − specificity)", "Sensitivity")
    axes.plot([0, 1], [0, 1], color=RULE, linewidth=1, zorder=1)
    axes.text(0.3, 0.27, "chance", color=MUTED, fontsize=8.5, va="top")
    axes.fill_between(curve.grid, curve.low, curve.high, color=NORMAL, alpha=0.18, linewidth=0)
    axes.plot(curve.false_positive_rate, curve.sensitivity, color=NORMAL, zorder=3)
    mark(axes, *curve.at)
    if curve.at[0] < 0.65:
        write(axes, point, curve.at, (9, -17))
    else:
        write(axes, point, curve.at, (-4, -24), ha="right")
    write(axes, auroc, (0.99, 0.1), ha="right", color=NORMAL, fontsize=10.5)
    return figure


def draw_precision_recall(curve: PrCurve, average: str, point: str) -> Figure:
    """Precision over recall against the prevalence, which is what a guess would reach."""
    figure, axes = _unit_square("Recall (sensitivity)", "Precision (positive predictive value)")
    axes.axhline(curve.prevalence, color=RULE, linewidth=1, zorder=1)
    under = curve.prevalence > 0.3
    words = f"a guess reaches the prevalence, {curve.prevalence:.3f}"
    write(
        axes, words, (0.02, curve.prevalence), (0, -11 if under else 5), color=MUTED, fontsize=8.5
    )
    axes.plot(curve.recall, curve.precision, color=PNEUMONIA, zorder=3)
    if curve.at is not None:
        mark(axes, *curve.at)
        write(axes, point, curve.at, (-8, -17), ha="right")
    at = (0.02, 0.1) if under else (0.02, 0.6)
    write(axes, average, at, color=PNEUMONIA, fontsize=10.5)
    return figure


def draw_confusion(confusion: Mapping[str, int]) -> Figure:
    """Counts and row shares; truth by row, the model's reading by column."""
    figure = Figure(figsize=SQUARE)
    axes = figure.add_axes((0.19, 0.03, 0.79, 0.87))
    axes.set(xlim=(0, 2), ylim=(2, 0), xticks=[0.5, 1.5], yticks=[0.5, 1.5])
    axes.xaxis.tick_top()
    axes.set_xticklabels([f"read as {name}" for name in CLASSES])
    axes.set_yticklabels(["" for _ in CLASSES])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    rows = (("tn", "fp"), ("fn", "tp"))
    for row, cells in enumerate(rows):
        write(axes, f"truly\n{CLASSES[row]}", (0, row + 0.49), (-6, 0), ha="right")
        total = sum(confusion[name] for name in cells)
        for column, name in enumerate(cells):
            share = confusion[name] / total if total else 0.0
            _cell(axes, (column, row), confusion[name], share, total)
    return figure


def draw_reliability(bins: Reliability) -> Figure:
    """Observed share against predicted probability, with the number of films below."""
    figure = Figure(figsize=SQUARE)
    axes = figure.add_axes((0.135, 0.29, 0.84, 0.68))
    _unit(axes)
    axes.set_ylabel("Share that is pneumonia")
    axes.tick_params(labelbottom=False)
    axes.plot([0, 1], [0, 1], color=RULE, linewidth=1, zorder=1)
    reach = np.abs((bins.observed - bins.low, bins.high - bins.observed))
    line = axes.errorbar(bins.predicted, bins.observed, yerr=reach, color=NORMAL, elinewidth=1.1)
    line[0].set(linewidth=0.9, marker="o", markersize=6, markeredgecolor=PAPER, zorder=3)
    counts = figure.add_axes((0.135, 0.115, 0.84, 0.13), sharex=axes)
    _draw_counts(counts, bins)
    return figure


def _draw_counts(axes: Axes, bins: Reliability) -> None:
    axes.bar(bins.predicted, bins.count, width=0.035, color=MUTED, alpha=0.6, linewidth=0)
    for at, count in zip(bins.predicted.tolist(), bins.count.tolist(), strict=True):
        write(axes, f"{count:,}", (at, count), (0, 1.5), ha="center", fontsize=7.5, color=MUTED)
    axes.set(yticks=[], ylim=(0, float(bins.count.max()) * 1.45), xlabel="Probability given")
    axes.set_ylabel("films", color=MUTED, fontsize=8.5)
    axes.spines["left"].set_visible(False)


def draw_histogram(found: Histogram, threshold: float, confusion: Mapping[str, int]) -> Figure:
    """A panel for each class, each with its own scale, and the threshold through both."""
    figure = Figure(figsize=SQUARE)
    upper = figure.add_axes((0.135, 0.585, 0.84, 0.345))
    lower = figure.add_axes((0.135, 0.115, 0.84, 0.345))
    said = f"truly pneumonia: {confusion['tp']:,} found, {confusion['fn']:,} missed"
    _draw_class(upper, (found.edges, found.pneumonia), threshold, said, PNEUMONIA)
    said = f"truly normal: {confusion['tn']:,} cleared, {confusion['fp']:,} false alarms"
    _draw_class(lower, (found.edges, found.normal), threshold, said, NORMAL)
    far = threshold > 0.6
    write(
        upper,
        f"threshold {threshold:.3f}",
        (threshold, 1),
        (-5 if far else 5, -9),
        xycoords=("data", "axes fraction"),
        ha="right" if far else "left",
    )
    upper.tick_params(labelbottom=False)
    lower.set_xlabel("Probability of pneumonia given")
    return figure


def _draw_class(
    axes: Axes, bars: tuple[Floats, Ints], threshold: float, title: str, colour: str
) -> None:
    edges, counts = bars
    width = np.diff(edges) * 0.92
    axes.bar(edges[:-1], counts, width, align="edge", color=colour, alpha=0.85, linewidth=0)
    axes.set(xlim=(0, 1), ylim=(0, max(1.0, float(counts.max())) * 1.04), ylabel="Films")
    axes.axvline(threshold, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    style = {"xycoords": "axes fraction", "color": colour, "fontsize": 9.5}
    write(axes, title, (0, 1), (0, 7), **style)


def draw_labels(splits: Mapping[str, Mapping[str, Any]]) -> Figure:
    """The share of each class in each split, as bars of one length with the counts above."""
    figure = Figure(figsize=(4.6, 0.45 + 0.78 * len(splits)))
    axes = figure.add_axes((0.02, 0.02, 0.96, 0.96))
    axes.set(xlim=(0, 1), ylim=(len(splits) - 0.25, -0.55))
    axes.axis("off")
    for row, (name, split) in enumerate(splits.items()):
        total, positives = int(split["n"]), int(split["positives"])
        share = positives / total if total else 0.0
        axes.barh(row, 1 - share, height=0.24, color=NORMAL, alpha=0.85, linewidth=0)
        axes.barh(row, share, left=1 - share, height=0.24, color=PNEUMONIA, alpha=0.85, linewidth=0)
        axes.text(0.5, row - 0.19, f"{name}, {total:,}", ha="center", fontsize=9.5, weight="bold")
        for label, count, at in ((0, total - positives, 0.0), (1, positives, 1.0)):
            part = f"{count / total:.0%}" if total else "–"
            axes.text(
                at,
                row - 0.19,
                f"{CLASSES[label]} {count:,} ({part})",
                ha="right" if at else "left",
                color=COLOURS[label],
                fontsize=8.5,
            )
    return figure


def _cell(axes: Axes, corner: tuple[int, int], count: int, share: float, total: int) -> None:
    column, row = corner
    colour = NORMAL if column == row else PNEUMONIA
    # A faint fill keeps the ink readable on it in the light and in the dark page.
    axes.add_patch(
        Rectangle(
            (column + 0.015, row + 0.015),
            0.97,
            0.97,
            facecolor=colour,
            alpha=0.08 + 0.32 * share,
            linewidth=0,
        )
    )
    axes.text(column + 0.5, row + 0.46, f"{count:,}", ha="center", va="center", fontsize=20)
    axes.text(
        column + 0.5,
        row + 0.68,
        f"{share:.1%} of {total:,}" if total else "no film",
        ha="center",
        va="center",
        fontsize=9,
        color=INK,
    )


def _unit_square(across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SQUARE)
    axes = figure.add_axes((0.135, 0.115, 0.84, 0.855))
    _unit(axes)
    axes.set(xlabel=across, ylabel=up)
    return figure, axes


def _unit(axes: Axes) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator([0, 0.2, 0.4, 0.6, 0.8, 1.0]))


def write(
    axes: Axes,
    words: str,
    at: tuple[float, float],
    offset: tuple[float, float] = (0, 0),
    **style: Any,
) -> None:
    """Write lines downwards from ``at``, each a text of its own, offsets in points.

    The SVG holds text, and only a single line keeps its alignment in the reader's own font.
    """
    style = {"fontsize": 9, **style}
    for number, line in enumerate(words.split("\n")):
        down = offset[1] - number * style["fontsize"] * 1.45
        axes.annotate(
            line,
            at,
            xytext=(offset[0], down),
            textcoords="offset points",
            annotation_clip=False,
            **style,
        )


def mark(axes: Axes, x: float, y: float) -> None:
    axes.plot(
        [x],
        [y],
        marker="o",
        markersize=8,
        color=INK,
        markeredgecolor=PAPER,
        markeredgewidth=1.5,
        zorder=5,
    )
