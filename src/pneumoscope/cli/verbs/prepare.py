"""``pneumoscope prepare``: read the data once, and say what was found and what is wrong."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from rich.table import Table
from rich.text import Text

from pneumoscope.audit.audit import first_look
from pneumoscope.audit.findings import Finding
from pneumoscope.cli.request import words_of
from pneumoscope.cli.screen import Screen, short
from pneumoscope.data.split import Plan, plan_splits
from pneumoscope.errors import printable
from pneumoscope.recipe import load_recipe
from pneumoscope.records import CLASSES, SPLITS, DataRequest
from pneumoscope.workflows.data import prepare_data

_MARKS = {"severe": "[bold red]severe[/]", "warning": "[yellow]warning[/]", "info": "[dim]info[/]"}


def prepare(
    request: DataRequest, recipe: str, changes: list[str], *, size: int, out: Path | None
) -> None:
    """Prepare, show what was found, and name the next command."""
    chosen = load_recipe(recipe, changes)
    with Screen() as screen:
        prepared = prepare_data(request, chosen, screen, side=size, out=out)
        about = prepared.about["flow"]
        screen.stage(f"Found: {about['kept']:,} of {about['found']:,} films can be used")
        for reason in about["dropped"]:
            screen.choice("left out", f"{reason['count']:,}", reason["reason"])
        if prepared.table["label"].notna().any():
            _show_splits(plan_splits(prepared.table, chosen.data), prepared.table, screen)
        # What could not be read was just said.
        found = [finding for finding in first_look(prepared) if finding.code != "UNREADABLE"]
        show_findings(found, screen)
        screen.line(f"The prepared set is in {short(prepared.folder)}")
        asked, trained = shlex.join(words_of(request)), shlex.join(_recipe_words(recipe, changes))
        then = f"; pneumoscope train {asked} {trained}".rstrip()
        both = prepared.table["label"].nunique() == len(CLASSES)
        screen.line(f"Next: pneumoscope audit {asked}{then * both}")


def _recipe_words(recipe: str, changes: list[str]) -> list[str]:
    chosen = [] if recipe == "default" else ["--recipe", recipe]
    return chosen + [word for change in changes for word in ("--set", change)]


def _show_splits(plan: Plan, table: pd.DataFrame, screen: Screen) -> None:
    for choice in plan.choices:
        screen.choice(*choice)
    grid = Table(box=None, padding=(0, 2, 0, 2), header_style="dim")
    for column in ("", *CLASSES, "patients"):
        grid.add_column(column, justify="left" if not column else "right")
    for split in SPLITS:
        part = table[plan.split == split]
        known = part["patient_id"].notna().all()
        counts = [f"{int((part['label'] == label).sum()):,}" for label in (0, 1)]
        grid.add_row(split, *counts, f"{part['patient_id'].nunique():,}" if known else "unknown")
    screen.console.print(grid)


def show_findings(findings: Iterable[Finding], screen: Screen) -> None:
    """A line for each finding, the gravest first; then what cannot be known."""
    for finding in findings:
        mark = _MARKS[finding.severity] if finding.status == "found" else "[dim]not provable[/]"
        line = Text.from_markup(f"  {mark}  {finding.code}: ")
        # In one piece: a bar that is drawn meanwhile takes the place of half a line.
        screen.console.print(line.append(printable(finding.title)))
