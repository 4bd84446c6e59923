"""Page of a cross-validation: what ``metrics.json`` holds; each fold has a full report of its
own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pneumoscope.evaluation.groups import FoldRun, OverFolds, PooledMetrics
from pneumoscope.evaluation.shortcuts import CHANCE
from pneumoscope.formatting import (
    ABSENT,
    Cell,
    brief,
    cell,
    mean_sd,
    number,
    one_call,
    written_alike,
)
from pneumoscope.readings import Estimate
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.groups.table import GroupRow
from pneumoscope.report.kit.catalogue import HEADLINE, METRICS, Metric, grouped
from pneumoscope.report.kit.door import divided_words, door_lines
from pneumoscope.report.kit.figure import (
    INK,
    MUTED,
    NORMAL,
    PageFigure,
    house_style,
    make_figure,
)
from pneumoscope.report.kit.page import Page, PageSection, Variables
from pneumoscope.report.kit.rows import Remark, key_figure
from pneumoscope.report.review import people
from pneumoscope.report.run import sites
from pneumoscope.report.run.reach import reach_words
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
        said=_remarks(found, runs),
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


def _good(found: PooledMetrics, runs: Sequence[EvaluatedRun]) -> str:
    """The pooled AUROC beside the models without lungs and chance, in one sentence."""
    auroc, over = found.metrics["auroc"], found.over_folds["auroc"]
    if same := one_call(found.metrics["sensitivity"].value, found.metrics["specificity"].value):
        return f"No. {same}"
    parts = [f"the network {mean_sd(over.mean, over.sd)}"]
    for name, (what, values) in _without_lungs(runs).items():
        if len(values) == len(runs):
            without = "without the lungs " if name == "metadata" else ""
            parts.append(f"{without}{what} {number(sum(values) / len(values))}")
    verdict = _verdict(auroc, over.mean, runs)
    means = f"means of folds: {', '.join(parts)}"
    return f"{verdict}: AUROC {brief(auroc)} pooled; {means}; chance {CHANCE:g}."


def _verdict(pooled: Estimate, mean_of_folds: float, runs: Sequence[EvaluatedRun]) -> str:
    """The pooled interval beside chance, the mean of folds beside that of models without lungs."""
    if pooled.low <= CHANCE:
        return "Not shown to be better than chance"
    for what, values in _without_lungs(runs).values():
        without = sum(values) / len(values) if len(values) == len(runs) else -math.inf
        if without >= mean_of_folds or written_alike(without, mean_of_folds):
            return f"No better than {what}, which see no lungs"
    return "Better than chance"


def _without_lungs(runs: Sequence[EvaluatedRun]) -> dict[str, tuple[str, list[float]]]:
    """(what it sees, its AUROC in the folds in which it could be measured) of each baseline."""
    found: dict[str, tuple[str, list[float]]] = {}
    for each in (each for run in runs for each in run.baselines):
        _, values = found.setdefault(each.name, (each.what, []))
        if each.auroc and math.isfinite(each.auroc.value):
            values.append(each.auroc.value)
    return found


def _remarks(found: PooledMetrics, runs: Sequence[EvaluatedRun]) -> list[Remark]:
    folds, patients = len(found.folds), found.patients
    divided = (
        "Not all patients are known, so that none is divided between folds is not provable."
        if patients is None
        else f"They are of {patients:,} patients, none of them divided between folds."
    )
    by_site = sites.site_words(found.sites)
    return [
        *([Remark("By site.", by_site)] if by_site else []),
        Remark("Is it good?", f"{_good(found, runs)} {reach_words(runs[0])}"),
        Remark(
            "For whom?",
            f"All films are {people.whose(runs[0])}; other ages, places and machines are untested.",
        ),
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
    with house_style():
        figure = _forest(context)
    return {
        "sites": [each.name for each in found.sites],
        "by_site": sites.rows_of([*(each.metrics for each in found.sites), found.metrics]),
        "figures": [figure],
        "columns": ["Pooled", "Mean ± sd of folds", *columns],
        "groups": [
            (title, [_row(m, found.metrics[m.key], found.over_folds[m.key]) for m in metrics])
            for title, metrics in grouped(found.metrics)
        ],
    }


def _forest(context: CrossvalContext) -> PageFigure:
    """AUROC of every fold and of all films pooled."""
    folds = [(fold.folder, run.estimate("auroc")) for run, fold in _pairs(context)]
    rows = [(name, found) for name, found in folds if found and math.isfinite(found.value)]
    rows.append(("pooled", context.found.metrics["auroc"]))
    return make_figure(
        "folds-auroc",
        draw_forest(rows),
        "AUROC of each fold",
        "Each with its 95% interval, last that of all films pooled, which the dashed line marks.",
        f"AUROC. {'; '.join(f'{name}: {brief(found)}' for name, found in rows)}.",
        png=False,
    )


def draw_forest(rows: Sequence[tuple[str, Estimate]]) -> Figure:
    """A line for each row, from the top, the last of all folds pooled. Call within
    ``house_style``."""
    figure = Figure(figsize=(5.0, 1.0 + 0.3 * len(rows)))
    axes = figure.subplots()
    for down, (_, found) in enumerate(rows):
        last = down == len(rows) - 1
        axes.hlines(down, found.low, found.high, color=NORMAL, lw=2.4, alpha=0.55)
        axes.plot(found.value, down, "D" if last else "o", color=INK if last else NORMAL, ms=5)
    axes.axvline(rows[-1][1].value, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel="AUROC")
    axes.xaxis.set_major_locator(MaxNLocator(6))
    figure.tight_layout()
    return figure


def _limits(context: CrossvalContext) -> Variables:
    """What these figures cannot show, a sentence or two each."""
    first, known = context.runs[0], context.found.patients is not None
    limits = [
        f"How it does elsewhere: all films come from {context.found.data}, so other hospitals, "
        "ages and machines are untested.",
        "What one model reaches: each film is judged by the model of its fold. A model of all "
        "films, which one would use, is not judged here.",
        "How far chance moves it: folds share training films, and each is trained from one seed.",
    ]
    if not known:
        limits.append("Whether one patient’s films lie in two folds: not all patients are known.")
    elif told := divided_words(first.door):
        limits.append(f"How it does on films it has not seen. In the first fold: {told}")
    border = sum(bool(_found_border(run)) for run in context.runs)
    if border:
        limits.append(
            f"Whether it reads the lungs: in {border} of {len(context.runs)} folds the outer tenth "
            "alone, which holds little lung, ranks films clearly better than chance."
        )
    return {"limits": limits}


def _found_border(run: EvaluatedRun) -> str | None:
    shortcuts = run.results.shortcuts or ()
    return next((each.finding for each in shortcuts if each.variant == "border"), None)


def _folds(context: CrossvalContext) -> Variables:
    return {"metrics": context.found, "recipe": context.runs[0].recipe}


def _lungs(context: CrossvalContext) -> Variables | None:
    """A row a fold: AUROC of the network, of the network on the border alone, and of each model
    without lungs."""
    rows = [_lungs_row(run, fold.folder) for run, fold in _pairs(context)]
    columns = list(_without_lungs(context.runs).values())
    if not columns and not any(run.results.shortcuts for run in context.runs):
        return None
    return {"rows": rows, "columns": [what for what, _ in columns]}


def _lungs_row(run: EvaluatedRun, fold: str) -> tuple[str, list[Cell]]:
    border = next((each for each in run.results.shortcuts or () if each.variant == "border"), None)
    estimates = [
        run.estimate("auroc"),
        border.auroc if border else None,
        *(each.auroc for each in run.baselines),
    ]
    return fold, [cell(each) if each else (ABSENT, "") for each in estimates]


def _pairs(context: CrossvalContext) -> Iterator[tuple[EvaluatedRun, FoldRun]]:
    return zip(context.runs, context.found.folds, strict=True)


PAGE: Page[CrossvalContext] = Page(
    "crossval",
    (
        PageSection("results", "Results", _results),
        PageSection("lungs", "Does it read the lungs?", _lungs),
        PageSection("folds", "Folds", _folds),
        PageSection("limits", "Limits", _limits),
    ),
)
