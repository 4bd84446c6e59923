"""Data in the report: where the films come from, what was left out, and how splits differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from matplotlib.figure import Figure

from pneumoscope.formatting import split_name
from pneumoscope.manifest import SplitCount
from pneumoscope.records import CLASSES
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.figure import NORMAL, PNEUMONIA, PageFigure, make_figure
from pneumoscope.report.kit.page import Variables
from pneumoscope.report.kit.rows import shift_rows
from pneumoscope.report.review.context import ReportContext
from pneumoscope.report.run.films import panels_with_tiles, sheets

COLOURS = (NORMAL, PNEUMONIA)


def figures(run: EvaluatedRun) -> Iterator[PageFigure]:
    """The classes of each split."""
    found = run.manifest.get("flow", {}).get("splits", {})
    if found:
        splits = {split_name(name): split for name, split in found.items()}
        said = "; ".join(
            f"{name}: {split['n'] - split['positives']} normal, {split['positives']} pneumonia"
            for name, split in splits.items()
        )
        yield make_figure(
            "labels",
            draw_labels(splits),
            "Classes by split",
            "Where the shares differ between splits, precision and calibration shift with them.",
            f"Share of each class by split. {said}.",
        )


def draw_labels(splits: Mapping[str, SplitCount]) -> Figure:
    """The share of each class in each split, as bars of one length with the counts above."""
    figure = Figure(figsize=(4.6, 0.45 + 0.78 * len(splits)))
    axes = figure.add_axes((0.02, 0.02, 0.96, 0.96))
    axes.set(xlim=(0, 1), ylim=(len(splits) - 0.25, -0.55))
    axes.axis("off")
    for row, (name, split) in enumerate(splits.items()):
        total, positives = split["n"], split["positives"]
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


def gather(context: ReportContext) -> Variables | None:
    """What the section prints."""
    manifest = context.run.manifest
    flow, source = manifest.get("flow"), manifest.get("source")
    if not flow and not source:
        return None
    samples = [panel for panel in sheets(context.gallery)["samples"] if panel.films]
    return {
        "flow": flow or {},
        "source": source or {},
        "figures": context.drawn("labels"),
        "panels": panels_with_tiles(samples, context),
        "split": context.run.split,
        "shifts": shift_rows(context.run.shifts),
        "with_val": any("val" in shift.against for shift in context.run.shifts),
    }
