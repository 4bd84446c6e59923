"""``pneumoscope prepare``: read the data once, and say what was found and what is wrong."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from pneumoscope.cli.options import (
    ChangeOption,
    DataOptions,
    RecipeOption,
    SitesArgument,
    with_data_options,
)
from pneumoscope.cli.results import show_findings
from pneumoscope.cli.screen import Screen, short
from pneumoscope.cli.sites import request_of
from pneumoscope.records import CLASSES


@with_data_options
def prepare(
    data: SitesArgument,
    size: Annotated[
        int,
        typer.Option(
            min=0, max=1024, metavar="PX", help="Side in pixels; 0: the one that train takes"
        ),
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
    from pneumoscope.data.door import door_of
    from pneumoscope.data.prepared import PREPARED
    from pneumoscope.data.split import plan_splits
    from pneumoscope.recipe import load_recipe
    from pneumoscope.workflows.data import prepare_data, tell_door

    request, changes = request_of(data, data_options), change or []
    chosen = load_recipe(recipe, changes)
    with Screen() as screen:
        prepared = prepare_data(request, chosen, screen, side=size, out=out)
        plan = None
        if prepared.table["label"].notna().any():
            plan = plan_splits(prepared.table, chosen.data)
            for choice in plan.choices:
                screen.choice(*choice)
        tell_door(door_of(prepared, plan.split if plan else None), screen, kept=PREPARED)
        # What could not be read was just said.
        found = [finding for finding in first_look(prepared) if finding.code != "UNREADABLE"]
        show_findings(found, screen)
        screen.line(f"The prepared set is in {short(prepared.folder)}")
        asked, trained = (
            shlex.join(data_options.words(*data)),
            shlex.join(_recipe_words(recipe, changes)),
        )
        then = f"Next: pneumoscope audit {asked}"
        if plan and prepared.table["label"][plan.split == "train"].nunique() == len(CLASSES):
            then += f"; pneumoscope train {asked} {trained}".rstrip()
        screen.line(then)


def _recipe_words(recipe: str, changes: list[str]) -> list[str]:
    chosen = [] if recipe == "default" else ["--recipe", recipe]
    return chosen + [word for change in changes for word in ("--set", change)]
