"""Groups of seeds and recipes: one recipe with several seeds, or several recipes.

A results folder holds ``plan.json``, what was asked, and a complete run folder for each run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from pneumoscope.data.split import with_splits
from pneumoscope.errors import BadRecipe, NotARun, NotComparable
from pneumoscope.listener import Listener, Silent
from pneumoscope.recipe import Recipe
from pneumoscope.run import COMPARISON, PLAN, SCHEMA, check_output, create_folder
from pneumoscope.storage import read_json, write_json
from pneumoscope.workflows.context import SessionCache
from pneumoscope.workflows.data import check_recipe, find_data
from pneumoscope.workflows.groups.group import RunGroup, content_of, locked_group, sweep_killed
from pneumoscope.workflows.groups.plan import (
    GroupPlan,
    PlanEntry,
    PlannedRun,
    check_planned_weights,
)
from pneumoscope.workflows.groups.seeds import write_seeds
from pneumoscope.workflows.pipeline import find_again


class RecipesEntry(PlanEntry):
    """``plan.json``: ``content`` is the digest of the films that each recipe sees, by its name."""

    name: str
    content: dict[str, str]


def train_many(
    plan: GroupPlan, *, out: Path | None = None, listener: Listener | None = None
) -> Path:
    """Train, judge and report each run of ``plan`` in one new results folder, which is returned.

    Raises an InputError, and leaves no folder, when the data or any of the recipes will not do;
    that is looked at before the first is trained.
    """
    listener = listener or Silent()
    check_output(out)
    _check_names(plan.recipes)
    session = SessionCache(find_data(plan.request, listener))
    for recipe in plan.recipes:
        check_recipe(recipe, session.source)
    content = {recipe.name: content_of(recipe, plan, session, listener) for recipe in plan.recipes}
    _check_same_test(plan.recipes, session)

    def fill(draft: Path, name: str) -> None:
        kept: RecipesEntry = {"name": name, "content": content, **plan.to_json()}
        write_json(draft / PLAN, kept)

    folder = create_folder(out, f"{_kind(plan)}-{session.source.name}", fill)
    with locked_group(folder, new=True):
        return _finish_runs(RunGroup(plan, session, listener), folder)


def resume_many(folder: Path, *, listener: Listener | None = None) -> Path:
    """Finish a results folder that was stopped: complete runs are kept. Raises NotARun where the
    data has changed, and as ``pipeline.resume`` does."""
    listener = listener or Silent()
    kept = cast(RecipesEntry, read_json(folder / PLAN))
    if kept.get("schema") != SCHEMA:
        raise NotARun(
            "the results are of another version of pneumoscope",
            got=f"schema {kept.get('schema')!r}",
            expected=f"schema {SCHEMA}",
        )
    plan = GroupPlan.from_json(kept)
    with locked_group(folder):
        runs = plan.runs(folder)
        for parent in {folder, *(run.folder.parent for run in runs)}:
            sweep_killed(parent)
        if all(run.is_complete for run in runs):
            listener.choice("resume", "all runs are there", "only what sums them up is left")
            return _finish_runs(RunGroup(plan, None, listener), folder)
        check_planned_weights(kept, runs)
        session = SessionCache(find_again(plan.request, listener))
        for recipe in plan.recipes:
            if content_of(recipe, plan, session, listener) != kept["content"][recipe.name]:
                raise NotARun(
                    "the data has changed since the runs began",
                    got=plan.request.data,
                    remedy="bring the old data back, or start new runs on the new",
                )
        return _finish_runs(RunGroup(plan, session, listener), folder)


def _finish_runs(group: RunGroup, folder: Path) -> Path:
    """The runs, what they say together, how the recipes compare."""
    plan, listener = group.plan, group.listener
    several = len(plan.recipes) > 1
    runs = plan.runs(folder)
    for number, run in enumerate(runs, 1):
        listener.stage(f"Run {number} of {len(runs)}: {_title(plan, run)}")
        group.finish(run)
    if plan.repeated:
        for recipe in plan.recipes:
            listener.stage(f"Sum up the seeds{f' of {recipe.name}' if several else ''}")
            seeds = [run.folder for run in plan.runs_of(folder, recipe)]
            write_seeds(plan.folder_of(folder, recipe), seeds, plan.shareable_command)
    if plan.learning:
        # So do its curves.
        from pneumoscope.workflows.groups.learning import write_learning

        listener.stage("Draw the learning curve")
        write_learning(folder, plan)
    elif several and not (folder / COMPARISON).exists():
        # It draws on figures of its own, which one run alone does not need.
        from pneumoscope.workflows.compare import compare

        compare([run.folder for run in runs], out=folder / COMPARISON, listener=listener)
    return folder


def _title(plan: GroupPlan, run: PlannedRun) -> str:
    """What tells the run from the others of its group."""
    seed = f"seed {run.seed}" if plan.repeated else ""
    recipe = run.recipe.name if len(plan.recipes) > 1 else ""
    return ", ".join(filter(None, (recipe, seed)))


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


def _check_same_test(recipes: Sequence[Recipe], session: SessionCache) -> None:
    """Refuse recipes that cannot be compared in the end, before any is trained."""
    judged: dict[str, frozenset[str]] = {}
    for recipe in recipes:
        prepared = session.sets.get(session.key(recipe))
        if prepared:  # else it can only be kept in the run's own folder
            divided, _ = with_splits(prepared, recipe.data)
            ids = divided.table["image_id"].astype(str)
            judged[recipe.name] = frozenset(ids.iloc[divided.rows("test")])
    if len(set(judged.values())) > 1:
        raise NotComparable(
            "these recipes divide the data differently, so their results cannot be compared",
            got=", ".join(f"{len(films):,} test films of {name}" for name, films in judged.items()),
            expected="the same data.test, test_share and split_seed in all",
            remedy="set them alike with --set, or train each recipe by a command of its own",
        )


def _kind(plan: GroupPlan) -> str:
    """How the folder of the group is called."""
    if plan.learning:
        return "learning-curve"
    return "recipes" if len(plan.recipes) > 1 else f"seeds-{plan.recipes[0].model.backbone}"
