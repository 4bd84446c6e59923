"""The command line: ``pneumoscope VERB``. Heavy imports live inside the verbs.

Exit codes: 0 done, 2 the input is at fault (one message, no traceback), 130 interrupted, 1 else.
"""

from __future__ import annotations

import io
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
    pass


@app.command()
def demo(out: OutOption = None, seed: SeedOption = 0) -> None:
    """The whole path on synthetic films: about a minute, no network needed."""
    from pneumoscope.cli import train as verb

    verb.train("phantom", "demo", [], seed=seed, out=out)


@app.command()
def train(
    data: Annotated[
        str | None,
        typer.Argument(metavar="[DATA]", help="A path, or pneumoniamnist[@64|128|224], phantom"),
    ] = None,
    recipe: RecipeOption = "default",
    change: ChangeOption = None,
    seed: SeedOption = 0,
    out: OutOption = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Complete a run that was stopped")
    ] = None,
) -> None:
    """Prepare DATA, train on it, judge on its test split, and write a report."""
    from pneumoscope.cli import train as verb

    if resume is not None:
        verb.check_alone(data, recipe, change, out)
        verb.resume(resume)
    elif data is None:
        raise typer.BadParameter("name the data, or a run with --resume", param_hint="DATA")
    else:
        verb.train(data, recipe, change or [], seed=seed, out=out)


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
