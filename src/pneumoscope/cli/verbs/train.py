"""``pneumoscope train`` and ``demo``: run the pipeline and say what came of it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pneumoscope.cli import checks
from pneumoscope.cli.asked import TrainOptions, check_together, hardware_options
from pneumoscope.cli.options import (
    ChangeOption,
    DataOptions,
    OutOption,
    SeedOption,
    SitesOrNone,
    command_line,
    with_data_options,
)
from pneumoscope.cli.results import result_table, show_answers, show_withheld, value_and_interval
from pneumoscope.cli.screen import Screen, short
from pneumoscope.cli.sites import request_of
from pneumoscope.cli.verbs import crossval, many
from pneumoscope.errors import InputError
from pneumoscope.formatting import metric_name
from pneumoscope.readings import OperatingPoint
from pneumoscope.records import DataRequest, Hardware
from pneumoscope.report.kit.catalogue import MAIN, TERMINAL
from pneumoscope.training.parallel import torchrun

if TYPE_CHECKING:
    from rich.table import Table

    from pneumoscope.evaluation.results import Evaluation
    from pneumoscope.recipe import Recipe
    from pneumoscope.run import Run


def demo(out: OutOption = None, seed: SeedOption = 0) -> None:
    """The whole path on synthetic films: about a minute, no network needed."""
    start(TrainOptions(DataRequest("phantom"), Hardware(), ("demo",), seed=seed, out=out))


@with_data_options
def train(
    data: SitesOrNone = None,
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            "--recipe", "-r", metavar="NAME|FILE", help="Give several to compare them; else default"
        ),
    ] = None,
    change: ChangeOption = None,
    seed: SeedOption = 0,
    seeds: Annotated[
        int | None,
        typer.Option(min=2, max=100, metavar="N", help="Train N times: --seed and those after it"),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            metavar="M",
            help="Train as many epochs as fit into M minutes; judging comes on top",
        ),
    ] = None,
    learning_curve: Annotated[
        str | None,
        typer.Option(
            metavar="P,P,…", help="Train on each of these per cent of the training patients"
        ),
    ] = None,
    out: OutOption = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Complete a run, or several, that stopped")
    ] = None,
    overfit_one_batch: Annotated[
        bool, typer.Option("--overfit-one-batch", help="Only check that one batch can be learnt")
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Only time the parts of a training step")
    ] = False,
    accelerator: Annotated[
        str, typer.Option(metavar="NAME", help="auto, cpu or gpu; auto takes a GPU if there is one")
    ] = "auto",
    devices: Annotated[
        int, typer.Option(min=1, metavar="N", help="Train in N processes, on a GPU each or a CPU")
    ] = 1,
    nodes: Annotated[
        int, typer.Option(min=1, metavar="M", help="Machines, on each of which torchrun starts us")
    ] = 1,
    *,
    data_options: DataOptions,
) -> None:
    """Prepare DATA, train on it, judge on its test split, and write a report."""
    follow()
    hardware = Hardware(accelerator, devices, nodes)
    if resume is not None:
        given = {
            "DATA": data,
            "--recipe": recipe,
            "--set": change,
            "--seed": seed,
            "--seeds": seeds,
            "--minutes": minutes,
            "--learning-curve": learning_curve,
            "--out": out,
            "--overfit-one-batch": overfit_one_batch,
            "--profile": profile,
            "--accelerator, --devices or --nodes": hardware_options(hardware),
            "an option about DATA": data_options.given(),
        }
        _check_alone([name for name, value in given.items() if value])
        complete(resume)
        return
    options = TrainOptions(
        request_of(_required(data), data_options),
        hardware,
        recipes=tuple(recipe or ["default"]),
        changes=tuple(change or ()),
        seed=seed,
        seeds=seeds,
        minutes=minutes,
        learning_curve=learning_curve,
        out=out,
        overfit_one_batch=overfit_one_batch,
        profile=profile,
    )
    start(options)


def start(options: TrainOptions) -> None:
    """Do what is asked: one run, several, or a check that leaves none."""
    from pneumoscope.run import check_new

    with torchrun.rank_zero():
        check_together(options)
        recipes = options.load()
        check_new(options.out)
        request, seed, out = options.request, options.seed, options.out
        if options.overfit_one_batch:
            checks.check_overfit(request, recipes[0], seed)
        elif options.profile:
            checks.check_profile(request, recipes[0], seed, out)
        elif options.seeds or len(recipes) > 1:
            many.train_group(options, recipes)
        else:
            _train(options, recipes[0])


def _train(options: TrainOptions, recipe: Recipe) -> None:
    """Start a new run and show its result."""
    with Screen() as screen:
        screen.stage("Start")  # the imports below take seconds
        from pneumoscope.workflows import pipeline

        run = pipeline.train(
            options.request,
            recipe,
            seed=options.seed,
            out=options.out,
            command=command_line(),
            listener=screen,
            hardware=options.hardware,
        )
    _show(run, screen)


def complete(folder: Path) -> None:
    """Complete a stopped run, or several that belong together, and show the result."""
    from pneumoscope.run import CROSSVAL, PLAN

    with torchrun.rank_zero():
        if (folder / PLAN).is_file():
            many.resume_group(folder)
        elif (folder / CROSSVAL).is_file():
            crossval.resume_folds(folder)
        else:
            _resume(folder)


def _resume(folder: Path) -> None:
    """Complete a stopped run and show its result."""
    with Screen() as screen:
        screen.stage(f"Resume {folder}")
        from pneumoscope.workflows import pipeline

        run = pipeline.resume(folder, listener=screen)
    _show(run, screen)


def follow() -> None:
    """Where torchrun started several of us, all but the first only help to train, and end here."""
    if torchrun.is_worker_rank():
        raise typer.Exit(torchrun.run_worker_rank())


def _required(data: list[str] | None) -> list[str]:
    """DATA, which only a resumed run does without. Raises InputError."""
    if not data:
        raise InputError(
            "there is nothing to train on",
            expected="DATA: a path, hf:owner/name, pneumoniamnist, kermany or phantom",
            remedy="name the data, or a run with --resume",
        )
    return data


def _check_alone(others: Sequence[str]) -> None:
    """``--resume`` takes everything from the run folder, so nothing else may be asked."""
    if others:
        raise InputError(
            "a resumed run keeps its data, recipe, seed, hardware and folder",
            got=f"--resume RUN with {', '.join(others)}",
            remedy="give --resume RUN alone, or start a new run",
        )


def _show(run: Run, screen: Screen) -> None:
    from pneumoscope.report.evaluated import read_evaluated

    evaluated = read_evaluated(run.folder)
    found = evaluated.results
    point = found.operating_point
    screen.stage("Result")
    screen.console.print(
        f"  {found.n} test films, {found.positives} with pneumonia; threshold "
        f"{point.threshold:.3f} ({_origin(point)})"
    )
    screen.console.print(_figures(found))
    if found.operating_points:
        screen.line(
            "The other operating points are in the report; new films are read at one of them by: "
            "pneumoscope predict RUN FILMS --point NAME"
        )
    show_withheld(evaluated, screen)
    show_answers(evaluated, screen)
    screen.line(f"Everything is in {short(run.folder)}")
    elsewhere = f"pneumoscope evaluate {shlex.quote(short(run.folder))} --data OTHER"
    screen.line(f"Next: open {short(run.report_file)} in a browser; {elsewhere}")


def _figures(found: Evaluation) -> Table:
    """The main figures; of several sites those of each, and then of all together."""
    table = result_table(["", "value", "95 % interval"])
    for site in found.sites or ():
        for name in MAIN:
            shown = value_and_interval(site.metrics[name])
            table.add_row(f"{site.name}: {metric_name(name)}", *shown)
    of = "all together: " if found.sites else ""
    for name in TERMINAL:
        table.add_row(f"{of}{metric_name(name)}", *value_and_interval(found.metrics[name]))
    return table


def _origin(point: OperatingPoint) -> str:
    if point.name == "fixed":
        return "fixed beforehand"
    return f"{point.rule}, chosen on {point.chosen_on}"
