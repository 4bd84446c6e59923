"""Page of several seeds of one recipe: what ``summary.json`` holds, and all validation curves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pneumoscope.evaluation.groups import OverSeeds, SeedsSummary, SeedValue
from pneumoscope.formatting import cell, listed, mean_sd, number, one_call, plural
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.groups.table import GroupRow
from pneumoscope.report.kit.catalogue import HEADLINE, METRICS, Metric, grouped
from pneumoscope.report.kit.door import door_lines
from pneumoscope.report.kit.draw import LOOKS, by_epoch, look_of
from pneumoscope.report.kit.figure import PageFigure, house_style, make_figure
from pneumoscope.report.kit.page import Page, PageSection, Variables
from pneumoscope.report.kit.rows import KeyFigure, Remark, whisker
from pneumoscope.report.repeat import repeating
from pneumoscope.report.review import people, yardsticks
from pneumoscope.report.run.model import which_epoch
from pneumoscope.report.run.reach import reach_words
from pneumoscope.run import Run
from pneumoscope.storage import write_atomic

_ABREAST = 4  # names of seeds in a row of the legend
_BY_SITE = ("auroc", "balanced_accuracy", "sensitivity", "specificity")
_CURVES = (("val_auroc", "Validation AUROC"), ("val_loss", "Validation loss"))


@dataclass(frozen=True, slots=True)
class SeedsContext:
    """All that a section may draw on."""

    summary: SeedsSummary
    runs: Sequence[EvaluatedRun]


def write_seeds_page(folder: Path, summary: SeedsSummary, runs: Sequence[EvaluatedRun]) -> Path:
    """Write ``report.html`` into ``folder``, which exists; return it. ``runs`` are those of
    ``summary``, in its order. Raises OutputNotWritable."""
    text = PAGE.render(
        SeedsContext(summary, runs),
        summary=summary,
        seeds=listed([str(run.seed) for run in summary.runs]),
        said=[*_remarks_of_use(summary, runs), *_remarks(summary)],
        door=door_lines(runs[0].door),
        keys=[
            _key_figure(METRICS[key].title, summary.metrics[key])
            for key in HEADLINE
            if key in summary.metrics
        ],
    )
    page = Run(folder).report_file
    write_atomic(page, text)
    return page


def _key_figure(title: str, found: OverSeeds) -> KeyFigure:
    """The bar reaches from the lowest to the highest seed."""
    known = [each.value for each in found.values if math.isfinite(each.value)]
    at = whisker(min(known), found.mean, max(known)) if known else None
    sd = f"± {number(found.sd)}" if math.isfinite(found.sd) else ""
    return KeyFigure(title, number(found.mean), sd, at)


def _row(metric: Metric, found: OverSeeds) -> GroupRow:
    cells = tuple(cell(each.estimate) for each in found.values)
    return GroupRow(metric, ((mean_sd(found.mean, found.sd), ""), *cells))


def one_answers(summary: SeedsSummary) -> list[str]:
    """What is to be said first of each run that gives every film the same answer."""
    both = [summary.metrics.get(name) for name in ("sensitivity", "specificity")]
    pairs = zip(*(over.values for over in both if over), strict=True)
    same = [one_call(*(each.value for each in pair)) for pair in pairs if len(pair) == 2]
    return list(filter(None, same))


def _remarks_of_use(summary: SeedsSummary, runs: Sequence[EvaluatedRun]) -> Iterator[Remark]:
    """Is it good, and for whom: the mean beside the yardsticks, which all seeds share."""
    auroc = summary.metrics.get("auroc")
    if auroc and math.isfinite(auroc.mean):
        said = f"AUROC {mean_sd(auroc.mean, auroc.sd)} over seeds on {plural(summary.n, 'film')}"
        beside = f"{said}; {yardsticks.words(runs[0])}."
        yield Remark("Is it good?", f"{beside} {reach_words(runs[0])}")
    yield Remark("For whom?", people.words(runs[0]))


def _remarks(summary: SeedsSummary) -> Iterator[Remark]:
    count, auroc = len(summary.runs), summary.metrics.get("auroc")
    if same := one_answers(summary):
        yield Remark(f"{len(same)} of {count} models give one answer.", same[0])
    spread = auroc is not None and math.isfinite(auroc.sd)
    if auroc and spread:
        values = [each.value for each in auroc.values if math.isfinite(each.value)]
        yield Remark(
            "What the seed changes.",
            f"Trained {count} times, each from another seed, on the same films and splits, "
            f"the AUROC is {mean_sd(auroc.mean, auroc.sd)}: the lowest is {number(min(values))}, "
            f"the highest {number(max(values))}.",
        )
    yield Remark(
        "What ± is not.",
        "It is the standard deviation between seeds, and not the uncertainty of the "
        f"test: the {count} runs are judged on the same {summary.n:,} films, and with other "
        "films all of them would move together. How far is what the interval of each run says.",
    )
    widths = [each.high - each.low for each in auroc.values] if auroc else []
    widths = [width for width in widths if math.isfinite(width)]
    if auroc and spread and widths:
        yield Remark(
            "Which is larger.",
            f"For AUROC the seeds spread by ± {number(auroc.sd)} (one standard deviation), while "
            f"the interval of one run reaches about ± {number(mean(widths) / 2)} (95%). A "
            "difference between two recipes must be looked at beside both.",
        )


def _results(context: SeedsContext) -> Variables:
    summary = context.summary
    return {
        "columns": ["Mean ± sd", *(f"Seed {run.seed}" for run in summary.runs)],
        "groups": [
            (title, [_row(metric, summary.metrics[metric.key]) for metric in metrics])
            for title, metrics in grouped(summary.metrics)
        ],
    }


def _sites(context: SeedsContext) -> Variables | None:
    """The same of the films of each of several sites, in short."""
    groups = []
    for place, site in enumerate(context.runs[0].results.sites or ()):
        metrics = [each for _, some in grouped(site.metrics) for each in some]
        rows = [
            _row(each, _at_site(context.runs, place, each.key))
            for each in metrics
            if each.key in _BY_SITE
        ]
        groups.append((f"{site.name}, {plural(site.n, 'film')}", rows))
    return {"columns": _results(context)["columns"], "groups": groups} if groups else None


def _at_site(runs: Sequence[EvaluatedRun], place: int, name: str) -> OverSeeds:
    """A metric of the films of one site over runs that differ in their seed."""
    values = []
    for run in runs:
        found = (run.results.sites or ())[place].metrics[name]
        values.append(SeedValue(run.manifest["seed"], found.value, found.low, found.high))
    return OverSeeds.of_seeds(values)


def _curves(context: SeedsContext) -> Variables | None:
    known = [run for run in context.runs if run.history is not None]
    if not known:
        return None
    with house_style():
        return {"figures": curves_figures(known)}


def _runs(context: SeedsContext) -> Variables:
    runs = context.summary.runs
    return {"runs": runs, "total": sum(run.seconds for run in runs)}


def _reproduce(context: SeedsContext) -> Variables:
    fitted = [run.fitted_epochs for run in context.runs]
    alike = len(set(fitted)) == 1
    return {
        "command": repeating(context.summary.command, fitted[0] if alike else None),
        "recipe": context.runs[0].recipe,
        "minutes": "" if alike and fitted[0] is None else _minutes(fitted, alike=alike),
    }


def _minutes(fitted: Sequence[int | None], *, alike: bool) -> str:
    """What is said of epochs that were fitted to minutes, by a measured speed."""
    if alike:
        return (
            "How many epochs fitted into the minutes was measured, and another time it may be "
            "another number: so the command and the recipe name those that were trained."
        )
    said = ", ".join("not known" if epochs is None else f"{epochs:,}" for epochs in fitted)
    return (
        "How many epochs fitted into the minutes was measured for each seed, and this command "
        f"measures again. Trained were, in the order of the seeds: {said}; the recipe names those "
        "of the first."
    )


PAGE: Page[SeedsContext] = Page(
    "seeds",
    (
        PageSection("sites", "By site", _sites),
        PageSection("results", "Results", _results),
        PageSection("curves", "Training", _curves),
        PageSection("runs", "Runs", _runs),
        PageSection("reproduce", "Reproduction", _reproduce),
    ),
)


def curves_figures(runs: Sequence[EvaluatedRun]) -> list[PageFigure]:
    """Validation AUROC and loss of all runs by epoch, a dot where the kept epoch is. Call within
    ``house_style``."""
    names = listed([f"seed {run.manifest['seed']}" for run in runs])
    kept = f"The dot is the epoch that was kept. {which_epoch(runs[0].model)}"
    captions = (kept, "On the same films; the dot is the same epoch.")
    return [
        make_figure(
            f"seeds-{column}",
            draw_epochs(runs, column, title),
            f"{title} of all seeds",
            caption,
            f"{title} by epoch of {names}.",
        )
        for (column, title), caption in zip(_CURVES, captions, strict=True)
    ]


def draw_epochs(runs: Sequence[EvaluatedRun], column: str, title: str) -> Figure:
    """One panel with a line for each run, and the seeds named above it where looks suffice."""
    named = len(runs) <= LOOKS
    rows = (len(runs) - 1) // _ABREAST if named else 0
    figure = Figure(figsize=(5.0, 3.3 + 0.2 * rows))
    axes = figure.subplots()
    for at, run in enumerate(runs):
        _draw_run(axes, run, column, at)
    by_epoch(axes, title)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    if named:
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0.0, 1.0),
            ncols=_ABREAST,
            columnspacing=1.2,
            handlelength=1.6,
            frameon=False,
            borderaxespad=0.4,
            borderpad=0,
        )
    figure.tight_layout()
    return figure


def _draw_run(axes: Axes, run: EvaluatedRun, column: str, at: int) -> None:
    history = run.history
    if history is None or column not in history:
        return
    epochs = history["epoch"].to_numpy(dtype=float)
    values = history[column].to_numpy(dtype=float)
    look = look_of(at)
    label = f"seed {run.manifest['seed']}"
    axes.plot(epochs, values, color=look.colour, linestyle=look.linestyle, label=label)
    kept = epochs == run.best_epoch
    axes.plot(epochs[kept], values[kept], "o", color=look.colour, markersize=5)
