"""Words for splits: the one vocabulary for folders, columns, tables, lists and shards."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

from pneumoscope.records import Split
from pneumoscope.sources.meaning.words import fold

_WORDS: Mapping[str, Split] = {
    **dict.fromkeys(("train", "training", "trn", "trainval", "trainvalid"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "development"), "val"),
    # The hub's keywords have eval for test: docs/hub/datasets-file-names-and-splits.
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation"), "test"),
}
_TAILS = (
    *("", "set", "data", "split", "images", "folder", "list", "label", "labels", "films"),
    *("files", "table", "annotations", "metadata", "csv"),
)
_NUMBERED = re.compile(r"([^\W\d_]+)[-_ .]?\d")
NEARLY = 0.95
"""Part of the rows, or of the films, that must say a split where no name of theirs says so."""


@lru_cache(maxsize=65_536)
def split_of(word: str) -> Split | None:
    """The split that a word means, None when it is no split word: ``Test``, ``train_set``,
    ``test_list``; of a path its last part says it."""
    folded = fold(re.split(r"[/\\]", word.rstrip("/\\ "))[-1])
    for tail in _TAILS:
        if folded.endswith(tail) and (found := _WORDS.get(folded.removesuffix(tail))):
            return found
    return None


def are_splits(counts: Mapping[str, int]) -> bool:
    """Whether cells, with how many rows have each, are words of two splits or more, but for few."""
    known = {word: split for word in counts if (split := split_of(word))}
    rows = sum(counts[word] for word in known)
    return len(set(known.values())) > 1 and rows >= NEARLY * sum(counts.values())


def numbered_splits(paths: Sequence[str]) -> list[Split | None]:
    """The split that a film's name, or the nearest folder, begins with before a number:
    ``train0_1.png``, ``test_002/a.png``. All None where that says no two splits, or not of nearly
    all films."""
    found = [_numbered(path) for path in paths]
    counts = Counter(filter(None, found))
    if len(counts) < 2 or counts.total() < NEARLY * len(paths):
        return [None] * len(paths)
    return found


def _numbered(path: str) -> Split | None:
    begins = (_NUMBERED.match(part) for part in reversed(path.split("/")))
    return next((split for one in begins if one and (split := split_of(one[1]))), None)
