"""Several runs that belong together: one recipe with several seeds, or several recipes.

A results folder holds ``plan.json``, what was asked, and a complete run folder for each run. Each
is made by the pipeline; what is complete is kept, so finishing a folder that was stopped is the
same call as starting one.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from pneumoscope.data.split import with_splits
from pneumoscope.errors import (
    BadRecipe,
    DiskFull,
    InputError,
    Interrupted,
    NotARun,
    NotComparable,
    OutputNotWritable,
)
from pneumoscope.models.weights import check_model
from pneumoscope.recipe import Recipe, validate_recipe
from pneumoscope.records import DataRequest, Listener, Silent
from pneumoscope.run import COMPARISON, PLAN, SCHEMA, Run, check_room, create_folder
from pneumoscope.storage import read_json, sweep, write_json
from pneumoscope.workflows import pipeline
from pneumoscope.workflows.context import SessionCache, prepared_key
from pneumoscope.workflows.data import find_data, network_side, prepare_source, stored_spec
from pneumoscope.workflows.groups.seeds import write_seeds
from pneumoscope.workflows.weights import check_weights, located, shareable_command, weights_entry

_MOST_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be trained on the same films and splits: each recipe with each seed.

    ``repeated`` says that seeds were asked for, so that each run lies in a ``seed-N`` folder.
    """

    request: DataRequest
    recipes: tuple[Recipe, ...]
    seeds: tuple[int, ...]
    repeated: bool
    command: str = ""

    @property
    def shared_command(self) -> str:
        """The command line with weights files by their names alone."""
        return reduce(shareable_command, self.recipes, self.command)

    def runs(self, folder: Path) -> list[tuple[Path, Recipe, int]]:
        """Each run's folder, recipe and seed, in the order of training."""
        return [
            (self.group(folder, recipe) / f"seed-{seed}", recipe, seed)
            if self.repeated
            else (self.group(folder, recipe), recipe, seed)
            for recipe in self.recipes
            for seed in self.seeds
        ]

    def group(self, folder: Path, recipe: Recipe) -> Path:
        """Where the runs of one recipe lie."""
        return folder / recipe.name if len(self.recipes) > 1 else folder

    def to_json(self) -> dict[str, Any]:
        weights = {recipe.name: weights_entry(recipe) for recipe in self.recipes}
        return {
            "schema": SCHEMA,
            "command": self.shared_command,
            "request": self.request.to_json(),
            "seeds": list(self.seeds),
            "repeated": self.repeated,
            "recipes": [recipe.shareable().model_dump(mode="json") for recipe in self.recipes],
            "weights": {name: entry for name, entry in weights.items() if entry},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Plan:
        """The plan that ``to_json`` wrote. Raises BadRecipe, NotARun."""
        weights = value.get("weights", {})
        try:
            return cls(
                DataRequest.from_json(value["request"]),
                tuple(
                    located(validate_recipe(r), weights.get(r["name"])) for r in value["recipes"]
                ),
                tuple(int(seed) for seed in value["seeds"]),
                bool(value["repeated"]),
                str(value["command"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise NotARun(f"{PLAN} is incomplete", got=f"{error!r}") from None


def seeds_from(first: int, count: int) -> tuple[int, ...]:
    """``count`` seeds, ``first`` and those after it. Raises InputError beyond the largest."""
    if first + count - 1 > _MOST_SEED:
        raise InputError(
            "the seeds go beyond the largest one",
            got=f"{count} seeds from {first}",
            expected=f"at most {_MOST_SEED}",
        )
    return tuple(range(first, first + count))


def train_many(plan: Plan, *, out: Path | None = None, listener: Listener | None = None) -> Path:
    """Train, judge and report each run of ``plan`` in one new results folder, which is returned.

    Raises an InputError, and leaves no folder, when the data or any of the recipes will not do;
    that is looked at before the first is trained.
    """
    listener = listener or Silent()
    check_room(out)
    _check_names(plan.recipes)
    ready = SessionCache(find_data(plan.request, listener))
    for recipe in plan.recipes:
        check_recipe(recipe, ready)
    content = {recipe.name: content_of(recipe, plan, ready, listener) for recipe in plan.recipes}
    _check_same_test(plan.recipes, ready)

    def fill(draft: Path, name: str) -> None:
        write_json(draft / PLAN, {"name": name, "content": content, **plan.to_json()})

    folder = create_folder(out, _label(plan, ready), fill)
    try:
        with held_together(folder):
            return _finish(plan, folder, ready, listener)
    except InputError:
        if not holds_runs(folder):  # the first run was refused before it trained
            shutil.rmtree(folder, ignore_errors=True)
        raise


def resume_many(folder: Path, *, listener: Listener | None = None) -> Path:
    """Finish a results folder that was stopped: complete runs are kept. Raises NotARun where the
    data has changed, and as ``pipeline.resume`` does."""
    listener = listener or Silent()
    about = read_json(folder / PLAN)
    if about.get("schema") != SCHEMA:
        raise NotARun(
            "the results are of another version of pneumoscope",
            got=f"schema {about.get('schema')!r}",
            expected=f"schema {SCHEMA}",
        )
    plan = Plan.from_json(about)
    with held_together(folder):
        places = [place for place, _, _ in plan.runs(folder)]
        for parent in {folder, *(place.parent for place in places)}:
            sweep_drafts(parent)
        if all(is_complete(place) for place in places):
            listener.choice("resume", "all runs are there", "only what sums them up is left")
            return _finish(plan, folder, None, listener)
        check_weights_of(about, places)
        ready = SessionCache(pipeline.find_again(plan.request, listener))
        for recipe in plan.recipes:
            if content_of(recipe, plan, ready, listener) != about["content"][recipe.name]:
                raise NotARun(
                    "the data has changed since the runs began",
                    got=plan.request.data,
                    remedy="bring the old data back, or start new runs on the new",
                )
        return _finish(plan, folder, ready, listener)


def _finish(plan: Plan, folder: Path, ready: SessionCache | None, listener: Listener) -> Path:
    """The table of contents: the runs, what they say together, how the recipes compare."""
    runs = plan.runs(folder)
    for number, (place, recipe, seed) in enumerate(runs, 1):
        who = [recipe.name] * (len(plan.recipes) > 1) + [f"seed {seed}"] * plan.repeated
        listener.stage(f"Run {number} of {len(runs)}: {', '.join(who)}")
        one_run(plan, (place, recipe, seed), ready, listener)
    if plan.repeated:
        for recipe in plan.recipes:
            listener.stage("Sum up the seeds" + f" of {recipe.name}" * (len(plan.recipes) > 1))
            group = plan.group(folder, recipe)
            write_seeds(group, [group / f"seed-{seed}" for seed in plan.seeds], plan.shared_command)
    if len(plan.recipes) > 1 and not (folder / COMPARISON).exists():
        # It draws on figures of its own, which one run alone does not need.
        from pneumoscope.workflows.compare import compare

        places = [place for place, _, _ in runs]
        compare(places, out=folder / COMPARISON, listener=listener)
    return folder


def one_run(
    plan: Plan, one: tuple[Path, Recipe, int], ready: SessionCache | None, listener: Listener
) -> None:
    place, recipe, seed = one
    if is_complete(place):
        listener.choice("kept", place.name, "this run is complete")
    elif Run(place).manifest_file.is_file():
        pipeline.resume(place, listener=listener, ready=ready)
    else:
        place.parent.mkdir(exist_ok=True)
        pipeline.train(
            plan.request,
            recipe,
            seed=seed,
            out=place,
            command=plan.command,
            listener=listener,
            ready=ready,
        )
    if ready is not None and (epochs := Run(place).manifest().get("epochs")):
        ready.epochs[recipe.name] = epochs  # all seeds of a recipe train as long


def check_weights_of(about: Mapping[str, Any], places: Sequence[Path]) -> None:
    """Refuse weights files that are not those of the plan, where any run is still to begin; one
    that has begun looks after its own. Raises WeightsNotFound, BadWeights."""
    if not all(Run(place).manifest_file.is_file() for place in places):
        for entry in about.get("weights", {}).values():
            check_weights(entry)


def holds_runs(folder: Path) -> bool:
    """Whether any run of the group has begun."""
    return any(folder.rglob(Run(folder).manifest_file.name))


def is_complete(place: Path) -> bool:
    return Run(place).report_file.is_file()


def _check_names(recipes: Sequence[Recipe]) -> None:
    """Each recipe needs a folder of its own, also where capitals make no difference."""
    names = [recipe.name.lower() for recipe in recipes]
    twice = [recipe.name for recipe in recipes if names.count(recipe.name.lower()) > 1]
    if twice:
        raise BadRecipe(
            "two recipes have the same name",
            got=", ".join(twice),
            expected="a name for each: its runs lie in a folder of that name",
            remedy="give one of the files another name: line, or use --seeds to repeat a recipe",
        )
    if len(recipes) > 1 and COMPARISON in names:
        raise BadRecipe(f"the name {COMPARISON!r} is that of the folder of the comparison")


def check_recipe(recipe: Recipe, ready: SessionCache) -> None:
    side, _ = network_side(ready.source, recipe)
    model = recipe.model
    check_model(model.backbone, model.weights, side, model.freeze, recipe.train.views)


def content_of(recipe: Recipe, plan: Plan, ready: SessionCache, listener: Listener) -> str:
    """Digest of the films that ``recipe`` sees, "" where they can only be kept in a run folder.
    Raises UnreadableData where they cannot be split as the recipe says."""
    spec = stored_spec(ready.source, recipe)
    key = prepared_key(spec, recipe)
    if key not in ready.prepared:
        try:
            ready.prepared[key] = prepare_source(
                ready.source,
                spec,
                listener,
                keep_ids=plan.request.keep_ids,
                most_bad=recipe.data.most_bad,
            )
        except DiskFull:
            raise
        except OutputNotWritable:
            return ""
    with_splits(ready.prepared[key], recipe.data)
    return ready.prepared[key].content


def _check_same_test(recipes: Sequence[Recipe], ready: SessionCache) -> None:
    """Refuse recipes that cannot be compared in the end, before any is trained."""
    judged: dict[str, frozenset[str]] = {}
    for recipe in recipes:
        key = prepared_key(stored_spec(ready.source, recipe), recipe)
        if key in ready.prepared:  # else it can only be kept in the run's own folder
            prepared, _ = with_splits(ready.prepared[key], recipe.data)
            ids = prepared.table["image_id"].astype(str)
            judged[recipe.name] = frozenset(ids.iloc[prepared.rows("test")])
    if len(set(judged.values())) > 1:
        raise NotComparable(
            "these recipes divide the data differently, so their results cannot be compared",
            got=", ".join(f"{len(films):,} test films of {name}" for name, films in judged.items()),
            expected="the same data.test, test_share and split_seed in all",
            remedy="set them alike with --set, or train each recipe by a command of its own",
        )


def _label(plan: Plan, ready: SessionCache) -> str:
    kinds = "recipes" if len(plan.recipes) > 1 else f"seeds-{plan.recipes[0].model.backbone}"
    return f"{kinds}-{ready.source.name}"


@contextlib.contextmanager
def held_together(folder: Path) -> Iterator[None]:
    """Hold the results against a second process, and tell who interrupts it how to go on."""
    try:
        with Run(folder).locked():
            yield
    except (KeyboardInterrupt, SystemExit, Interrupted):
        raise Interrupted(
            "the runs were stopped, nothing is lost",
            remedy=f"go on with: pneumoscope train --resume {shlex.quote(str(folder))}",
        ) from None


def sweep_drafts(folder: Path) -> None:
    """Delete what a killed process left half made; whoever calls it holds the lock."""
    if not folder.is_dir():
        return
    for draft in folder.glob(".new-run-*"):
        shutil.rmtree(draft, ignore_errors=True)
    sweep(folder)
