"""``pneumoscope crossval``: train a run for each fold and show the pooled result."""

from __future__ import annotations

import math
import shlex
from pathlib import Path

from rich.table import Table

from pneumoscope.cli.screen import Screen, short
from pneumoscope.cli.verbs.train import Asked
from pneumoscope.formatting import ABSENT, interval, mean_sd, metric_name, number
from pneumoscope.records import Estimate


def crossval(asked: Asked, count: int) -> None:
    """Train and judge every fold."""
    recipe = asked.load()[0]
    with Screen() as screen:
        screen.stage("Start")  # the imports below take seconds
        from pneumoscope.workflows.groups import crossval as work

        folder = work.crossval(
            asked.request,
            recipe,
            count,
            seed=asked.seed,
            out=asked.out,
            command=asked.command,
            listener=screen,
        )
        _show(folder, screen)


def resume(folder: Path) -> None:
    """Finish folds that were stopped and show the pooled result."""
    with Screen() as screen:
        screen.stage(f"Resume {folder}")
        from pneumoscope.workflows.groups.crossval import resume_crossval

        _show(resume_crossval(folder, listener=screen), screen)


def _show(folder: Path, screen: Screen) -> None:
    from pneumoscope.report.kit.catalogue import TERMINAL
    from pneumoscope.storage import read_json

    metrics = read_json(folder / "metrics.json")
    screen.stage("Result")
    screen.console.print(
        f"  {metrics['n']:,} films, {metrics['positives']:,} with pneumonia, each judged once, at "
        f"its fold's own threshold\n  official test split: {metrics['official_test']['meaning']}"
    )
    table = Table(box=None, padding=(0, 2, 0, 2), show_header=True, header_style="dim")
    for column in ("", "pooled", "95 % interval", "mean ± sd of folds"):
        table.add_column(column, justify="right" if column else "left")
    for name in TERMINAL:
        found, over = Estimate.from_json(metrics["metrics"][name]), metrics["over_folds"][name]
        if not math.isfinite(found.value):
            table.add_row(metric_name(name), ABSENT, found.method, ABSENT)
            continue
        spread = mean_sd(over["mean"], over["sd"])
        table.add_row(metric_name(name), number(found.value), interval(found), spread)
    screen.console.print(table)
    screen.line(f"Everything is in {short(folder)}")
    page, then = short(folder / "report.html"), shlex.quote(short(folder))
    use = f"evaluate {then}" if metrics["official_test"]["left_out"] else f"predict {then} FILM"
    screen.line(f"Next: open {page} in a browser; or pneumoscope {use}")
