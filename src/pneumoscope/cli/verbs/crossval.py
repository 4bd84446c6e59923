"""``pneumoscope crossval``: train a run for each fold and show the pooled result."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from pneumoscope.cli.options import (
    ChangeOption,
    DataArgument,
    DataOptions,
    OutOption,
    RecipeOption,
    SeedOption,
    command_line,
    with_data_options,
)
from pneumoscope.cli.results import result_table, value_and_interval
from pneumoscope.cli.screen import Screen, short
from pneumoscope.formatting import mean_sd, metric_name
from pneumoscope.report.kit.catalogue import TERMINAL


@with_data_options
def crossval(
    data: DataArgument,
    folds: Annotated[int, typer.Option(min=2, max=100, metavar="N", help="How many folds")] = 5,
    recipe: RecipeOption = "default",
    change: ChangeOption = None,
    seed: SeedOption = 0,
    out: OutOption = None,
    *,
    data_options: DataOptions,
) -> None:
    """Judge every film of DATA once, by folds; an official test split is left out."""
    from pneumoscope.recipe import load_recipe

    request, chosen = data_options.request(data), load_recipe(recipe, change or ())
    with Screen() as screen:
        screen.stage("Start")  # the imports below take seconds
        from pneumoscope.workflows.groups import crossval as work

        folder = work.crossval(
            request,
            chosen,
            folds,
            seed=seed,
            out=out,
            command=command_line(),
            listener=screen,
        )
        _show(folder, screen)


def resume_folds(folder: Path) -> None:
    """Finish folds that were stopped and show the pooled result."""
    with Screen() as screen:
        screen.stage(f"Resume {folder}")
        from pneumoscope.workflows.groups.crossval import resume_crossval

        _show(resume_crossval(folder, listener=screen), screen)


def _show(folder: Path, screen: Screen) -> None:
    from pneumoscope.evaluation.groups import read_pooled
    from pneumoscope.run import Run

    found = read_pooled(Run(folder).metrics_file)
    screen.stage("Result")
    screen.console.print(
        f"  {found.n:,} films, {found.positives:,} with pneumonia, each judged once, at "
        f"its fold's own threshold\n  official test split: {found.official_test.meaning}"
    )
    table = result_table(["", "pooled", "95 % interval", "mean ± sd of folds"])
    for name in TERMINAL:
        pooled, over = found.metrics[name], found.over_folds[name]
        spread = mean_sd(over.mean, over.sd)
        table.add_row(metric_name(name), *value_and_interval(pooled), spread)
    screen.console.print(table)
    screen.line(f"Everything is in {short(folder)}")
    page, then = short(Run(folder).report_file), shlex.quote(short(folder))
    use = f"evaluate {then}" if found.official_test.left_out else f"predict {then} FILM"
    screen.line(f"Next: open {page} in a browser; or pneumoscope {use}")
