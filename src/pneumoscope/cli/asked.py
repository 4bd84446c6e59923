"""What ``train`` is asked for, and what of it cannot go together."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.errors import InputError
from pneumoscope.records import DataRequest, Hardware

if TYPE_CHECKING:
    from pneumoscope.recipe import Recipe


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What is asked of a new training. Recipes are names or files, ``changes`` are KEY=VALUE."""

    request: DataRequest
    hardware: Hardware
    recipes: tuple[str, ...]
    changes: tuple[str, ...] = ()
    seed: int = 0
    seeds: int | None = None
    minutes: float | None = None
    learning_curve: str | None = None
    out: Path | None = None
    overfit_one_batch: bool = False
    profile: bool = False

    def load(self) -> tuple[Recipe, ...]:
        """The recipes with all changes laid over each. Raises BadRecipe."""
        from pneumoscope.recipe import load_recipe

        changes = list(self.changes)
        if self.minutes is not None:
            changes.append(f"train.minutes={self.minutes:g}")
        recipes = tuple(load_recipe(recipe, changes) for recipe in self.recipes)
        if self.learning_curve is None:
            return recipes
        from pneumoscope.workflows.groups.plan import parse_shares, recipes_of_shares

        return recipes_of_shares(recipes, parse_shares(self.learning_curve))


def check_together(options: TrainOptions) -> None:
    """Refuse what cannot go together, before anything is read. Raises InputError."""
    flags = {"--overfit-one-batch": options.overfit_one_batch, "--profile": options.profile}
    checked = [name for name, wanted in flags.items() if wanted]
    several = [f"--seeds {options.seeds}"] if options.seeds else []
    if len(options.recipes) > 1:
        several.append(f"{len(options.recipes)} recipes")
    if options.learning_curve is not None:
        several.append(f"--learning-curve {options.learning_curve}")
    if (hardware := hardware_options(options.hardware)) and (several or checked):
        raise InputError(
            "hardware is chosen for one run at a time",
            got=f"{hardware} beside {' and '.join(several + checked)}",
            expected="one recipe, one seed and no check",
            remedy="train each by a command of its own with --seed N, then: pneumoscope compare",
        )
    if len(checked) > 1:
        raise InputError(
            "there are two checks, each a command of its own",
            got=" and ".join(checked),
            remedy="leave one of them out",
        )
    more = several if options.minutes is None else [*several, f"--minutes {options.minutes:g}"]
    if checked and more:
        raise InputError(
            f"{checked[0]} looks at one recipe for a moment and trains no run",
            got=" and ".join(more),
            expected="one recipe, and no number of runs or minutes",
            remedy=f"leave out {' and '.join(more)}, or {checked[0]}",
        )
    if options.overfit_one_batch and options.out:
        raise InputError(
            "--overfit-one-batch writes nothing",
            got=f"--out {options.out}",
            remedy="leave out --out",
        )


def hardware_options(hardware: Hardware) -> str:
    """The options that ask for it, as typed; empty where all is as usual."""
    return " ".join(
        f"--{one.name} {getattr(hardware, one.name)}"
        for one in fields(hardware)
        if getattr(hardware, one.name) != one.default
    )
