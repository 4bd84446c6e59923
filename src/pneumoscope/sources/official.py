"""Official splits where no column says them: by lists, by the folders of films, or by their names;
and a column that these contradict."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pneumoscope.errors import InputError
from pneumoscope.records import DataRequest, Split
from pneumoscope.sources.forms.layout import folder_of, places_of
from pneumoscope.sources.listed import About, Column
from pneumoscope.sources.places.files import FoundFile
from pneumoscope.sources.places.lists import listed_splits
from pneumoscope.sources.splits import numbered_splits
from pneumoscope.sources.tables.columns import Columns

_BY_NAME = "what the names of films or folders begin with"
_MOST_OTHERWISE = 0.01
"""Part of the films that may lie elsewhere than their column of splits says."""


def asked_split(columns: Columns, request: DataRequest) -> str:
    """The column of splits that nobody named, which folders and names of films may contradict."""
    return "" if "split" in request.columns else columns.split or ""


def with_splits(
    root: Path, files: Sequence[FoundFile], about: About, column: str = ""
) -> tuple[About, list[str]]:
    """``about`` with official splits out of lists, or of the folders that films lie in, or of their
    names, where the table has none; and what to say of that. Raises InputError where folders or
    names contradict the ``column``."""
    paths = [file.path for file in files]
    if about.split.known:
        if column:
            _check_splits(about.split, _split_by_place(paths)[0], column)
        return about, []
    split, notes = listed_splits(root, paths)
    if not split.known:
        found, told = _split_by_place(paths)
        split, notes = Column.of(found), [f"Official splits are those of {told}."] if told else []
        about = replace(about, splits="splits by names of films" if told == _BY_NAME else "")
    return replace(about, split=split), notes


def _split_by_place(paths: Sequence[str]) -> tuple[list[Split | None], str]:
    """The split of each film by the folders that it lies in, else by what its name begins with, and
    how it is told; all None where neither tells two splits apart."""
    places = places_of((folder_of(path) for path in paths), {})
    by_folder = [places[folder_of(path)].split for path in paths]
    if len(set(by_folder) - {None}) > 1:
        return by_folder, "the folders that the films lie in"
    by_name = numbered_splits(paths)
    return by_name, _BY_NAME if any(by_name) else ""


def _check_splits(split: Column, found: Sequence[Split | None], column: str) -> None:
    """Raise InputError where a column of splits and the places of films differ."""
    pairs = [(split.at(i), other) for i, other in enumerate(found)]
    both = [(one, other) for one, other in pairs if one and other]
    differ = sum(one != other for one, other in both)
    if differ > _MOST_OTHERWISE * len(both):
        answer = ("--column", f"split={column}")
        raise InputError(
            "the table and the places or names of films give different splits",
            got=f"{differ:,} of {len(both):,} films lie, or are named, for another split than the "
            f"column {column!r} says",
            expected="one official split",
            remedy=f"say that the column is right: {shlex.join(answer)}; or that it is not: "
            "--column split=none",
            answer=answer,
        )
