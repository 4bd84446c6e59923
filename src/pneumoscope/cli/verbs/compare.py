"""``pneumoscope compare``: finished runs side by side, and whether they differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from pneumoscope.cli.options import command_line, out_option
from pneumoscope.cli.screen import Screen, short
from pneumoscope.errors import printable
from pneumoscope.formatting import ABSENT, interval, mean_sd, number, signed, signed_interval
from pneumoscope.records import Estimate

_ABREAST = 3
"""Runs beside each other in 80 columns."""


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
    from pneumoscope.storage import read_json

    found = read_json(folder / "comparison.json")
    screen.stage("Result")
    screen.console.print(
        f"  {found['n']:,} {found['split']} films, {found['positives']:,} with pneumonia"
    )
    for run in found["runs"]:
        _say(screen, escape(printable(_described(run))))
    abreast = _abreast(len(found["runs"]))
    for start in range(0, len(found["runs"]), abreast):
        screen.console.print(_metrics_table(found["runs"][start : start + abreast]))
    for group in found["seeds"]:
        _say(screen, escape(printable(_seeds(group))))
    for pair in found["recipes"]:
        _say(screen, escape(printable(pair["verdict"])))
    screen.console.print(_differences_table(found["pairs"]))
    several = len(found["pairs"]) > 1
    _say(screen, f"[bold]{found['headline']}[/bold]")
    for pair in found["pairs"]:
        lead = f"[bold]{pair['second']} and {pair['first']}.[/bold] " if several else ""
        _say(screen, f"{lead}{pair['verdict']}")
    screen.line(f"Everything is in {short(folder)}")
    screen.line(f"Next: open {short(folder / 'comparison.html')} in a browser")


def _say(screen: Screen, text: str) -> None:
    """A paragraph, indented as a whole and broken between words also in a file."""
    screen.console.print(Padding(text, (0, 0, 0, 2), expand=False), soft_wrap=False)


def _abreast(count: int) -> int:
    """Runs in a row of tables, so that the rows are alike: 4 are 2 and 2, not 3 and 1."""
    rows = -(-count // _ABREAST)
    return -(-count // rows)


def _described(run: dict[str, Any]) -> str:
    parts = [
        f"recipe {run['recipe']}" if run["recipe"] else "",
        f"seed {run['seed']}" if run["seed"] is not None else "",
        run["precision"] or "",
        f"{run['train_seconds']:,.1f} s of training" if run["train_seconds"] is not None else "",
        f"threshold {run['operating_point']['threshold']:.3f}",
    ]
    return f"{run['letter']} = {run['name']}: {', '.join(filter(None, parts))}"


def _metrics_table(runs: Sequence[dict[str, Any]]) -> Table:
    from pneumoscope.report.kit.catalogue import GROUPS

    table = _table("", *(run["letter"] for run in runs))
    for _, metrics in GROUPS:
        for metric in metrics:
            cells = [_cell(run["metrics"].get(metric.key)) for run in runs]
            table.add_row(metric.short_title, *cells)
    return table


def _differences_table(pairs: Sequence[dict[str, Any]]) -> Table:
    names = ("auroc", "sensitivity", "specificity", "accuracy")
    table = _table("", "AUROC", "sensitivity", "specificity", "accuracy")
    for pair in pairs:
        found = [Estimate.from_json(pair["differences"][name]) for name in names]
        cells = [f"{signed(each.value)}\n[dim]{signed_interval(each)}[/dim]" for each in found]
        table.add_row(f"{pair['second']} − {pair['first']}", *cells)
    return table


def _seeds(group: dict[str, Any]) -> str:
    found = group["metrics"]["auroc"]
    if found["mean"] is None or found["sd"] is None:
        return ""
    return (
        f"recipe {group['recipe']}, {len(group['runs'])} seeds ({', '.join(group['runs'])}): "
        f"AUROC {mean_sd(found['mean'], found['sd'])} (mean ± sd over the runs)"
    )


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 0, 0, 2), show_header=True, header_style="dim")
    for at, column in enumerate(columns):
        table.add_column(column, justify="right" if at else "left", no_wrap=True)
    return table


def _cell(estimate: dict[str, Any] | None) -> str:
    if estimate is None or estimate["value"] is None:
        return ABSENT

    found = Estimate.from_json(estimate)
    return f"{number(found.value)} [dim]({interval(found, 2)})[/dim]"
