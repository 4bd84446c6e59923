"""Figures of an audit: native sizes by class, and how far models without lungs come."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator
from numpy.typing import NDArray

from pneumoscope.audit.baselines import Baseline
from pneumoscope.audit.facts import KINDS
from pneumoscope.formatting import brief, full
from pneumoscope.readings import Estimate
from pneumoscope.report.audit.films import kinds
from pneumoscope.report.kit.draw import write
from pneumoscope.report.kit.figure import (
    ACCENT,
    INK,
    MUTED,
    NORMAL,
    PAPER,
    PNEUMONIA,
    RULE,
    PageFigure,
    house_style,
    make_figure,
)

MOST_MARKS = 1500
FINEST = 64
"""SizeCells along an axis, at first; a set of many sizes gets wider ones."""
MARK_STEPS = (1, 10, 100)
"""A mark grows where its cell holds more films than each of these."""
WIDEST = 20.0
"""Ratio of the largest to the smallest size from which the axes are logarithmic."""

KIND_MARKS = (("o", NORMAL), ("x", PNEUMONIA), ("+", MUTED))
"""By class, told apart by form as well as by colour."""


@dataclass(frozen=True, slots=True)
class SizeCells:
    """Films of one class by native size: float64 width and height, int64 count, all (C,)."""

    width: NDArray[np.float64]
    height: NDArray[np.float64]
    count: NDArray[np.int64]


def sizes_figure(table: pd.DataFrame) -> PageFigure | None:
    """Native height against width by class, or None where all films have one size."""
    size = table[["width", "height"]].apply(pd.to_numeric, errors="coerce").astype("float64")
    known = (size > 0).all(axis=1).to_numpy() & np.isfinite(size).all(axis=1).to_numpy()
    points, of = size.to_numpy()[known], kinds(table)[known]
    if len(points) == 0 or (points == points[0]).all():
        return None
    cells = bin_sizes(points, of)
    said = "; ".join(f"{KINDS[kind]}: {int(c.count.sum())} films" for kind, c in cells.items())
    with house_style():
        return make_figure(
            "sizes",
            draw_sizes(cells),
            "Native sizes",
            "Each mark stands for the films of nearly one size; it grows from 2, 11 and 101 films "
            "on. Where the classes lie apart, size alone tells them apart.",
            f"Native height against width in pixels. {said}. Widths {_range(points[:, 0])}, "
            f"heights {_range(points[:, 1])}.",
            png=False,
        )


def bin_sizes(points: NDArray[np.float64], of: NDArray[np.int64]) -> dict[int, SizeCells]:
    """Sizes (N, 2), width and height, gathered in cells so fine that all classes together have
    at most ``MOST_MARKS``. A cell lies at the mean of its films, so a lone film stays in place."""
    low, high = points.min(axis=0), points.max(axis=0)
    span = np.maximum(high - low, 1.0)
    cells = FINEST
    while True:
        at = np.minimum((points - low) / span * cells, cells - 1).astype(np.int64)
        keys = (of * cells + at[:, 0]) * cells + at[:, 1]
        found, where, count = np.unique(keys, return_inverse=True, return_counts=True)
        if len(found) <= MOST_MARKS:
            break
        cells = cells * 3 // 4
    middle = [np.bincount(where, points[:, axis]) / count for axis in range(2)]
    kind = found // cells**2
    return {
        int(k): SizeCells(middle[0][kind == k], middle[1][kind == k], count[kind == k])
        for k in np.unique(kind)
    }


def draw_sizes(cells: Mapping[int, SizeCells]) -> Figure:
    """A mark a cell, its form and colour by class, its size by the number of films."""
    figure = Figure(figsize=(4.6, 4.3))
    axes = figure.add_axes((0.155, 0.115, 0.82, 0.8))
    # The larger class first, so that it does not hide the smaller.
    for kind, of in sorted(cells.items(), key=lambda item: -int(item[1].count.sum())):
        form, colour = KIND_MARKS[kind]
        step = np.searchsorted(MARK_STEPS, of.count)
        for k in np.unique(step):
            axes.plot(
                of.width[step == k],
                of.height[step == k],
                form,
                markersize=3.4 + 2.2 * float(k),
                markerfacecolor="none",
                markeredgecolor=colour,
                markeredgewidth=0.9,
            )
    _scale(axes, cells)
    axes.set(xlabel="Width in pixels", ylabel="Height in pixels")
    _legend(axes, cells)
    return figure


def _scale(axes: Axes, cells: Mapping[int, SizeCells]) -> None:
    wide = np.concatenate([of.width for of in cells.values()])
    tall = np.concatenate([of.height for of in cells.values()])
    if max(np.ptp(np.log(wide)), np.ptp(np.log(tall))) > math.log(WIDEST):
        axes.set(xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    low, high = max(left, bottom), min(right, top)
    if low < high:
        axes.plot([low, high], [low, high], color=RULE, linewidth=1, zorder=0)
        style = {"ha": "right", "va": "top", "color": MUTED, "fontsize": 8.5}
        write(axes, "square", (high, high), (-4, -2), **style)


def _legend(axes: Axes, cells: Mapping[int, SizeCells]) -> None:
    for place, (kind, of) in enumerate(sorted(cells.items())):
        form, colour = KIND_MARKS[kind]
        left, top = 0.012 + 0.33 * place + 0.05 * (place > 1), 1.055
        above = axes.transAxes
        axes.plot([left], [top], form, ms=6, mfc="none", mec=colour, transform=above, clip_on=False)
        said = f"{KINDS[kind]}, {int(of.count.sum()):,}"
        axes.text(left + 0.03, top, said, color=colour, fontsize=9, va="center", transform=above)


def baselines_figure(baselines: Sequence[Baseline]) -> PageFigure | None:
    """AUROC of each baseline with its intervals, or None where none was measured."""
    rows = [(baseline.what, _measured(baseline)) for baseline in baselines]
    rows = [(what, measured) for what, measured in rows if measured]
    if not rows:
        return None
    said = "; ".join(
        f"{what}, {how}: {full(estimate)}"
        for what, measured in rows
        for how, estimate in measured.items()
    )
    with house_style():
        return make_figure(
            "baselines",
            draw_baselines(rows),
            "What models without lungs reach",
            "Open diamonds: judged on the official test split, learnt from all other films; a "
            "network that is judged there compares with these. Dots: over five folds of all "
            "labelled films, the films of a patient together. Bars are 95% intervals; 0.5 is a "
            "guess. A run’s report measures them on the same thumbnails: figures differ there only "
            "where it judges or learns from other films.",
            f"AUROC. {said}.",
            png=False,
        )


def draw_baselines(rows: Sequence[tuple[str, Mapping[str, Estimate]]]) -> Figure:
    """Dots and intervals on an AUROC axis from 0.5, or from below where an interval reaches."""
    lines = sum(len(measured) for _, measured in rows)
    tall = 0.65 + 0.34 * len(rows) + 0.27 * lines
    figure = Figure(figsize=(4.6, tall))
    axes = figure.add_axes((0.03, 0.5 / tall, 0.94, (tall - 0.55) / tall))
    lows = [e.low for _, measured in rows for e in measured.values() if math.isfinite(e.low)]
    least = min([0.5, *(math.floor(low * 10) / 10 for low in lows)])
    down = 0.0
    for what, measured in rows:
        write(axes, what, (least, down), (6, 0), fontsize=9.5, weight="bold", va="center")
        for how, estimate in measured.items():
            down += 0.8
            _interval(axes, estimate, down, official=how == _OFFICIAL)
        down += 1.0
    axes.set(xlim=(least, 1.0), ylim=(down - 0.3, -0.6), yticks=[], xlabel="AUROC")
    axes.axvline(0.5, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    axes.xaxis.set_major_locator(MultipleLocator(0.1))
    axes.grid(axis="x", color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    return figure


_FOLDS, _OFFICIAL = "cross-validated", "official test"


def _measured(baseline: Baseline) -> dict[str, Estimate]:
    """The estimates that have a value, by how they were measured."""
    pairs = ((_OFFICIAL, baseline.official_test), (_FOLDS, baseline.cross_validated))
    return {how: found for how, found in pairs if found and math.isfinite(found.value)}


def _interval(axes: Axes, estimate: Estimate, down: float, *, official: bool) -> None:
    colour = ACCENT if official else NORMAL
    reach = (estimate.low, estimate.high)
    if all(map(math.isfinite, reach)):
        axes.plot(reach, [down, down], color=colour, linewidth=3, alpha=0.55)
    axes.plot(
        [estimate.value],
        [down],
        marker="D" if official else "o",
        markersize=6,
        markerfacecolor=PAPER if official else colour,
        markeredgecolor=colour,
        markeredgewidth=1.4,
        zorder=4,
    )
    ends = [x for x in (*reach, estimate.value) if math.isfinite(x)]
    right = max(ends) < 0.72
    at, side, ha = (max(ends), 8, "left") if right else (min(ends), -8, "right")
    write(axes, brief(estimate), (at, down), (side, 0), ha=ha, va="center", fontsize=8.5, color=INK)


def _range(values: NDArray[np.float64]) -> str:
    return f"{values.min():,.0f} to {values.max():,.0f}"
