"""Plan of a group of runs: which recipes are trained with which seeds on the same films, and on
which parts of the training patients.

``plan.json``, and ``crossval.json`` of folds, keep it in the folder of the group. Like run.json
they say where the data lies, and the weights files; what else is shared of a group does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import NotRequired, TypedDict, cast

from pneumoscope.errors import InputError, NotARun
from pneumoscope.manifest import RequestEntry, WeightsEntry
from pneumoscope.recipe import Recipe, validate_recipe
from pneumoscope.records import DataRequest
from pneumoscope.run import PLAN, SCHEMA, Run
from pneumoscope.storage import read_json
from pneumoscope.workflows.weights import check_weights, located, shareable_command, weights_entry

_LARGEST_SEED = 2**32 - 1
_BEHIND = "-of-100"


class PlanEntry(TypedDict):
    """``GroupPlan`` in plain data. ``weights`` is by the name of the recipe; 0.1.0 had none, and
    no ``learning``."""

    schema: int
    command: str
    request: RequestEntry
    seeds: list[int]
    repeated: bool
    recipes: list[dict[str, object]]
    learning: NotRequired[bool]
    weights: NotRequired[dict[str, WeightsEntry]]


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run of a group: its folder, what it is trained by, and its seed."""

    folder: Path
    recipe: Recipe
    seed: int

    @property
    def is_complete(self) -> bool:
        return Run(self.folder).report_file.is_file()

    @property
    def has_begun(self) -> bool:
        return Run(self.folder).manifest_file.is_file()


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """Each recipe with each seed, on the films of ``request``.

    ``repeated`` says that seeds were asked for, so that each run lies in a ``seed-N`` folder;
    ``learning``, that the recipes are the points of a learning curve.
    """

    request: DataRequest
    recipes: tuple[Recipe, ...]
    seeds: tuple[int, ...]
    repeated: bool
    command: str = ""
    learning: bool = False

    @property
    def shareable_command(self) -> str:
        """The command line with weights files by their names alone."""
        return reduce(shareable_command, self.recipes, self.command)

    def runs(self, folder: Path) -> list[PlannedRun]:
        """Each run, in the order of training."""
        return [run for recipe in self.recipes for run in self.runs_of(folder, recipe)]

    def runs_of(self, folder: Path, recipe: Recipe) -> list[PlannedRun]:
        """The runs of one recipe."""
        place = self.folder_of(folder, recipe)
        if not self.repeated:
            return [PlannedRun(place, recipe, seed) for seed in self.seeds]
        return [PlannedRun(place / f"seed-{seed}", recipe, seed) for seed in self.seeds]

    def folder_of(self, folder: Path, recipe: Recipe) -> Path:
        """Where the runs of one recipe lie within the folder of the group."""
        return folder / recipe.name if len(self.recipes) > 1 else folder

    def to_json(self) -> PlanEntry:
        weights = {recipe.name: weights_entry(recipe) for recipe in self.recipes}
        return {
            "schema": SCHEMA,
            "command": self.shareable_command,
            "request": self.request.to_json(),
            "seeds": list(self.seeds),
            "repeated": self.repeated,
            "recipes": [recipe.shareable().model_dump(mode="json") for recipe in self.recipes],
            "learning": self.learning,
            "weights": {name: entry for name, entry in weights.items() if entry},
        }

    @classmethod
    def from_json(cls, value: PlanEntry) -> GroupPlan:
        """The plan that ``to_json`` wrote. Raises BadRecipe, NotARun."""
        weights = value.get("weights", {})
        try:
            return cls(
                DataRequest.from_json(value["request"]),
                tuple(
                    located(validate_recipe(r), weights.get(str(r["name"])))
                    for r in value["recipes"]
                ),
                tuple(int(seed) for seed in value["seeds"]),
                bool(value["repeated"]),
                str(value["command"]),
                value.get("learning", False),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise NotARun(f"{PLAN} is incomplete", got=f"{error!r}") from None


def read_plan(folder: Path) -> GroupPlan:
    """The plan of a group with seeds or several recipes. Raises NotARun, BadRecipe."""
    return GroupPlan.from_json(cast(PlanEntry, read_json(folder / PLAN)))


def seeds_from(first: int, count: int) -> tuple[int, ...]:
    """``count`` seeds, ``first`` and those after it. Raises InputError beyond the largest."""
    if first + count - 1 > _LARGEST_SEED:
        raise InputError(
            "the seeds go beyond the largest one",
            got=f"{count} seeds from {first}",
            expected=f"at most {_LARGEST_SEED}",
        )
    return tuple(range(first, first + count))


def parse_shares(text: str) -> tuple[float, ...]:
    """Shares, ascending, out of per cent as ``5,10,25,50,100``. Raises InputError."""
    try:
        percents = {float(word.strip().rstrip("%")) for word in text.split(",")}
        shares = [round(percent / 100, 6) for percent in sorted(percents)]
    except ValueError:
        shares = []
    if len(shares) < 2 or not 0 < shares[0] <= shares[-1] <= 1:
        raise InputError(
            "a learning curve needs parts of the training patients",
            got=text,
            expected="at least two, in per cent from above 0 to 100: --learning-curve 25,50,100",
        )
    return tuple(shares)


def recipes_of_shares(recipes: Sequence[Recipe], shares: Sequence[float]) -> tuple[Recipe, ...]:
    """Each recipe with each share; the name, which is that of a folder, says which it is."""
    return tuple(
        recipe.model_copy(
            update={
                "name": f"{recipe.name}-{100 * share:g}{_BEHIND}",
                "data": recipe.data.model_copy(update={"train_share": share}),
            }
        )
        for recipe in recipes
        for share in shares
    )


def base_name(recipe: Recipe) -> str:
    """The name of the recipe that ``recipes_of_shares`` made this one of."""
    return recipe.name.removesuffix(_BEHIND).rpartition("-")[0]


def check_planned_weights(kept: PlanEntry, runs: Sequence[PlannedRun]) -> None:
    """Refuse weights files that are not those of the ``kept`` plan, where any run is still to
    begin; one that has begun looks after its own. Raises WeightsNotFound, BadWeights."""
    if not all(run.has_begun for run in runs):
        for entry in kept.get("weights", {}).values():
            check_weights(entry)
