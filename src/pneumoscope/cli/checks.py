"""``pneumoscope train`` with ``--overfit-one-batch`` or ``--profile``: checks that leave no run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pneumoscope.cli.options import command_line
from pneumoscope.cli.results import result_table
from pneumoscope.cli.screen import Screen, short
from pneumoscope.records import DataRequest

if TYPE_CHECKING:
    from pneumoscope.recipe import Recipe


def check_overfit(request: DataRequest, recipe: Recipe, seed: int) -> None:
    """Show the loss of one batch as it falls, and the verdict. Exit code 1: it was not learnt."""
    with Screen() as screen:
        screen.stage("Start")
        from pneumoscope.workflows.checks import overfit_one_batch

        found = overfit_one_batch(request, recipe, seed=seed, listener=screen)
        for step, loss in _picked(found.learnt.losses):
            screen.console.print(f"  step {step:3d}  loss {loss:.3f}")
        screen.stage("Verdict")
        screen.console.print(f"  {found.sentence}", markup=False, soft_wrap=False)
        for hint in found.hints:
            screen.note(hint)
        screen.line("Nothing was written.")
        if found.learnt.done:
            screen.line(f"Next: {_plain_command()}")
    raise typer.Exit(0 if found.learnt.done else 1)


def check_profile(request: DataRequest, recipe: Recipe, seed: int, out: Path | None) -> None:
    """Show where the time of a training step goes."""
    with Screen() as screen:
        screen.stage("Start")
        from pneumoscope.workflows import checks

        found = checks.profile(
            request, recipe, seed=seed, out=out, command=command_line(), listener=screen
        )
        table = result_table(["", "ms a step", "share"])
        for part in found.parts:
            table.add_row(part.name, f"{part.ms:.1f}", f"{part.share:.1%}")
        table.add_row("whole step", f"{1000 * found.step:.1f}", "100.0%", end_section=True)
        screen.console.print(table)
        screen.console.print(
            f"  {found.speed:,.0f} films/s in batches of {found.batch}: "
            f"{found.bare / found.step:.0%} of what the bare network reaches,\n  "
            f"{found.bare_speed:,.0f} films/s for forward, backward and optimiser on films that "
            "lie ready"
        )
        if out:
            screen.line(f"The trace is in {short(out.absolute() / 'trace.json')}")
            screen.line("Next: open it at https://ui.perfetto.dev or in chrome://tracing")
        else:
            screen.line("Nothing was written; --out DIR keeps a trace.")
            screen.line(f"Next: {_plain_command()}")


def _picked(losses: tuple[float, ...]) -> list[tuple[int, float]]:
    """About eight steps, the first and the last among them, with their losses."""
    every = max(1, len(losses) // 8)
    steps = sorted({*range(0, len(losses), every), len(losses) - 1})
    return [(step + 1, losses[step]) for step in steps]


def _plain_command() -> str:
    """The same command without the check: the training itself."""
    return command_line().replace(" --overfit-one-batch", "").replace(" --profile", "")
