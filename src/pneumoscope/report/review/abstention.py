"""Abstention: which films are left to a person, and what is misread among the others."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from pneumoscope.evaluation.results import AbstentionFigures, RiskCurve
from pneumoscope.formatting import (
    Cell,
    percent,
    percent_alike,
    percent_brief,
    percent_cell,
    split_name,
)
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.draw import framed, mark, write
from pneumoscope.report.kit.figure import NORMAL, PageFigure, make_figure
from pneumoscope.report.kit.page import Variables
from pneumoscope.report.review.calibration import why_unfitted
from pneumoscope.report.review.context import ReportContext

_READ = 0.8
"""Share of the films that are read where abstention is told in one sentence."""


@dataclass(frozen=True, slots=True)
class Rung:
    """An error rate as printed: films withheld, and (value, interval) of what is misread."""

    rate: str
    withheld: int
    share: str
    cells: tuple[Cell, ...]


def words(run: EvaluatedRun) -> str:
    """What is withheld at the carried thresholds, and whether the guarantee holds here."""
    found = _carried(run)
    if found is None:
        return ""
    said = f"{_by_distance(run)}At an error rate of {found.miss_rate:g} for each class, "
    said += _withheld(found) if found.withheld else _none_withheld(found)
    # The guarantee is a mean over validation sets: of one set the true share strays by ``spread``.
    kinds = (
        (found.missed, "missed pneumonia", "pneumonia"),
        (found.alarms, "false alarms", "normal"),
    )
    broken = [
        f"{what} ({percent_brief(share, 1)})"
        for share, what, label in kinds
        if share.low > found.miss_rate + 2 * found.spread[label]
    ]
    if broken:
        said += (
            f" The guarantee does not hold on these films for {' and '.join(broken)}: they are not "
            "like the validation films."
        )
    return said


def _none_withheld(found: AbstentionFigures) -> str:
    said = f"none of {found.read:,} films is left to a person"
    if found.wrong.value == found.wrong_without.value:
        return f"{said}, so this rule changes nothing: {percent_brief(found.wrong, 1)} are misread."
    # It calls a film by two cuts of its own, which need not enclose the threshold.
    return (
        f"{said}; called by the cuts of this rule, {percent_brief(found.wrong, 1)} are misread, "
        f"{_beside(found)} at the operating point."
    )


def _beside(found: AbstentionFigures) -> str:
    """What is misread where this rule is not used, after what is misread with it."""
    if _alike(found):
        return "as many as"
    return f"against {percent_brief(found.wrong_without, 1)}"


def _alike(found: AbstentionFigures) -> bool:
    return percent_alike(found.wrong.value, found.wrong_without.value, 1)


def _withheld(found: AbstentionFigures) -> str:
    said = (
        f"{found.withheld:,} of {found.withheld + found.read:,} films are left to a person; of the "
        f"others {percent_brief(found.wrong, 1)} are misread, {_beside(found)} with none left out."
    )
    # A film that is withheld may have been read rightly, so withholding can leave a worse rest.
    if _alike(found) or found.wrong.value > found.wrong_without.value:
        said += " Withholding by this rule does not help on these films."
    return said


@dataclass(frozen=True, slots=True)
class FarFilms:
    """The share misread, with its interval, among the films farthest from the threshold, and among
    ``all``; ``coverage`` is the share of films that these are."""

    coverage: float
    value: float
    low: float
    high: float
    all: float

    @property
    def fewer(self) -> bool:
        """Whether fewer of them are misread than of all, as both are shown."""
        return self.value < self.all and not percent_alike(self.value, self.all, 1)


def far_films(run: EvaluatedRun) -> FarFilms | None:
    """What is misread where the fifth of the films nearest to the threshold is left to a person;
    None where that is not known. No validation film has a part in it."""
    curve = run.results.abstention.risk_coverage if run.results.abstention else None
    if curve is None:
        return None
    at = int(np.abs(np.array(curve.coverage) - _READ).argmin())
    risk, low, high, whole = curve.risk[at], curve.low[at], curve.high[at], curve.risk[-1]
    if not all(map(math.isfinite, (risk, low, high, whole))):
        return None
    return FarFilms(curve.coverage[at], risk, low, high, whole)


def _by_distance(run: EvaluatedRun) -> str:
    far = far_films(run)
    if far is None:
        return ""
    against = "against" if far.fewer else "no fewer than the"
    return (
        f"Of the {far.coverage:.0%} of films farthest from the threshold, "
        f"{percent_brief(far, 1)} are misread, {against} {percent(far.all, 1)} of all. "
    )


def _carried(run: EvaluatedRun) -> AbstentionFigures | None:
    return run.results.abstention.conformal if run.results.abstention else None


def figures(run: EvaluatedRun) -> Iterator[PageFigure]:
    """Risk against coverage."""
    curve = run.results.abstention.risk_coverage if run.results.abstention else None
    if curve:
        yield make_figure(
            "risk_coverage",
            draw_risk(curve, _carried(run)),
            "Risk and coverage",
            "Read from right to left: the films nearest to the threshold are withheld first. The "
            f"band is a {curve.level:.0%} Wilson interval at each point.",
            f"Risk–coverage curve, mean risk {curve.area:.4f}. {words(run)}",
        )


def draw_risk(found: RiskCurve, carried: AbstentionFigures | None) -> Figure:
    """The share misread among the films kept, the least certain withheld first."""
    figure, axes = framed("Share of films that are read", "Share of those that is misread")
    x, risk = np.array(found.coverage), np.array(found.risk)
    axes.fill_between(x, found.low, found.high, color=NORMAL, alpha=0.18, linewidth=0)
    axes.plot(x, risk, color=NORMAL, zorder=3)
    end = found.risk[-1]
    # The first few films have intervals that reach far up and say nothing.
    top = max(2.2 * end, float(np.nanmax(risk[x > 0.1], initial=0.01)) * 1.5, 0.02)
    axes.set(xlim=(0, 1.01), ylim=(0, min(top, 1.0)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda share, _: f"{round(100 * share, 1):g}%"))
    known = carried is not None and math.isfinite(carried.wrong.value)
    at = (carried.coverage.value, carried.wrong.value) if carried and known else (1.0, end)
    if at[0] < 0.97 or carried is None:
        write(axes, f"all read: {end:.1%}", (1, end), (0, 7), ha="right", color=NORMAL)
    if carried and known:
        mark(axes, *at)
        said = f"conformal, error rate {carried.miss_rate:g}\n{at[1]:.1%} of {at[0]:.1%} read"
        right = at[0] > 0.5
        write(axes, said, at, (-9 if right else 9, 26), ha="right" if right else "left")
    return figure


def gather(context: ReportContext) -> Variables | None:
    """What the section prints."""
    part, found = context.run.results.abstention, _carried(context.run)
    if part is None or not (found or part.risk_coverage):
        return None
    return {
        "figures": context.drawn("risk_coverage"),
        "said": words(context.run) or _no_words(context.run),
        "found": found,
        "rows": _shares(found) if found else [],
        "rule": _rule(found) if found else "",
        "ladder": [_rung(rung) for rung in part.ladder],
    }


def _no_words(run: EvaluatedRun) -> str:
    """Why no film is withheld."""
    why = why_unfitted(run) or "it needs validation films of both classes"
    return f"Abstention was not fitted: {why}."


def _shares(found: AbstentionFigures) -> list[tuple[str, str, str]]:
    """(title, value, interval) of each share."""
    shares = (
        ("read, of all films", found.coverage),
        ("misread, of the films read", found.wrong),
        ("misread, of all films, none withheld", found.wrong_without),
        ("pneumonia read as normal, of all pneumonia films", found.missed),
        ("normal read as pneumonia, of all normal films", found.alarms),
    )
    return [(title, *percent_cell(share, 1)) for title, share in shares]


def _rung(found: AbstentionFigures) -> Rung:
    misread = (found.wrong, found.missed, found.alarms)
    return Rung(
        rate=percent(found.miss_rate),
        withheld=found.withheld,
        share=percent(1 - found.coverage.value, 1),
        cells=tuple(percent_cell(share, 1) for share in misread),
    )


def _rule(found: AbstentionFigures) -> str:
    low, high = found.pneumonia_from, found.normal_to
    where = f"chosen on the {split_name(found.chosen_on)} split"
    if low <= high:
        return (
            f"A film is withheld where its probability lies from {low:.3f} to {high:.3f}, {where}: "
            "there both labels remain plausible."
        )
    return (
        f"No film need be withheld: from {low:.3f} on pneumonia is plausible, up to {high:.3f} "
        f"normal is, {where}, and the two do not meet. The {found.neither:,} films between, "
        "unlike both, are read at the threshold. A lower error rate withholds films instead."
    )
