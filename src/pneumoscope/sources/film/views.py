"""Lateral views by name: ``view2_lateral.jpg``, ``x12_LAT.png``, ``sub-1_vp-ll_dx.png`` (BIDS),
or a folder ``Lateral``."""

from __future__ import annotations

import re

from pneumoscope.imaging.views import aside_of
from pneumoscope.sources.listed import Column
from pneumoscope.sources.meaning.words import words_of

LATERAL = "lateral"
_FILES = frozenset(("lat", "lateral", "laterals"))
_FOLDERS = frozenset(("lateral", "laterals"))
_BIDS = re.compile(r"(?:^|_)vp-(?:ll|rl|l|r|lat|lateral)(?:_|$)")


def is_lateral(path: str) -> bool:
    """Whether the name of a film, or of a folder that it lies in, says lateral."""
    low = path.casefold()
    if "lat" not in low and "vp-" not in low:  # of 100,000 names most are done with here
        return False
    folder, _, name = path.replace("\\", "/").rpartition("/")
    if _BIDS.search(name.casefold().partition(".")[0]):
        return True
    return _says(name.partition(".")[0], _FILES) or _says(folder, _FOLDERS)


def both_views(one: Column, other: Column) -> Column:
    """The view of each film out of two columns: lateral where one says so, else the one that says
    more than that it is frontal."""
    values = {
        pair: _of_both(*pair) for pair in {(one.at(i), other.at(i)) for i in range(len(one.codes))}
    }
    return Column.of([values[one.at(i), other.at(i)] for i in range(len(one.codes))])


def _of_both(one: str | None, other: str | None) -> str | None:
    if one is None or aside_of({"view": other or ""}):
        return other if other is not None else one
    plain = one.strip().casefold().startswith("front") and not aside_of({"view": one})
    return other if plain and other is not None else one


def _says(text: str, wanted: frozenset[str]) -> bool:
    return not wanted.isdisjoint(word.rstrip("0123456789") for word in words_of(text))
