"""Cross-validation: every film outside the official test split is judged once, by a model that
has not seen its patient, or by site, by one that has not seen its site.

A results folder holds ``crossval.json``, what was asked, and a complete run folder for each fold.
The official test split is left out of every run, unless the recipe says ``data.test: new``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NotRequired, cast

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.data.split import patients_of_each
from pneumoscope.errors import InputError, NotARun, UnreadableData
from pneumoscope.evaluation.predictions import predictions_text, read_predictions
from pneumoscope.formatting import plural
from pneumoscope.listener import Listener, Silent
from pneumoscope.plain import to_plain
from pneumoscope.recipe import Recipe, stored_recipe
from pneumoscope.records import DataRequest
from pneumoscope.report.evaluated import EvaluatedRun, read_evaluated
from pneumoscope.report.groups.crossval import write_crossval_page
from pneumoscope.report.groups.matrix import write_matrix_page
from pneumoscope.run import (
    CROSSVAL,
    ENSEMBLE,
    MATRIX,
    SCHEMA,
    Run,
    check_output,
    create_folder,
    open_run,
)
from pneumoscope.storage import read_json, write_atomic, write_json, write_record
from pneumoscope.workflows.context import SessionCache
from pneumoscope.workflows.data import check_recipe, find_data
from pneumoscope.workflows.groups.group import RunGroup, content_of, locked_group, sweep_killed
from pneumoscope.workflows.groups.matrix import evaluate_matrix
from pneumoscope.workflows.groups.plan import (
    GroupPlan,
    PlanEntry,
    PlannedRun,
    check_planned_weights,
)
from pneumoscope.workflows.groups.pooled import evaluate_pooled, pool_folds
from pneumoscope.workflows.pipeline import find_again


class FoldsEntry(PlanEntry):
    """``crossval.json``: ``content`` is the digest of the films that are dealt, ``sites`` those of
    which each is left out once, where it is by site."""

    name: str
    folds: int
    content: str
    sites: NotRequired[list[str]]


def crossval(
    request: DataRequest,
    recipe: Recipe,
    count: int | None,
    *,
    seed: int = 0,
    out: Path | None = None,
    command: str = "",
    listener: Listener | None = None,
) -> Path:
    """Train and judge a run for each of ``count`` folds in one new folder, which is returned; None
    for one that leaves out each site of ``request``.

    Raises an InputError, and leaves no folder, when the data cannot be dealt so.
    """
    listener = listener or Silent()
    check_output(out)
    sites = () if count else _check_sites(request, recipe)
    count = count or len(sites)
    _check_folds(recipe, count)
    session = SessionCache(find_data(request, listener))
    check_recipe(recipe, session.source)
    plan = GroupPlan(request, (recipe,), (seed,), False, command)
    recipes = _recipes(recipe, count, sites)
    content = _deal(plan, recipes, session, listener)  # every fold, before the first is trained

    def fill(draft: Path, name: str) -> None:
        kept = {"name": name, "folds": count, "content": content, **plan.to_json()}
        write_json(draft / CROSSVAL, kept | ({"sites": list(sites)} if sites else {}))

    folder = create_folder(out, f"crossval-{recipe.model.backbone}-{session.source.name}", fill)
    with locked_group(folder, new=True):
        return _finish(RunGroup(plan, session, listener), folder, recipes, sites)


def resume_crossval(folder: Path, *, listener: Listener | None = None) -> Path:
    """Finish a cross-validation that was stopped; complete folds are kept. Raises NotARun, also
    where the data, or what a fold was made by, is not what ``crossval.json`` says."""
    listener = listener or Silent()
    kept = cast(FoldsEntry, read_json(folder / CROSSVAL))
    plan, count = _read_plan(kept)
    sites = tuple(kept.get("sites", ()))
    recipes = _recipes(plan.recipes[0], count, sites)
    folds = _folds(plan, folder, recipes)
    with locked_group(folder):
        sweep_killed(folder)
        for fold in folds:
            _check_made(fold, plan, kept["content"])
        if all(fold.is_complete for fold in folds):
            listener.choice("resume", "all folds are there", "only what sums them up is left")
            return _finish(RunGroup(plan, None, listener), folder, recipes, sites)
        check_planned_weights(kept, folds)
        session = SessionCache(find_again(plan.request, listener))
        if _deal(plan, recipes, session, listener) != kept["content"]:
            raise NotARun(
                "the data has changed since the folds began",
                got=plan.request.data,
                remedy="bring the old data back, or start anew on the new",
            )
        return _finish(RunGroup(plan, session, listener), folder, recipes, sites)


def _check_sites(request: DataRequest, recipe: Recipe) -> tuple[str, ...]:
    """The sites of which each is left out once. Raises InputError."""
    if len(request.sites) < 2:
        raise InputError(
            "leaving out a site needs several",
            got=request.data,
            expected="at least two sets: pneumoscope crossval A B --by site",
        )
    if recipe.data.test_site != "none":
        raise InputError(
            "the recipe names a site already",
            got=f"data.test_site={recipe.data.test_site}",
            remedy="leave it out: each site is left out once",
        )
    return tuple(request.sites)


def _check_folds(recipe: Recipe, count: int) -> None:
    if count < 2:
        raise InputError("cross-validation needs folds", got=count, expected="at least 2")
    if recipe.data.fold != "none":
        raise InputError(
            "the recipe names a fold already",
            got=f"data.fold={recipe.data.fold}",
            expected="data.fold=none: crossval trains every fold",
            remedy="leave it out, or train that fold alone: pneumoscope train DATA "
            f"--set 'data.fold={recipe.data.fold}'",
        )


def _deal(
    plan: GroupPlan, recipes: Mapping[str, Recipe], session: SessionCache, listener: Listener
) -> str:
    """The content of the films, as ``content_of`` gives it. Raises UnreadableData where a fold
    would lack a class."""
    recipe, content, count = plan.recipes[0], "", len(recipes)
    for part in recipes.values():
        try:
            content = content_of(part, plan, session, listener)
        except UnreadableData as error:
            prepared = session.sets.get(session.key(recipe))
            if prepared is not None and part.data.test_site != "none":
                raise _not_left_out(part.data.test_site, prepared, error) from None
            # The films could not be read at all, or no fold is at fault.
            if prepared is None or part.data.fold == "none":
                raise
            has = patients_of_each(prepared.table, recipe.data)
            raise UnreadableData(
                f"{count} folds cannot be dealt: {error.what}",
                got=f"{has[0]:,} patients with normal films and {has[1]:,} with pneumonia "
                "(films, where patients are not known)",
                expected="both classes among the films that train, validate and test each fold",
                remedy="ask for fewer folds with --folds"
                if min(has) > 2  # noqa: PLR2004 - one each for train, val and test
                else error.remedy,
            ) from None
    return content


def _not_left_out(site: str, prepared: PreparedSet, error: UnreadableData) -> UnreadableData:
    """The error of a site that cannot be left out, for a class is missing in it or in the rest."""
    has = prepared.table.groupby("site", sort=False)["label"]
    films = [
        f"{name}: {int((own == 0).sum()):,} normal and {int((own == 1).sum()):,} pneumonia films"
        for name, own in has
    ]
    return UnreadableData(
        f"{site} cannot be left out: {error.what}",
        got="; ".join(films),
        expected="both classes in every site, and among those that are learnt from without it",
        remedy="name sets that have both, or train on all of them: pneumoscope train A B",
    )


def _read_plan(kept: FoldsEntry) -> tuple[GroupPlan, int]:
    """The plan and the number of folds in ``crossval.json``. Raises NotARun."""
    if kept.get("schema") != SCHEMA:
        raise NotARun(
            "the cross-validation was made by another version of pneumoscope",
            got=f"schema {kept.get('schema')!r}",
            expected=f"schema {SCHEMA}",
        )
    missing = [key for key in ("folds", "content", "recipes", "seeds") if key not in kept]
    if missing:
        raise NotARun(f"{CROSSVAL} is incomplete", got=f"no {', '.join(missing)}")
    return GroupPlan.from_json(kept), int(kept["folds"])


def _check_made(fold: PlannedRun, plan: GroupPlan, content: str) -> None:
    """Refuse a fold that was made otherwise than ``crossval.json`` says: pooled with the others, it
    would be the result of no cross-validation."""
    if not fold.has_begun:
        return
    run = open_run(fold.folder)
    manifest = run.manifest()
    # Plans and folds of 0.1.0 have a weights file by its place, later ones by its name.
    recipe = stored_recipe(run.recipe_file).shareable()
    found = manifest.get("content")
    same = {
        "recipe": recipe == fold.recipe.shareable(),
        "seed": manifest["seed"] == fold.seed,
        "data": DataRequest.from_json(manifest["request"]) == plan.request,
        "films": not found or not content or found == content,
    }
    other = [name for name, is_same in same.items() if not is_same]
    if other:
        raise NotARun(
            f"a fold was made otherwise than {CROSSVAL} says",
            got=f"another {', '.join(other)} in {fold.folder}",
            expected="folds of one recipe, one seed and one set of films",
            remedy="move that folder away and resume: the fold is trained anew",
        )


def _recipes(recipe: Recipe, count: int, sites: Sequence[str]) -> dict[str, Recipe]:
    """The recipe of each fold, or of each site that is left out, by the name of its folder."""
    changes: dict[str, dict[str, object]] = {
        f"fold-{number}": {"fold": f"{number} of {count}"} for number in range(count)
    }
    if sites:
        changes = {f"without-{site}": {"test_site": site} for site in sites}
    return {
        name: recipe.model_copy(update={"data": recipe.data.model_copy(update=change)})
        for name, change in changes.items()
    }


def _folds(plan: GroupPlan, folder: Path, recipes: Mapping[str, Recipe]) -> list[PlannedRun]:
    """The runs of all folds, in their order."""
    return [PlannedRun(folder / name, part, plan.seeds[0]) for name, part in recipes.items()]


def _finish(
    group: RunGroup, folder: Path, recipes: Mapping[str, Recipe], sites: Sequence[str]
) -> Path:
    """The runs of all folds or sites, and what they say together."""
    folds = _folds(group.plan, folder, recipes)
    for fold in folds:
        group.listener.stage(f"{fold.folder.name} of {plural(len(folds), 'fold')}")
        group.finish(fold)
    group.listener.stage("Sum up the sites" if sites else "Sum up the folds")
    runs = [read_evaluated(fold.folder) for fold in folds]
    if sites:
        found = evaluate_matrix(runs, sites, group.plan, folder.absolute().name)
        write_record(folder / MATRIX, found)
        write_matrix_page(folder, found, runs)
    else:
        _sum_up_folds(group.plan, folder, runs)
    return folder


def _sum_up_folds(plan: GroupPlan, folder: Path, runs: Sequence[EvaluatedRun]) -> None:
    files = Run(folder)
    write_atomic(files.predictions_file, predictions_text(pool_folds(runs)))
    pooled = read_predictions(files.predictions_file)
    name, command = folder.absolute().name, plan.shareable_command
    found = evaluate_pooled(pooled, runs, plan.seeds[0], name=name, command=command)
    kept = to_plain(found)
    if not found.sites:
        del kept["sites"]
    write_json(files.metrics_file, kept)
    # Without points of its own, an ensemble decides at the mean of the members' thresholds on
    # the logit scale.
    write_json(folder / ENSEMBLE, {"members": [run.folder.name for run in runs]})
    write_crossval_page(folder, found, runs)
