"""The command line: ``pneumoscope VERB``. Heavy imports live inside the verbs.

Exit codes: 0 done, 2 the input is at fault (one message, no traceback), 130 interrupted, 1 else.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pneumoscope import __version__
from pneumoscope.cli import interrupts
from pneumoscope.cli.options import (
    AboutData,
    ChangeOption,
    DataArgument,
    DataOrNone,
    OutOption,
    RecipeOption,
    RunArgument,
    SeedOption,
    about_data,
    out_option,
)
from pneumoscope.errors import InputError, Interrupted, PneumoscopeError


class _Verbs(TyperGroup):
    def invoke(self, ctx: Any) -> Any:  # Click's, which Typer may carry within itself
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # in a verb that keeps nothing to go on with
            raise Interrupted("stopped before it was done", remedy="start it again") from None


app = typer.Typer(
    cls=_Verbs,
    name="pneumoscope",
    help="Chest X-rays in, an honestly judged pneumonia classifier out. "
    "Research use only: not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pneumoscope {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version")
    ] = False,
) -> None:
    try:
        Path.cwd()
    except FileNotFoundError:
        raise InputError(
            "the present folder is no longer there", remedy="change to another one: cd"
        ) from None


@app.command()
def demo(out: OutOption = None, seed: SeedOption = 0) -> None:
    """The whole path on synthetic films: about a minute, no network needed."""
    from pneumoscope.cli.verbs import train as verb

    verb.demo(seed=seed, out=out)


@app.command()
@about_data
def train(
    data: DataOrNone = None,
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
        typer.Option(min=0.01, metavar="M", help="Train as many epochs as fit into M minutes"),
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
    about: AboutData,
) -> None:
    """Prepare DATA, train on it, judge on its test split, and write a report."""
    from pneumoscope.cli.verbs import train as verb
    from pneumoscope.records import Hardware

    verb.follow()
    hardware = Hardware(accelerator, devices, nodes)
    if resume is not None:
        given = {
            "DATA": data,
            "--recipe": recipe,
            "--set": change,
            "--seed": seed,
            "--seeds": seeds,
            "--minutes": minutes,
            "--out": out,
            "--overfit-one-batch": overfit_one_batch,
            "--profile": profile,
            "--accelerator, --devices or --nodes": hardware != Hardware(),
            "an option about DATA": about.said(),
        }
        verb.check_alone([name for name, value in given.items() if value])
        verb.resume(resume)
        return
    asked = verb.Asked(
        about.request(verb.named(data)),
        tuple(recipe or ["default"]),
        tuple(change or ()),
        seed,
        out,
        seeds,
        minutes,
        hardware,
    )
    verb.start(asked, overfit_one_batch=overfit_one_batch, profile=profile)


@app.command()
@about_data
def crossval(
    data: DataArgument,
    folds: Annotated[int, typer.Option(min=2, max=100, metavar="N", help="How many folds")] = 5,
    recipe: RecipeOption = "default",
    change: ChangeOption = None,
    seed: SeedOption = 0,
    out: OutOption = None,
    *,
    about: AboutData,
) -> None:
    """Judge every film of DATA once, by folds; an official test split is left out."""
    from pneumoscope.cli.verbs import crossval as verb
    from pneumoscope.cli.verbs.train import Asked

    request = about.request(data)
    verb.crossval(Asked(request, (recipe,), tuple(change or ()), seed, out), folds)


@app.command()
@about_data
def prepare(
    data: DataArgument,
    size: Annotated[
        int, typer.Option(min=0, max=1024, help="Side in pixels; 0: the one that train takes")
    ] = 0,
    recipe: RecipeOption = "default",
    change: ChangeOption = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The prepared set; else the cache folder")
    ] = None,
    *,
    about: AboutData,
) -> None:
    """Read DATA once, store it for training, and say what was found and what is wrong."""
    from pneumoscope.cli.verbs import prepare as verb

    request = about.request(data)
    verb.prepare(request, recipe, change or [], size=size, out=out)


@app.command()
@about_data
def audit(
    data: DataArgument,
    against: Annotated[
        str | None, typer.Option(metavar="DATA", help="A second set: do they share films?")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 where a finding is severe")
    ] = False,
    out: Annotated[Path | None, out_option("audit")] = None,
    *,
    about: AboutData,
) -> None:
    """Look for duplicates, divided patients, bad films and shortcuts, and write a page."""
    from pneumoscope.cli.verbs import audit as verb

    request = about.request(data)
    verb.audit(request, against, strict=strict, out=out)


@app.command()
@about_data
def evaluate(
    run: RunArgument,
    data: Annotated[
        str | None, typer.Option(metavar="DATA", help="Another data set; else the run's own")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="SPLIT", help="test, val or train; else test, or all of DATA"),
    ] = None,
    prevalence: Annotated[
        float | None, typer.Option(metavar="P", help="Share of pneumonia to give PPV and NPV at")
    ] = None,
    cost: Annotated[
        str | None, typer.Option(metavar="FN:FP", help="What a miss and an alarm cost, e.g. 5:1")
    ] = None,
    sensitivity: Annotated[
        float | None, typer.Option(metavar="S", help="To hold on validation films; else 0.95")
    ] = None,
    specificity: Annotated[
        float | None, typer.Option(metavar="S", help="To hold on validation films; else 0.95")
    ] = None,
    miss_rate: Annotated[
        float | None, typer.Option(metavar="R", help="Errors a class allowed before abstaining")
    ] = None,
    out: Annotated[Path | None, out_option("evaluate")] = None,
    *,
    about: AboutData,
) -> None:
    """Judge a finished RUN: intervals, calibration, subgroups, net benefit, abstention.

    What --cost, --sensitivity, --specificity or --miss-rate asks for is not carried to predict.
    """
    from pneumoscope.cli.verbs import evaluate as verb

    if data is None and about.said():
        raise InputError(
            "options about DATA were given, but no DATA",
            got="the run's own films, whose form is known",
            remedy="name other films with --data DATA, or leave these options out",
        )
    request = about.request(data) if data else None
    points = cost, sensitivity, specificity
    verb.evaluate(verb.Asked(run, request, split, prevalence, *points, miss_rate, out))


@app.command()
def predict(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="A run folder, or one of folds or seeds, or one with model.json"
        ),
    ],
    films: Annotated[
        list[str], typer.Argument(metavar="IMAGE|DIR…", help="Films, and folders of films")
    ],
    csv: Annotated[
        str | None, typer.Option(metavar="FILE", help="A row for each film; - is the output")
    ] = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE", help="The same as JSON; - is the output")
    ] = None,
    point: Annotated[
        str | None, typer.Option(metavar="NAME", help="An operating point of RUN; else its first")
    ] = None,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:N")] = "auto",
    heatmaps: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A new folder: where the model looks")
    ] = None,
) -> None:
    """Read new films with a trained model."""
    from pneumoscope.cli.verbs import predict as verb
    from pneumoscope.workflows.predict import PredictRequest

    request = PredictRequest(run, tuple(films), csv, json, point, device, heatmaps)
    verb.run_predict(request)


@app.command()
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Finished run folders; the first is the reference"),
    ],
    out: Annotated[Path | None, out_option("compare")] = None,
) -> None:
    """Compare finished runs film by film: differences with intervals, tests, a page."""
    from pneumoscope.cli.verbs import compare as verb

    verb.compare(runs, out)


@app.command()
def explain(
    run: RunArgument,
    films: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGE|DIR]…", help="Films, and folders of films; else test films of RUN"
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="gradcam, gradcam++, hirescam, eigencam, occlusion; repeat it"
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option(metavar="N", help="How many films to show; at most 64")
    ] = None,
    out: Annotated[Path | None, out_option("explain")] = None,
) -> None:
    """Draw heatmaps of a trained model, and say how far they can be trusted."""
    from pneumoscope.cli.verbs import explain as verb

    verb.explain(verb.Asked(run, tuple(films or ()), tuple(method or ()), count, out))


@app.command()
def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this one in full")] = None,
    keys: Annotated[bool, typer.Option("--keys", help="Explain every key")] = False,
) -> None:
    """List the recipes, print one, or explain every key."""
    from pneumoscope.cli.verbs import lists

    lists.recipes(name, keys)


@app.command()
def models() -> None:
    """List the backbones."""
    from pneumoscope.cli.verbs import lists

    lists.models()


@app.command()
def doctor() -> None:
    """Print the environment: versions, processor, precision, folders."""
    from pneumoscope.cli.verbs import doctor as verb

    verb.doctor()


def run() -> None:
    """The console script."""
    # A process that was started without them (a service, >&-) has none to write to.
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # A terminal that is not UTF-8 shows "?" for what it cannot; no output may end a run.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(_run())


def _run() -> int:
    try:
        with interrupts.heard():
            app(standalone_mode=True)
    except KeyboardInterrupt:
        return _show(Interrupted("stopped before any work had begun", remedy="start it again"))
    except PneumoscopeError as error:
        return _show(error)
    except OSError as error:
        from pneumoscope.storage import CLOSED_OR_FULL, refusal

        shown = refusal(error, Path(error.filename or "."))
        # Any other refusal that nobody foresaw is our fault and deserves its traceback.
        if error.errno not in CLOSED_OR_FULL or not isinstance(shown, PneumoscopeError):
            raise
        return _show(shown)
    return 0


def _show(error: PneumoscopeError) -> int:
    typer.echo(error.message(), err=True)
    codes = {InputError: 2, Interrupted: 130}
    return next((code for kind, code in codes.items() if isinstance(error, kind)), 1)
