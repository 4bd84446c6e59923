"""People in the films: age, sex and view of each split, where the data has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from pneumoscope.records import EXTERNAL, SPLITS

_MOST_VALUES = 6


@dataclass(frozen=True, slots=True)
class AgeSpread:
    """Youngest, median and oldest in years, of the ``known`` films."""

    youngest: float
    median: float
    oldest: float
    known: int


@dataclass(frozen=True, slots=True)
class SplitPeople:
    """Who is in ``split``: its films, and patients or None where some are unknown. ``age`` is None,
    and ``sex`` and ``view`` are empty, where the data does not say it of any film; else they count
    films by the data's own words."""

    split: str
    films: int
    patients: int | None
    age: AgeSpread | None = None
    sex: Mapping[str, int] = field(default_factory=dict)
    view: Mapping[str, int] = field(default_factory=dict)


def people_of(table: pd.DataFrame) -> tuple[SplitPeople, ...]:
    """Who is in each split of a prepared set's ``table``; splits without films are left out."""
    parts = ((split, table[table["split"] == split]) for split in (*SPLITS, EXTERNAL))
    return tuple(_people(split, part) for split, part in parts if len(part))


def _people(split: str, part: pd.DataFrame) -> SplitPeople:
    known = bool(part["patient_id"].notna().all())
    return SplitPeople(
        split=split,
        films=len(part),
        patients=int(part["patient_id"].nunique()) if known else None,
        age=_ages(part),
        sex=_words(part, "fact_sex"),
        view=_words(part, "fact_view"),
    )


def _ages(part: pd.DataFrame) -> AgeSpread | None:
    if "fact_age" not in part:
        return None
    ages = pd.to_numeric(part["fact_age"], errors="coerce").dropna().astype("float64")
    if ages.empty:
        return None
    low, middle, high = (round(float(ages.quantile(q)), 2) for q in (0, 0.5, 1))
    return AgeSpread(low, middle, high, len(ages))


def _words(part: pd.DataFrame, fact: str) -> dict[str, int]:
    if fact not in part:
        return {}
    counts = part[fact].dropna().astype("string").value_counts()[:_MOST_VALUES]
    return {str(word): int(count) for word, count in counts.items()}
