"""Affixes of names: what all ids of a table begin or end with, ``img_`` or ``_image``, and what
they are without it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial

_BEGINS, _ENDS = re.compile(r".*?[_\-. ]"), re.compile(r"[_\-. ]")
_MANY, _NEARLY, _SHORTEST = 0.5, 0.95, 3


def trims(names: Sequence[str]) -> Iterator[tuple[Callable[[str], str], str]]:
    """Ways to shorten the last parts of ``names`` (with ``/``) by what they share up to ``_``,
    ``-``, ``.`` or a space, the longest first, with what to call it. Names stay as distinct as
    they were; most of them must be, or they are no ids."""
    last = [name.rpartition("/")[2] for name in names]
    distinct = set(last)
    if len(distinct) < max(2, _MANY * len(last)):
        return
    before, behind = os.path.commonprefix(last), os.path.commonprefix([n[::-1] for n in last])[::-1]
    starts = [before[: place + 1] for place, one in enumerate(before) if _ENDS.match(one)][::-1]
    ends = [behind[place:] for place, one in enumerate(behind) if _ENDS.match(one)]
    for start in ("", *starts):
        for end in ("", *ends):
            rest = {name[len(start) : len(name) - len(end)] for name in distinct}
            if (start or end) and "" not in rest and len(rest) == len(distinct):
                told = " and ".join(repr(part) for part in (start, end) if part)
                yield _trimmer(start, end), f"{told}, which all names"


def own_parts(
    keys: Sequence[str], stems: Collection[str]
) -> Iterator[tuple[Callable[[str], str], str]]:
    """Ways to shorten ``keys`` (with ``/``, no extension), of which nearly each begins, or ends,
    with a part of its own, as uploads do (``2cc1b8ac-00003417_000``), to the longest of ``stems``
    behind, or before, a separator; with what to call it. No two keys come to one stem."""
    distinct = dict.fromkeys(keys)
    for cuts, told in ((_behind, "begins"), (_before, "ends")):
        pairs = ((key, next(filter(stems.__contains__, cuts(key)), "")) for key in distinct)
        found = {key: stem for key, stem in pairs if stem}
        if len(set(found.values())) == len(found) >= max(2, _NEARLY * len(distinct)):
            yield partial(_looked_up, found), f"a part of its own, with which each name {told}"


def _looked_up(found: Mapping[str, str], key: str) -> str:
    return found.get(key, key)


def _behind(key: str) -> Iterator[str]:
    last = key.rpartition("/")[2]
    yield from (last[cut.end() :] for cut in _ENDS.finditer(last, 0, len(last) - _SHORTEST))


def _before(key: str) -> Iterator[str]:
    last = key.rpartition("/")[2]
    yield from (last[: cut.start()] for cut in [*_ENDS.finditer(last, _SHORTEST)][::-1])


def _trimmer(start: str, end: str) -> Callable[[str], str]:
    def trim(name: str) -> str:
        folder, slash, last = name.rpartition("/")
        return folder + slash + last.removeprefix(start).removesuffix(end)

    return trim
