"""Cross-validation: every film outside the official test split is judged once, by a model that
has not seen its patient.

A results folder holds ``crossval.json``, what was asked, and a complete run folder for each fold.
The official test split is left out of every run, unless the recipe says ``data.test: new``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import pneumoscope
from pneumoscope.data.split import patients_of_each
from pneumoscope.errors import InputError, NotARun, UnreadableData
from pneumoscope.evaluation.evaluate import core_metrics
from pneumoscope.evaluation.predictions import predictions_text, read_predictions
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.plain import to_plain
from pneumoscope.recipe import Recipe, stored_recipe
from pneumoscope.records import DataRequest, Listener, OperatingPoint, Silent
from pneumoscope.report.groups.crossval import write_crossval_page
from pneumoscope.report.run.folder import Judged, read_judged
from pneumoscope.run import CROSSVAL, ENSEMBLE, SCHEMA, Run, check_room, create_folder, open_run
from pneumoscope.storage import read_json, write_atomic, write_json
from pneumoscope.workflows.context import SessionCache
from pneumoscope.workflows.data import check_recipe, find_data
from pneumoscope.workflows.groups.group import RunGroup, content_of, locked_group, sweep_drafts
from pneumoscope.workflows.groups.plan import GroupPlan, PlannedRun, check_planned_weights
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
        about = {"name": name, "folds": count, "content": content, **plan.to_json()}
        write_json(draft / CROSSVAL, about)

    folder = create_folder(out, f"crossval-{recipe.model.backbone}-{session.source.name}", fill)
    with locked_group(folder, new=True):
        return _finish_folds(RunGroup(plan, session, listener), folder, count)


def resume_crossval(folder: Path, *, listener: Listener | None = None) -> Path:
    """Finish a cross-validation that was stopped; complete folds are kept. Raises NotARun, also
    where the data, or what a fold was made by, is not what ``crossval.json`` says."""
    listener = listener or Silent()
    kept = read_json(folder / CROSSVAL)
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


def _read_plan(about: Mapping[str, Any]) -> tuple[GroupPlan, int]:
    """The plan and the number of folds in ``crossval.json``. Raises NotARun."""
    if about.get("schema") != SCHEMA:
        raise NotARun(
            "the cross-validation was made by another version of pneumoscope",
            got=f"schema {about.get('schema')!r}",
            expected=f"schema {SCHEMA}",
        )
    missing = [key for key in ("folds", "content", "recipes", "seeds") if key not in about]
    if missing:
        raise NotARun(f"{CROSSVAL} is incomplete", got=f"no {', '.join(missing)}")
    return GroupPlan.from_json(about), int(about["folds"])


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
    runs = [read_judged(fold.folder) for fold in folds]
    table = Run(folder).predictions_file
    write_atomic(table, predictions_text(pool_folds(runs)))
    pooled = read_predictions(table)
    metrics = judge_pooled(pooled, runs, plan.seeds[0]) | {
        "name": folder.absolute().name,
        "command": plan.shareable_command,
        "official_test": _official_test(runs[0]),
    }
    write_json(Run(folder).metrics_file, metrics)
    # Without points of its own, an ensemble decides at the mean of the members' thresholds on
    # the logit scale.
    write_json(folder / ENSEMBLE, {"members": [fold.folder.name for fold in folds]})
    write_crossval_page(folder, metrics, runs)
    return folder


def _official_test(run: Judged) -> dict[str, Any]:
    """How many films of the official test split no fold holds, None where that was not recorded,
    and what that means."""
    count = run.run["flow"].get("in_no_split")
    if count is None:
        said = "not recorded by the version that made the folds"
    elif count:
        said = f"its {count:,} films are left out: none trained, validated or judged any fold"
    else:
        said = "none was left out: the folds hold all labelled films"
    return {"left_out": count, "meaning": said}


def pool_folds(runs: Sequence[Judged]) -> pd.DataFrame:
    """Each run's test films with their ``fold``, its ``threshold`` and the ``decision`` (0 or 1).

    Raises NotARun where a film was judged in two folds.
    """
    parts = []
    for number, run in enumerate(runs):
        table = read_predictions(run.folder / "predictions.csv")
        table = table[table["split"] == "test"]
        decision = (table["probability"] >= run.threshold).astype(int)
        parts.append(table.assign(fold=number, threshold=run.threshold, decision=decision))
    pooled = pd.concat(parts, ignore_index=True)
    twice = pooled["image_id"].duplicated()
    if twice.any():
        raise NotARun("a film was judged in two folds", got=pooled["image_id"][twice].iloc[0])
    return pooled


def judge_pooled(pooled: pd.DataFrame, runs: Sequence[Judged], seed: int) -> dict[str, Any]:
    """Pooled metrics, and each metric's mean and sd over the folds beside each fold's value."""
    point = OperatingPoint(
        name=str(runs[0].metrics["operating_point"]["name"]),
        threshold=0.5,
        rule="each fold's own threshold",
        chosen_on="val",
    )
    # Decisions stand in for probabilities, so that one threshold stands for all the folds'.
    decided = pooled.assign(probability=pooled["decision"].astype(float))
    settings = IntervalSettings(seed=seed)
    out = to_plain(core_metrics(decided, split="test", operating_point=point, settings=settings))
    scored = to_plain(core_metrics(pooled, split="test", operating_point=point, settings=settings))[
        "metrics"
    ]
    out["metrics"] |= {name: scored[name] for name in OF_PROBABILITIES if name in scored}
    thresholds = [run.threshold for run in runs]
    out["operating_point"] |= {"threshold": None, "thresholds": thresholds}
    names = out["metrics"]
    return out | {
        "schema": SCHEMA,
        "version": pneumoscope.__version__,
        "split": "out-of-fold",
        "data": runs[0].run["source"]["name"],
        "recipe": runs[0].model["lineage"]["recipe"],
        "backbone": runs[0].model["backbone"],
        "meaning": MEANING,
        "folds": [_about(run) for run in runs],
        "over_folds": {name: _over_folds(name, runs) for name in names},
    }


def _about(run: Judged) -> dict[str, Any]:
    return {
        "folder": run.folder.name,
        "n": run.metrics["n"],
        "positives": run.metrics["positives"],
        "patients": run.metrics["patients"],
        "threshold": run.threshold,
        "seconds": round(sum(run.run["timing"].values()), 2),
    }


def _over_folds(name: str, runs: Sequence[Judged]) -> dict[str, Any]:
    values = [(run.metrics["metrics"].get(name) or {}).get("value") for run in runs]
    known = [value for value in values if value is not None]
    return {
        "mean": float(np.mean(known)) if known else None,
        "sd": float(np.std(known, ddof=1)) if len(known) > 1 else None,
        "n": len(known),
        "values": values,
    }
