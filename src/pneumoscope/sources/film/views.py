"""Lateral views by name: ``view2_lateral.jpg``, ``x12_LAT.png``, or a folder ``Lateral``."""

from __future__ import annotations

from pneumoscope.sources.meaning.words import words_of

LATERAL = "lateral"
_FILES = frozenset(("lat", "lateral", "laterals"))
_FOLDERS = frozenset(("lateral", "laterals"))


def is_lateral(path: str) -> bool:
    """Whether the name of a film, or of a folder that it lies in, says lateral."""
    if "lat" not in path.casefold():  # of 100,000 names most are done with here
        return False
    folder, _, name = path.replace("\\", "/").rpartition("/")
    return _says(name.partition(".")[0], _FILES) or _says(folder, _FOLDERS)


def _says(text: str, wanted: frozenset[str]) -> bool:
    return not wanted.isdisjoint(word.rstrip("0123456789") for word in words_of(text))
