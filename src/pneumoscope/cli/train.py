"""``pneumoscope train`` and ``demo``: run the pipeline and say what came of it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from pneumoscope.cli.screen import Screen, short
from pneumoscope.recipe import load_recipe
from pneumoscope.records import DataRequest
from pneumoscope.run import Run, check_new

_SHOWN = ("auroc", "balanced_accuracy", "sensitivity", "specificity", "accuracy")


def demo(*, seed: int, out: Path | None) -> None:
    """Train on phantoms by the recipe made for them."""
    train(DataRequest("phantom"), "demo", [], seed=seed, out=out)


def train(
    request: DataRequest, recipe: str, changes: list[str], *, seed: int, out: Path | None
) -> None:
    """Start a new run and show its result."""
    chosen = load_recipe(recipe, changes)
    check_new(out)
    with Screen() as screen:
        screen.stage("Start")  # the imports below take seconds
        from pneumoscope.workflows import pipeline

        command = shlex.join(["pneumoscope", *sys.argv[1:]])
        run = pipeline.train(request, chosen, seed=seed, out=out, command=command, listener=screen)
    _show(run, screen)


def resume(folder: Path) -> None:
    """Complete a stopped run and show its result."""
    with Screen() as screen:
        screen.stage(f"Resume {folder}")
        from pneumoscope.workflows import pipeline

        run = pipeline.resume(folder, listener=screen)
    _show(run, screen)


def check_alone(*asked: object) -> None:
    """``--resume`` takes everything from the run folder, so nothing else may be asked."""
    if any(asked):
        raise typer.BadParameter(
            "a resumed run keeps its data, recipe and folder: give --resume RUN alone",
            param_hint="--resume",
        )


def _show(run: Run, screen: Screen) -> None:
    from pneumoscope.workflows.pipeline import read_metrics

    metrics = read_metrics(run)
    point = metrics["operating_point"]
    screen.stage("Result")
    screen.console.print(
        f"  {metrics['n']} test films, {metrics['positives']} with pneumonia; threshold "
        f"{point['threshold']:.3f} ({point['rule']}) chosen on {point['chosen_on']}"
    )
    table = Table(box=None, padding=(0, 2, 0, 2), show_header=True, header_style="dim")
    for column in ("", "value", "95 % interval"):
        table.add_column(column, justify="left" if not column else "right")
    for name in _SHOWN:
        table.add_row(*_row(name, metrics["metrics"][name]))
    screen.console.print(table)
    screen.line(f"Everything is in {short(run.folder)}")
    screen.line(f"Next: open {short(run.report_file)} in a browser")


def _row(name: str, estimate: dict[str, Any]) -> tuple[str, str, str]:
    title = "AUROC" if name == "auroc" else name.replace("_", " ")
    if estimate["value"] is None:
        return title, "–", estimate["method"]
    return title, f"{estimate['value']:.3f}", f"{estimate['low']:.3f} – {estimate['high']:.3f}"
