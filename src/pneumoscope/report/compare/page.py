"""A comparison in, ``comparison.json`` and a self-contained ``comparison.html`` out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pneumoscope.evaluation.comparison import ComparedPair, Comparison, RecipePair, SeedGroup
from pneumoscope.formatting import ABSENT, Cell, cell, listed, mean_sd, p_value
from pneumoscope.report.compare import words
from pneumoscope.report.compare.figures import draw_curves
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.catalogue import METRICS, Metric, grouped
from pneumoscope.report.kit.draw import Look, look_of
from pneumoscope.report.kit.figure import PageFigure
from pneumoscope.report.kit.page import Page, PageSection, Variables
from pneumoscope.report.kit.rows import (
    DifferenceRow,
    KeyFigure,
    Remark,
    difference_row,
    reach_of,
    whisker,
)
from pneumoscope.report.review import people
from pneumoscope.report.run.model import AUROC_WORDS
from pneumoscope.storage import write_atomic, write_record

COMPARED = ("auroc", "sensitivity", "specificity", "balanced_accuracy", "accuracy")
"""The metrics whose differences are shown, in order."""
KEYS_SHOWN = 4


@dataclass(frozen=True, slots=True)
class ComparisonContext:
    """All that a section may draw on."""

    comparison: Comparison
    figures: Sequence[PageFigure]

    @property
    def letters(self) -> list[str]:
        return [run.letter for run in self.comparison.runs]


@dataclass(frozen=True, slots=True)
class RunFigure(KeyFigure):
    """AUROC of one run, with the look that it has in every figure."""

    look: Look | None = None


def write_comparison(folder: Path, comparison: Comparison, runs: Sequence[EvaluatedRun]) -> Path:
    """Write comparison.json and comparison.html into ``folder``, which exists; return the page.

    To ``comparison`` a verdict in words is added for each pair, and a headline; ``runs`` are in
    its order. Raises OutputNotWritable.
    """
    known = _in_words(comparison)
    write_record(folder / "comparison.json", known)
    letters = [run.letter for run in known.runs]
    own = [f"{run.letter}: {warning}" for run in known.runs for warning in run.warnings]
    start = _start(known)
    page = folder / "comparison.html"
    text = PAGE.render(
        ComparisonContext(known, draw_curves(letters, runs)),
        comparison=known,
        keys=_keys(known, start),
        start=f"{start:g}",
        warnings=[*known.notes, *own],
        asked=[Remark("On whose films?", people.judged_words(runs)), words.caution(known)],
        auroc_words=AUROC_WORDS,
    )
    write_atomic(page, text)
    return page


def _in_words(comparison: Comparison) -> Comparison:
    pairs, recipes, groups = comparison.pairs, comparison.recipes, comparison.seeds
    return replace(
        comparison,
        pairs=tuple(
            replace(pair, verdict=words.verdict(pair, several=len(pairs) > 1)) for pair in pairs
        ),
        recipes=tuple(
            replace(pair, verdict=words.recipe_verdict(pair, groups, several=len(recipes) > 1))
            for pair in recipes
        ),
        headline=words.headline(
            {run.letter: run.metrics["auroc"] for run in comparison.runs}, pairs
        ),
    )


def _keys(comparison: Comparison, start: float) -> list[RunFigure]:
    """AUROC of the first runs, beside the summary, for whiskers from ``start`` to 1."""
    out = []
    for at, run in enumerate(comparison.runs[:KEYS_SHOWN]):
        auroc = run.metrics["auroc"]
        place = whisker(auroc.low, auroc.value, auroc.high, start)
        out.append(RunFigure(f"{run.letter}, AUROC", *cell(auroc), place, look_of(at)))
    return out


def _start(comparison: Comparison) -> float:
    """0.5 where every run's whole interval of AUROC is better than a guess, else 0."""
    lows = [run.metrics["auroc"].low for run in comparison.runs[:KEYS_SHOWN]]
    return 0.5 if all(low >= 0.5 for low in lows) else 0.0


def _runs(context: ComparisonContext) -> Variables:
    runs, groups = context.comparison.runs, context.comparison.seeds
    over = [[group.metrics[key] for key in COMPARED] for group in groups]
    cells = [[mean_sd(each.mean, each.sd) for each in group] for group in over]
    return {
        "rows": [(run, look_of(at)) for at, run in enumerate(runs)],
        "titles": [METRICS[key].short_title for key in COMPARED],
        "seeds": list(zip(groups, cells, strict=True)),
    }


def _metrics(context: ComparisonContext) -> Variables:
    runs = context.comparison.runs

    def cells(metric: Metric) -> list[Cell]:
        found = [run.metrics.get(metric.key) for run in runs]
        return [cell(each) if each else (ABSENT, "") for each in found]

    groups = [
        (title, [(metric, cells(metric)) for metric in metrics])
        for title, metrics in grouped(runs[0].metrics)
    ]
    return {"letters": context.letters, "groups": groups, "figures": context.figures}


def _differences(context: ComparisonContext) -> Variables:
    comparison, count = context.comparison, len(context.letters)
    pairs, names = comparison.pairs, _recipe_names(comparison.seeds)
    drawn = [pair.differences for pair in pairs]
    drawn += [pair.differences for pair in comparison.recipes]
    reach = reach_of(each for found in drawn for each in found.values())

    def rows(pair: ComparedPair | RecipePair) -> list[DifferenceRow]:
        found = pair.differences
        return [difference_row(METRICS[key].short_title, found[key], reach) for key in COMPARED]

    return {
        "recipes": [
            (names[pair.first], names[pair.second], rows(pair)) for pair in comparison.recipes
        ],
        "cards": [(pair, rows(pair)) for pair in pairs],
        "reach": f"{reach:g}",
        "several": len(pairs) > 1,
        "reference": context.letters[0],
        "all_pairs": len(pairs) >= count * (count - 1) // 2,
    }


def _recipe_names(groups: Sequence[SeedGroup]) -> list[str]:
    """What the recipes are called: by name, with their runs where names are the same."""
    names = [group.recipe or "a recipe" for group in groups]
    return [
        name if names.count(name) == 1 else f"{name} ({listed(group.runs)})"
        for name, group in zip(names, groups, strict=True)
    ]


def _decisions(context: ComparisonContext) -> Variables:
    pairs = context.comparison.pairs
    rows = [
        (
            pair,
            p_value(pair.decisions.p_holm),
            {name: p_value(cells.p_holm) for name, cells in pair.decisions.by_class.items()},
        )
        for pair in pairs
    ]
    return {"rows": rows, "several": len(pairs) > 1}


def _classes(context: ComparisonContext) -> Variables | None:
    runs = context.comparison.runs
    names = list(dict.fromkeys(name for run in runs for name in run.per_class))
    groups = [
        (name, [(run.letter, run.per_class[name]) for run in runs if name in run.per_class])
        for name in names
    ]
    return {"groups": groups, "cell": cell} if groups else None


def _recipes(context: ComparisonContext) -> Variables:
    rows = []
    for row in context.comparison.recipe_differences:
        values = [
            ABSENT if absent else "null" if value is None else str(value)
            for value, absent in zip(row.values, row.absent, strict=True)
        ]
        rows.append((row.key, values))
    known = [run.letter for run in context.comparison.runs if run.recipe]
    return {"letters": context.letters, "rows": rows, "known": known}


def _method(context: ComparisonContext) -> Variables:
    comparison = context.comparison
    return {"remarks": words.remarks(comparison), "command": comparison.command}


PAGE: Page[ComparisonContext] = Page(
    "compare",
    (
        PageSection("runs", "The runs", _runs),
        PageSection("differences", "Differences", _differences),
        PageSection("decisions", "Decisions, film by film", _decisions),
        PageSection("metrics", "All metrics", _metrics),
        PageSection("classes", "By class", _classes),
        PageSection("recipes", "What differs in the recipes", _recipes),
        PageSection("method", "Method and limits", _method),
    ),
)
