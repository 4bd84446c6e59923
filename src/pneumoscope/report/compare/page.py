"""A comparison in, ``comparison.json`` and a self-contained ``comparison.html`` out.

The page has the make of the others: an ordered table of sections with their templates under
``templates/compare``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pneumoscope.formatting import interval, mean_sd, number, p_value, signed, signed_interval
from pneumoscope.records import Estimate
from pneumoscope.report.compare import words as say
from pneumoscope.report.compare.figures import draw_curves, look_of
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.figure import PageFigure
from pneumoscope.report.kit.page import Page, Section, Variables
from pneumoscope.report.run import tables
from pneumoscope.storage import write_atomic, write_json

COMPARED = (
    ("auroc", "AUROC"),
    ("sensitivity", "Sensitivity"),
    ("specificity", "Specificity"),
    ("balanced_accuracy", "Balanced accuracy"),
    ("accuracy", "Accuracy"),
)
"""The metrics whose differences are shown, in order."""
KEYS_SHOWN = 4


@dataclass(frozen=True, slots=True)
class ComparisonContext:
    """All that a section may draw on."""

    comparison: Mapping[str, Any]
    runs: Sequence[EvaluatedRun]
    figures: Sequence[PageFigure]

    @property
    def letters(self) -> list[str]:
        return [run["letter"] for run in self.comparison["runs"]]


def write_comparison(
    folder: Path, comparison: Mapping[str, Any], runs: Sequence[EvaluatedRun]
) -> Path:
    """Write comparison.json and comparison.html into ``folder``, which exists; return the page.

    ``comparison`` is the plain data of ``workflows.compare``, to which a verdict in words is
    added for each pair and a headline; ``runs`` are in its order. Raises OutputNotWritable.
    """
    pairs = comparison["pairs"]
    told = [{**pair, "verdict": say.verdict(pair, len(pairs) > 1)} for pair in pairs]
    recipes = comparison["recipes"]
    over = [
        {**pair, "verdict": say.recipe_verdict(pair, comparison["seeds"], len(recipes) > 1)}
        for pair in recipes
    ]
    headline = say.headline(comparison)
    known = {**comparison, "pairs": told, "recipes": over, "headline": headline}
    write_json(folder / "comparison.json", known)
    letters = [run["letter"] for run in known["runs"]]
    context = ComparisonContext(known, runs, draw_curves(letters, runs))
    page = folder / "comparison.html"
    write_atomic(page, _page(context))
    return page


def _page(context: ComparisonContext) -> str:
    comparison = context.comparison
    return PAGE.render(
        context,
        comparison=comparison,
        keys=_keys(context),
        start=f"{_start(context):g}",
        warnings=_warnings(context),
    )


def _keys(context: ComparisonContext) -> list[dict[str, Any]]:
    """AUROC of the first runs, beside the summary, for whiskers from ``start`` to 1."""
    out = []
    start = _start(context)
    for at, run in enumerate(context.comparison["runs"][:KEYS_SHOWN]):
        estimate = Estimate.from_json(run["metrics"]["auroc"])
        ends = (estimate.low, estimate.value, estimate.high)
        known = all(map(math.isfinite, ends))
        out.append(
            {
                "letter": run["letter"],
                "look": look_of(at),
                "value": number(estimate.value),
                "interval": interval(estimate),
                "at": [(x - start) / (1 - start) * 100 for x in ends] if known else None,
            }
        )
    return out


def _start(context: ComparisonContext) -> float:
    """0.5 where every run's whole interval of AUROC is better than a guess, else 0."""
    lows = [run["metrics"]["auroc"]["low"] for run in context.comparison["runs"][:KEYS_SHOWN]]
    return 0.5 if all(low is not None and low >= 0.5 for low in lows) else 0.0


def _warnings(context: ComparisonContext) -> list[str]:
    own = [
        f"{run['letter']}: {warning}"
        for run in context.comparison["runs"]
        for warning in run["warnings"]
    ]
    return [*context.comparison["notes"], *own]


def _runs(context: ComparisonContext) -> Variables:
    rows = [
        {**run, "look": look_of(at), "threshold": number(run["operating_point"]["threshold"])}
        for at, run in enumerate(context.comparison["runs"])
    ]
    return {"rows": rows, "seeds": _seed_rows(context)}


def _seed_rows(context: ComparisonContext) -> list[dict[str, Any]]:
    out = []
    for group in context.comparison["seeds"]:
        cells = []
        for key, title in COMPARED:
            found = group["metrics"][key]
            cells.append((title, mean_sd(found["mean"], found["sd"])))
        out.append({**group, "cells": cells})
    return out


def _metrics(context: ComparisonContext) -> Variables:
    grids = [tables.metric_groups(run) for run in context.runs]
    found = [{row.key: row for _, rows in grid for row in rows} for grid in grids]
    groups = []
    for title, rows in grids[0]:
        lines = [(row, [each.get(row.key) for each in found]) for row in rows]
        groups.append((title, lines))
    return {"letters": context.letters, "groups": groups, "figures": context.figures}


def _differences(context: ComparisonContext) -> Variables:
    pairs = context.comparison["pairs"]
    reach = _scale(pairs)
    cards = [
        {
            **pair,
            "rows": [
                _difference(title, pair["differences"][key], reach) for key, title in COMPARED
            ],
        }
        for pair in pairs
    ]
    return {
        "cards": cards,
        "reach": f"{reach:g}",
        "several": len(pairs) > 1,
        "reference": context.letters[0],
        "all_pairs": len(pairs) >= len(context.letters) * (len(context.letters) - 1) // 2,
    }


def _difference(title: str, found: Mapping[str, Any], reach: float) -> dict[str, Any]:
    ends = [found["low"], found["value"], found["high"]]
    known = None not in ends
    return {
        "title": title,
        "value": signed(found["value"]),
        "interval": signed_interval(Estimate.from_json(found)),
        "p": p_value(found["p_holm"]) if "p_holm" in found else "",
        "method": found["method"],
        "at": [50 + 50 * x / reach for x in ends] if known else None,
    }


def _scale(pairs: Sequence[Mapping[str, Any]]) -> float:
    """The end of the one scale of all differences: the next of 0.01, 0.02, 0.05, 0.1 … 1."""
    ends = [
        abs(found[end])
        for pair in pairs
        for found in pair["differences"].values()
        for end in ("low", "high")
        if found[end] is not None
    ]
    most = max(ends, default=1.0)
    return next((step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if step >= most), 1.0)


def _decisions(context: ComparisonContext) -> Variables:
    rows = []
    for pair in context.comparison["pairs"]:
        found = pair["decisions"]
        p = p_value(found["p_holm"])
        rows.append({**pair, "p": p, "classes": list(found["by_class"].items())})
    return {"rows": rows, "several": len(rows) > 1}


def _classes(context: ComparisonContext) -> Variables | None:
    found = [(letter, tables.class_rows(run)) for letter, run in _named(context)]
    names = list(dict.fromkeys(row.name for _, rows in found for row in rows))
    if not names:
        return None
    return {
        "groups": [
            (name, [(letter, row) for letter, rows in found for row in rows if row.name == name])
            for name in names
        ]
    }


def _recipes(context: ComparisonContext) -> Variables:
    rows = []
    for row in context.comparison["recipe_differences"]:
        values = [
            "–" if absent else "null" if value is None else str(value)
            for value, absent in zip(row["values"], row["absent"], strict=True)
        ]
        rows.append((row["key"], values))
    known = [run["letter"] for run in context.comparison["runs"] if run["recipe"]]
    return {"letters": context.letters, "rows": rows, "known": known}


def _method(context: ComparisonContext) -> Variables:
    return {
        "remarks": list(say.remarks(context.comparison)),
        "command": context.comparison["command"],
    }


def _named(context: ComparisonContext) -> list[tuple[str, EvaluatedRun]]:
    return list(zip(context.letters, context.runs, strict=True))


PAGE: Page[ComparisonContext] = Page(
    "compare",
    (
        Section("runs", "The runs", _runs),
        Section("differences", "Differences", _differences),
        Section("decisions", "Decisions, film by film", _decisions),
        Section("metrics", "All metrics", _metrics),
        Section("classes", "By class", _classes),
        Section("recipes", "What differs in the recipes", _recipes),
        Section("method", "Method and limits", _method),
    ),
)
