"""Results in the terminal: tables of figures, and a line for each finding of an audit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from pneumoscope.cli.screen import Screen
from pneumoscope.errors import printable
from pneumoscope.formatting import ABSENT, interval, number
from pneumoscope.readings import Estimate

if TYPE_CHECKING:
    from pneumoscope.audit.findings import Finding
    from pneumoscope.report.evaluated import EvaluatedRun

_MARKS = {
    "severe": "[bold red]severe[/]",
    "warning": "[yellow]warning[/]",
    "info": "[dim]remark[/]",
}


def result_table(columns: Sequence[str]) -> Table:
    """An empty table: names on the left under no title, figures on the right."""
    table = Table(box=None, padding=(0, 2, 0, 2), show_header=True, header_style="dim")
    for column in columns:
        table.add_column(column, justify="right" if column else "left")
    return table


def value_and_interval(estimate: Estimate) -> tuple[str, str]:
    """Two cells: the value and its interval, or a dash and why it is undefined."""
    if not math.isfinite(estimate.value):
        return ABSENT, estimate.method
    return number(estimate.value), interval(estimate)


def show_answers(run: EvaluatedRun, screen: Screen) -> None:
    """The four questions that the report begins with, a paragraph each."""
    from pneumoscope.report.run.answers import answers

    for answer in answers(run):
        screen.paragraph(answer.text, answer.lead)


def show_withheld(run: EvaluatedRun, screen: Screen) -> None:
    """How many of the judged films ``predict`` would withhold, where that was looked for."""
    from pneumoscope.report.review.withheld import words

    if said := words(run):
        screen.paragraph(said)


def show_findings(findings: Iterable[Finding], screen: Screen) -> None:
    """A line for each finding, the gravest first; then what cannot be known."""
    for finding in findings:
        mark = _MARKS[finding.severity] if finding.status == "found" else "[dim]not provable[/]"
        line = Text.from_markup(f"  {mark}  {finding.code}: ")
        # In one piece: a bar that is drawn meanwhile takes the place of half a line.
        screen.console.print(line.append(printable(finding.title)))
