"""``pneumoscope crossval``: train a run for each fold and show the pooled result."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from pneumoscope.cli.options import (
    ChangeOption,
    DataOptions,
    OutOption,
    RecipeOption,
    SeedOption,
    SitesArgument,
    command_line,
    with_data_options,
)
from pneumoscope.cli.results import result_table, value_and_interval
from pneumoscope.cli.screen import Screen, short
from pneumoscope.cli.sites import request_of
from pneumoscope.errors import InputError
from pneumoscope.formatting import mean_sd, metric_name
from pneumoscope.report.kit.catalogue import MAIN, TERMINAL


@with_data_options
def crossval(
    data: SitesArgument,
    folds: Annotated[int, typer.Option(min=2, max=100, metavar="N", help="How many folds")] = 5,
    by: Annotated[
        str, typer.Option(metavar="fold|site", help="site: train on all sets but one, judge on it")
    ] = "fold",
    recipe: RecipeOption = "default",
    change: ChangeOption = None,
    seed: SeedOption = 0,
    out: OutOption = None,
    *,
    data_options: DataOptions,
) -> None:
    """Judge every film of DATA once, by folds or sites; an official test split is left out."""
    if by not in ("fold", "site"):
        raise InputError("there is no such --by", got=repr(by), expected="fold or site")
    from pneumoscope.recipe import load_recipe

    request, chosen = request_of(data, data_options), load_recipe(recipe, change or ())
    with Screen() as screen:
        screen.stage("Start")  # the imports below take seconds
        from pneumoscope.workflows.groups import crossval as work

        folder = work.crossval(
            request,
            chosen,
            None if by == "site" else folds,
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
    from pneumoscope.run import MATRIX, Run

    if (folder / MATRIX).is_file():
        _show_matrix(folder, screen)
        return
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


def _show_matrix(folder: Path, screen: Screen) -> None:
    """AUROC of each model on each site, then what the carried threshold does where a model was not
    trained."""
    from pneumoscope.evaluation.site.matrix import read_matrix
    from pneumoscope.run import MATRIX, Run

    found = read_matrix(folder / MATRIX)
    screen.stage("Result")
    screen.console.print(
        "  AUROC on the test films of each site; * took no part in training.\n"
        "  Official test splits are left out."
    )
    table = result_table(["", "AUROC", "95 % interval"])
    for row in found.rows:
        for cell in row.cells:
            mark = "*" if cell.name == row.left_out.name else ""
            shown = value_and_interval(cell.metrics["auroc"])
            table.add_row(f"{' + '.join(row.trained_on)} → {cell.name}{mark}", *shown)
    screen.console.print(table)
    screen.console.print("  All films of the site left out, at the threshold carried there:")
    table = result_table(["", "value", "95 % interval"])
    for row in found.rows:
        for name in MAIN:
            shown = value_and_interval(row.left_out.metrics[name])
            table.add_row(f"{row.left_out.name}: {metric_name(name)}", *shown)
    screen.console.print(table)
    screen.line(f"Everything is in {short(folder)}")
    screen.line(f"Next: open {short(Run(folder).report_file)} in a browser")
