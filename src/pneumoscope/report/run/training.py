"""Training in the report: what was watched, epoch by epoch, and the epoch that was kept."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pneumoscope.formatting import plural
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.draw import by_epoch, write
from pneumoscope.report.kit.figure import (
    ACCENT,
    MUTED,
    NORMAL,
    PNEUMONIA,
    PageFigure,
    make_figure,
)
from pneumoscope.report.kit.page import Variables
from pneumoscope.report.review.context import ReportContext
from pneumoscope.report.run.model import views, which_epoch

WIDE = (4.6, 3.1)


def figures(run: EvaluatedRun) -> Iterator[PageFigure]:
    """Losses and scores by epoch; none where the run was not trained here."""
    epochs, best = run.history, run.best_epoch
    if epochs is None:
        return
    kept = f" Epoch {best} was kept." if best else ""
    yield make_figure(
        "loss",
        draw_loss(epochs, best),
        "Loss",
        "Training loss is measured on augmented films with dropout or label smoothing as the "
        "recipe says, so the two lines need not meet.",
        f"Training and validation loss over {plural(len(epochs), 'epoch')}.{kept}",
    )
    yield make_figure(
        "scores",
        draw_scores(epochs, best),
        "Accuracy and AUROC",
        "Watched while training, at a threshold of 0.5 and without intervals. "
        + which_epoch(run.model),
        "Training and validation accuracy and validation AUROC over "
        f"{plural(len(epochs), 'epoch')}.{kept}",
    )


def draw_loss(history: pd.DataFrame, best: int | None) -> Figure:
    """Training and validation loss by epoch."""
    lines = (("train_loss", "training", NORMAL), ("val_loss", "validation", PNEUMONIA))
    return _draw_epochs(history, lines, "Loss", best)


def draw_scores(history: pd.DataFrame, best: int | None) -> Figure:
    """Accuracy of both splits, and AUROC of validation, by epoch."""
    lines = (
        ("train_accuracy", "training accuracy", NORMAL),
        ("val_accuracy", "validation accuracy", PNEUMONIA),
        ("val_auroc", "validation AUROC", ACCENT),
    )
    return _draw_epochs(history, lines, "Accuracy, AUROC", best)


def _draw_epochs(
    history: pd.DataFrame, lines: tuple[tuple[str, str, str], ...], title: str, best: int | None
) -> Figure:
    figure = Figure(figsize=WIDE)
    axes = figure.add_axes((0.125, 0.155, 0.60, 0.75))
    epochs = history["epoch"].to_numpy(dtype=float)
    marker = "o" if len(epochs) < 3 else None
    ends: list[tuple[float, str, str]] = []
    for column, label, colour in lines:
        if column not in history or not history[column].notna().any():
            continue
        values = history[column].to_numpy(dtype=float)
        axes.plot(epochs, values, color=colour, marker=marker, markersize=4)
        ends.append((float(values[np.isfinite(values)][-1]), label, colour))
    if best is not None:
        axes.axvline(best, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        place = ("data", "axes fraction")
        style = {"xycoords": place, "ha": "center", "va": "bottom", "color": MUTED, "fontsize": 8.5}
        write(axes, f"kept: epoch {best}", (best, 1), (0, 4), **style)
    by_epoch(axes, title)
    _label_ends(axes, ends)
    return figure


def _label_ends(axes: Axes, ends: list[tuple[float, str, str]]) -> None:
    """Write each line's name at its right end, pushed apart so that no two names overlap."""
    low, high = axes.get_ylim()
    gap, last = 0.085, -1.0
    heights = []
    for value, label, colour in sorted(ends):
        last = max((value - low) / (high - low), last + gap)
        heights.append((last, label, colour))
    over = max(0.0, heights[-1][0] - 1.0) if heights else 0.0
    for height, label, colour in heights:
        style = {"xycoords": "axes fraction", "va": "center", "color": colour, "fontsize": 8.5}
        write(axes, label, (1, height - over), (5, 0), **style)


def gather(context: ReportContext) -> Variables | None:
    """What the section prints."""
    run = context.run
    if run.history is None:
        return None
    return {
        "figures": context.drawn("loss", "scores"),
        "columns": [str(column) for column in run.history.columns],
        "epochs": run.history.to_dict("records"),
        "best": run.best_epoch,
        "model": run.model,
        "views": views(run.model),
        "timing": run.manifest.get("timing", {}),
    }
