"""Ranking: how well the probabilities order the films, whatever the threshold; ROC, precision."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pneumoscope.formatting import full, interval, level, number
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit import curves
from pneumoscope.report.kit.curves import PrCurve, RocCurve
from pneumoscope.report.kit.draw import framed, mark, unit, write
from pneumoscope.report.kit.figure import MUTED, NORMAL, PNEUMONIA, RULE, PageFigure, make_figure


def figures(run: EvaluatedRun) -> Iterator[PageFigure]:
    """ROC, and precision over recall; neither where the films are of one class."""
    rows = run.predictions
    columns = (rows["label"], rows["probability"], run.threshold)
    patients = rows["patient_id"].fillna("") if rows["patient_id"].notna().any() else None
    auroc, average = full(run.estimate("auroc")), full(run.estimate("average_precision"))
    roc = curves.roc(*columns, patients=patients)
    if roc is not None:
        yield make_figure(
            "roc",
            draw_roc(roc, _two_lines(run, "auroc", "AUROC"), _point(run)),
            "ROC curve",
            f"Sensitivity against false alarms over all thresholds. The band holds {roc.level:.0%}"
            " of 500 bootstrap curves at each false positive rate; the dot is the operating point.",
            f"ROC curve. AUROC {auroc}. Operating point: {_rates(run)}.",
        )
    pr = curves.precision_recall(*columns)
    if pr is not None:
        words = _two_lines(run, "average_precision", "Average precision")
        yield make_figure(
            "precision_recall",
            draw_precision_recall(pr, words, _point(run), number(run.results.share)),
            "Precision and recall",
            "The share of pneumonia calls that are right, against the share of pneumonia found. "
            "The level line is what guessing reaches at this split’s prevalence.",
            f"Precision–recall curve. Average precision {average}; prevalence "
            f"{number(run.results.share)}.",
        )


def _rates(run: EvaluatedRun) -> str:
    found = run.results.metrics
    alarms = number(1 - found["specificity"].value)
    return f"sensitivity {number(found['sensitivity'].value)} at a false positive rate of {alarms}"


def _two_lines(run: EvaluatedRun, key: str, title: str) -> str:
    estimate = run.estimate(key)
    if estimate is None:
        return ""
    return f"{title} {number(estimate.value)}\n{level(estimate)} interval {interval(estimate)}"


def _point(run: EvaluatedRun) -> str:
    return f"operating point\nthreshold {run.threshold:.3f}"


def draw_roc(curve: RocCurve, auroc: str, point: str) -> Figure:
    """ROC with its band; ``auroc`` and ``point`` are the words written beside the curve."""
    figure, axes = _unit_square("False positive rate (1 − specificity)", "Sensitivity")
    axes.plot([0, 1], [0, 1], color=RULE, linewidth=1, zorder=1)
    # The name of the diagonal stands on the side where the curve does not run, the point's too.
    below = curve.at[1] < curve.at[0]
    place = (0.7, 0.74, "bottom", "right") if below else (0.3, 0.27, "top", "left")
    axes.text(*place[:2], "chance", color=MUTED, fontsize=8.5, va=place[2], ha=place[3])
    axes.fill_between(curve.grid, curve.low, curve.high, color=NORMAL, alpha=0.18, linewidth=0)
    axes.plot(curve.false_positive_rate, curve.sensitivity, color=NORMAL, zorder=3)
    mark(axes, *curve.at)
    if below:
        write(axes, point, (max(curve.at[0], 0.3), curve.at[1]), (-9, 9), ha="right")
    elif curve.at[0] < 0.65:
        write(axes, point, curve.at, (9, -17))
    else:
        write(axes, point, curve.at, (-4, -24), ha="right")
    write(axes, auroc, (0.99, 0.1), ha="right", color=NORMAL, fontsize=10.5)
    return figure


def draw_precision_recall(curve: PrCurve, average: str, point: str, prevalence: str) -> Figure:
    """Precision over recall against the prevalence, which is what a guess would reach; the other
    arguments are the words written beside them."""
    figure, axes = _unit_square("Recall (sensitivity)", "Precision (positive predictive value)")
    axes.axhline(curve.prevalence, color=RULE, linewidth=1, zorder=1)
    under = curve.prevalence > 0.3
    words = f"a guess reaches the prevalence, {prevalence}"
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


def _unit_square(across: str, up: str) -> tuple[Figure, Axes]:
    figure, axes = framed(across, up)
    unit(axes)
    return figure, axes
