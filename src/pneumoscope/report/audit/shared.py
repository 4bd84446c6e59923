"""What two sets share, as the page shows it: by split, and in pairs side by side."""

from __future__ import annotations

from dataclasses import dataclass

from pneumoscope.audit.genealogy import Genealogy
from pneumoscope.formatting import ABSENT, Cell, percent_cell, split_name
from pneumoscope.report.audit.films import Still, Stills, alike
from pneumoscope.report.audit.tables import split_order
from pneumoscope.report.kit.page import Variables

PAIRS_SHOWN = 16


@dataclass(frozen=True, slots=True)
class SplitRow:
    """One split of this set: films looked for, films found, their share, and where they lie."""

    split: str
    looked: int
    found: int
    share: Cell
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """One film in both sets. ``why`` says how it was recognised."""

    why: str
    mine: Still
    theirs: Still


def shared_variables(genealogy: Genealogy, stills: Stills, others: Stills | None) -> Variables:
    """The variables of the section; ``others`` are the films of the set that was compared."""
    rows, columns = _matrix(genealogy)
    pairs = [
        Pair(
            alike(pair.likeness),
            stills.find(pair.image_id),
            (others.find if others else Still.absent)(pair.image_id_of_other),
        )
        for pair in genealogy.pairs[:PAIRS_SHOWN]
    ]
    return {
        "genealogy": genealogy,
        "looked": sum(row.looked for row in rows),
        "columns": [split_name(name) for name in columns],
        "rows": rows,
        "pairs": pairs,
        "more": max(0, len(genealogy.pairs) - PAIRS_SHOWN),
    }


def _matrix(genealogy: Genealogy) -> tuple[list[SplitRow], list[str]]:
    """A row for each split of this set, and the splits of the other in which films were found."""
    places = {(each.split, each.split_of_other): each.count for each in genealogy.overlap}
    columns = split_order({theirs for _, theirs in places})
    rows = []
    for split in split_order({*genealogy.looked, *(mine for mine, _ in places)}):
        counts = tuple(places.get((split, theirs), 0) for theirs in columns)
        share = genealogy.shared.get(split)
        said = percent_cell(share, 1) if share else (ABSENT, "")
        rows.append(
            SplitRow(split_name(split), genealogy.looked.get(split, 0), sum(counts), said, counts)
        )
    return rows, columns
