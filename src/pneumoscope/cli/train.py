"""``pneumoscope train`` and ``demo``: run the pipeline and say what came of it."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from pneumoscope.cli.screen import Screen, short
from pneumoscope.recipe import Recipe, load_recipe
from pneumoscope.records import DataRequest, Hardware
from pneumoscope.run import Run, check_new

_SHOWN = ("auroc", "balanced_accuracy", "sensitivity", "specificity", "accuracy")


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


def start(asked: Asked, *, overfit_one_batch: bool = False, profile: bool = False) -> None:
    """Do what is asked: one run, several, or a check that leaves none."""
    _check_together(asked, overfit_one_batch, profile)
    recipes = asked.load()
    check_new(asked.out)
    if overfit_one_batch or profile:
        from pneumoscope.cli import checks

        check = checks.overfit if overfit_one_batch else checks.profile
        check(asked, recipes[0])
    elif asked.seeds or len(recipes) > 1:
        from pneumoscope.cli import many

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


def resume(folder: Path) -> None:
    """Complete a stopped run, or several that belong together, and show the result."""
    if (folder / "plan.json").is_file():
        from pneumoscope.cli import many

        many.resume(folder)
        return
    if (folder / "crossval.json").is_file():
        from pneumoscope.cli import crossval

        crossval.resume(folder)
        return
    with Screen() as screen:
        screen.stage(f"Resume {folder}")
        from pneumoscope.workflows import pipeline

        run = pipeline.resume(folder, listener=screen)
    _show(run, screen)


def follow() -> None:
    """Where torchrun started several of us, all but the first only help to train, and end here."""
    from pneumoscope.training.torchrun import launched, place

    if launched() and place()[0] > 0:
        from pneumoscope.training.follow import follow as help_to_train

        raise typer.Exit(help_to_train())


def _check_together(asked: Asked, overfit_one_batch: bool, profile: bool) -> None:
    """Refuse what cannot go together, before anything is read."""
    one = not (overfit_one_batch or profile or asked.seeds or len(asked.recipes) > 1)
    if asked.hardware != Hardware() and not one:
        raise typer.BadParameter(
            "hardware is chosen for one run: leave out --seeds, further recipes and checks",
            param_hint="--accelerator, --devices, --nodes",
        )
    if overfit_one_batch and profile:
        raise typer.BadParameter("give one of --overfit-one-batch and --profile", param_hint="")
    if overfit_one_batch or profile:
        name = "--overfit-one-batch" if overfit_one_batch else "--profile"
        if asked.seeds or asked.minutes or len(asked.recipes) > 1:
            raise typer.BadParameter(
                "it looks at one recipe for a moment and trains no run: leave out --seeds, "
                "--minutes and further recipes",
                param_hint=name,
            )
    if overfit_one_batch and asked.out:
        raise typer.BadParameter("it writes nothing: leave out --out", param_hint="--out")


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
