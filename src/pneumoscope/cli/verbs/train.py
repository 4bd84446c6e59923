"""``pneumoscope train`` and ``demo``: run the pipeline and say what came of it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from pneumoscope.cli.screen import Screen, short
from pneumoscope.devices import launched
from pneumoscope.errors import InputError
from pneumoscope.formatting import ABSENT, interval, metric_name, number
from pneumoscope.recipe import Recipe, load_recipe
from pneumoscope.records import DataRequest, Estimate, Hardware
from pneumoscope.run import Run, check_new
from pneumoscope.training.torchrun import leading, place


def demo(*, seed: int, out: Path | None) -> None:
    """Train on phantoms by the recipe made for them."""
    start(Asked(DataRequest("phantom"), ("demo",), seed=seed, out=out))


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of the verb, as typed."""

    request: DataRequest
    recipes: tuple[str, ...] = ("default",)
    changes: tuple[str, ...] = ()
    seed: int = 0
    out: Path | None = None
    seeds: int | None = None
    minutes: float | None = None
    hardware: Hardware = Hardware()

    @property
    def command(self) -> str:
        """The command line, to be repeated."""
        return shlex.join(["pneumoscope", *sys.argv[1:]])

    def load(self) -> tuple[Recipe, ...]:
        """The recipes with all changes laid over each. Raises BadRecipe."""
        more = () if self.minutes is None else (f"train.minutes={self.minutes:g}",)
        return tuple(load_recipe(recipe, (*self.changes, *more)) for recipe in self.recipes)


@leading()
def start(asked: Asked, *, overfit_one_batch: bool = False, profile: bool = False) -> None:
    """Do what is asked: one run, several, or a check that leaves none."""
    _check_together(asked, overfit_one_batch, profile)
    recipes = asked.load()
    check_new(asked.out)
    if overfit_one_batch or profile:
        from pneumoscope.cli.verbs import checks

        check = checks.overfit if overfit_one_batch else checks.profile
        check(asked, recipes[0])
    elif asked.seeds or len(recipes) > 1:
        from pneumoscope.cli.verbs import many

        many.train(asked, recipes)
    else:
        _train(asked, recipes[0])


def _train(asked: Asked, recipe: Recipe) -> None:
    """Start a new run and show its result."""
    with Screen() as screen:
        screen.stage("Start")  # the imports below take seconds
        from pneumoscope.workflows import pipeline

        run = pipeline.train(
            asked.request,
            recipe,
            seed=asked.seed,
            out=asked.out,
            command=asked.command,
            listener=screen,
            hardware=asked.hardware,
        )
    _show(run, screen)


@leading()
def resume(folder: Path) -> None:
    """Complete a stopped run, or several that belong together, and show the result."""
    if (folder / "plan.json").is_file():
        from pneumoscope.cli.verbs import many

        many.resume(folder)
        return
    if (folder / "crossval.json").is_file():
        from pneumoscope.cli.verbs import crossval

        crossval.resume(folder)
        return
    with Screen() as screen:
        screen.stage(f"Resume {folder}")
        from pneumoscope.workflows import pipeline

        run = pipeline.resume(folder, listener=screen)
    _show(run, screen)


def follow() -> None:
    """Where torchrun started several of us, all but the first only help to train, and end here."""
    if launched() and place()[0] > 0:
        from pneumoscope.training.follow import follow as help_to_train

        raise typer.Exit(help_to_train())


def _check_together(asked: Asked, overfit_one_batch: bool, profile: bool) -> None:
    """Refuse what cannot go together, before anything is read."""
    checks = ["--overfit-one-batch"] * overfit_one_batch + ["--profile"] * profile
    several = [f"--seeds {asked.seeds}"] if asked.seeds else []
    several += [f"{len(asked.recipes)} recipes"] * (len(asked.recipes) > 1)
    if asked.hardware != Hardware() and (several or checks):
        raise InputError(
            "hardware is chosen for one run at a time",
            got=f"{_typed(asked.hardware)} beside {' and '.join(several + checks)}",
            expected="one recipe, one seed and no check",
            remedy="train each by a command of its own with --seed N, then: pneumoscope compare",
        )
    if len(checks) > 1:
        raise InputError(
            "there are two checks, each a command of its own",
            got=" and ".join(checks),
            remedy="leave one of them out",
        )
    more = several + [f"--minutes {asked.minutes or 0:g}"] * (asked.minutes is not None)
    if checks and more:
        raise InputError(
            f"{checks[0]} looks at one recipe for a moment and trains no run",
            got=" and ".join(more),
            expected="one recipe, and no number of runs or minutes",
            remedy=f"leave out {' and '.join(more)}, or {checks[0]}",
        )
    if overfit_one_batch and asked.out:
        raise InputError(
            "--overfit-one-batch writes nothing", got=f"--out {asked.out}", remedy="leave out --out"
        )


def _typed(hardware: Hardware) -> str:
    """What of it was asked for, as typed."""
    return " ".join(
        f"--{one.name} {getattr(hardware, one.name)}"
        for one in fields(hardware)
        if getattr(hardware, one.name) != one.default
    )


def named(data: str | None) -> str:
    """DATA, which only a resumed run does without. Raises InputError."""
    if data is None:
        raise InputError(
            "there is nothing to train on",
            expected="DATA: a path, hf:owner/name, pneumoniamnist, kermany or phantom",
            remedy="name the data, or a run with --resume",
        )
    return data


def check_alone(others: Sequence[str]) -> None:
    """``--resume`` takes everything from the run folder, so nothing else may be asked."""
    if others:
        raise InputError(
            "a resumed run keeps its data, recipe, seed, hardware and folder",
            got=f"--resume RUN with {', '.join(others)}",
            remedy="give --resume RUN alone, or start a new run",
        )


def _show(run: Run, screen: Screen) -> None:
    from pneumoscope.report.kit.catalogue import TERMINAL
    from pneumoscope.workflows.pipeline import read_metrics

    metrics = read_metrics(run)
    point = metrics["operating_point"]
    screen.stage("Result")
    screen.console.print(
        f"  {metrics['n']} test films, {metrics['positives']} with pneumonia; threshold "
        f"{point['threshold']:.3f} ({_origin(point)})"
    )
    table = Table(box=None, padding=(0, 2, 0, 2), show_header=True, header_style="dim")
    for column in ("", "value", "95 % interval"):
        table.add_column(column, justify="left" if not column else "right")
    for name in TERMINAL:
        table.add_row(*_row(name, metrics["metrics"][name]))
    screen.console.print(table)
    screen.line(f"Everything is in {short(run.folder)}")
    screen.line(f"Next: open {short(run.report_file)} in a browser")


def _origin(point: dict[str, Any]) -> str:
    if point["name"] == "fixed":
        return "fixed beforehand"
    return f"{point['rule']}, chosen on {point['chosen_on']}"


def _row(name: str, estimate: dict[str, Any]) -> tuple[str, str, str]:

    found = Estimate.from_json(estimate)
    if estimate["value"] is None:
        return metric_name(name), ABSENT, found.method
    return metric_name(name), number(found.value), interval(found)
