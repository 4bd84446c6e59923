"""Cross-validation: every film outside the official test split is judged once, by a model that
has not seen its patient.

A results folder holds ``crossval.json``, what was asked, and a complete run folder for each fold.
The official test split is left out of every run, unless the recipe says ``data.test: new``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pandas as pd

import pneumoscope
from pneumoscope.data.split import patients_of_each
from pneumoscope.errors import InputError, NotARun, UnreadableData
from pneumoscope.evaluation.evaluate import core_metrics
from pneumoscope.evaluation.groups import (
    FoldRun,
    FoldThresholds,
    OfficialTest,
    OverFolds,
    PooledMetrics,
)
from pneumoscope.evaluation.predictions import predictions_text, read_predictions
from pneumoscope.evaluation.results import extended
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.recipe import Recipe, stored_recipe
from pneumoscope.records import DataRequest, Listener, OperatingPoint, Silent
from pneumoscope.report.evaluated import EvaluatedRun, read_evaluated
from pneumoscope.report.groups.crossval import write_crossval_page
from pneumoscope.run import CROSSVAL, ENSEMBLE, SCHEMA, Run, check_room, create_folder, open_run
from pneumoscope.storage import read_json, write_atomic, write_json, write_record
from pneumoscope.workflows.context import SessionCache
from pneumoscope.workflows.data import check_recipe, find_data
from pneumoscope.workflows.groups.group import RunGroup, content_of, locked_group, sweep_drafts
from pneumoscope.workflows.groups.plan import (
    GroupPlan,
    PlanEntry,
    PlannedRun,
    check_planned_weights,
)
from pneumoscope.workflows.pipeline import find_again

OF_PROBABILITIES = ("auroc", "average_precision", "brier", "ece", "log_loss")
"""Metrics of the pooled probabilities; all others are of decisions at each fold's own threshold."""
MEANING = {
    "pooled": "all films together, each predicted by the model that did not train on its fold; "
    "intervals resample patients (films where no patient has several), and do not show how far "
    "the result moves with other folds",
    "decisions": "each film is compared with its own fold's threshold, which that fold's "
    "validation films chose, unless the recipe fixes it",
    "probabilities": f"{', '.join(OF_PROBABILITIES)} are of the pooled probabilities as they "
    "are: differences in scale between the folds' models lower the pooled AUROC",
    "folds": "mean and standard deviation (n - 1) over the folds' own test films; folds share "
    "training films, so the deviation is no standard error",
}


class FoldsEntry(PlanEntry):
    """``crossval.json``: ``content`` is the digest of the films that are dealt."""

    name: str
    folds: int
    content: str


def crossval(
    request: DataRequest,
    recipe: Recipe,
    count: int,
    *,
    seed: int = 0,
    out: Path | None = None,
    command: str = "",
    listener: Listener | None = None,
) -> Path:
    """Train and judge a run for each of ``count`` folds in one new folder, which is returned.

    Raises an InputError, and leaves no folder, when the data cannot be dealt so.
    """
    listener = listener or Silent()
    check_room(out)
    _check_folds(recipe, count)
    session = SessionCache(find_data(request, listener))
    check_recipe(recipe, session.source)
    plan = GroupPlan(request, (recipe,), (seed,), False, command)
    content = _deal(plan, count, session, listener)

    def fill(draft: Path, name: str) -> None:
        kept: FoldsEntry = {"name": name, "folds": count, "content": content, **plan.to_json()}
        write_json(draft / CROSSVAL, kept)

    folder = create_folder(out, f"crossval-{recipe.model.backbone}-{session.source.name}", fill)
    with locked_group(folder, new=True):
        return _finish_folds(RunGroup(plan, session, listener), folder, count)


def resume_crossval(folder: Path, *, listener: Listener | None = None) -> Path:
    """Finish a cross-validation that was stopped; complete folds are kept. Raises NotARun, also
    where the data, or what a fold was made by, is not what ``crossval.json`` says."""
    listener = listener or Silent()
    kept = cast(FoldsEntry, read_json(folder / CROSSVAL))
    plan, count = _read_plan(kept)
    folds = _folds(plan, folder, count)
    with locked_group(folder):
        sweep_drafts(folder)
        for fold in folds:
            _check_made(fold, plan, kept["content"])
        if all(fold.is_complete for fold in folds):
            listener.choice("resume", "all folds are there", "only what sums them up is left")
            return _finish_folds(RunGroup(plan, None, listener), folder, count)
        check_planned_weights(kept, folds)
        session = SessionCache(find_again(plan.request, listener))
        if _deal(plan, count, session, listener) != kept["content"]:
            raise NotARun(
                "the data has changed since the folds began",
                got=plan.request.data,
                remedy="bring the old data back, or start anew on the new",
            )
        return _finish_folds(RunGroup(plan, session, listener), folder, count)


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


def _deal(plan: GroupPlan, count: int, session: SessionCache, listener: Listener) -> str:
    """The content of the films, as ``content_of`` gives it. Raises UnreadableData where a fold
    would lack a class."""
    recipe, content = plan.recipes[0], ""
    for number in range(count):
        try:
            content = content_of(_fold_of(recipe, number, count), plan, session, listener)
        except UnreadableData as error:
            prepared = session.sets.get(session.key(recipe))
            if prepared is None:  # the films could not be read at all
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
        "data": manifest["request"] == plan.request.to_json(),
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


def _fold_of(recipe: Recipe, number: int, count: int) -> Recipe:
    data = recipe.data.model_copy(update={"fold": f"{number} of {count}"})
    return recipe.model_copy(update={"data": data})


def _folds(plan: GroupPlan, folder: Path, count: int) -> list[PlannedRun]:
    """The runs of all folds, in their order."""
    recipe, seed = plan.recipes[0], plan.seeds[0]
    return [
        PlannedRun(folder / f"fold-{number}", _fold_of(recipe, number, count), seed)
        for number in range(count)
    ]


def _finish_folds(group: RunGroup, folder: Path, count: int) -> Path:
    """The runs of all folds, and what they say together."""
    plan, listener = group.plan, group.listener
    folds = _folds(plan, folder, count)
    for fold in folds:
        listener.stage(f"{fold.folder.name} of {count} folds")
        group.finish(fold)
    listener.stage("Sum up the folds")
    runs = [read_evaluated(fold.folder) for fold in folds]
    files = Run(folder)
    write_atomic(files.predictions_file, predictions_text(pool_folds(runs)))
    pooled = read_predictions(files.predictions_file)
    name, command = folder.absolute().name, plan.shareable_command
    found = evaluate_pooled(pooled, runs, plan.seeds[0], name=name, command=command)
    write_record(files.metrics_file, found)
    # Without points of its own, an ensemble decides at the mean of the members' thresholds on
    # the logit scale.
    write_json(folder / ENSEMBLE, {"members": [fold.folder.name for fold in folds]})
    write_crossval_page(folder, found, runs)
    return folder


def _official_test(run: EvaluatedRun) -> OfficialTest:
    count = run.manifest["flow"].get("in_no_split")
    if count is None:
        said = "not recorded by the version that made the folds"
    elif count:
        said = f"its {count:,} films are left out: none trained, validated or judged any fold"
    else:
        said = "none was left out: the folds hold all labelled films"
    return OfficialTest(count, said)


def pool_folds(runs: Sequence[EvaluatedRun]) -> pd.DataFrame:
    """Each run's test films with their ``fold``, its ``threshold`` and the ``decision`` (0 or 1).

    Raises NotARun where a film was judged in two folds.
    """
    parts = []
    for number, run in enumerate(runs):
        table = read_predictions(Run(run.folder).predictions_file)
        table = table[table["split"] == "test"]
        decision = (table["probability"] >= run.threshold).astype(int)
        parts.append(table.assign(fold=number, threshold=run.threshold, decision=decision))
    pooled = pd.concat(parts, ignore_index=True)
    twice = pooled["image_id"].duplicated()
    if twice.any():
        raise NotARun("a film was judged in two folds", got=pooled["image_id"][twice].iloc[0])
    return pooled


def evaluate_pooled(
    pooled: pd.DataFrame,
    runs: Sequence[EvaluatedRun],
    seed: int,
    *,
    name: str = "",
    command: str = "",
) -> PooledMetrics:
    """Pooled metrics, and each metric's mean and sd over the folds beside each fold's value."""
    first, chosen = runs[0], runs[0].results.operating_point.name
    rule = "each fold's own threshold"
    point = OperatingPoint(chosen, threshold=0.5, rule=rule, chosen_on="val")
    # Decisions stand in for probabilities, so that one threshold stands for all the folds'.
    decided = pooled.assign(probability=pooled["decision"].astype(float))
    settings = IntervalSettings(seed=seed)
    core = core_metrics(decided, split="test", operating_point=point, settings=settings)
    scored = core_metrics(pooled, split="test", operating_point=point, settings=settings).metrics
    metrics = {**core.metrics, **{key: scored[key] for key in OF_PROBABILITIES}}
    thresholds = tuple(run.threshold for run in runs)
    return extended(
        PooledMetrics,
        replace(
            core,
            split="out-of-fold",
            operating_point=FoldThresholds(chosen, math.nan, rule, "val", thresholds),
            metrics=metrics,
        ),
        version=pneumoscope.__version__,
        data=first.manifest["source"]["name"],
        recipe=first.model["lineage"]["recipe"],
        backbone=first.model["backbone"],
        meaning=MEANING,
        folds=tuple(_fold(run) for run in runs),
        over_folds={key: _over_folds(key, runs) for key in metrics},
        name=name,
        command=command,
        official_test=_official_test(first),
    )


def _fold(run: EvaluatedRun) -> FoldRun:
    return FoldRun(
        folder=run.folder.name,
        n=run.results.n,
        positives=run.results.positives,
        patients=run.results.patients,
        threshold=run.threshold,
        seconds=round(sum(run.manifest["timing"].values()), 2),
    )


def _over_folds(name: str, runs: Sequence[EvaluatedRun]) -> OverFolds:
    found = [run.estimate(name) for run in runs]
    values = tuple(each.value if each else math.nan for each in found)
    return OverFolds.of_folds(values)
