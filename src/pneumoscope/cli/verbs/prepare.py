"""``pneumoscope prepare``: read the data once, and say what was found and what is wrong."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pneumoscope.cli.options import (
    ChangeOption,
    DataArgument,
    DataOptions,
    RecipeOption,
    with_data_options,
    words_of,
)
from pneumoscope.cli.results import result_table, show_findings
from pneumoscope.cli.screen import Screen, short
from pneumoscope.records import CLASSES, SPLITS

if TYPE_CHECKING:
    import pandas as pd

    from pneumoscope.data.split import Plan


@with_data_options
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
    data_options: DataOptions,
) -> None:
    """Read DATA once, store it for training, and say what was found and what is wrong."""
    from pneumoscope.audit.audit import first_look
    from pneumoscope.data.split import plan_splits
    from pneumoscope.recipe import load_recipe
    from pneumoscope.workflows.data import prepare_data

    request, changes = data_options.request(data), change or []
    chosen = load_recipe(recipe, changes)
    with Screen() as screen:
        prepared = prepare_data(request, chosen, screen, side=size, out=out)
        flow = prepared.about["flow"]
        screen.stage(f"Found: {flow['kept']:,} of {flow['found']:,} films can be used")
        for reason in flow["dropped"]:
            screen.choice("left out", f"{reason['count']:,}", reason["reason"])
        if prepared.table["label"].notna().any():
            _show_splits(plan_splits(prepared.table, chosen.data), prepared.table, screen)
        # What could not be read was just said.
        found = [finding for finding in first_look(prepared) if finding.code != "UNREADABLE"]
        show_findings(found, screen)
        screen.line(f"The prepared set is in {short(prepared.folder)}")
        asked, trained = shlex.join(words_of(request)), shlex.join(_recipe_words(recipe, changes))
        then = f"Next: pneumoscope audit {asked}"
        if prepared.table["label"].nunique() == len(CLASSES):
            then += f"; pneumoscope train {asked} {trained}".rstrip()
        screen.line(then)


def _recipe_words(recipe: str, changes: list[str]) -> list[str]:
    chosen = [] if recipe == "default" else ["--recipe", recipe]
    return chosen + [word for change in changes for word in ("--set", change)]


def _show_splits(plan: Plan, table: pd.DataFrame, screen: Screen) -> None:
    for choice in plan.choices:
        screen.choice(*choice)
    grid = result_table(["", *CLASSES, "patients"])
    for split in SPLITS:
        part = table[plan.split == split]
        known = part["patient_id"].notna().all()
        counts = [f"{int((part['label'] == label).sum()):,}" for label in (0, 1)]
        grid.add_row(split, *counts, f"{part['patient_id'].nunique():,}" if known else "unknown")
    screen.console.print(grid)
