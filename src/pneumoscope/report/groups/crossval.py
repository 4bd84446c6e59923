"""Page of a cross-validation: what ``metrics.json`` holds; each fold has a full report of its
own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pneumoscope.evaluation.groups import OverFolds, PooledMetrics
from pneumoscope.formatting import ABSENT, cell, mean_sd, number, one_call
from pneumoscope.records import Estimate
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.groups.table import GroupRow
from pneumoscope.report.kit.catalogue import HEADLINE, METRICS, Metric, grouped
from pneumoscope.report.kit.door import door_lines
from pneumoscope.report.kit.page import Page, PageSection, Variables
from pneumoscope.report.kit.rows import Remark, key_figure
from pneumoscope.run import Run
from pneumoscope.storage import write_atomic


@dataclass(frozen=True, slots=True)
class CrossvalContext:
    """All that a section may draw on."""

    found: PooledMetrics
    runs: Sequence[EvaluatedRun]


def write_crossval_page(folder: Path, found: PooledMetrics, runs: Sequence[EvaluatedRun]) -> Path:
    """Write ``report.html`` into ``folder``, which exists; return it. Raises
    OutputNotWritable."""
    text = PAGE.render(
        CrossvalContext(found, runs),
        metrics=found,
        said=_remarks(found),
        door=door_lines(runs[0].door, splits=False),
        keys=[
            key_figure(METRICS[key].title, found.metrics[key])
            for key in HEADLINE
            if key in found.metrics
        ],
    )
    page = Run(folder).report_file
    write_atomic(page, text)
    return page


def _remarks(found: PooledMetrics) -> list[Remark]:
    folds, patients = len(found.folds), found.patients
    divided = (
        "Not all patients are known, so that none is divided between folds is not provable."
        if patients is None
        else f"They are of {patients:,} patients, none of them divided between folds."
    )
    same = one_call(found.metrics["sensitivity"].value, found.metrics["specificity"].value)
    return [
        *([Remark("One answer.", same)] if same else []),
        Remark(
            "What was judged.",
            f"Each of {found.n:,} films, {found.positives:,} with pneumonia, by the one "
            f"of {folds} models that was not trained on its fold. {divided}",
        ),
        Remark("Official test split.", _sentence(found.official_test.meaning)),
        Remark("Decisions.", _sentence(found.meaning["decisions"])),
        Remark("Pooled.", _sentence(found.meaning["pooled"])),
    ]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _row(metric: Metric, found: Estimate, over: OverFolds) -> GroupRow:
    folds = [(ABSENT if math.isnan(value) else number(value), "") for value in over.values]
    return GroupRow(metric, (cell(found), (mean_sd(over.mean, over.sd), ""), *folds))


def _results(context: CrossvalContext) -> Variables:
    found = context.found
    columns = [fold.folder for fold in found.folds]
    return {
        "columns": ["Pooled", "Mean ± sd of folds", *columns],
        "groups": [
            (title, [_row(m, found.metrics[m.key], found.over_folds[m.key]) for m in metrics])
            for title, metrics in grouped(found.metrics)
        ],
    }


def _folds(context: CrossvalContext) -> Variables:
    return {"metrics": context.found, "recipe": context.runs[0].recipe}


PAGE: Page[CrossvalContext] = Page(
    "crossval", (PageSection("results", "Results", _results), PageSection("folds", "Folds", _folds))
)
