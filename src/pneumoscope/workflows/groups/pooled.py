"""Folds pooled: the test films of all folds together, and each metric's spread over the folds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

import pneumoscope
from pneumoscope.data.door import HELD_BACK
from pneumoscope.errors import NotARun
from pneumoscope.evaluation.evaluate import core_metrics, evaluate_sites
from pneumoscope.evaluation.groups import (
    FoldRun,
    FoldThresholds,
    OfficialTest,
    OverFolds,
    PooledMetrics,
)
from pneumoscope.evaluation.results import SiteResult, extended
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.readings import OperatingPoint
from pneumoscope.report.evaluated import EvaluatedRun

_OF_PROBABILITIES = ("auroc", "average_precision", "brier", "ece", "log_loss")
"""Metrics of the pooled probabilities; all others are of decisions at each fold's own threshold."""
_MEANING = {
    "pooled": "all films together, each predicted by the model that did not train on its fold; "
    "intervals resample patients (films where no patient has several), and do not show how far "
    "the result moves with other folds",
    "decisions": "each film is compared with its own fold's threshold, which that fold's "
    "validation films chose, unless the recipe fixes it",
    "probabilities": f"{', '.join(_OF_PROBABILITIES)} are of the pooled probabilities, each on the "
    "scale of its own fold's model: differences in scale between the models lower the pooled AUROC",
    "folds": "mean and standard deviation (n - 1) over the folds' own test films; folds share "
    "training films, so the deviation is no standard error",
}


def _official_test(run: EvaluatedRun) -> OfficialTest:
    count = run.manifest["flow"].get("in_no_split")
    if run.door:  # which tells it from films that are left out for other reasons
        count = sum(each.films for each in run.door.left_out if each.reason == HELD_BACK)
    if count is None:
        said = "not recorded by the version that made the folds"
    elif count:
        said = f"its {count:,} films are left out: no fold was trained, validated or judged on them"
    else:
        said = "none was left out: the folds hold all labelled films"
    return OfficialTest(count, said)


def pool_folds(runs: Sequence[EvaluatedRun]) -> pd.DataFrame:
    """Each run's test films with their ``fold``, its ``threshold`` and the ``decision`` (0 or 1).

    Raises NotARun where a film was judged in two folds.
    """
    parts = []
    for number, run in enumerate(runs):
        table = run.predictions[run.predictions["split"] == "test"]
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
    metrics = {**core.metrics, **{key: scored[key] for key in _OF_PROBABILITIES}}
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
        meaning=_MEANING,
        folds=tuple(_fold(run) for run in runs),
        over_folds={key: _over_folds(key, runs) for key in metrics},
        name=name,
        command=command,
        official_test=_official_test(first),
        sites=_by_site(pooled, decided, point, settings),
    )


def _by_site(
    pooled: pd.DataFrame, decided: pd.DataFrame, point: OperatingPoint, settings: IntervalSettings
) -> tuple[SiteResult, ...]:
    """The same for the films of each of several sites."""
    found = []
    for site in evaluate_sites(pooled, "test", point, settings) or ():
        rows = decided[(decided["site"] == site.name).fillna(False)]
        core = core_metrics(rows, split="test", operating_point=point, settings=settings)
        scored = {key: site.metrics[key] for key in _OF_PROBABILITIES}
        found.append(replace(site, confusion=core.confusion, metrics={**core.metrics, **scored}))
    return tuple(found)


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
