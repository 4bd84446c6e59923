"""``pneumoscope evaluate``: judge a finished run again, and say what came of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.padding import Padding
from rich.table import Table

from pneumoscope.cli.options import (
    DataOptions,
    RunArgument,
    command_line,
    out_option,
    with_data_options,
)
from pneumoscope.cli.results import show_answers, show_withheld
from pneumoscope.cli.screen import Screen, short
from pneumoscope.cli.sites import request_of
from pneumoscope.errors import InputError
from pneumoscope.formatting import brief
from pneumoscope.records import DataRequest

if TYPE_CHECKING:
    from pneumoscope.report.evaluated import EvaluatedRun
    from pneumoscope.workflows.evaluate.request import EvaluateRequest

_CARRIED = (
    "predict goes by what the run carries (decide.rule and decide.target of a recipe choose the "
    "first point)"
)


def share(text: str) -> float:
    """A share as typed, ``0.05`` or ``5%``. Raises InputError for what is neither."""
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise InputError(
            "a share is written in another form",
            got=repr(text),
            expected="a number between 0 and 1, or a percentage",
            remedy="write 5% or 0.05",
        ) from None


@with_data_options
def evaluate(
    run: RunArgument,
    more: Annotated[
        list[str] | None, typer.Argument(metavar="DATA", help="Sets beside that of --data")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DATA", help="Another data set; else the run's own. Several are judged by site"
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="SPLIT", help="test, val or train; else test, or all of DATA"),
    ] = None,
    prevalence: Annotated[
        float | None,
        typer.Option(parser=share, metavar="P", help="Share of pneumonia to give PPV and NPV at"),
    ] = None,
    cost: Annotated[
        str | None, typer.Option(metavar="FN:FP", help="What a miss and an alarm cost, e.g. 5:1")
    ] = None,
    sensitivity: Annotated[
        float | None,
        typer.Option(parser=share, metavar="S", help="To hold on validation films; else 0.95"),
    ] = None,
    specificity: Annotated[
        float | None,
        typer.Option(parser=share, metavar="S", help="To hold on validation films; else 0.95"),
    ] = None,
    miss_rate: Annotated[
        float | None,
        typer.Option(parser=share, metavar="R", help="Errors a class allowed before abstaining"),
    ] = None,
    keep_shared: Annotated[
        bool, typer.Option("--keep-shared", help="Judge films of DATA that the model has seen too")
    ] = False,
    out: Annotated[Path | None, out_option("evaluate")] = None,
    *,
    data_options: DataOptions,
) -> None:
    """Judge a finished RUN: intervals, calibration, subgroups, net benefit, abstention.

    What --cost, --sensitivity, --specificity or --miss-rate asks for is not carried to predict.
    """
    other = _other(run, data or [], more or [], data_options)
    ratio = _ratio(cost)
    with Screen() as screen, ExitStack() as stack:
        screen.stage("Start")
        from pneumoscope.workflows.evaluate.apart import networks_apart

        networks = stack.enter_context(networks_apart(run)) if other else None
        from pneumoscope.workflows.evaluate.evaluate import evaluate_run
        from pneumoscope.workflows.evaluate.request import EvaluateRequest

        request = EvaluateRequest(
            run,
            data=other,
            split=split,
            prevalence=prevalence,
            cost=ratio,
            sensitivity=sensitivity,
            specificity=specificity,
            miss_rate=miss_rate,
            keep_shared=keep_shared,
        )
        folder = evaluate_run(
            request, out=out, command=command_line(), listener=screen, networks=networks
        )
        _show(folder, request, screen)


def _other(run: Path, data: list[str], more: list[str], options: DataOptions) -> DataRequest | None:
    """The films that are judged in place of the run's own. Raises InputError."""
    if data:
        return request_of([*data, *more], options)
    if more:
        raise InputError(
            "films to judge are named by an option",
            got=" ".join(more),
            expected="--data DATA",
            remedy=shlex.join(["pneumoscope", "evaluate", str(run), "--data", *more]),
        )
    if options.given():
        raise InputError(
            "options about DATA were given, but no DATA",
            got="the run's own films, whose form is known",
            remedy="name other films with --data DATA, or leave these options out",
        )
    return None


def _ratio(cost: str | None) -> float | None:
    """``FN:FP`` as one number, how many false alarms a missed pneumonia weighs."""
    if cost is None:
        return None
    missed, colon, alarm = cost.partition(":")
    try:
        ratio = float(missed) / float(alarm if colon else "1")
    except (ValueError, ZeroDivisionError):
        ratio = float("nan")
    if not 0 < ratio < float("inf"):
        raise InputError(
            "the costs are written in another form",
            got=repr(cost),
            expected="FN:FP, two numbers above 0",
            remedy="for example --cost 5:1, a missed pneumonia is as bad as five false alarms",
        )
    return ratio


def _show(folder: Path, request: EvaluateRequest, screen: Screen) -> None:
    from pneumoscope.report.evaluated import read_evaluated
    from pneumoscope.report.repeat import repeating
    from pneumoscope.report.review.topics import topic_remarks

    run = read_evaluated(folder)
    found = run.results
    screen.stage("Result")
    for warning in run.manifest.get("warnings", []):
        screen.paragraph("", f"! {warning}")
    screen.console.print(
        f"  {found.n:,} {found.split} films, {found.positives:,} with pneumonia; "
        f"AUROC {brief(found.metrics['auroc'])}"
    )
    show_withheld(run, screen)
    _show_points(run, screen)
    by_name = f"pneumoscope predict {shlex.quote(str(request.run))} FILMS --point NAME"
    screen.line(f"To read new films at one of them: {by_name}")
    for remark in topic_remarks(run):
        screen.paragraph(remark.text, remark.lead)
    show_answers(run, screen)
    if fitted := request.fitted_options:
        screen.note(f"in this evaluation alone: {', '.join(fitted)}; {_CARRIED}")
    screen.line(f"Everything is in {short(folder)}")
    then = "" if request.prevalence else f"; {repeating(command_line())} --prevalence 0.1"
    screen.line(f"Next: open {short(folder / 'report.html')} in a browser{then}")


def _show_points(run: EvaluatedRun, screen: Screen) -> None:
    """The operating points, the one that decides first: each on these films and on validation."""
    from pneumoscope.report.review.points import point_rows

    show = partial(screen.console.print, markup=False, soft_wrap=False)
    show(_grid(("operating point", "sensitivity", "specificity"), indent=2), style="dim")
    for row in point_rows(run):
        mark = " (decides)" if row.own else " (optimistic)" if row.optimistic else ""
        show(Padding(f"{', '.join(row.names)}{mark}: threshold {row.threshold}", (0, 0, 0, 2)))
        for films, cells in (("these films", row.cells[:2]), ("validation", row.validation)):
            if cells:
                show(_grid((films, *(f"{value} ({interval})" for value, interval in cells))))
    show(Padding(f"The scale of thresholds: {run.scale_words}.", (0, 0, 0, 2)))


def _grid(cells: Iterable[str], indent: int = 4) -> Padding:
    """One line of three columns, in line with those of every other."""
    grid = Table.grid()
    for width in (19 - indent, 22, 19):
        grid.add_column(min_width=width, no_wrap=True)
    grid.add_row(*cells)
    return Padding(grid, (0, 0, 0, indent))
