"""Sizes and facts of films by class, as the page shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pneumoscope.audit.facts import NOT_KNOWN, ClassSpread, FactsByClass, WordsByClass
from pneumoscope.errors import printable
from pneumoscope.formatting import amount, percent

FACTS_SHOWN = 16
VALUES_SHOWN = 6


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


def fact_tables(found: FactsByClass) -> FactTables:
    """Native size and facts, as many as fit."""
    words, numbers = found.words[:FACTS_SHOWN], found.numbers[:FACTS_SHOWN]
    rows = tuple(
        (printable(each.name), tuple(map(_spread, each.spread.values()))) for each in numbers
    )
    left = len(found.words) + len(found.numbers) - len(words) - len(numbers)
    shown = tuple(_fact(each, found.films) for each in words)
    return FactTables(tuple(found.films.items()), rows, shown, left)


def one_size(table: pd.DataFrame) -> tuple[int, int] | None:
    """Width and height in pixels where all films have the same, else None."""
    sizes = table[["width", "height"]].dropna().drop_duplicates().to_numpy(dtype=np.int64)
    return (int(sizes[0, 0]), int(sizes[0, 1])) if len(sizes) == 1 else None


def _fact(found: WordsByClass, films: Mapping[str, int]) -> Fact:
    shown = list(found.values.items())[:VALUES_SHOWN]
    rows = tuple(
        (shorter(word), tuple((n, _part(n, films[kind])) for kind, n in counts.items()))
        for word, counts in shown
    )
    return Fact(printable(found.name), rows, found.distinct - len(shown))


def shorter(word: str, most: int = 60) -> str:
    """``word`` on one line, cut where it is longer than ``most``."""
    clean = printable(word)
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def _part(count: int, films: int) -> str:
    return percent(count / films, 1) if films else ""


def _spread(found: ClassSpread) -> tuple[str, str]:
    if found.median is None or found.low is None or found.high is None:
        return NOT_KNOWN, ""
    one = found.low == found.high
    return amount(found.median), "" if one else f"{amount(found.low)}–{amount(found.high)}"
