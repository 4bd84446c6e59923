"""Learning curve: which runs it takes, and what they say together, ``learning_curve.json`` and its
page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pneumoscope
from pneumoscope.evaluation.groups import LearningCurve, LearningPoint
from pneumoscope.recipe import Recipe
from pneumoscope.report.evaluated import EvaluatedRun, read_evaluated
from pneumoscope.report.groups.learning import write_learning_page
from pneumoscope.run import LEARNING, SCHEMA
from pneumoscope.storage import write_record
from pneumoscope.workflows.groups.plan import GroupPlan, base_name
from pneumoscope.workflows.groups.seeds import check_same_films, over_seeds, seed_run

_MEANING = (
    "Each point is trained on a part of the training patients of each class; smaller parts lie "
    "within larger ones. Validation and test films are the same for all, so thresholds rest on as "
    "many validation films everywhere."
)


def write_learning(folder: Path, plan: GroupPlan) -> Path:
    """Write ``learning_curve.json`` and ``report.html`` of the complete runs of ``plan`` in
    ``folder``; return the page. Raises NotARun where runs were not judged on the same films."""
    points, every = [], []
    for recipe in plan.recipes:
        runs = [read_evaluated(run.folder) for run in plan.runs_of(folder, recipe)]
        points.append(_point(folder, recipe, runs))
        every += runs
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
        meaning=_MEANING,
        points=tuple(points),
    )
    write_record(folder / LEARNING, curve)
    return write_learning_page(folder, curve, every[-1])


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
