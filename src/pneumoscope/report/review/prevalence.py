"""Prevalence: what a call is worth where pneumonia is rarer or commoner."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from pneumoscope.evaluation.results import PrevalenceResult
from pneumoscope.formatting import cell, percent_brief
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.draw import framed, write
from pneumoscope.report.kit.figure import MUTED, NORMAL, PNEUMONIA, PageFigure, make_figure
from pneumoscope.report.kit.page import Variables
from pneumoscope.report.review.context import ReportContext

DEFAULT_PREVALENCE = 0.1
"""The share of pneumonia that the sentence is about unless another was asked for."""
_BELOW_WORDS = (0.135, 0.115, 0.84, 0.735)
"""Where the axes lie with three rows of words above."""


def words(run: EvaluatedRun) -> str:
    """What calls are worth at the prevalence that was asked for, or at 10 %."""
    found = run.results.prevalence
    if found is None:
        return ""
    wanted = found.asked or DEFAULT_PREVALENCE
    row = min(found.at, key=lambda item: abs(item.prevalence - wanted))
    said = f"Where {row.prevalence * 100:.3g}% of films show pneumonia, "
    if math.isfinite(row.ppv.value):
        said += f"a call of pneumonia is right {percent_brief(row.ppv, 1)} of the time"
    if math.isfinite(row.npv.value):
        joined = " and" if math.isfinite(row.ppv.value) else ""
        said += f"{joined} a call of normal {percent_brief(row.npv, 1)}"
    return said + f"; here {found.own:.1%} of films do."


def figures(run: EvaluatedRun) -> Iterator[PageFigure]:
    """PPV and NPV along the share of pneumonia."""
    found = run.results.prevalence
    if found:
        yield make_figure(
            "prevalence",
            draw_prevalence(found),
            "What a call is worth, by prevalence",
            "Bayes’ formula on this split’s sensitivity and specificity; bands are 95% intervals. "
            "The share of pneumonia is on a logarithmic scale.",
            f"Positive and negative predictive value against prevalence. {words(run)}",
        )


def draw_prevalence(found: PrevalenceResult) -> Figure:
    """PPV and NPV over the share of pneumonia, on a logarithmic scale, each with its band.

    All words stand above, for the curves may run anywhere and the two shares may be one; those of
    a share reach from its line into the half of the axis where there is more room.
    """
    figure, axes = framed("Share of films that show pneumonia", "Share of calls that are right")
    axes.set_position(_BELOW_WORDS)
    x = np.array(found.curve.prevalence)
    for band, colour in ((found.curve.ppv, PNEUMONIA), (found.curve.npv, NORMAL)):
        axes.fill_between(x, band.low, band.high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(x, band.value, color=colour, zorder=3)
    marked = [("these films", found.own)]
    if found.asked:
        marked.append(("asked for", found.asked))
    least = min([x[0], *(0.8 * share for _, share in marked)])
    axes.set(xscale="log", xlim=(least, 1.0), ylim=(-0.01, 1.03))
    axes.xaxis.set_major_locator(FixedLocator([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share * 100:g}%"))
    top = {"xycoords": "axes fraction"}
    write(axes, "a call of pneumonia (PPV)", (0, 1), (0, 33), color=PNEUMONIA, **top)
    write(axes, "a call of normal (NPV)", (1, 1), (0, 33), color=NORMAL, ha="right", **top)
    for row, (name, share) in enumerate(reversed(marked)):
        axes.axvline(share, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        said, side = f"{name}, {share * 100:.3g}%", "left" if share**2 < least else "right"
        above = ("data", "axes fraction")
        write(axes, said, (share, 1), (0, 4 + 13 * row), xycoords=above, ha=side, color=MUTED)
    return figure


def gather(context: ReportContext) -> Variables | None:
    """What the section prints."""
    found = context.run.results.prevalence
    if found is None:
        return None
    return {
        "figures": context.drawn("prevalence"),
        "said": words(context.run),
        "rows": [
            {
                "share": f"{row.prevalence:.3g}",
                "asked": row.asked,
                "own": row.own,
                "cells": (cell(row.ppv), cell(row.npv)),
            }
            for row in found.at
        ],
    }
