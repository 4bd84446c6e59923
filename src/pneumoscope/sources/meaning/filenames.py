"""Class words in the names of films: ``NORMAL-12.png``, ``person1_virus_45.jpeg``; and the number
at the end of names that may be one of classes, ``CHNCXR_0001_0.png``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import PurePosixPath

from pneumoscope.records import CLASSES
from pneumoscope.sources.meaning.words import is_kind, known, misspelt, vague, words_of

_LETTERS = re.compile(r"[^\W\d_]+")
_DIGIT = re.compile(r"(.*\w)[-_ .]([0-9])")
_BEFORE = frozenset(
    ["no", "not", "non", "without", "possible", "probable", "suspected", "old", "earlier", "post"]
)
"""Words that take back, or put in doubt, what comes next."""

_LONGEST, _SHORTEST_VAGUE = 3, 3
_MOST_NUMBERS, _FEWEST, _SAMPLE = 3, 2, 512


def word_of(film: str) -> str:
    """The class word in a film's name, set off by separators or digits; empty without one. One that
    says for sure goes before one that has to be asked about."""
    return _class_word(_parts(film))


def numbers_of(films: Sequence[str]) -> list[str]:
    """The number of one digit at the end of each film's name, where it may be one of classes: names
    that differ by it alone are views of one thing, and count on. Nothing where it may not."""
    found = [_DIGIT.fullmatch(PurePosixPath(film.replace("\\", "/")).stem) for film in films]
    if not films or not all(found):
        return []
    pairs = [(one[1], one[2]) for one in found if one]
    counts = Counter(number for _, number in pairs)
    may_be = 2 <= len(counts) <= _MOST_NUMBERS and min(counts.values()) >= _FEWEST
    alone = len({name for name, _ in pairs}) == len(pairs)
    return [number for _, number in pairs] if may_be and alone else []


def against(films: Sequence[str], labels: Sequence[int]) -> int:
    """How many ``films`` have a name that surely says another class than their label, 0 or 1."""
    if not any(_known_word(_parts(film)) for film in films[:: max(1, len(films) // _SAMPLE)]):
        return 0
    said = (known(_known_word(_parts(film))) for film in films)
    return sum(
        label in (0, 1) and word in CLASSES and word != CLASSES[label]
        for word, label in zip(said, labels, strict=True)
    )


def _parts(film: str) -> tuple[str, ...]:
    """The words of letters alone in a film's name."""
    words = words_of(PurePosixPath(film.replace("\\", "/")).stem)
    return tuple(part for word in words for part in _LETTERS.findall(word))


@lru_cache(maxsize=65_536)
def _class_word(parts: tuple[str, ...]) -> str:
    return _known_word(parts) or next(filter(_may_be, parts), "")


@lru_cache(maxsize=65_536)
def _known_word(parts: tuple[str, ...]) -> str:
    """The words that say a class for sure, with one that takes them back; empty without any."""
    for first, last in _windows(len(parts)):
        if known(" ".join(parts[first:last])):
            first -= first > 0 and parts[first - 1] in _BEFORE
            return " ".join(parts[first:last])
    return ""


def _windows(count: int) -> Iterator[tuple[int, int]]:
    """Where words begin and end: the longest first, and of these the first."""
    for length in range(min(_LONGEST, count), 0, -1):
        yield from ((first, first + length) for first in range(count - length + 1))


def _may_be(word: str) -> bool:
    """Whether a word may be meant for a class, which is to be asked about."""
    bare = vague(word) is not None and len(word) >= _SHORTEST_VAGUE
    return bare or is_kind(word) or misspelt(word) is not None
