"""Net benefit: whether acting on the model is better than acting on every film, or on none."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure

from pneumoscope.evaluation.results import NetBenefit
from pneumoscope.formatting import percent
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.draw import framed, write
from pneumoscope.report.kit.figure import ACCENT, MUTED, RULE, PageFigure, make_figure
from pneumoscope.report.kit.page import Variables
from pneumoscope.report.review.context import ReportContext

NARROWEST = 0.05
"""Spans of threshold probabilities narrower than this are not spoken of."""


def words(run: EvaluatedRun) -> str:
    """Where acting on the model is better than acting on all films or none."""
    found = run.results.decision_curve
    if found is None:
        return ""
    spans = [(low, high) for low, high in found.better if high - low >= NARROWEST]
    if not spans:
        return (
            "At no threshold probability is acting on the model shown to be better than acting "
            "on every film or on none."
        )
    said = " and ".join(f"{low:.2f} to {high:.2f}" for low, high in spans)
    return (
        f"Acting on the model is better than acting on every film or on none for those who act "
        f"from a probability of {said} on (the whole band lies above both)."
    )


def figures(run: EvaluatedRun) -> Iterator[PageFigure]:
    """The decision curve."""
    found = run.results.decision_curve
    if found:
        yield make_figure(
            "decision_curve",
            draw_decision(found, run.results.share),
            "Decision curve",
            f"Net benefit of acting on three kinds of films, with a pointwise {found.level:.0%} "
            f"band. The scale of probabilities: {found.probabilities}.",
            "Decision curve: net benefit of the model against acting on everybody or nobody. "
            + words(run),
        )


def draw_decision(found: NetBenefit, share: float) -> Figure:
    """Net benefit over the threshold probability, against treating all films or none."""
    figure, axes = framed("Act from this probability on", "Net benefit (true positives a film)")
    lines = (found.threshold, found.model, found.low, found.high, found.everyone)
    x, model, low, high, everyone = map(np.array, lines)
    floor = -0.12 * max(share, 0.05)
    axes.axhline(0, color=RULE, linewidth=1.2, zorder=1)
    # At the left, where the model's line is far above.
    write(axes, "nobody", (0.01, 0), (0, -11), color=MUTED)
    seen = everyone >= floor * 1.5
    axes.plot(x[seen], everyone[seen], color=MUTED, linewidth=1.2, linestyle=(0, (5, 2)))
    at = int(np.argmin(np.abs(everyone - share * 0.3)))
    # Beside its line, on the side where the model's does not run.
    worse = model[at] < everyone[at]
    side = {"ha": "left" if worse else "right", "color": MUTED}
    write(axes, "everybody", (float(x[at]), float(everyone[at])), (5 if worse else -5, -6), **side)
    # What leaves the axes is cut at their edge: a line never ends within them.
    axes.fill_between(x, low, high, color=ACCENT, alpha=0.2, linewidth=0)
    axes.plot(x, model, color=ACCENT, zorder=3)
    write(axes, "those the model calls", (float(x[44]), float(model[44])), (6, 8), color=ACCENT)
    axes.set(xlim=(0, 1), ylim=(floor, max(share, 0.05) * 1.12))
    return figure


def gather(context: ReportContext) -> Variables | None:
    """What the section prints."""
    run = context.run
    if run.results.decision_curve is None:
        return None
    return {
        "figures": context.drawn("decision_curve"),
        "said": words(run),
        "share": percent(run.results.share, 1),
    }
