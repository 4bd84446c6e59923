"""``pneumoscope predict``: a trained model on new films, as a table, CSV or JSON."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pneumoscope.cli import interrupts
from pneumoscope.cli.screen import Screen
from pneumoscope.errors import printable
from pneumoscope.formatting import plural, shortened
from pneumoscope.readings import Reading

if TYPE_CHECKING:
    from pneumoscope.metrics.shift.distance import SetDifference
    from pneumoscope.workflows.predict import Summary

_NAME = 32
"""Characters of a film's name in 80 columns; each further two columns show one more."""
_STYLES = {"pneumonia": "bold", "withheld": "yellow"}


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
    decide_all: Annotated[
        bool, typer.Option("--decide-all", help="Decide on what is withheld as no chest film too")
    ] = False,
    heatmaps: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A new folder: where the model looks")
    ] = None,
) -> None:
    """Read new films with a trained model."""
    from pneumoscope.inference.output import STDOUT
    from pneumoscope.workflows import predict as work

    request = work.PredictRequest(run, tuple(films), csv, json, point, device, decide_all, heatmaps)
    to_stdout = STDOUT in (csv, json)
    console = Console(stderr=True, highlight=False, soft_wrap=True) if to_stdout else None
    with Screen(console) as screen, _stopping():
        summary = work.predict(request, listener=screen)
    _show(summary, screen)
    for name in (csv, json):
        if name and name != STDOUT:
            screen.line(f"Every film is in {name}")
    if heatmaps and summary.read:
        screen.line(f"Heatmaps, called by row and name, are in {heatmaps}")
        screen.note("heat is what moved the answer; whether to trust it: pneumoscope explain RUN")
    work.check_read(summary)
    if summary.total > len(summary.shown) and not (csv or json):
        screen.line("Every film on its own: --csv FILE or --json FILE")
    if summary.withheld:
        screen.line(_withheld(summary))
    if summary.as_a_set:
        _show_set(summary.as_a_set, screen)
    screen.line("Research use only: not a medical device.")


@contextmanager
def _stopping() -> Iterator[None]:
    """What asks the process to end (kill, a batch system) is heard as Ctrl-C is, so that no draft
    of a file is left."""
    before = signal.signal(signal.SIGTERM, interrupts.interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _show(summary: Summary, screen: Screen) -> None:
    from pneumoscope.inference.image_warnings import WARNINGS
    from pneumoscope.workflows.predict import SCREENFUL

    screen.stage(_title(summary))
    for reason, count in summary.errors.most_common(8):
        screen.choice("not read", f"{count:,}", reason)
    for code in WARNINGS:
        if count := summary.findings[code]:
            screen.choice(code, f"{count:,}", WARNINGS[code][1])
    if not summary.shown:
        return
    if summary.total > SCREENFUL:
        part = f"the first {SCREENFUL} of " if summary.odd > SCREENFUL else ""
        screen.note(f"{part}{summary.odd:,} to look at:")
    table = Table(box=None, padding=(0, 1, 0, 1), header_style="dim", expand=False)
    for column, side in (("film", "left"), ("prob.", "right"), ("decision", "left")):
        table.add_column(column, justify=side, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("remarks", ratio=1)
    # The remarks matter most, so names give way on a narrow screen.
    width = max(12, _NAME + (screen.console.width - 80) // (2 if screen.console.width > 80 else 1))
    for reading in summary.shown:
        table.add_row(*_row(reading, width))
    # A table is laid out for 80 columns where the width is not known, and never wider than asked.
    screen.console.print(table, soft_wrap=False)


def _withheld(summary: Summary) -> str:
    from pneumoscope.inference.image_warnings import WARNINGS

    total = sum(summary.withheld.values())
    reasons = ", ".join(
        f"{count:,} {WARNINGS[code][0] if code in WARNINGS else 'both labels plausible'}"
        for code, count in summary.withheld.most_common()
    )
    return f"Of {plural(summary.total, 'film')}, {total:,} withheld: {reasons}"


def _show_set(found: SetDifference, screen: Screen) -> None:
    """Whether the films together are like the training films."""
    from pneumoscope.inference.sets import UNLIKE_MEANS, words

    said = words(found)
    screen.paragraph(f"{said} {UNLIKE_MEANS}" if found.unlike else said, "As a set.")


def _title(summary: Summary) -> str:
    kinds = ", ".join(f"{n:,} {kind}" for kind, n in sorted(summary.decisions.items()))
    point = summary.point
    at = f" at {point.name}, threshold {point.threshold:.3f}" if point else ""
    return f"{plural(summary.read, 'film')} read: {kinds}{at}"


def _row(reading: Reading, width: int) -> tuple[Text, ...]:
    from pneumoscope.inference.image_warnings import WARNINGS

    name = Text(shortened(reading.name, width))
    if reading.error is not None:
        return name, Text("–"), Text("not read", "red"), Text(printable(reading.error))
    decision = reading.outcome
    remarks = ", ".join(WARNINGS[code][0] for code in reading.findings)
    chance = Text(f"{reading.probability:.3f}")
    return name, chance, Text(decision, _STYLES.get(decision, "")), Text(remarks, "yellow")
