"""Sizes and facts of films by class: medians of numbers, shares of words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pneumoscope.errors import printable
from pneumoscope.formatting import amount, percent
from pneumoscope.report.audit.films import KINDS, kinds

FACTS_SHOWN = 16
VALUES_SHOWN = 6
FEW_NUMBERS = 6
"""A fact of no more different numbers than this is shown value by value, as words are."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact of words: its values as (value, films and share of each class)."""

    name: str
    rows: tuple[tuple[str, tuple[tuple[int, str], ...]], ...]
    more: int


@dataclass(frozen=True, slots=True)
class FactTables:
    """Sizes and facts by class: ``classes`` as (name, films), ``numbers`` as (fact, a cell of
    (median, spread) for each class), ``words`` fact by fact, and how many facts are left out."""

    classes: tuple[tuple[str, int], ...]
    numbers: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    words: tuple[Fact, ...]
    more: int


def fact_tables(table: pd.DataFrame) -> FactTables:
    """Native size and every fact, by class."""
    of = kinds(table)
    present = [kind for kind in range(3) if (of == kind).any()]
    size = {name: _numbers(table[name]) for name in ("width", "height")}
    size["width / height"] = size["width"] / size["height"].replace(0, np.nan)
    if not any(values.nunique() > 1 for values in size.values()):
        size = {}  # one size is said in a sentence
    facts = [name for name in table.columns if name.startswith("fact_")]
    numbers, words = list(size.items()), []
    for column in facts[:FACTS_SHOWN]:
        name, values = printable(column.removeprefix("fact_")), table[column]
        as_number = _numbers(values)
        if as_number.notna().equals(values.notna()) and as_number.nunique() > FEW_NUMBERS:
            numbers.append((name, as_number))
        elif values.notna().any():
            words.append(_fact(name, values, of, present))
    rows = tuple((name, tuple(_spread(v[of == k]) for k in present)) for name, v in numbers)
    classes = tuple((KINDS[kind], int((of == kind).sum())) for kind in present)
    return FactTables(classes, rows, tuple(words), max(0, len(facts) - FACTS_SHOWN))


def one_size(table: pd.DataFrame) -> tuple[int, int] | None:
    """Width and height in pixels where all films have the same, else None."""
    sizes = table[["width", "height"]].dropna().drop_duplicates().to_numpy(dtype=np.int64)
    return (int(sizes[0, 0]), int(sizes[0, 1])) if len(sizes) == 1 else None


def _numbers(values: pd.Series[Any]) -> pd.Series[Any]:
    return pd.to_numeric(values, errors="coerce").astype("float64")


def _fact(name: str, values: pd.Series[Any], of: Any, present: Sequence[int]) -> Fact:
    numbers = _numbers(values)
    if numbers.notna().equals(values.notna()):
        values = numbers.map(amount, na_action="ignore")
    words = values.astype("string").fillna("not known")
    common = words.value_counts()
    order = sorted(common.index, key=lambda word: (-int(common[word]), word))
    rows = tuple(
        (shorter(word), tuple(_part((words == word).to_numpy()[of == kind]) for kind in present))
        for word in order[:VALUES_SHOWN]
    )
    return Fact(name, rows, max(0, len(order) - VALUES_SHOWN))


def shorter(word: str, most: int = 60) -> str:
    """``word`` on one line, cut where it is longer than ``most``."""
    clean = printable(word)
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def _part(hits: Any) -> tuple[int, str]:
    return int(hits.sum()), percent(float(hits.mean()), 1) if len(hits) else ""


def _spread(values: pd.Series[Any]) -> tuple[str, str]:
    known = values[np.isfinite(values)]
    if known.empty:
        return "not known", ""
    low, middle, high = (amount(float(known.quantile(q))) for q in (0.05, 0.5, 0.95))
    return middle, f"{low}–{high}" if low != high else ""
