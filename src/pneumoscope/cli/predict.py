"""``pneumoscope predict``: a trained model on new films, as a table, CSV or JSON."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pneumoscope.cli.screen import Screen
from pneumoscope.errors import printable
from pneumoscope.inference.oddities import ODDITIES
from pneumoscope.records import Reading
from pneumoscope.workflows.predict import (
    SHOWN,
    STDOUT,
    PredictRequest,
    Summary,
    check_read,
    predict,
)

_NAME = 32
_STYLES = {"pneumonia": "bold", "withheld": "yellow"}


def run_predict(request: PredictRequest) -> None:
    """Read the films and show what the model says of them."""
    to_stdout = STDOUT in (request.csv, request.json)
    console = Console(stderr=True, highlight=False, soft_wrap=True) if to_stdout else None
    with Screen(console) as screen:
        summary = predict(request, listener=screen)
    _show(summary, screen)
    for name in (request.csv, request.json):
        if name and name != STDOUT:
            screen.line(f"Every film is in {name}")
    check_read(summary)
    if summary.total > len(summary.shown) and not (request.csv or request.json):
        screen.line("Every film on its own: --csv FILE or --json FILE")
    screen.line("Research use only: not a medical device.")


def _show(summary: Summary, screen: Screen) -> None:
    screen.stage(_title(summary))
    for reason, count in summary.errors.most_common(8):
        screen.choice("not read", f"{count:,}", reason)
    for code in ODDITIES:
        if count := summary.findings[code]:
            screen.choice(code, f"{count:,}", ODDITIES[code][1])
    if not summary.shown:
        return
    if summary.total > SHOWN:
        part = f"the first {SHOWN} of " if summary.odd > SHOWN else ""
        screen.note(f"{part}{summary.odd:,} to look at:")
    table = Table(box=None, padding=(0, 1, 0, 1), header_style="dim", expand=False)
    for column, side in (("film", "left"), ("prob.", "right"), ("decision", "left")):
        table.add_column(column, justify=side, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("remarks", ratio=1)
    for reading in summary.shown:
        table.add_row(*_row(reading))
    # A table is laid out for 80 columns where the width is not known, and never wider than asked.
    screen.console.print(table, soft_wrap=False)


def _title(summary: Summary) -> str:
    kinds = ", ".join(f"{n:,} {kind}" for kind, n in sorted(summary.decisions.items()))
    point = summary.point
    at = f" at {point.name}, threshold {point.threshold:.3f}" if point else ""
    return f"{summary.read:,} film{'s' * (summary.read != 1)} read: {kinds}{at}"


def _row(reading: Reading) -> tuple[Text, ...]:
    name = Text(shortened(printable(reading.name), _NAME))
    if reading.error is not None:
        return name, Text("–"), Text("not read", "red"), Text(printable(reading.error))
    decision = reading.decision or ("withheld" if reading.abstained else "–")
    remarks = ", ".join(ODDITIES[code][0] for code in reading.findings)
    chance = Text(f"{reading.probability:.3f}")
    return name, chance, Text(decision, _STYLES.get(decision, "")), Text(remarks, "yellow")


def shortened(name: str, width: int) -> str:
    """``name`` in ``width`` characters, its middle left out: the end tells films apart."""
    if len(name) <= width:
        return name
    end = (width - 1) * 2 // 3
    return f"{name[: width - 1 - end]}…{name[-end:]}"


def request_of(
    run: Path, films: list[str], csv: str | None, json: str | None, point: str | None, device: str
) -> PredictRequest:
    """What the command line asked for."""
    return PredictRequest(run, tuple(films), csv, json, point, device)
