"""Keyed numbers: each carries its place in the files of results, through arithmetic and formatting.

While there is ``marking``, text made of such a number ends with marks that name it again, so that
each number of a page, a card or a terminal tells which figure it shows. Marks are variation
selectors: they have no width, and are neither escaped nor broken by what lays out a text.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

_FIRST, _BASE, _LENGTH = 0xE0100, 240, 3
_MARK = f"[{chr(_FIRST)}-{chr(_FIRST + _BASE - 1)}]"
MARKS = re.compile(_MARK)
_NUMBER = re.compile(
    r"(?<![\w.])(?P<text>[−+-]?\d+(?:,\d{3})*(?:\.\d+)?(?:e-?\d+)?%?)"
    rf"(?P<marks>(?:{_MARK}){{{_LENGTH}}})?"
    rf"|(?P<after>\d[\d,.]*%?)(?P<more>(?:{_MARK}){{{_LENGTH}}})"
)


class Figure(NamedTuple):
    """A figure of the store: where it stands, or of which figures it is made, and its value."""

    key: str
    value: float


NO_KEY = "no key"
"""That of a number which a library computed of keyed ones."""
_known: list[Figure] = []
"""The figures that were written, by their marks."""
_active: list[bool] = []


@contextmanager
def marking() -> Iterator[None]:
    """Let text that is made of keyed numbers bear marks."""
    _known.clear()
    _active.append(True)
    try:
        yield
    finally:
        _active.clear()


def is_marking() -> bool:
    """Whether text bears marks."""
    return bool(_active)


class Keyed:
    """A number of a file, or one computed from such."""

    key = NO_KEY

    def __format__(self, spec: str) -> str:
        return format(bare(self), spec) + marks_of(self)

    def __str__(self) -> str:
        return str(bare(self)) + marks_of(self)

    def __repr__(self) -> str:
        return repr(bare(self))

    def __round__(self, places: int | None = None) -> Any:
        return keyed(round(bare(self), places), self.key)

    def __neg__(self) -> Any:
        return keyed(-bare(self), f"-{self.key}")

    def __abs__(self) -> Any:
        return keyed(abs(bare(self)), f"|{self.key}|")

    def __reduce__(self) -> Any:
        return type(bare(self)), (bare(self),)


class KeyedFloat(Keyed, float):
    pass


class KeyedInt(Keyed, int):
    pass


def keyed(value: Any, key: str) -> Any:
    """``value`` with its key, where it is a number."""
    plain = bare(value)
    kind = {int: KeyedInt, float: KeyedFloat}.get(type(plain))
    if kind is None:
        return value
    found = kind(plain)
    found.key = key
    return found


def bare(value: Any) -> Any:
    """The number without its key."""
    if isinstance(value, KeyedInt):
        return int.__int__(value)
    return float.__float__(value) if isinstance(value, KeyedFloat) else value


def _computed(name: str, sign: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    compute = getattr(operator, name)

    def forward(self: Any, other: Any) -> Any:
        if type(bare(other)) not in (int, float):
            return NotImplemented
        return keyed(compute(bare(self), bare(other)), f"({_name(self)} {sign} {_name(other)})")

    def backward(self: Any, other: Any) -> Any:
        if type(bare(other)) not in (int, float):
            return NotImplemented
        return keyed(compute(bare(other), bare(self)), f"({_name(other)} {sign} {_name(self)})")

    return forward, backward


def _name(value: Any) -> str:
    return value.key if isinstance(value, Keyed) else str(value)


for _operator, _sign in (
    ("add", "+"),
    ("sub", "-"),
    ("mul", "·"),
    ("truediv", "/"),
    ("floordiv", "//"),
):
    for _kind in (KeyedFloat, KeyedInt):  # before those of float and int
        _there, _back = _computed(_operator, _sign)
        setattr(_kind, f"__{_operator}__", _there)
        setattr(_kind, f"__r{_operator}__", _back)


def marks_of(value: Keyed) -> str:
    """What text made of ``value`` ends with."""
    if not _active:
        return ""
    number, text = len(_known), ""
    _known.append(Figure(value.key, float(bare(value))))
    for _ in range(_LENGTH):
        number, digit = divmod(number, _BASE)
        text += chr(_FIRST + digit)
    return text


def _figure(marks: str) -> Figure:
    digits = [ord(mark) - _FIRST for mark in marks]
    return _known[sum(digit * _BASE**at for at, digit in enumerate(digits))]


def unmarked(text: str) -> str:
    """``text`` as it is without keys."""
    return MARKS.sub("", text)


class Written(NamedTuple):
    """A number as it stands in a text, from ``start`` to ``end`` of the text without marks, and the
    figure that it shows, None where it carries no key."""

    text: str
    figure: Figure | None
    start: int
    end: int


def numbers_of(text: str) -> Iterator[Written]:
    """Every number of ``text``, with its figure."""
    text = text.replace("\u2060", "")
    for found in _NUMBER.finditer(text):
        said = found["text"] or found["after"]
        marks = found["marks"] or found["more"]
        start = len(unmarked(text[: found.start()]))
        figure = _figure(marks) if marks else None
        if figure and figure.key == NO_KEY:
            figure = None
        yield Written(said, figure, start, start + len(said))
