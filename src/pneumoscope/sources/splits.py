"""Words for splits: the one vocabulary for folders, columns, tables, lists and shards."""

from __future__ import annotations

from collections.abc import Mapping
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


@lru_cache(maxsize=65_536)
def split_of(word: str) -> Split | None:
    """The split that a word means, None when it is no split word: ``Test``, ``train_set``,
    ``test_list``."""
    folded = fold(word)
    for tail in _TAILS:
        if folded.endswith(tail) and (found := _WORDS.get(folded.removesuffix(tail))):
            return found
    return None
