"""Figures of training: what was watched, epoch by epoch, each line named at its end."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pneumoscope.report.kit.figure import ACCENT, MUTED, NORMAL, PNEUMONIA

WIDE = (4.6, 3.1)


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
        axes.annotate(
            f"kept: epoch {best}",
            (best, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=8.5,
            color=MUTED,
        )
    axes.margins(x=0.02)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    axes.set(xlabel="Epoch", ylabel=title)
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
        axes.annotate(
            label,
            (1, height - over),
            xycoords="axes fraction",
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=8.5,
        )
