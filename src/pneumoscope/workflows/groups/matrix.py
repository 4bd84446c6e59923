"""Matrix of sites: the runs that left out a site each, judged on all of them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

import pneumoscope
from pneumoscope.evaluation.evaluate import evaluate_site
from pneumoscope.evaluation.predictions import at_temperature, read_predictions
from pneumoscope.evaluation.results import SCHEMA, SiteResult
from pneumoscope.evaluation.site.matrix import MatrixRow, SiteMatrix
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.records import OWN
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.run import Run
from pneumoscope.workflows.groups.plan import GroupPlan

_MEANING = {
    "rows": "models; each was trained and tuned on the sites of its row, and on no film of others",
    "cells": "the films of a column are the same in every row: the site's test films, which no "
    "model was trained or tuned on. Sensitivity and specificity are at the threshold that the "
    "model carries; an official test split is left out",
    "left_out": "all films of the site that the model was not trained on, its test films among "
    "them",
    "calibration": "slope 1 and in the large 0 are perfect; a slope below 1 says that "
    "probabilities are too extreme, in the large above 0 that pneumonia is more frequent than "
    "they say",
}


def evaluate_matrix(
    runs: Sequence[EvaluatedRun], sites: Sequence[str], plan: GroupPlan, name: str
) -> SiteMatrix:
    """The matrix of ``runs``, of which each left out the site at its place in ``sites``."""
    tables = [_judged(run) for run in runs]
    # A site's test films are those that the other models, which learnt from it, keep as their own.
    own = pd.concat(tables)
    judged = set(own.loc[own["split"] == OWN, "image_id"])
    judged = judged.intersection(*(table["image_id"] for table in tables))
    settings = IntervalSettings(seed=plan.seeds[0])
    first = runs[0]
    return SiteMatrix(
        schema=SCHEMA,
        version=pneumoscope.__version__,
        name=name,
        command=plan.shareable_command,
        sites=tuple(sites),
        recipe=first.model["lineage"]["recipe"],
        backbone=first.model["backbone"],
        meaning=_MEANING,
        rows=tuple(
            _row(run, table, site, sites, judged, settings)
            for run, table, site in zip(runs, tables, sites, strict=True)
        ),
    )


def _row(
    run: EvaluatedRun,
    table: pd.DataFrame,
    left_out: str,
    sites: Sequence[str],
    judged: set[str],
    settings: IntervalSettings,
) -> MatrixRow:
    point = run.results.operating_point

    def cell(site: str, rows: pd.DataFrame) -> SiteResult:
        return evaluate_site(site, rows.assign(split="test"), point, settings)

    same = table[table["image_id"].isin(judged)]
    return MatrixRow(
        folder=run.folder.name,
        trained_on=tuple(site for site in sites if site != left_out),
        operating_point=point,
        cells=tuple(cell(site, same[same["site"] == site]) for site in sites),
        left_out=cell(left_out, table[table["site"] == left_out]),
        seconds=round(sum(run.manifest["timing"].values()), 2),
    )


def _judged(run: EvaluatedRun) -> pd.DataFrame:
    """The run's test films, which are of the site left out, and those of the sites that it learnt
    from, on its own scale."""
    table = read_predictions(Run(run.folder).predictions_file)
    known = run.results.calibration
    heat = known.temperature if known and known.temperature else 1.0
    return at_temperature(table[table["split"].isin(["test", OWN])], heat)
