"""Patients by folders: those that each hold the few films of one, as in ``NORMAL/4100/1.png``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from pneumoscope.sources.meaning.words import fold, kindred, known, misspelt, words_of
from pneumoscope.sources.splits import split_of

_SHELVES_TEXT = """
image images img imgs film films picture pictures xray xrays cxr png pngs jpg jpgs jpeg jpegs dicom
part parts batch batches shard shards chunk fold folds folder folders set sets dataset data class
label labels volume vol disc version v group size px
"""
_SHELVES = frozenset(_SHELVES_TEXT.split())
"""Words of folders that hold whatever came in their turn: ``images_001``, ``part 2``."""

_FEWEST, _USUAL, _MOST = 5, 10, 20
_LONG = 4


def folder_patients(paths: Sequence[str]) -> list[str | None]:
    """The patient of each of ``paths`` (with ``/``) by its uppermost folder that is named like an
    id, where there are several such at that depth and each holds few films; None elsewhere."""
    folders = [path.replace("\\", "/").rpartition("/")[0] for path in paths]
    parts = {folder: folder.split("/") if folder else [] for folder in set(folders)}
    for depth in range(max(map(len, parts.values()), default=0)):
        named = {folder: _key(each, depth) for folder, each in parts.items()}
        keys = [named[folder] for folder in folders]
        counts = Counter(key for key in keys if key is not None)
        names = {key.rpartition("/")[2] for key in counts}
        films = counts.total()
        several = max(counts.values(), default=0) > 1
        few = max(counts.values(), default=0) <= _MOST and films <= _USUAL * len(counts)
        if len(names) >= _FEWEST and several and few:
            return keys
    return [None] * len(paths)


def _key(parts: Sequence[str], depth: int) -> str | None:
    """The id that the folder at ``depth`` is; a short one may be another's below another folder."""
    if depth >= len(parts) or not _like_id(parts[depth]):
        return None
    name = parts[depth]
    return name.casefold() if len(name) >= _LONG else "/".join(parts[: depth + 1]).casefold()


@lru_cache(maxsize=65_536)
def _like_id(name: str) -> bool:
    words = words_of(name)
    if not any(letter.isdecimal() for letter in name) or split_of(name):
        return False
    if known(name) or misspelt(name) or kindred(name):
        return False
    return not any(fold(word.rstrip("0123456789")) in _SHELVES for word in words)
