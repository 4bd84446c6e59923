"""Several seeds of one recipe in, one self-contained page out, in the make of the other pages.

The page shows what ``summary.json`` holds, and the validation curves of all runs in one figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pneumoscope.formatting import Cell, cell, listed, number
from pneumoscope.records import Estimate
from pneumoscope.report.kit.catalogue import ALIASES, GROUPS, HEADLINE, Metric
from pneumoscope.report.kit.figure import (
    ACCENT,
    INK,
    NORMAL,
    PNEUMONIA,
    PageFigure,
    house_style,
    make_figure,
)
from pneumoscope.report.kit.page import Page, Section, Variables
from pneumoscope.report.run.folder import Judged
from pneumoscope.report.run.summary import which_epoch
from pneumoscope.report.run.tables import OFF_SCALE
from pneumoscope.storage import write_atomic

_COLOURS = (NORMAL, PNEUMONIA, ACCENT, INK)
_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))
_ABREAST = 4  # names of seeds in a row of the legend
_CURVES = (("val_auroc", "Validation AUROC"), ("val_loss", "Validation loss"))


@dataclass(frozen=True, slots=True)
class SeedsContext:
    """All that a section may draw on."""

    summary: Mapping[str, Any]
    runs: Sequence[Judged]


@dataclass(frozen=True, slots=True)
class Row:
    """A metric as printed: over all seeds, and as (value, interval) of each. ``at`` is (lowest
    value, mean, highest value) in per cent of 0–1, for the whisker."""

    key: str
    title: str
    gloss: str
    mean: str
    sd: str
    cells: tuple[Cell, ...]
    at: tuple[float, float, float] | None


def write_seeds_page(folder: Path, summary: Mapping[str, Any], runs: Sequence[Judged]) -> Path:
    """Write ``report.html`` into ``folder``, which exists; return it. ``summary`` is the plain
    data of ``summary.json``, ``runs`` those it sums up, in its order. Raises OutputNotWritable."""
    context = SeedsContext(summary, runs)
    rows = {row.key: row for _, group in metric_rows(summary) for row in group}
    text = PAGE.render(
        context,
        summary=summary,
        seeds=listed([str(run["seed"]) for run in summary["runs"]]),
        said=list(_said(summary)),
        keys=[rows[key] for key in HEADLINE if key in rows],
    )
    page = folder / "report.html"
    write_atomic(page, text)
    return page


def metric_rows(summary: Mapping[str, Any]) -> list[tuple[str, list[Row]]]:
    """Every metric, known ones in their group, unknown ones at the end."""
    found = summary["metrics"]
    groups = [
        (title, [_row(metric, found[metric.key]) for metric in metrics if metric.key in found])
        for title, metrics in GROUPS
    ]
    known = {metric.key for _, metrics in GROUPS for metric in metrics} | ALIASES
    others = [
        _row(Metric(key, key.replace("_", " "), ""), value)
        for key, value in found.items()
        if key not in known
    ]
    return [(title, rows) for title, rows in [*groups, ("Others", others)] if rows]


def _row(metric: Metric, found: Mapping[str, Any]) -> Row:
    values = [100 * v["value"] for v in found["values"] if v["value"] is not None]
    at = (min(values), 100 * found["mean"], max(values)) if values else (-1.0, -1.0, -1.0)
    shown = metric.key not in OFF_SCALE and 0 <= min(at) <= max(at) <= 100
    return Row(
        metric.key,
        metric.title,
        metric.gloss,
        number(found["mean"]),
        "" if found["sd"] is None else f"± {number(found['sd'])}",
        tuple(cell(Estimate.from_json(value)) for value in found["values"]),
        at if shown else None,
    )


def _said(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    count = len(summary["runs"])
    auroc = summary["metrics"].get("auroc", {})
    said = []
    if auroc.get("sd") is not None:
        values = [v["value"] for v in auroc["values"] if v["value"] is not None]
        said.append(
            (
                "What the seed changes.",
                f"Trained {count} times with other random numbers, on the same films and splits, "
                f"the AUROC is {number(auroc['mean'])} ±\u00a0{number(auroc['sd'])}: the lowest is "
                f"{number(min(values))}, the highest {number(max(values))}.",
            )
        )
    said.append(
        (
            "What ± is not.",
            "It is the standard deviation between seeds, and not the uncertainty of the "
            f"test: all {count} runs are judged on the same {summary['n']:,} films, and with other "
            "films all of them would move together. How far is what the interval of each run says.",
        )
    )
    widths = [v["high"] - v["low"] for v in auroc.get("values", ()) if v.get("low") is not None]
    if widths and auroc.get("sd") is not None:
        said.append(("Which is larger.", _larger(auroc["sd"], float(np.mean(widths)) / 2)))
    return said


def _larger(sd: float, half: float) -> str:
    return (
        f"For AUROC the seeds spread by ±\u00a0{number(sd)} (one standard deviation), while the "
        f"interval of one run reaches about ±\u00a0{number(half)} (95%). A difference between two "
        "recipes must be looked at beside both."
    )


def _results(context: SeedsContext) -> Variables:
    return {
        "seeds": [run["seed"] for run in context.summary["runs"]],
        "groups": metric_rows(context.summary),
    }


def _curves(context: SeedsContext) -> Variables | None:
    known = [run for run in context.runs if run.history is not None]
    if not known:
        return None
    with house_style():
        return {"figures": curves_figures(known)}


def _runs(context: SeedsContext) -> Variables:
    seconds = [float(run["seconds"]) for run in context.summary["runs"]]
    return {"runs": context.summary["runs"], "total": sum(seconds)}


def _reproduce(context: SeedsContext) -> Variables:
    return {"summary": context.summary, "recipe": context.runs[0].recipe}


PAGE: Page[SeedsContext] = Page(
    "seeds",
    (
        Section("results", "Results", _results),
        Section("curves", "Training", _curves),
        Section("runs", "Runs", _runs),
        Section("reproduce", "Reproduction", _reproduce),
    ),
)


def curves_figures(runs: Sequence[Judged]) -> list[PageFigure]:
    """Validation AUROC and loss of all runs by epoch, a dot where the kept epoch is. Call within
    ``house_style``."""
    names = listed([f"seed {run.run['seed']}" for run in runs])
    kept = f"The dot is the epoch that was kept. {which_epoch(runs[0].model)}"
    captions = (kept, "On the same films; the dot is the same epoch.")
    return [
        make_figure(
            f"seeds-{column}",
            draw_curves(runs, column, title),
            f"{title} of all seeds",
            caption,
            f"{title} by epoch of {names}.",
        )
        for (column, title), caption in zip(_CURVES, captions, strict=True)
    ]


def draw_curves(runs: Sequence[Judged], column: str, title: str) -> Figure:
    """One panel with a line for each run, and the seeds named above it where looks suffice."""
    looks = len(_COLOURS) * len(_DASHES)
    named = len(runs) <= looks
    figure = Figure(figsize=(5.0, 3.3 + 0.2 * ((len(runs) - 1) // _ABREAST) * named))
    axes = figure.subplots()
    for at, run in enumerate(runs):
        _draw_run(axes, run, column, at)
    axes.set_ylabel(title)
    axes.set_xlabel("Epoch")
    axes.margins(x=0.03)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    if named:
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0.0, 1.0),
            ncols=_ABREAST,
            columnspacing=1.2,
            handlelength=1.6,
            frameon=False,
            borderaxespad=0.4,
            borderpad=0,
        )
    figure.tight_layout()
    return figure


def _draw_run(axes: Axes, run: Judged, column: str, at: int) -> None:
    history = run.history
    if history is None or column not in history:
        return
    epochs = history["epoch"].to_numpy(dtype=float)
    values = history[column].to_numpy(dtype=float)
    colour = _COLOURS[at % len(_COLOURS)]
    dash = _DASHES[at // len(_COLOURS) % len(_DASHES)]
    axes.plot(epochs, values, color=colour, linestyle=dash, label=f"seed {run.run['seed']}")
    kept = epochs == run.model.get("lineage", {}).get("best_epoch")
    axes.plot(epochs[kept], values[kept], "o", color=colour, markersize=5)
