"""The command line: ``pneumoscope VERB``; each verb is a function in ``cli.verbs``.

Its parameters are its options. Heavy imports live inside it, so that ``--help`` is quick.

Exit codes: 0 done, 2 the input is at fault (one message, no traceback), 130 interrupted, 1 else.
"""

from __future__ import annotations

import atexit
import gc
import io
import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from textwrap import wrap
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pneumoscope import __version__
from pneumoscope.cli import interrupts
from pneumoscope.cli.parts import beyond_runtime, has_whole
from pneumoscope.cli.verbs.adapt import adapt
from pneumoscope.cli.verbs.audit import audit
from pneumoscope.cli.verbs.compare import compare
from pneumoscope.cli.verbs.crossval import crossval
from pneumoscope.cli.verbs.doctor import doctor
from pneumoscope.cli.verbs.evaluate import evaluate
from pneumoscope.cli.verbs.explain import explain
from pneumoscope.cli.verbs.export import export
from pneumoscope.cli.verbs.lists import models, recipes
from pneumoscope.cli.verbs.predict import predict
from pneumoscope.cli.verbs.prepare import prepare
from pneumoscope.cli.verbs.serve import serve
from pneumoscope.cli.verbs.train import demo, train
from pneumoscope.errors import InputError, Interrupted, PneumoscopeError, printable

_NARROWEST, _INDENT = 40, 2
_BEGINNING = re.compile(r" +(?:[0-9]+\. |(?:got|expected|remedy|note): +)?")

_KINDS = {"int": "a whole number", "float": "a number"}
_BOUNDS = {"ge": "{} or more", "gt": "more than {}", "le": "{} or less", "lt": "less than {}"}


def _in_our_words(error: typer.BadParameter, verb: str) -> Exception:
    """What the value of an option was and should be; other refusals are typer's own sentence."""
    found: Any = error.__cause__  # pydantic's, by which typer reads numbers
    if error.param is None or not hasattr(found, "errors"):
        return error
    fault = found.errors()[0]
    bounds = [
        _BOUNDS[key].format(fault["ctx"][key]) for key in fault.get("ctx", {}) if key in _BOUNDS
    ]
    kind = _KINDS.get(fault["type"].partition("_")[0], "another value")
    return InputError(
        f"{error.param.opts[0]} does not take this value",
        got=repr(fault["input"]),
        expected=" and ".join(bounds) or kind,
        remedy=f"see: pneumoscope {verb} --help",
    )


class _Verbs(TyperGroup):
    def invoke(self, ctx: Any) -> Any:  # Click's, which Typer may carry within itself
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # in a verb that keeps nothing to go on with
            raise Interrupted("stopped before it was done", remedy="start it again") from None
        except typer.BadParameter as error:
            raise _in_our_words(error, ctx.invoked_subcommand) from None


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


# In the order in which --help lists them.
for _verb in (
    demo,
    train,
    crossval,
    prepare,
    audit,
    evaluate,
    adapt,
    predict,
    compare,
    explain,
    export,
    serve,
    recipes,
    models,
    doctor,
):
    app.command()(_verb)


def run() -> None:
    """The console script."""
    # A process that was started without them (a service, >&-) has none to write to.
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    _collect_seldom()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that is not UTF-8 shows "?" for what it cannot; no output may end a run.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(_run())


def _collect_seldom() -> None:
    """Look for unreachable cycles seldom, and not at the end.

    Imports and tables make hundreds of thousands of objects that stay. By Python's own bounds each
    of them was looked at some ninety times, and once more on leaving: 1.5 of the 12 seconds of an
    evaluation. What is in no cycle is freed at once, as ever.
    """
    gc.set_threshold(50_000, 10, 10)
    atexit.register(_keep_cycles)


def _keep_cycles() -> None:
    # Triton, which comes with training, reports on stderr what is not collected as leaks.
    if "triton" not in sys.modules:
        gc.freeze()


def _run() -> int:
    try:
        with interrupts.heard():
            app(standalone_mode=True)
    except KeyboardInterrupt:
        return _show(Interrupted("stopped before any work had begun", remedy="start it again"))
    except PneumoscopeError as error:
        return _show(error)
    except ModuleNotFoundError:
        if has_whole():
            raise
        return _show(beyond_runtime(shlex.join(["pneumoscope", *sys.argv[1:]])))
    except OSError as error:
        from pneumoscope.storage import CLOSED_OR_FULL, refusal

        shown = refusal(error, Path(error.filename or "."))
        # Any other refusal that nobody foresaw is our fault and deserves its traceback.
        if error.errno not in CLOSED_OR_FULL or not isinstance(shown, PneumoscopeError):
            raise
        return _show(shown)
    return 0


def _show(error: PneumoscopeError) -> int:
    typer.echo(_wrapped(error.message()), err=True)
    if error.answer:
        # The whole line, to be copied: what was typed, and what was missing.
        command = shlex.join(["pneumoscope", *sys.argv[1:], *error.answer])
        typer.echo(f"  {'command:':<9} {printable(command)}", err=True)
    return exit_code(error)


def _wrapped(message: str) -> str:
    """Lines no longer than the terminal is wide, what goes on below where it began; as they are
    where no terminal, nor COLUMNS, gives a width."""
    width = shutil.get_terminal_size((0, 0)).columns
    if width < _NARROWEST:
        return message
    lines = []
    for line in message.splitlines():
        began = _BEGINNING.match(line)
        below = " " * (began.end() if began else _INDENT)
        # Words, paths and options stay whole: they are to be copied.
        lines += wrap(line, width, subsequent_indent=below, break_long_words=False,
                      break_on_hyphens=False)  # fmt: skip
    return "\n".join(lines)


def exit_code(error: PneumoscopeError) -> int:
    """2 where the input is at fault, 130 where the user stopped, 1 else."""
    codes = {InputError: 2, Interrupted: 130}
    return next((code for kind, code in codes.items() if isinstance(error, kind)), 1)
