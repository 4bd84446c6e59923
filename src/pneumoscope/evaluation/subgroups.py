"""Subgroups: figures for parts of the films, by age, sex, view, subtype and what else is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.evaluation.predictions import SplitRows
from pneumoscope.evaluation.results import FactResult, GroupResult, SubgroupsResult
from pneumoscope.metrics.batched import Mask, aurocs, shares
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.readings import Estimate

FEW = 10
"""Films of a class below which a group's figures are not shown: their intervals span everything."""
MOST_GROUPS = 8
FEW_VALUES = 6
"""A number with at most so many values is shown by value, one with more in bands."""
AGE_BANDS = (0, 2, 6, 18, 40, 65, 200)
_AGES = ("under 2 years", "2–5 years", "6–17 years", "18–39 years", "40–64 years", "65 and over")
_TITLES = {"bytes": "file size (bytes)", "height": "native height", "width": "native width"}
NOT_STATED = "not stated"


@dataclass(frozen=True, slots=True)
class Subgroup:
    """Some of the films, bool (N,), and how they are called."""

    name: str
    films: Mask


def evaluate_subgroups(
    rows: SplitRows, facts: pd.DataFrame | None, threshold: float, settings: IntervalSettings
) -> SubgroupsResult:
    """Counts, AUROC, sensitivity and specificity of each group of each fact.

    ``facts`` has a row per film, ``image_id`` and any columns; films it lacks have no facts.
    A fact that tells the label (each of its groups is of one class, as subtype is) gets
    sensitivity or specificity alone. ``same`` names the facts that are one value for all.
    """
    if facts is None or rows.labels.size == 0:
        return SubgroupsResult((), {}, FEW, known=facts is not None)
    unique = facts.drop_duplicates("image_id").set_index("image_id")
    table = unique.reindex(rows.image_ids)
    found: list[tuple[str, list[Subgroup]]] = []
    same: dict[str, str] = {}
    for name in table.columns:
        groups = list(groups_of(str(name), table[name]))
        if len(groups) > 1:
            found.append((str(name), groups))
        elif groups and groups[0].name != NOT_STATED:
            same[_title(str(name))] = groups[0].name
    # All groups at once: their figures come from one pass over the resamples.
    masks = [group.films for _, groups in found for group in groups]
    figures = iter(_figures(rows, masks, threshold, settings))
    results = []
    for name, groups in found:
        shown = tuple(_result(rows, group, next(figures)) for group in groups)
        tells = all(result.positives in (0, result.n) for result in shown)
        results.append(FactResult(name, _title(name), tells, shown))
    return SubgroupsResult(tuple(results), same, FEW, known=True)


def groups_of(name: str, values: pd.Series[Any]) -> Iterator[Subgroup]:
    """The groups of one fact, in their natural order; films without it come last."""
    missing = values.isna().to_numpy(dtype=bool)
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        yield from _bands(name, numbers)
    else:
        yield from _words(values.astype("string").to_numpy(dtype=object, na_value=""), missing)
    if missing.any():
        yield Subgroup(NOT_STATED, missing)


def _words(words: NDArray[Any], missing: Mask) -> Iterator[Subgroup]:
    counts = pd.Series(words[~missing]).value_counts()
    kept = sorted(counts.index[:MOST_GROUPS])
    for word in kept:
        yield Subgroup(str(word), (words == word) & ~missing)
    if len(counts) > MOST_GROUPS:
        others = ~np.isin(words, kept) & ~missing
        yield Subgroup(f"{len(counts) - MOST_GROUPS} others", others)


def _bands(name: str, numbers: NDArray[np.float64]) -> Iterator[Subgroup]:
    known = numbers[~np.isnan(numbers)]
    values = np.unique(known)
    if name == "age":
        for title, low, high in zip(_AGES, AGE_BANDS, AGE_BANDS[1:], strict=False):
            band = (numbers >= low) & (numbers < high)
            if band.any():
                yield Subgroup(title, band)
        return
    if values.size <= FEW_VALUES:
        for value in values:
            yield Subgroup(f"{value:,g}", numbers == value)
        return
    # Quarters of the films, cut between values, so that equal films stay together.
    cuts = np.unique(np.quantile(known, [0.25, 0.5, 0.75], method="lower"))
    edges = np.r_[-np.inf, cuts, np.inf]
    for low, high in zip(edges, edges[1:], strict=False):
        band = (numbers > low) & (numbers <= high)
        if band.any():
            inside = numbers[band]
            least, most = _short(inside.min()), _short(inside.max())
            yield Subgroup(least if least == most else f"{least}–{most}", band)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.3g}"


def _figures(
    rows: SplitRows, masks: list[Mask], threshold: float, settings: IntervalSettings
) -> list[tuple[Estimate, Estimate, Estimate]]:
    """(AUROC, sensitivity, specificity) of each mask."""
    true, called = rows.labels == 1, rows.probabilities >= threshold
    labels, patients = rows.labels, rows.patients
    areas = aurocs(masks, labels, rows.probabilities, patients, settings)
    found = [(called, mask & true) for mask in masks]
    cleared = [(~called, mask & ~true) for mask in masks]
    sensitivity = shares(found, labels, patients, settings)
    specificity = shares(cleared, labels, patients, settings)
    return list(zip(areas, sensitivity, specificity, strict=True))


def _result(
    rows: SplitRows, group: Subgroup, figures: tuple[Estimate, Estimate, Estimate]
) -> GroupResult:
    positives = int((group.films & (rows.labels == 1)).sum())
    n = int(group.films.sum())
    auroc, sensitivity, specificity = figures
    counts = {"pneumonia": positives, "normal": n - positives}
    return GroupResult(
        name=group.name,
        n=n,
        positives=positives,
        too_few=tuple(label for label, count in counts.items() if 0 < count < FEW),
        auroc=auroc if min(counts.values()) >= FEW else None,
        sensitivity=sensitivity if positives >= FEW else None,
        specificity=specificity if n - positives >= FEW else None,
    )


def _title(name: str) -> str:
    return _TITLES.get(name, name.replace("_", " "))
