"""``pneumoscope recipes`` and ``pneumoscope models``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def recipes(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Print this one in full")
    ] = None,
    keys: Annotated[bool, typer.Option("--keys", help="Explain every key")] = False,
) -> None:
    """List the recipes, print one, or explain every key."""
    from pneumoscope.recipe import describe_keys, load_recipe, recipe_names

    console = Console(highlight=False, soft_wrap=False)
    if keys:
        _table(console, ("key", "values", "meaning"), describe_keys())
        return
    if name is not None:
        console.print(load_recipe(name).to_yaml(), markup=False)
        return
    _table(console, ("recipe", "about"), [(n, load_recipe(n).about) for n in recipe_names()])
    console.print(
        "Next: pneumoscope recipes NAME prints one, --keys explains every key", soft_wrap=True
    )


def models() -> None:
    """List the backbones, and where their ImageNet weights are to be had."""
    from pneumoscope.models.weights import whereabouts
    from pneumoscope.models.zoo import ZOO

    console = Console(highlight=False)
    rows = [(b.name, f"{b.parameters:.1f} M", whereabouts(b.name), b.about) for b in ZOO]
    _table(console, ("backbone", "parameters", "ImageNet weights", "about"), rows)
    console.print("Any other timm name is accepted.")
    console.print("Next: pneumoscope train DATA --set model.backbone=NAME", soft_wrap=True)


def _table(console: Console, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for place, column in enumerate(head):
        table.add_column(column, overflow="fold", no_wrap=place == 0)  # a name is to be copied
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)
