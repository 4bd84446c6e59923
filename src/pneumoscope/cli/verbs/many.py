"""``pneumoscope train`` with ``--seeds`` or several recipes: several runs, shown together."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Any

from rich.table import Table

from pneumoscope.cli.screen import Screen, short
from pneumoscope.cli.verbs.train import Asked
from pneumoscope.formatting import brief, interval, mean_sd, metric_name, number
from pneumoscope.recipe import Recipe
from pneumoscope.records import Estimate


def train(asked: Asked, recipes: tuple[Recipe, ...]) -> None:
    """Train every recipe with every seed and show what they say together."""
    with Screen() as screen:
        screen.stage("Start")  # the imports below take seconds
        from pneumoscope.workflows.groups.many import Plan, seeds_from, train_many

        seeds = seeds_from(asked.seed, asked.seeds or 1)
        plan = Plan(asked.request, recipes, seeds, bool(asked.seeds), asked.command)
        folder = train_many(plan, out=asked.out, listener=screen)
        _show(folder, screen)


def resume(folder: Path) -> None:
    """Finish runs that were stopped and show what they say together."""
    with Screen() as screen:
        screen.stage(f"Resume {folder}")
        from pneumoscope.workflows.groups.many import resume_many

        _show(resume_many(folder, listener=screen), screen)


def _show(folder: Path, screen: Screen) -> None:
    from pneumoscope.storage import read_json
    from pneumoscope.workflows.groups.many import COMPARISON, PLAN, Plan

    plan = Plan.from_json(read_json(folder / PLAN))
    groups = [plan.group(folder, recipe) for recipe in plan.recipes]
    screen.stage("Result")
    if plan.repeated:
        _show_seeds([read_json(group / "summary.json") for group in groups], screen)
    else:
        _show_runs([(group.name, read_json(group / "metrics.json")) for group in groups], screen)
    screen.line(f"Everything is in {short(folder)}")
    page = "report.html"
    if len(groups) > 1:
        folder, page = folder / COMPARISON, "comparison.html"
    then = f"; or pneumoscope predict {shlex.quote(short(groups[0]))} FILM" if plan.repeated else ""
    screen.line(f"Next: open {short(folder / page)} in a browser{then}")


def _show_seeds(summaries: list[dict[str, Any]], screen: Screen) -> None:
    """Each metric as mean ± sd; the values of the seeds where there is one recipe only."""
    from pneumoscope.report.kit.catalogue import TERMINAL

    first = summaries[0]
    alone = len(summaries) == 1
    runs = first["runs"]
    columns = [f"seed {run['seed']}" for run in runs][:4] if alone else []
    table = _table(["", *(["mean ± sd"] if alone else [s["name"] for s in summaries]), *columns])
    for name in TERMINAL:
        cells = [
            mean_sd(summary["metrics"][name]["mean"], summary["metrics"][name]["sd"])
            for summary in summaries
        ]
        values = first["metrics"][name]["values"][: len(columns)]
        table.add_row(metric_name(name), *cells, *(number(v["value"]) for v in values))
    screen.console.print(
        f"  {first['n']:,} test films, {first['positives']:,} with pneumonia; "
        f"mean ± sd over {len(runs)} seeds"
    )
    screen.console.print(table)
    for summary in summaries:
        estimate = Estimate.from_json(summary["metrics"]["auroc"]["values"][0])
        if math.isfinite(estimate.low):
            screen.console.print(
                "  ± is the spread between seeds and not the uncertainty of the test:\n"
                f"  the 95 % interval of one run's AUROC is {interval(estimate)}"
            )
            break
    seconds = [run["seconds"] for summary in summaries for run in summary["runs"]]
    each = " ".join(f"{one:.0f}" for one in seconds[:12])
    screen.console.print(f"  seconds a run: {each}{' …' * (len(seconds) > 12)}")


def _show_runs(runs: list[tuple[str, dict[str, Any]]], screen: Screen) -> None:
    """Each metric of each recipe with its interval."""
    from pneumoscope.report.kit.catalogue import TERMINAL

    table = _table(["", *(name for name, _ in runs)])
    for name in TERMINAL:
        table.add_row(
            metric_name(name), *(brief(Estimate.from_json(run["metrics"][name])) for _, run in runs)
        )
    metrics = runs[0][1]
    screen.console.print(
        f"  {metrics['n']:,} test films, {metrics['positives']:,} with pneumonia; 95 % intervals.\n"
        "  Whether the recipes differ, the comparison says, film by film."
    )
    screen.console.print(table)


def _table(columns: list[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 2), show_header=True, header_style="dim")
    for column in columns:
        table.add_column(column, justify="right" if column else "left")
    return table
