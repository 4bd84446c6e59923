"""Page of a cross-validation: what ``metrics.json`` holds; each fold has a full report of its
own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pneumoscope.formatting import ABSENT, cell, mean_sd, number
from pneumoscope.records import Estimate
from pneumoscope.report.groups.table import GroupRow
from pneumoscope.report.kit.catalogue import HEADLINE, METRICS, Metric, grouped
from pneumoscope.report.kit.page import Page, Section, Variables
from pneumoscope.report.kit.rows import Remark, key_figure
from pneumoscope.report.run.folder import Judged
from pneumoscope.storage import write_atomic


@dataclass(frozen=True, slots=True)
class CrossvalContext:
    """All that a section may draw on."""

    metrics: Mapping[str, Any]
    runs: Sequence[Judged]


def write_crossval_page(folder: Path, metrics: Mapping[str, Any], runs: Sequence[Judged]) -> Path:
    """Write ``report.html`` into ``folder``, which exists; return it. ``metrics`` is the plain
    data of ``metrics.json``. Raises OutputNotWritable."""
    text = PAGE.render(
        CrossvalContext(metrics, runs),
        metrics=metrics,
        said=_remarks(metrics),
        keys=[
            key_figure(METRICS[key].title, Estimate.from_json(metrics["metrics"][key]))
            for key in HEADLINE
            if key in metrics["metrics"]
        ],
    )
    page = folder / "report.html"
    write_atomic(page, text)
    return page


def _remarks(metrics: Mapping[str, Any]) -> list[Remark]:
    folds, patients, meaning = len(metrics["folds"]), metrics["patients"], metrics["meaning"]
    divided = (
        "Not all patients are known, so that none is divided between folds is not provable."
        if patients is None
        else f"They are of {patients:,} patients, none of them divided between folds."
    )
    return [
        Remark(
            "What was judged.",
            f"Each of {metrics['n']:,} films, {metrics['positives']:,} with pneumonia, by the one "
            f"of {folds} models that was not trained on its fold. {divided}",
        ),
        Remark("Official test split.", _sentence(metrics["official_test"]["meaning"])),
        Remark("Decisions.", _sentence(meaning["decisions"])),
        Remark("Pooled.", _sentence(meaning["pooled"])),
    ]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _row(metric: Metric, found: Estimate, over: Mapping[str, Any]) -> GroupRow:
    folds = [(ABSENT if value is None else number(value), "") for value in over["values"]]
    return GroupRow(metric, (cell(found), (mean_sd(over["mean"], over["sd"]), ""), *folds))


def _results(context: CrossvalContext) -> Variables:
    metrics = context.metrics
    found = {key: Estimate.from_json(value) for key, value in metrics["metrics"].items()}
    columns = [fold["folder"] for fold in metrics["folds"]]
    return {
        "columns": ["Pooled", "Mean ± sd of folds", *columns],
        "groups": [
            (title, [_row(m, found[m.key], metrics["over_folds"][m.key]) for m in metrics_])
            for title, metrics_ in grouped(found)
        ],
    }


def _folds(context: CrossvalContext) -> Variables:
    metrics = context.metrics
    return {"metrics": metrics, "recipe": context.runs[0].recipe}


PAGE: Page[CrossvalContext] = Page(
    "crossval", (Section("results", "Results", _results), Section("folds", "Folds", _folds))
)
