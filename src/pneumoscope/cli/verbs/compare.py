"""``pneumoscope compare``: finished runs side by side, and whether they differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from pneumoscope.cli.options import command_line, out_option
from pneumoscope.cli.screen import Screen, short
from pneumoscope.formatting import (
    ABSENT,
    interval,
    mean_sd,
    metric_name,
    number,
    plural,
    signed,
    signed_interval,
)
from pneumoscope.readings import Estimate
from pneumoscope.report.kit.catalogue import METRICS

if TYPE_CHECKING:
    from pneumoscope.evaluation.comparison import ComparedPair, ComparedRun, SeedGroup

_NAMES, _COLUMN = 20, 26
"""Letters that the names of metrics take, and a figure with an interval from below zero."""


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Finished run folders; the first is the reference"),
    ],
    out: Annotated[Path | None, out_option("compare")] = None,
) -> None:
    """Compare finished runs film by film: differences with intervals, tests, a page."""
    with Screen() as screen:
        screen.stage("Start")
        from pneumoscope.workflows import compare as work

        folder = work.compare(runs, out=out, command=command_line(), listener=screen)
        _show(folder, screen)


def _show(folder: Path, screen: Screen) -> None:
    """The comparison in ``folder`` on the screen."""
    from pneumoscope.evaluation.comparison import read_comparison
    from pneumoscope.report.compare.words import caution

    found = read_comparison(folder)
    screen.stage("Result")
    screen.console.print(f"  {found.n:,} {found.split} films, {found.positives:,} with pneumonia")
    for run in found.runs:
        screen.paragraph(_described(run))
    abreast = _abreast(len(found.runs), screen.console.width)
    for start in range(0, len(found.runs), abreast):
        screen.console.print(_metrics_table(found.runs[start : start + abreast]))
    for group in found.seeds:
        screen.paragraph(_seeds(group))
    for recipes in found.recipes:
        screen.paragraph(recipes.verdict)
    screen.console.print(_differences_table(found.pairs))
    screen.paragraph("", found.headline)
    for pair in found.pairs:
        lead = f"{pair.second} and {pair.first}." if len(found.pairs) > 1 else ""
        screen.paragraph(pair.verdict, lead)
    asked = caution(found)
    screen.paragraph(asked.text, asked.lead)
    screen.line(f"Everything is in {short(folder)}")
    screen.line(f"Next: open {short(folder / 'comparison.html')} in a browser")


def _abreast(count: int, width: int) -> int:
    """Runs in a row of tables, as many as the width holds; even, so that the rows are alike."""
    most = max(1, (width - _NAMES) // _COLUMN)
    rows = -(-count // most)
    return -(-count // rows)


def _described(run: ComparedRun) -> str:
    parts = [
        f"recipe {run.recipe}" if run.recipe else "",
        f"seed {run.seed}" if run.seed is not None else "",
        plural(run.epochs, "epoch") if run.epochs is not None else "",
        run.precision or "",
        f"{run.train_seconds:,.1f} s of training" if run.train_seconds is not None else "",
        f"threshold {number(run.operating_point.threshold)}",
    ]
    return f"{run.letter} = {run.name}: {', '.join(filter(None, parts))}"


def _metrics_table(runs: Sequence[ComparedRun]) -> Table:
    table = _table("", *(run.letter for run in runs))
    for metric in METRICS.values():
        table.add_row(metric.short_title, *(_cell(run.metrics.get(metric.key)) for run in runs))
    return table


def _differences_table(pairs: Sequence[ComparedPair]) -> Table:
    """A line for each pair and metric: so it fits into 60 columns, however many pairs there are."""
    table = Table(box=None, padding=(0, 0, 0, 2), show_header=False)
    for justify in ("left", "left", "right", "left"):
        table.add_column(justify=justify, no_wrap=True)
    for pair in pairs:
        lead = f"{pair.second} − {pair.first}"
        for name in ("auroc", "sensitivity", "specificity", "accuracy"):
            found = pair.differences[name]
            size = f"[dim]({signed_interval(found)})[/dim]"
            table.add_row(lead, metric_name(name), signed(found.value), size)
            lead = ""
    return table


def _seeds(group: SeedGroup) -> str:
    auroc = group.metrics["auroc"]
    if math.isnan(auroc.sd):
        return ""
    return (
        f"recipe {group.recipe}, {len(group.runs)} seeds ({', '.join(group.runs)}): "
        f"AUROC {mean_sd(auroc.mean, auroc.sd)} (mean ± sd over the runs)"
    )


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 0, 0, 2), show_header=True, header_style="dim")
    for at, column in enumerate(columns):
        table.add_column(column, justify="right" if at else "left", no_wrap=True)
    return table


def _cell(estimate: Estimate | None) -> str:
    if estimate is None or math.isnan(estimate.value):
        return ABSENT
    return f"{number(estimate.value)} [dim]({interval(estimate)})[/dim]"
