"""``pneumoscope train`` with ``--seeds`` or several recipes: several runs, shown together."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.cli.options import command_line
from pneumoscope.cli.results import result_table
from pneumoscope.cli.screen import Screen, short
from pneumoscope.formatting import brief, interval, mean_sd, metric_name, number
from pneumoscope.report.kit.catalogue import TERMINAL

if TYPE_CHECKING:
    from pneumoscope.cli.asked import TrainOptions
    from pneumoscope.evaluation.groups import LearningCurve, SeedsSummary
    from pneumoscope.evaluation.results import Evaluation
    from pneumoscope.recipe import Recipe


def train_group(options: TrainOptions, recipes: tuple[Recipe, ...]) -> None:
    """Train every recipe with every seed and show what they say together."""
    with Screen() as screen:
        screen.stage("Start")  # the imports below take seconds
        from pneumoscope.workflows.groups.many import train_many
        from pneumoscope.workflows.groups.plan import GroupPlan, seeds_from

        plan = GroupPlan(
            options.request,
            recipes,
            seeds_from(options.seed, options.seeds or 1),
            bool(options.seeds),
            command_line(),
            options.learning_curve is not None,
        )
        folder = train_many(plan, out=options.out, listener=screen)
        _show(folder, screen)


def resume_group(folder: Path) -> None:
    """Finish runs that were stopped and show what they say together."""
    with Screen() as screen:
        screen.stage(f"Resume {folder}")
        from pneumoscope.workflows.groups.many import resume_many

        _show(resume_many(folder, listener=screen), screen)


def _show(folder: Path, screen: Screen) -> None:
    from pneumoscope.evaluation.calibrate import read_evaluation
    from pneumoscope.evaluation.groups import read_learning, read_summary
    from pneumoscope.run import COMPARISON, LEARNING, SUMMARY, Run
    from pneumoscope.workflows.groups.plan import read_plan

    plan = read_plan(folder)
    groups = [plan.folder_of(folder, recipe) for recipe in plan.recipes]
    screen.stage("Result")
    if plan.learning:
        _show_learning(read_learning(folder / LEARNING), screen)
    elif plan.repeated:
        _show_seeds([read_summary(group / SUMMARY) for group in groups], screen)
    else:
        _show_runs(
            [(group.name, read_evaluation(Run(group).metrics_file)) for group in groups], screen
        )
    screen.line(f"Everything is in {short(folder)}")
    page = Run(folder).report_file
    if len(groups) > 1 and not plan.learning:
        page = folder / COMPARISON / "comparison.html"
    one = plan.repeated and not plan.learning
    then = f"; or pneumoscope predict {shlex.quote(short(groups[0]))} FILM" if one else ""
    screen.line(f"Next: open {short(page)} in a browser{then}")


def _show_seeds(summaries: Sequence[SeedsSummary], screen: Screen) -> None:
    """Each metric as mean ± sd; the values of the seeds where there is one recipe only."""
    from pneumoscope.report.groups.seeds import one_answers

    first = summaries[0]
    runs = first.runs
    if len(summaries) == 1:
        shown = runs[:4]  # what 80 columns hold
        columns = ["mean ± sd", *(f"seed {run.seed}" for run in shown)]
    else:
        shown, columns = (), [summary.name for summary in summaries]
    table = result_table(["", *columns])
    for name in TERMINAL:
        over = [summary.metrics[name] for summary in summaries]
        cells = [mean_sd(each.mean, each.sd) for each in over]
        values = first.metrics[name].values[: len(shown)]
        table.add_row(metric_name(name), *cells, *(number(each.value) for each in values))
    screen.console.print(
        f"  {first.n:,} test films, {first.positives:,} with pneumonia; "
        f"mean ± sd over {len(runs)} seeds"
    )
    for summary in summaries:
        if same := one_answers(summary):
            count = len(summary.runs)
            screen.paragraph(same[0], f"{len(same)} of {count} models give one answer.")
    screen.console.print(table)
    for summary in summaries:
        estimate = summary.metrics["auroc"].values[0].estimate
        if math.isfinite(estimate.low):
            screen.console.print(
                "  ± is the spread between seeds and not the uncertainty of the test:\n"
                f"  the 95 % interval of one run's AUROC is {interval(estimate)}"
            )
            break
    seconds = [run.seconds for summary in summaries for run in summary.runs]
    each = " ".join(f"{one:.0f}" for one in seconds[:12])
    screen.console.print(f"  seconds a run: {each}{' …' if len(seconds) > 12 else ''}")


def _show_learning(curve: LearningCurve, screen: Screen) -> None:
    """A line for each recipe and share of what it was trained on."""
    names = ("auroc", "balanced_accuracy")
    table = result_table(["", f"of {curve.counted}", "films", *map(metric_name, names)])
    for point in curve.points:
        over = [point.metrics[name] for name in names]
        cells = [mean_sd(each.mean, each.sd) for each in over]
        share = f"{100 * point.share:g} %"
        table.add_row(point.recipe, share, f"{point.films:,}", *cells)
    seeds = len(curve.points[0].runs)
    over_all = f"; mean ± sd over {seeds} seeds" if seeds > 1 else ""
    screen.console.print(
        f"  {curve.n:,} {curve.split} films, {curve.positives:,} with pneumonia{over_all}"
    )
    screen.console.print(table)


def _show_runs(runs: Sequence[tuple[str, Evaluation]], screen: Screen) -> None:
    """Each metric of each recipe with its interval."""
    table = result_table(["", *(name for name, _ in runs)])
    for name in TERMINAL:
        cells = [brief(found.metrics[name]) for _, found in runs]
        table.add_row(metric_name(name), *cells)
    first = runs[0][1]
    screen.console.print(
        f"  {first.n:,} test films, {first.positives:,} with pneumonia; 95 % intervals.\n"
        "  Whether the recipes differ, the comparison says, film by film."
    )
    screen.console.print(table)
