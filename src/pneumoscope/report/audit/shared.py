"""What two sets share, as the page shows it: by split, and in pairs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pneumoscope.formatting import percent, percent_interval, split_name
from pneumoscope.records import SPLITS, Estimate
from pneumoscope.report.audit.films import Still, Stills, alike

PAIRS_SHOWN = 16


@dataclass(frozen=True, slots=True)
class Row:
    """One split of this set: films looked for, films found, their share, and where they lie."""

    split: str
    looked: int
    found: int
    share: str
    interval: str
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """One film in both sets. ``why`` says how it was recognised."""

    why: str
    mine: Still
    theirs: Still


def shared_context(
    genealogy: Mapping[str, Any], stills: Stills, others: Stills | None
) -> Mapping[str, Any]:
    """The variables of the section, from the audit's ``genealogy``; ``others`` are the films of
    the set that was compared."""
    rows, columns = _matrix(genealogy)
    pairs = genealogy.get("pairs") or ()
    looked = sum(row.looked for row in rows)
    return {
        "against": genealogy.get("against") or "the other set",
        "found": int(genealogy.get("found") or 0),
        "looked": looked,
        "exact": int(genealogy.get("exact") or 0),
        "columns": [split_name(name) for name in columns],
        "rows": rows,
        "pairs": [_pair(pair, stills, others) for pair in pairs[:PAIRS_SHOWN]],
        "more": max(0, len(pairs) - PAIRS_SHOWN),
    }


def _matrix(genealogy: Mapping[str, Any]) -> tuple[list[Row], list[str]]:
    """A row for each split of this set, and the splits of the other in which films were found."""
    overlap: Sequence[Mapping[str, Any]] = genealogy.get("overlap") or ()
    places = {(str(o["split"]), str(o["split_of_other"])): int(o["count"]) for o in overlap}
    looked: Mapping[str, int] = genealogy.get("looked") or {}
    shared: Mapping[str, Mapping[str, Any]] = genealogy.get("shared") or {}
    columns = _ordered({theirs for _, theirs in places})
    rows = []
    for split in _ordered({*looked, *(mine for mine, _ in places)}):
        counts = tuple(places.get((split, theirs), 0) for theirs in columns)
        share = Estimate.from_json(shared.get(split) or {})
        words = (percent(share.value, 1), percent_interval(share, 1))
        rows.append(Row(split_name(split), int(looked.get(split, 0)), sum(counts), *words, counts))
    return rows, columns


def _ordered(names: set[str]) -> list[str]:
    return [name for name in SPLITS if name in names] + sorted(names - set(SPLITS))


def _pair(pair: Mapping[str, Any], stills: Stills, others: Stills | None) -> Pair:
    mine, theirs = str(pair.get("image_id")), str(pair.get("image_id_of_other"))
    there = others.find(theirs) if others else Still.absent(theirs)
    return Pair(alike(pair.get("likeness")), stills.find(mine), there)
