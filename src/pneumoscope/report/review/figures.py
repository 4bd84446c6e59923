"""Figures of what a reviewer asks: prevalence, net benefit, subgroups, risk and coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from pneumoscope.report.kit.figure import ACCENT, MUTED, NORMAL, PAPER, PNEUMONIA, RULE
from pneumoscope.report.run.figures import SQUARE, mark, write

Found = Mapping[str, Any]
_FRAME = (0.135, 0.115, 0.84, 0.855)
_BELOW_WORDS = (0.135, 0.115, 0.84, 0.735)
"""The same with three rows of words above."""
_ROW = 0.235
"""Height of a row of the forest plot, inches."""


def draw_prevalence(found: Found) -> Figure:
    """PPV and NPV over the share of pneumonia, on a logarithmic scale, each with its band.

    All words stand above, for the curves may run anywhere and the two shares may be one; those of
    a share reach from its line into the half of the axis where there is more room.
    """
    figure, axes = _framed("Share of films that show pneumonia", "Share of calls that are right")
    axes.set_position(_BELOW_WORDS)
    curve, x = found["curve"], _numbers(found["curve"]["prevalence"])
    for key, colour in (("ppv", PNEUMONIA), ("npv", NORMAL)):
        value, low, high = (_numbers(curve[key][part]) for part in ("value", "low", "high"))
        axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(x, value, color=colour, zorder=3)
    marked = [("these films", found["own"]), ("asked for", found["asked"])]
    marked = [(words, share) for words, share in marked if share]
    least = min([x[0], *(0.8 * share for _, share in marked)])
    axes.set(xscale="log", xlim=(least, 1.0), ylim=(-0.01, 1.03))
    axes.xaxis.set_major_locator(FixedLocator([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share * 100:g}%"))
    top = {"xycoords": "axes fraction"}
    write(axes, "a call of pneumonia (PPV)", (0, 1), (0, 33), color=PNEUMONIA, **top)
    write(axes, "a call of normal (NPV)", (1, 1), (0, 33), color=NORMAL, ha="right", **top)
    for row, (words, share) in enumerate(reversed(marked)):
        axes.axvline(share, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        said, side = f"{words}, {share * 100:.3g}%", "left" if share**2 < least else "right"
        style: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "color": MUTED}
        write(axes, said, (share, 1), (0, 4 + 13 * row), ha=side, **style)
    return figure


def draw_decision(found: Found, share: float) -> Figure:
    """Net benefit over the threshold probability, against treating all films or none."""
    figure, axes = _framed("Act from this probability on", "Net benefit (true positives a film)")
    x, model = _numbers(found["threshold"]), _numbers(found["model"])
    low, high, everyone = (_numbers(found[key]) for key in ("low", "high", "everyone"))
    floor = -0.12 * max(share, 0.05)
    axes.axhline(0, color=RULE, linewidth=1.2, zorder=1)
    write(axes, "nobody", (0.99, 0), (0, -11), color=MUTED, ha="right")
    seen = everyone >= floor * 1.5
    axes.plot(x[seen], everyone[seen], color=MUTED, linewidth=1.2, linestyle=(0, (5, 2)))
    at = int(np.argmin(np.abs(everyone - share * 0.3)))
    write(axes, "everybody", (float(x[at]), float(everyone[at])), (-5, -6), color=MUTED, ha="right")
    axes.fill_between(x, np.maximum(low, floor), high, color=ACCENT, alpha=0.2, linewidth=0)
    axes.plot(x, np.where(model >= floor, model, np.nan), color=ACCENT, zorder=3)
    write(axes, "those the model calls", (float(x[44]), float(model[44])), (6, 8), color=ACCENT)
    axes.set(xlim=(0, 1), ylim=(floor, max(share, 0.05) * 1.12))
    return figure


def draw_forest(facts: Sequence[Found], whole: Mapping[str, float]) -> Figure:
    """Sensitivity and specificity of each group, a line each, with the counts beside the name."""
    groups = [(fact, group) for fact in facts for group in fact["groups"]]
    rows = len(groups) + 1.15 * len(facts)
    height = 0.75 + _ROW * rows
    figure = Figure(figsize=(SQUARE[0], height))
    axes = figure.add_axes((0.45, 0.42 / height, 0.53, (height - 0.75) / height))
    y, names = 0.0, []
    for fact in facts:
        y += 1.15
        write(axes, str(fact["title"]), (0, y), (-146, -3), weight="bold", **_AT_LEFT)
        for group in fact["groups"]:
            y += 1.0
            names.append(y)
            said = f"{group['name']}"
            said = said if len(said) <= 17 else said[:16] + "…"
            write(axes, said, (0, y), (-146, -3), **_AT_LEFT)
            counts = f"{group['n'] - group['positives']:,} + {group['positives']:,}"
            write(axes, counts, (0, y), (-5, -3), ha="right", color=MUTED, **_AT_LEFT)
            _whisker(axes, group["sensitivity"], y - 0.16, PNEUMONIA)
            _whisker(axes, group["specificity"], y + 0.16, NORMAL)
    for key, colour in (("sensitivity", PNEUMONIA), ("specificity", NORMAL)):
        if key in whole:
            axes.axvline(whole[key], color=colour, linewidth=0.8, linestyle=(0, (2, 2)), alpha=0.8)
    least = _least(groups)
    axes.set(xlim=(least, 1.005), ylim=(y + 0.7, 0.5), yticks=[])
    axes.spines["left"].set_visible(False)
    top = {"xycoords": "axes fraction"}
    write(axes, "sensitivity", (0.0, 1), (0, 8), color=PNEUMONIA, **top)
    write(axes, "specificity", (0.0, 1), (62, 8), color=NORMAL, **top)
    write(axes, "normal + pneumonia", (0, 1), (-5, 8), ha="right", color=MUTED, **top)
    return figure


_AT_LEFT: dict[str, Any] = {"xycoords": ("axes fraction", "data")}


def _whisker(axes: Axes, found: Found | None, y: float, colour: str) -> None:
    if found is None or found["value"] is None:
        return
    axes.plot([found["low"], found["high"]], [y, y], color=colour, linewidth=1.3, alpha=0.75)
    style: dict[str, Any] = {"marker": "o", "markersize": 5, "markeredgecolor": PAPER}
    axes.plot([found["value"]], [y], color=colour, markeredgewidth=0.8, zorder=4, **style)


def _least(groups: Sequence[tuple[Found, Found]]) -> float:
    lows = [
        group[key]["low"]
        for _, group in groups
        for key in ("sensitivity", "specificity")
        if group[key] is not None and group[key]["low"] is not None
    ]
    return float(max(0.0, np.floor(min(lows, default=0.0) * 10) / 10 - 0.02))


def draw_risk(found: Found, conformal: Found | None) -> Figure:
    """The share misread among the films kept, the least certain withheld first."""
    figure, axes = _framed("Share of films that are read", "Share of those that is misread")
    x, risk = _numbers(found["coverage"]), _numbers(found["risk"])
    low, high = _numbers(found["low"]), _numbers(found["high"])
    axes.fill_between(x, low, high, color=NORMAL, alpha=0.18, linewidth=0)
    axes.plot(x, risk, color=NORMAL, zorder=3)
    end = float(risk[-1])
    # The first few films have intervals that reach far up and say nothing.
    top = max(2.2 * end, float(np.nanmax(risk[x > 0.1], initial=0.01)) * 1.5, 0.02)
    axes.set(xlim=(0, 1.01), ylim=(0, top))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:.0%}"))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:.0%}"))
    at = (1.0, end)
    if conformal and conformal["wrong"]["value"] is not None:
        at = (conformal["coverage"]["value"], conformal["wrong"]["value"])
    if at[0] < 0.97 or not conformal:
        write(axes, f"all read: {end:.1%}", (1, end), (0, 7), ha="right", color=NORMAL)
    if conformal and conformal["wrong"]["value"] is not None:
        mark(axes, *at)
        words = f"conformal, miss rate {conformal['miss_rate']:g}\n{at[1]:.1%} of {at[0]:.1%} read"
        right = at[0] > 0.5
        write(axes, words, at, (-9 if right else 9, 26), ha="right" if right else "left")
    return figure


def _framed(across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SQUARE)
    axes = figure.add_axes(_FRAME)
    axes.set(xlabel=across, ylabel=up)
    return figure, axes


def _numbers(values: Sequence[float | None]) -> np.ndarray[Any, Any]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
