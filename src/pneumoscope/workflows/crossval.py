"""Cross-validation: every film outside the official test split is judged once, by a model that
has not seen its patient.

A results folder holds ``crossval.json``, what was asked, and a complete run folder for each fold.
The official test split is left out of every run, unless the recipe says ``data.test: new``.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import pneumoscope
from pneumoscope.errors import InputError, NotARun
from pneumoscope.evaluation.evaluate import evaluate
from pneumoscope.recipe import Recipe
from pneumoscope.records import DataRequest, Listener, OperatingPoint, Silent
from pneumoscope.report.crossval_page import write_crossval_page
from pneumoscope.report.folder import Judged, read_judged
from pneumoscope.run import (
    SCHEMA,
    Run,
    check_new,
    create_folder,
    read_json,
    write_atomic,
    write_json,
)
from pneumoscope.workflows import pipeline
from pneumoscope.workflows.data import find_data
from pneumoscope.workflows.judging import predictions_text, read_predictions
from pneumoscope.workflows.many import (
    Plan,
    check_recipe,
    content_of,
    held_together,
    is_complete,
    one_run,
    sweep_drafts,
)
from pneumoscope.workflows.work import Ready

PLAN = "crossval.json"
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


def is_crossval(folder: Path) -> bool:
    """Whether ``folder`` holds a cross-validation, finished or not."""
    return (folder / PLAN).is_file()


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
    check_new(out)
    if count < 2:
        raise InputError("cross-validation needs folds", got=count, expected="at least 2")
    ready = Ready(find_data(request, listener))
    check_recipe(recipe, ready)
    plan = Plan(request, (recipe,), (seed,), False, command)
    content = [content_of(fold, plan, ready, listener) for fold in _fold_recipes(recipe, count)][0]

    def fill(draft: Path, name: str) -> None:
        about = {"name": name, "folds": count, "content": content, **plan.to_json()}
        write_json(draft / PLAN, about)

    folder = create_folder(out, f"crossval-{recipe.model.backbone}-{ready.source.name}", fill)
    try:
        with held_together(folder):
            return _finish(folder, plan, count, ready, listener)
    except InputError:
        if not any(folder.rglob("run.json")):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def resume_crossval(folder: Path, *, listener: Listener | None = None) -> Path:
    """Finish a cross-validation that was stopped; complete folds are kept. Raises NotARun."""
    listener = listener or Silent()
    about = read_json(folder / PLAN)
    plan, count = Plan.from_json(about), int(about["folds"])
    with held_together(folder):
        sweep_drafts(folder)
        if all(is_complete(place) for place in _places(folder, count)):
            listener.choice("resume", "all folds are there", "only what sums them up is left")
            return _finish(folder, plan, count, None, listener)
        ready = Ready(pipeline.find_again(plan.request, listener))
        first = _fold_recipes(plan.recipes[0], count)[0]
        if content_of(first, plan, ready, listener) != about["content"]:
            raise NotARun(
                "the data has changed since the folds began",
                got=plan.request.data,
                remedy="bring the old data back, or start anew on the new",
            )
        return _finish(folder, plan, count, ready, listener)


def _fold_recipes(recipe: Recipe, count: int) -> list[Recipe]:
    return [
        recipe.model_copy(
            update={"data": recipe.data.model_copy(update={"fold": f"{number} of {count}"})}
        )
        for number in range(count)
    ]


def _places(folder: Path, count: int) -> list[Path]:
    return [folder / f"fold-{number}" for number in range(count)]


def _finish(folder: Path, plan: Plan, count: int, ready: Ready | None, listener: Listener) -> Path:
    places = _places(folder, count)
    for place, recipe in zip(places, _fold_recipes(plan.recipes[0], count), strict=True):
        listener.stage(f"{place.name} of {count} folds")
        one_run(plan, (place, recipe, plan.seeds[0]), ready, listener)
    listener.stage("Sum up the folds")
    runs = [read_judged(place) for place in places]
    write_atomic(folder / "predictions.csv", predictions_text(pool_folds(runs)))
    pooled = read_predictions(Run(folder))
    metrics = judge_pooled(pooled, runs, plan.seeds[0]) | {
        "name": folder.absolute().name,
        "command": plan.command,
        "official_test": _official_test(runs[0]),
    }
    write_json(folder / "metrics.json", metrics)
    # Without points of its own, an ensemble decides at the mean of the members' thresholds on
    # the logit scale.
    write_json(folder / "ensemble.json", {"members": [place.name for place in places]})
    write_crossval_page(folder, metrics, runs)
    return folder


def _official_test(run: Judged) -> str:
    """What became of the official test split, in the words of the run's own choice."""
    said = [c["why"] for c in run.run["choices"] if c["what"] == "test split"]
    if any("left out" in why for why in said):
        return "left out: no film of it trained, validated or judged any fold"
    return "none was left out: the folds hold all labelled films"


def pool_folds(runs: Sequence[Judged]) -> pd.DataFrame:
    """Each run's test films with their ``fold``, its ``threshold`` and the ``decision`` (0 or 1).

    Raises NotARun where a film was judged in two folds.
    """
    parts = []
    for number, run in enumerate(runs):
        table = read_predictions(Run(run.folder))
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
    out = evaluate(decided, split="test", operating_point=point, seed=seed)
    scored = evaluate(pooled, split="test", operating_point=point, seed=seed)["metrics"]
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
