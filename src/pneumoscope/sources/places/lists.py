"""Lists of names that say the split: ``train_val_list.txt``, ``splits/test.csv`` and their like."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from pneumoscope.records import Split
from pneumoscope.sources.listed import Column
from pneumoscope.sources.places.match import Names
from pneumoscope.sources.splits import split_of
from pneumoscope.sources.tables.text import lines_of

_TEXTS = (".txt", ".lst", ".list")
_SUFFIXES = (*_TEXTS, ".csv", ".tsv")
_MORE_CELLS = re.compile(r"[,;\t]")
"""What a list of names has not, and a table has."""

_FEW = 64  # entries of a folder of lists; one of films has more
_MOST_FILES, _MOST_LINES = 64, 5_000_000
_MOSTLY, _ENOUGH = 0.5, 0.5
_SAMPLE = 64


def listed_splits(root: Path, paths: Sequence[str]) -> tuple[Column, list[str]]:
    """The split of each film of ``paths`` by the lists in ``root`` or in a small folder there, and
    what to say of them; none where no two splits are listed."""
    none: tuple[Column, list[str]] = Column.empty(len(paths)), []
    try:
        entries = sorted(path for path in _entries(root) if path.suffix.lower() in _SUFFIXES)
    except OSError:
        return none
    files = [(path, split) for path in entries[:_MOST_FILES] if (split := split_of(path.stem))]
    if len({split for _, split in files}) < 2:
        return none
    names = Names(paths)
    splits: list[Split | None] = [None] * len(paths)
    told = []
    for path, split in files:
        lines = lines_of(path, _MOST_LINES)
        if path.suffix.lower() not in _TEXTS and any(map(_MORE_CELLS.search, lines[:_SAMPLE])):
            continue
        if names.share(lines[:: max(1, len(lines) // _SAMPLE)]) < _MOSTLY:
            continue
        met = names.meet(lines)
        for film in met:
            splits[film] = split
        told.append(f"{split} from {path.name} ({len(met):,})")
    found = Column.of(splits)
    if found.known < _ENOUGH * len(paths) or len(found.values) < 2:
        return none
    return found, [f"Official splits are read from lists: {', '.join(told)}."]


def _entries(root: Path) -> Iterator[Path]:
    """What lies in ``root``, and in the folders there that hold little."""
    for entry in root.iterdir():
        yield entry
        if entry.is_dir():
            with os.scandir(entry) as inside:
                names = [one.name for one in islice(inside, _FEW + 1)]
            yield from (entry / name for name in names if len(names) <= _FEW)
