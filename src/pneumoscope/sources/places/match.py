"""Names in a table meet films on disk, whoever wrote the table and wherever it was written.

A name is compared from its end: the longest tail that names one film decides. Exact names go first,
then those that differ in case or in how accents are composed, then those without their extension,
since films are converted after their table was written.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pneumoscope.sources.places.affixes import own_parts, trims
from pneumoscope.sources.places.files import suffix_of

NOWHERE, SHARED = -1, -2
"""Places of films without a name in the table, and of those whose name they share."""

_BEFORE = re.compile(r"^(?:[A-Za-z][A-Za-z0-9+.-]+://[^/]*|[A-Za-z]:)?/*")
_BEHIND = re.compile(r"[?#].*$")
_DEEPEST = 32
_TRIED, _ENOUGH = 64, 0.5
_LAST = (9, 0)  # the rank behind that of every rule

_TELLS = (
    "",
    "names without or with another extension",
    "names that differ in case or in how accents are written",
    "names that differ in case and extension",
)


@dataclass(frozen=True, slots=True)
class Met:
    """``places`` is int64 (films,): the place of each film's key, NOWHERE or SHARED. ``notes`` say
    how names met where they were not the films' own paths."""

    places: NDArray[np.int64]
    notes: tuple[str, ...] = ()

    @property
    def found(self) -> int:
        """How many films have a key."""
        return int((self.places >= 0).sum())


@dataclass(frozen=True, slots=True)
class Hit:
    """The films that a key names, of which it should be one: by which rule, and by how many parts
    of their paths."""

    films: Sequence[int]
    rule: int
    length: int
    whole: bool

    @property
    def rank(self) -> tuple[int, int]:
        """The lower, the surer."""
        return self.rule, -self.length


class _Index:
    """The films whose paths end in each tail, with and without extensions."""

    def __init__(self, paths: Sequence[str], change: Callable[[str], str]) -> None:
        self.full = _tails(paths, change)
        self.stem = _tails([_bare(path) for path in paths], change)


class Names:
    """The names of films below one folder, to be met by those of a table."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths
        self._as_written = _Index(paths, _same)

    @cached_property
    def _in_any_case(self) -> _Index:
        """Made only where a key names no film as it is written, and folding changes any."""
        same = all(path == _folded(path) for path in self.paths)
        return self._as_written if same else _Index(self.paths, _folded)

    @cached_property
    def _stems(self) -> frozenset[str]:
        """The last names of films without extension, where one film alone has them."""
        counts = Counter(_bare(path).rpartition("/")[2] for path in self.paths)
        return frozenset(stem for stem, n in counts.items() if n == 1)

    def share(self, cells: Sequence[str]) -> float:
        """The share of some cells that name a film, 0–1, be it without what all begin or end
        with."""
        names, keys, _ = self.trimmed(cells)
        return names.plain_share(keys)

    def plain_share(self, cells: Sequence[str]) -> float:
        """The share of some cells that name a film as they are, 0–1."""
        return sum(self.find(cell) is not None for cell in cells) / max(len(cells), 1)

    def trimmed(self, keys: Sequence[str]) -> tuple[Names, Sequence[str], str]:
        """Names and ``keys`` without what all keys, or all films, begin and end with (``_image``,
        ``img_``), and what was taken away, where they meet so and no key does as it is."""
        few = keys[:: max(1, len(keys) // _TRIED)]
        if not self.plain_share(few):
            for names, trim, told in self._trims(keys):
                if names.plain_share([trim(key) for key in few]) > _ENOUGH:
                    return names, [trim(key) for key in keys], told
        return self, keys, ""

    def _trims(self, keys: Sequence[str]) -> Iterator[tuple[Names, Callable[[str], str], str]]:
        for trim, told in trims([plain_path(key) for key in keys]):
            yield self, _of_plain(trim), f"{told} of the table begin or end with"
        for trim, told in trims([_bare(path) for path in self.paths]):
            names = Names([trim(_bare(path)) for path in self.paths])
            yield names, _same, f"{told} of the films begin or end with"
        for trim, told in own_parts([_bare(plain_path(key)) for key in keys], self._stems):
            yield self, _of_bare(trim), told

    def meet(self, keys: Sequence[str]) -> list[int]:
        """The films that ``keys`` name, ascending."""
        hits = (self.find(key) for key in keys)
        return sorted({hit.films[0] for hit in hits if hit and len(hit.films) == 1})

    def find(self, key: str) -> Hit | None:
        """The film that ``key`` names, or those that share its name; None where there is none."""
        plain = plain_path(key)
        if not plain:
            return None
        for folding in (False, True):
            text = _folded(plain) if folding else plain
            index = self._in_any_case if folding else self._as_written
            for rule, (name, tails) in enumerate(
                (
                    (text, index.full),
                    (text, index.stem),
                    (_bare(text), index.stem),
                    (_bare(text), index.full),
                )
            ):
                found = _longest(name, tails)
                if found is None:
                    continue
                films, length = found
                whole = length == name.count("/") + 1
                return Hit(films, 2 * folding + (rule > 0), length, whole)
        return None


def meet(keys: Sequence[str], films: Names) -> Met:
    """The key of each of ``films``: the one that gives the longest part of its path.

    A key that several films match says nothing of any of them, nor do two keys of one film; but
    neither takes a film from a key that names it by a longer part: the row of a film that is
    missing here has no more in common with others than a last name.
    """
    names, keys, trimmed = films.trimmed(keys)
    places = np.full(len(films.paths), NOWHERE, dtype=np.int64)
    best: dict[int, tuple[tuple[int, int], int]] = {}
    shared: dict[int, tuple[int, int]] = {}
    how: Counter[int] = Counter()
    tails = 0
    for place, key in enumerate(keys):
        hit = names.find(key)
        if hit is None:
            continue
        film = hit.films[0]
        if len(hit.films) > 1 or (film in best and best[film][0] == hit.rank):
            shared.update((each, min(hit.rank, shared.get(each, hit.rank))) for each in hit.films)
        elif film not in best or hit.rank < best[film][0]:
            best[film] = hit.rank, place
            how[hit.rule] += 1
            tails += not hit.whole
    for film, (rank, place) in best.items():
        places[film] = place if rank < shared.get(film, _LAST) else SHARED
    places[[film for film in shared if film not in best]] = SHARED
    notes = [f"Films were met without {trimmed}."] if trimmed else []
    return Met(places, (*notes, *_notes(how, tails)))


def plain_path(name: str) -> str:
    """``name`` with ``/``, without drive, scheme, host, query, and empty or ``.`` parts."""
    text = _BEFORE.sub("", name.strip().replace("\\", "/"))
    if "://" in name:
        text = _BEHIND.sub("", text)
    return "/".join(part for part in text.split("/") if part not in ("", "."))


def _tails(paths: Sequence[str], change: Callable[[str], str]) -> Mapping[str, Sequence[int]]:
    """The films whose paths end in each tail."""
    index: dict[str, list[int]] = {}
    for film, path in enumerate(paths):
        text = change(path)
        for _ in range(_DEEPEST):
            index.setdefault(text, []).append(film)
            _, slash, text = text.partition("/")
            if not slash:
                break
    return index


def _longest(name: str, index: Mapping[str, Sequence[int]]) -> tuple[Sequence[int], int] | None:
    """The films of the longest tail of ``name`` that is in the index, and its length in parts."""
    while name:
        if name in index:
            return index[name], name.count("/") + 1
        name = name.partition("/")[2]
    return None


def _of_plain(trim: Callable[[str], str]) -> Callable[[str], str]:
    return lambda key: trim(plain_path(key))


def _of_bare(trim: Callable[[str], str]) -> Callable[[str], str]:
    return lambda key: trim(_bare(plain_path(key)))


def _same(path: str) -> str:
    return path


def _folded(path: str) -> str:
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _bare(path: str) -> str:
    """``path`` without its extension; the last number of a UID that serves as a name is none."""
    suffix = suffix_of(path)
    return path[: len(path) - len(suffix)]


def _notes(how: Counter[int], tails: int) -> tuple[str, ...]:
    notes = [f"{how[rule]:,} films were met by {_TELLS[rule]}." for rule in (1, 2, 3) if how[rule]]
    if tails:
        notes.append(
            f"{tails:,} films were found by the end of their paths, which begin with another "
            "folder in the table."
        )
    return tuple(notes)
