"""Sizes and facts of films by class: medians of numbers, counts of words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pneumoscope.formatting import amount
from pneumoscope.records import CLASSES

KINDS = (*CLASSES, "no label")
FEW_NUMBERS = 6
"""A fact of no more different numbers than this is counted value by value, as words are."""
NOT_KNOWN = "not known"

_WORDS = 20


@dataclass(frozen=True, slots=True)
class ClassSpread:
    """Of ``known`` numbers the median and the quantiles between which 90 % lie; None where none is
    known."""

    known: int
    low: float | None
    median: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class NumbersByClass:
    """A fact of many different numbers, by class."""

    name: str
    spread: dict[str, ClassSpread]


@dataclass(frozen=True, slots=True)
class WordsByClass:
    """A fact of words: films of each class by value, the most frequent of the ``distinct`` values
    first; *not known* is one of them."""

    name: str
    distinct: int
    values: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class FactsByClass:
    """``films`` of each class that is there, and all that is known of them."""

    films: dict[str, int]
    numbers: tuple[NumbersByClass, ...]
    words: tuple[WordsByClass, ...]


def facts_by_class(table: pd.DataFrame) -> FactsByClass:
    """Native size and every fact of the rows of a prepared set. Sizes are left out where all films
    have one."""
    kind = _kinds(table)
    films = {str(name): int((kind == name).sum()) for name in KINDS if (kind == name).any()}
    of = {name: (kind == name).to_numpy() for name in films}
    numbers: dict[str, pd.Series[Any]] = {n: _numbers(table[n]) for n in ("width", "height")}
    numbers["width / height"] = numbers["width"] / numbers["height"].replace(0, np.nan)
    if not any(values.nunique() > 1 for values in numbers.values()):
        numbers = {}
    words = []
    for column in (name for name in table.columns if name.startswith("fact_")):
        name, values = column.removeprefix("fact_"), table[column]
        if _all_numbers(values) and _numbers(values).nunique() > FEW_NUMBERS:
            numbers[name] = _numbers(values)
        elif values.notna().any():
            words.append(_words(name, values, of))
    return FactsByClass(films, tuple(_spreads(*each, of) for each in numbers.items()), tuple(words))


def _kinds(table: pd.DataFrame) -> pd.Series[Any]:
    return table["label"].map({0: KINDS[0], 1: KINDS[1]}).astype("object").fillna(KINDS[2])


def _numbers(values: pd.Series[Any]) -> pd.Series[Any]:
    return pd.to_numeric(values, errors="coerce").astype("float64")


def _all_numbers(values: pd.Series[Any]) -> bool:
    return bool(_numbers(values).notna().equals(values.notna()))


def _spreads(name: str, values: pd.Series[Any], of: dict[str, Any]) -> NumbersByClass:
    return NumbersByClass(name, {kind: _spread(values[here]) for kind, here in of.items()})


def _spread(values: pd.Series[Any]) -> ClassSpread:
    known = values[np.isfinite(values)]
    if known.empty:
        return ClassSpread(0, None, None, None)
    low, middle, high = (round(float(known.quantile(q)), 4) for q in (0.05, 0.5, 0.95))
    return ClassSpread(len(known), low, middle, high)


def _words(name: str, values: pd.Series[Any], of: dict[str, Any]) -> WordsByClass:
    if _all_numbers(values):
        values = _numbers(values).map(amount, na_action="ignore")
    words = values.astype("string").fillna(NOT_KNOWN)
    common = words.value_counts()
    order = sorted(common.index, key=lambda word: (-int(common[word]), word))
    counts = {
        str(word): {kind: int((words[here] == word).sum()) for kind, here in of.items()}
        for word in order[:_WORDS]
    }
    return WordsByClass(name, len(order), counts)
