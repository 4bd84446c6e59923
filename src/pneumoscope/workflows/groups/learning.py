"""Learning curve: which runs it takes, and what they say together, ``learning_curve.json`` and its
page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pneumoscope
from pneumoscope.evaluation.compare import Side, compare_recipes
from pneumoscope.evaluation.groups import LearningCurve, LearningDifference, LearningPoint
from pneumoscope.evaluation.predictions import rows_of
from pneumoscope.recipe import Recipe
from pneumoscope.report.evaluated import EvaluatedRun, read_evaluated
from pneumoscope.report.groups.learning import write_learning_page
from pneumoscope.run import LEARNING, SCHEMA
from pneumoscope.storage import write_record
from pneumoscope.workflows.groups.plan import GroupPlan, base_name
from pneumoscope.workflows.groups.seeds import check_same_films, over_seeds, seed_run

Judged = tuple[Recipe, list[EvaluatedRun]]
"""The recipe of a point and its runs, a seed each."""

_MEANING = (
    "Each point is trained on a part of the training {} of each class; smaller parts lie "
    "within larger ones. Validation and test films are the same for all, so thresholds rest on as "
    "many validation films everywhere."
)


def write_learning(folder: Path, plan: GroupPlan) -> Path:
    """Write ``learning_curve.json`` and ``report.html`` of the complete runs of ``plan`` in
    ``folder``; return the page. Raises NotARun where runs were not judged on the same films."""
    judged = [
        (recipe, [read_evaluated(run.folder) for run in plan.runs_of(folder, recipe)])
        for recipe in plan.recipes
    ]
    every = [run for _, runs in judged for run in runs]
    check_same_films(every)
    first = every[0]
    curve = LearningCurve(
        schema=SCHEMA,
        version=pneumoscope.__version__,
        name=folder.absolute().name,
        command=plan.shareable_command,
        data=first.manifest["source"]["name"],
        backbone=first.model["backbone"],
        split=first.split,
        n=first.results.n,
        positives=first.results.positives,
        meaning="",
        points=tuple(_point(folder, recipe, runs) for recipe, runs in judged),
        differences=tuple(_differences(judged)),
    )
    curve = replace(curve, meaning=_MEANING.format(curve.counted))
    write_record(folder / LEARNING, curve)
    return write_learning_page(folder, curve, every[-1])


def _differences(judged: Sequence[Judged]) -> Iterator[LearningDifference]:
    """Of every two recipes that were trained on one share, from the smallest share to all."""
    for share in sorted({recipe.data.train_share for recipe, _ in judged}):
        alike = [(recipe, runs) for recipe, runs in judged if recipe.data.train_share == share]
        names = [base_name(recipe) for recipe, _ in alike]
        for pair in compare_recipes([[_side(run) for run in runs] for _, runs in alike]):
            first, second = names[pair.first], names[pair.second]
            yield LearningDifference(share, first, second, pair.differences)


def _side(run: EvaluatedRun) -> Side:
    rows = rows_of(run.predictions, run.split).in_order()
    return Side(run.name, run.folder.name, rows, run.threshold)


def _point(folder: Path, recipe: Recipe, runs: Sequence[EvaluatedRun]) -> LearningPoint:
    train = runs[0].manifest["flow"]["splits"]["train"]
    return LearningPoint(
        recipe=base_name(recipe),
        share=recipe.data.train_share,
        films=train["n"],
        positives=train["positives"],
        patients=train["patients"],
        runs=tuple(seed_run(folder, run) for run in runs),
        metrics={name: over_seeds(name, runs) for name in runs[0].results.metrics},
    )
