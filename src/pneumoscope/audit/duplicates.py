"""The same film more than once: by its pixels' hash, and by how it looks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from pneumoscope.audit.findings import Finding, few
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.data.together.alike import MOST_PAIRS, alike_of
from pneumoscope.formatting import plural
from pneumoscope.plain import to_plain

_LISTED = 200


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Rows of the table that are one film.

    ``exact`` are groups of rows with equal pixels, ``near`` pairs of rows (first, second) that
    are one film stored in two ways, with their likeness; of an exact group only the first row
    takes part in pairs. ``hashed`` says that pixel hashes are known, ``complete`` that every
    close pair was looked at.
    """

    exact: tuple[tuple[int, ...], ...]
    near: tuple[tuple[int, int, float], ...]
    hashed: bool
    complete: bool

    @property
    def redundant(self) -> int:
        """How many films the exact groups have beyond one each."""
        return sum(len(group) - 1 for group in self.exact)

    def groups(self) -> list[tuple[int, ...]]:
        """All groups, exact ones and near pairs, as rows."""
        return [*self.exact, *((first, second) for first, second, _ in self.near)]


def find_duplicates(prepared: PreparedSet) -> Duplicates:
    """Exact groups by ``pixel_hash``, and near pairs among all other films; those that a split cut
    here keeps together."""
    alike = alike_of(prepared)
    near = zip(alike.first.tolist(), alike.second.tolist(), alike.likeness.tolist(), strict=True)
    hashed = "pixel_hash" in prepared.table
    return Duplicates(exact_groups(prepared.table), tuple(near), hashed, alike.complete)


def exact_groups(table: pd.DataFrame) -> tuple[tuple[int, ...], ...]:
    """Groups of two and more rows with the same pixel hash, in the order of the table."""
    if "pixel_hash" not in table:
        return ()
    hashes = table["pixel_hash"].reset_index(drop=True)
    again = hashes[hashes.notna() & hashes.duplicated(keep=False)]
    groups = again.groupby(again, sort=False).groups.values()
    return tuple(tuple(int(row) for row in group) for group in groups)


def duplicate_findings(duplicates: Duplicates, table: pd.DataFrame) -> list[Finding]:
    """What the duplicates mean for a model that learns from this table."""
    ids = table["image_id"].astype(str).to_numpy()
    found = [*_copies(duplicates, ids), *_conflicts(duplicates, table, ids)]
    title = "Whether one patient was filmed twice cannot be seen from the pixels."
    remedy = "Keep all films of a patient in one split, which takes patient ids."
    found.append(Finding("DUP-OTHER-EXPOSURE", "info", title, 0, remedy, (), "not provable"))
    if not duplicates.hashed:
        title = "This set was prepared without pixel hashes, so exact duplicates are not known."
        remedy = "Prepare the set anew."
        found.append(Finding("DUP-NO-HASH", "info", title, 0, remedy, (), "not provable"))
    return found


def _copies(duplicates: Duplicates, ids: NDArray[Any]) -> Iterator[Finding]:
    if duplicates.exact:
        redundant = plural(duplicates.redundant, "film")
        groups = plural(len(duplicates.exact), "group")
        title = f"{redundant} repeating the pixels of another, in {groups}."
        remedy = "Keep one film of each group: the others weigh on the model without teaching it."
        same = few(ids[row] for group in duplicates.exact for row in group)
        yield Finding("DUP-EXACT", "warning", title, duplicates.redundant, remedy, same)
    if duplicates.near:
        count = len(duplicates.near)
        title = f"{plural(count, 'pair')} of films of one exposure, stored in two ways."
        remedy = "Look at the pairs and keep one film of each, or keep them in one split."
        alike = few(ids[row] for pair in duplicates.near for row in pair[:2])
        yield Finding("DUP-NEAR", "warning", title, count, remedy, alike)
    if not duplicates.complete:
        title = f"More than {MOST_PAIRS:,} pairs look alike, and the search stopped there."
        remedy = "Remove the duplicates that were found, then audit again."
        yield Finding("DUP-NEAR", "warning", title, MOST_PAIRS, remedy, (), "not provable")


def _conflicts(duplicates: Duplicates, table: pd.DataFrame, ids: NDArray[Any]) -> Iterator[Finding]:
    """Groups whose films lie in two splits or carry two labels."""
    kinds = (
        (
            "DUP-ACROSS-SPLITS",
            "split",
            "in more than one official split",
            "Drop the copies from training before judging on the other split.",
        ),
        (
            "DUP-LABELS-DISAGREE",
            "label",
            "labelled both normal and pneumonia",
            "Ask who labelled them, or drop every film of these groups.",
        ),
    )
    for code, column, said, remedy in kinds:
        torn = [group for group in duplicates.groups() if _distinct(table[column], group) > 1]
        if torn:
            examples = few(ids[row] for group in torn for row in group)
            title = f"{plural(len(torn), 'film')} {said}."
            yield Finding(code, "severe", title, len(torn), remedy, examples)


def _distinct(column: pd.Series[Any], rows: tuple[int, ...]) -> int:
    return int(column.iloc[list(rows)].dropna().nunique())


@dataclass(frozen=True, slots=True)
class ListedFilm:
    """A film of a group. ``row`` is its place in the prepared set, by which its picture is
    found."""

    row: int
    image_id: str
    split: str | None
    label: int | None


@dataclass(frozen=True, slots=True)
class ListedGroup:
    """Films that are one film: ``likeness`` is that of a near pair, None for equal pixels."""

    films: tuple[ListedFilm, ...]
    likeness: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Without a likeness where the pixels are equal."""
        plain = to_plain(self)
        return plain if self.likeness is not None else {"films": plain["films"]}


@dataclass(frozen=True, slots=True)
class DuplicateList:
    """Duplicates as they are told: the counts of all, and at most 200 of each kind by name."""

    exact_groups: int = 0
    redundant: int = 0
    near_pairs: int = 0
    complete: bool = True
    exact: tuple[ListedGroup, ...] = ()
    near: tuple[ListedGroup, ...] = ()


def list_duplicates(duplicates: Duplicates, table: pd.DataFrame) -> DuplicateList:
    """Groups and pairs with the ids, splits and labels of their films."""
    return DuplicateList(
        exact_groups=len(duplicates.exact),
        redundant=duplicates.redundant,
        near_pairs=len(duplicates.near),
        complete=duplicates.complete,
        exact=tuple(ListedGroup(_films(table, each)) for each in duplicates.exact[:_LISTED]),
        near=tuple(
            ListedGroup(_films(table, pair[:2]), round(pair[2], 4))
            for pair in duplicates.near[:_LISTED]
        ),
    )


def _films(table: pd.DataFrame, rows: tuple[int, ...]) -> tuple[ListedFilm, ...]:
    part = table.iloc[list(rows)]
    return tuple(
        ListedFilm(
            row=row,
            image_id=str(image_id),
            split=None if pd.isna(split) else str(split),
            label=None if pd.isna(label) else int(label),
        )
        for row, image_id, split, label in zip(
            rows, part["image_id"], part["split"], part["label"], strict=True
        )
    )
