"""Affixes of names: what all ids of a table begin or end with, ``img_`` or ``_image``, and what
they are without it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence

_BEGINS, _ENDS = re.compile(r".*?[_\-. ]"), re.compile(r"[_\-. ]")
_MANY = 0.5


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


def _trimmer(start: str, end: str) -> Callable[[str], str]:
    def trim(name: str) -> str:
        folder, slash, last = name.rpartition("/")
        return folder + slash + last.removeprefix(start).removesuffix(end)

    return trim
