"""The command line: ``pneumoscope VERB``. Heavy imports live inside the verbs.

Exit codes: 0 done, 2 the input is at fault (one message, no traceback), 130 interrupted, 1 else.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pneumoscope import __version__
from pneumoscope.errors import InputError, Interrupted, PneumoscopeError

app = typer.Typer(
    name="pneumoscope",
    help="Chest X-rays in, an honestly judged pneumonia classifier out. "
    "Research use only: not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DataArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A path, hf:owner/name, or pneumoniamnist[@64|128|224], kermany, phantom",
    ),
]
FormOption = Annotated[
    str | None,
    typer.Option(
        metavar="FORM",
        help="What DATA is, where looking does not tell: folder, rsna, dicom, huggingface, "
        "table, medmnist, unlabelled",
    ),
]
ClassesOption = Annotated[
    list[str] | None,
    typer.Option(metavar="WORD=CLASS", help="What a class word means: normal, pneumonia or ignore"),
]
LabelsOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A table of labels for the films of DATA")
]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=NAME", help="The table's column for image, label, patient or split"),
]
KeepIdsOption = Annotated[
    bool, typer.Option("--keep-ids", help="Keep patient and DICOM ids; else salted hashes")
]
RecipeOption = Annotated[
    str, typer.Option("--recipe", "-r", metavar="NAME|FILE", help="See: pneumoscope recipes")
]
ChangeOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one key, e.g. train.epochs=4"),
]
SeedOption = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, help="All randomness follows from it")
]
OutOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The run folder itself; else runs/NNN-…")
]


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
    from pneumoscope.cli import train as verb

    verb.demo(seed=seed, out=out)


@app.command()
def train(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATA]",
            help="A path, hf:owner/name, or pneumoniamnist[@64|128|224], kermany, phantom",
        ),
    ] = None,
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
    form: FormOption = None,
    classes: ClassesOption = None,
    labels: LabelsOption = None,
    column: ColumnOption = None,
    keep_ids: KeepIdsOption = False,
) -> None:
    """Prepare DATA, train on it, judge on its test split, and write a report."""
    from pneumoscope.cli import train as verb
    from pneumoscope.cli.request import request_of
    from pneumoscope.records import Hardware

    verb.follow()
    hardware = Hardware(accelerator, devices, nodes)
    if resume is not None:
        verb.check_alone(data, recipe, change, seed, out, form, classes, labels, column, keep_ids)
        verb.check_alone(seeds, minutes, overfit_one_batch, profile, hardware != Hardware())
        verb.resume(resume)
        return
    if data is None:
        raise typer.BadParameter("name the data, or a run with --resume", param_hint="DATA")
    request = request_of(data, form, classes, labels, column, keep_ids)
    asked = verb.Asked(
        request,
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
def crossval(
    data: DataArgument,
    folds: Annotated[int, typer.Option(min=2, max=100, metavar="N", help="How many folds")] = 5,
    recipe: RecipeOption = "default",
    change: ChangeOption = None,
    seed: SeedOption = 0,
    out: OutOption = None,
    form: FormOption = None,
    classes: ClassesOption = None,
    labels: LabelsOption = None,
    column: ColumnOption = None,
    keep_ids: KeepIdsOption = False,
) -> None:
    """Judge every film of DATA once, by folds; an official test split is left out."""
    from pneumoscope.cli import crossval as verb
    from pneumoscope.cli.request import request_of
    from pneumoscope.cli.train import Asked

    request = request_of(data, form, classes, labels, column, keep_ids)
    verb.crossval(Asked(request, (recipe,), tuple(change or ()), seed, out), folds)


@app.command()
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
    form: FormOption = None,
    classes: ClassesOption = None,
    labels: LabelsOption = None,
    column: ColumnOption = None,
    keep_ids: KeepIdsOption = False,
) -> None:
    """Read DATA once, store it for training, and say what was found and what is wrong."""
    from pneumoscope.cli import prepare as verb
    from pneumoscope.cli.request import request_of

    request = request_of(data, form, classes, labels, column, keep_ids)
    verb.prepare(request, recipe, change or [], size=size, out=out)


@app.command()
def audit(
    data: DataArgument,
    against: Annotated[
        str | None, typer.Option(metavar="DATA", help="A second set: do they share films?")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 where a finding is severe")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder itself; else runs/NNN-audit-…")
    ] = None,
    form: FormOption = None,
    classes: ClassesOption = None,
    labels: LabelsOption = None,
    column: ColumnOption = None,
    keep_ids: KeepIdsOption = False,
) -> None:
    """Look for duplicates, divided patients, bad films and shortcuts, and write a page."""
    from pneumoscope.cli import audit as verb
    from pneumoscope.cli.request import request_of

    request = request_of(data, form, classes, labels, column, keep_ids)
    verb.audit(request, against, strict=strict, out=out)


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run folder")],
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
    miss_rate: Annotated[
        float | None, typer.Option(metavar="R", help="Errors a class allowed before abstaining")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder itself; else runs/NNN-evaluate-…")
    ] = None,
    form: FormOption = None,
    classes: ClassesOption = None,
    labels: LabelsOption = None,
    column: ColumnOption = None,
    keep_ids: KeepIdsOption = False,
) -> None:
    """Judge a finished RUN: intervals, calibration, subgroups, net benefit, abstention."""
    from pneumoscope.cli import evaluate as verb
    from pneumoscope.cli.request import request_of

    if data is None and any((form, classes, labels, column, keep_ids)):
        raise typer.BadParameter("these options are about DATA: name it", param_hint="--data")
    request = request_of(data, form, classes, labels, column, keep_ids) if data else None
    verb.evaluate(verb.Asked(run, request, split, prevalence, cost, miss_rate, out))


@app.command()
def predict(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="A run folder, or a folder with model.json, or of such"),
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
        str | None, typer.Option(metavar="NAME", help="The operating point; else the first")
    ] = None,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:N")] = "auto",
) -> None:
    """Read new films with a trained model."""
    from pneumoscope.cli import predict as verb

    verb.run_predict(verb.request_of(run, films, csv, json, point, device))


@app.command()
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Finished run folders; the first is the reference"),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder itself; else runs/NNN-compare-…")
    ] = None,
) -> None:
    """Compare finished runs film by film: differences with intervals, tests, a page."""
    from pneumoscope.cli import compare as verb

    verb.compare(runs, out)


@app.command()
def explain(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run folder")],
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
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder itself; else runs/NNN-explain-…")
    ] = None,
) -> None:
    """Draw heatmaps of a trained model, and say how far they can be trusted."""
    from pneumoscope.cli import explain as verb

    verb.explain(verb.Asked(run, tuple(films or ()), tuple(method or ()), count, out))


@app.command()
def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this one in full")] = None,
    keys: Annotated[bool, typer.Option("--keys", help="Explain every key")] = False,
) -> None:
    """List the recipes, print one, or explain every key."""
    from pneumoscope.cli import lists

    lists.recipes(name, keys)


@app.command()
def models() -> None:
    """List the backbones."""
    from pneumoscope.cli import lists

    lists.models()


@app.command()
def doctor() -> None:
    """Print the environment: versions, processor, precision, folders."""
    from pneumoscope.cli import doctor as verb

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
        app(standalone_mode=True)
    except PneumoscopeError as error:
        return _show(error)
    except OSError as error:
        from pneumoscope.run import CLOSED_OR_FULL, refusal

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
