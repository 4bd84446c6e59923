"""Decisions: what is confused at the operating point, and the probabilities of both classes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from pneumoscope.formatting import split_name
from pneumoscope.metrics.scores import Confusion, Floats
from pneumoscope.records import CLASSES
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit import curves
from pneumoscope.report.kit.curves import Histogram, Ints
from pneumoscope.report.kit.draw import SQUARE, write
from pneumoscope.report.kit.figure import INK, NORMAL, PNEUMONIA, PageFigure, make_figure


def figures(run: EvaluatedRun) -> Iterator[PageFigure]:
    """The confusion matrix, and the probabilities by class."""
    rows, counts = run.predictions, run.results.confusion
    yield make_figure(
        "confusion",
        draw_confusion(counts),
        "Confusion matrix",
        f"Films of the {split_name(run.split)} split at a threshold of {run.threshold:.3f}. "
        "Shares are of each row: specificity and sensitivity are on the diagonal.",
        f"Confusion matrix: {counts.tn} true negatives, {counts.fp} false positives, "
        f"{counts.fn} false negatives, {counts.tp} true positives.",
    )
    found = curves.histogram(rows["label"], rows["probability"])
    yield make_figure(
        "probabilities",
        draw_histogram(found, run.threshold, counts),
        "Probabilities by class",
        "Films right of the dashed line are called pneumonia. The two panels have scales of "
        "their own.",
        f"Histogram of the probability of pneumonia for {counts.tn + counts.fp:,} normal and "
        f"{counts.fn + counts.tp:,} pneumonia films, with the threshold at {run.threshold:.3f}.",
    )


def draw_confusion(counts: Confusion) -> Figure:
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
    rows = ((counts.tn, counts.fp), (counts.fn, counts.tp))
    for row, cells in enumerate(rows):
        write(axes, f"truly\n{CLASSES[row]}", (0, row + 0.49), (-6, 0), ha="right")
        total = sum(cells)
        for column, count in enumerate(cells):
            _cell(axes, (column, row), count, count / total if total else 0.0, total)
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


def draw_histogram(found: Histogram, threshold: float, counts: Confusion) -> Figure:
    """A panel for each class, each with its own scale, and the threshold through both."""
    figure = Figure(figsize=SQUARE)
    upper = figure.add_axes((0.135, 0.585, 0.84, 0.345))
    lower = figure.add_axes((0.135, 0.115, 0.84, 0.345))
    said = f"truly pneumonia: {counts.tp:,} found, {counts.fn:,} missed"
    _draw_class(upper, (found.edges, found.pneumonia), threshold, said, PNEUMONIA)
    said = f"truly normal: {counts.tn:,} cleared, {counts.fp:,} false alarms"
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
