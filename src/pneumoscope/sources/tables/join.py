"""Joins: one table names films, another says what they show, both by a column of the same ids.

A table is joined by a column of which nearly every cell of the first is one row of the second.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pneumoscope.sources.places.match import Names
from pneumoscope.sources.tables.bounds import Table
from pneumoscope.sources.tables.columns import split_column
from pneumoscope.sources.tables.facts import ABOUT_FILMS, fact_name, fact_of, missing
from pneumoscope.sources.tables.parts import LabelTable
from pneumoscope.sources.tables.roles import COUNTS, NAMES, folded, named
from pneumoscope.sources.together.ids import one_spelling

_NEARLY, _FEWEST, _SAMPLE = 0.9, 5, 64
_CODED = re.compile(r"(?=.*[0-9]).{5,}")
_NUMBERED = r"([^\W\d]*[-_ ]?)0*([0-9]+)"
"""An id of a prefix and a number: ``P0012``, ``sub-012``, ``12``."""

_KEY = "\0key"
_IDS = frozenset((*NAMES["image"], *NAMES["patient"], *NAMES["study"]))


@dataclass(frozen=True, slots=True)
class _Key:
    """The columns of two tables that hold the same ids: ``ids`` are those of each row of the first
    as the second writes them, empty where it has none."""

    mine: str
    theirs: str
    ids: pd.Series[str]
    written: bool
    """Whether ids meet as they are written, rather than by their numbers."""

    @property
    def rank(self) -> tuple[bool, bool, int]:
        """The higher, the surer: ids as they are written go first, columns of one name, then the
        one with the most ids."""
        return self.written, folded(self.mine) == folded(self.theirs), self.ids.nunique()


def with_labels(films: LabelTable, image: str, path: Path, labels: Table) -> LabelTable | None:
    """``labels``, read from ``path``, joined to the table whose column ``image`` names films; None
    where no column joins them. Of two columns of one name that of the labels is kept."""
    return _joined(films, image, path, labels, set(labels.frame.columns) - {image}, "Labels")


def with_more(films: LabelTable, image: str, path: Path, other: Table) -> LabelTable:
    """The table whose column ``image`` names films with the split, the patient, and how and of whom
    films were taken out of ``other``, where it does not say these itself."""
    mine, theirs = films.table, [str(name) for name in other.frame]
    known = {fact_of(mine.frame, name) for name in mine.frame.columns}
    facts = {name: fact_of(other.frame, name) for name in theirs}
    more = {n for n, fact in facts.items() if fact in ABOUT_FILMS and fact not in known}
    if not split_column(mine, {image}) and (split := split_column(other, set())):
        more.add(split)
    if not named(mine, "patient", {image}):
        more |= set(named(other, "patient"))
    more -= set(mine.frame.columns)
    found = _joined(films, image, path, other, more, "Columns") if more else None
    return found or films


def _joined(
    films: LabelTable, image: str, path: Path, other: Table, wanted: Collection[str], what: str
) -> LabelTable | None:
    table = films.table
    key = max(_keys(table, other), key=lambda one: one.rank, default=None)
    if key is None:
        return None
    new = [name for name in other.frame.columns if name in wanted and name != key.theirs]
    if not new:
        return None
    mine = table.frame.drop(columns=[name for name in new if name in table.frame.columns])
    mine = mine.assign(**{_KEY: key.ids})
    theirs = other.frame[new].assign(**{_KEY: one_spelling(other.frame[key.theirs])})
    theirs = theirs[~missing(theirs[_KEY])].drop_duplicates()
    frame = mine.merge(theirs, on=_KEY, how="left").drop(columns=_KEY).fillna("")
    by = repr(key.mine) + (f" and {key.theirs!r}" if key.mine != key.theirs else "")
    told = (
        f"{what} of {path.name} are joined to the films of {films.paths[-1].name} by the column "
        f"{by}: {int((key.ids != '').sum()):,} of {len(mine):,} rows meet."
    )
    if not key.written:
        told += " Their numbers meet: ids have a prefix, or zeros, in one of the tables alone."
    labels = what == "Labels"
    return LabelTable(
        (path, *films.paths) if labels else (*films.paths, path),
        Table(
            path if labels else table.path,
            frame,
            table.digest + other.digest,
            (*table.unread, *other.unread),
            (*table.notes, *other.notes, told),
        ),
    )


def _keys(table: Table, other: Table) -> Iterator[_Key]:
    """The pairs of columns that join two tables."""
    unique = {name: table.frame[name].is_unique for name in table.frame.columns}
    for theirs in other.frame.columns:
        if folded(theirs) in COUNTS or fact_name(theirs) in ABOUT_FILMS:
            continue
        cells = one_spelling(other.frame[theirs])
        cells = cells[~missing(cells)]
        if len(cells) < _FEWEST:
            continue
        # A row for each finding of one film is a film's; of a patient's it may be another visit's.
        once = len(cells.drop_duplicates()) == len(other.frame.drop_duplicates())
        for mine in table.frame.columns:
            alike = folded(mine) == folded(theirs)
            if (once or (alike and unique[mine])) and (alike or _kin(mine, theirs, cells)):
                keys = one_spelling(table.frame[mine])
                ids = _ids(keys, cells)
                if ids is not None:
                    yield _Key(mine, theirs, ids, written=True)
                elif _of_one_role(mine, theirs) and (ids := _by_number(keys, cells)) is not None:
                    yield _Key(mine, theirs, ids, written=False)


def _kin(mine: str, theirs: str, cells: pd.Series[str]) -> bool:
    """Whether columns of two names may hold the same ids: by the names, or by what is in one."""
    named_so = folded(mine) in _IDS and folded(theirs) in _IDS
    return named_so or cells.head(_SAMPLE).str.fullmatch(_CODED).mean() >= _NEARLY


def _of_one_role(mine: str, theirs: str) -> bool:
    """Whether columns of two names both hold ids of patients, or both of studies."""
    both = {folded(mine), folded(theirs)}
    return any(both <= set(NAMES[role]) for role in ("patient", "study"))


def _by_number(mine: pd.Series[str], theirs: pd.Series[str]) -> pd.Series[str] | None:
    """The cell of ``theirs`` with the number of each of ``mine``, where at most one prefix stands
    before all numbers of both (``P0012``, ``12``) and no number is two ids of one column; None
    where fewer than nearly all are one."""
    there, here = (pd.Series(cells.unique()) for cells in (theirs, mine[~missing(mine)]))
    parts = [cells.str.extract(f"^{_NUMBERED}$") for cells in (there, here)]
    prefixes = {prefix for each in parts for prefix in each[0].dropna().str.casefold()} - {""}
    if len(prefixes) > 1 or any(each[1].dropna().duplicated().any() for each in parts):
        return None
    of = dict(zip(parts[0][1], there, strict=True))
    numbers = dict(zip(here, parts[1][1], strict=True))
    ids = mine.map(lambda key: of.get(numbers.get(key) or "", ""))
    return ids if (ids != "").mean() >= _NEARLY else None


def _ids(mine: pd.Series[str], theirs: pd.Series[str]) -> pd.Series[str] | None:
    """The cell of ``theirs`` that each of ``mine`` is, be it without an extension or without what
    all begin or end with; None where fewer than nearly all are one."""
    there = set(theirs.tolist())
    direct = mine.isin(there)
    if direct.mean() >= _NEARLY:
        return mine.where(direct, "")
    distinct = list(there)
    names = Names(distinct)
    keys = mine.unique().tolist()
    if names.share(keys[:: max(1, len(keys) // _SAMPLE)]) < _NEARLY:
        return None
    trimmed, short, _ = names.trimmed(keys)
    hits = [trimmed.find(key) for key in short]
    of = {key: distinct[hit.films[0]] if hit and len(hit.films) == 1 else ""
          for key, hit in zip(keys, hits, strict=True)}  # fmt: skip
    ids = mine.map(of)
    return ids if (ids != "").mean() >= _NEARLY else None
