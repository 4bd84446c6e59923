"""Ids that meet films by their number alone: ``7`` or ``P-007`` in a table, ``CXR_0007.png`` or
``Patient 7/1.png`` on disk."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from pneumoscope.sources.places.groups import Groups

_NUMBER, _EXTENSION = re.compile(r"[0-9]{1,15}"), re.compile(r"\.[A-Za-z]{2,5}$")
_FEWEST, _NEARLY, _MOSTLY, _FORMS, _DEEPEST = 5, 0.95, 0.5, 4, 4


def by_number(paths: Sequence[str], columns: Iterable[Sequence[str]]) -> Groups | None:
    """Films in groups that bear the id of the first of ``columns`` whose number stands in their
    names, or in those of one of their folders; None where none fits nearly all films."""
    places = [numbers for level in range(_DEEPEST) for numbers in _only_numbers(paths, level)]
    for ids in columns:
        keys = _by_value(ids)
        for numbers in places:
            met = sum(number in keys for number in numbers)
            there = keys.keys() & set(numbers)
            if (0 in keys) != (0 in numbers):  # one counts from 0, the other from 1
                continue
            if met >= _NEARLY * len(paths) and len(there) >= max(_FEWEST, _MOSTLY * len(keys)):
                of = [[keys[number]] if number in keys else [] for number in numbers]
                return Groups(paths, of, "the number of each id, which stands in their names")
    return None


def _by_value(ids: Sequence[str]) -> dict[int, str]:
    """Ids by the only number of each that is another for each of them; nothing where several are,
    or the rest of the ids differs."""
    for values in _only_numbers(ids, 0):
        found = {value: key for value, key in zip(values, ids, strict=True) if value is not None}
        if len(found) == len(ids):
            return found
    return {}


def _only_numbers(paths: Sequence[str], level: int) -> Iterator[list[int | None]]:
    """The number in the last part of each path, or in the folder ``level`` above it, where all
    parts are of few forms and no second number of theirs varies: of two, none is known to be an
    id."""
    parts = [_part(path, level) for path in paths]
    forms = Counter(_NUMBER.sub("#", part) for part in parts)
    common = dict(forms.most_common(_FORMS))
    if sum(common.values()) < _NEARLY * len(parts):
        return
    found = [_NUMBER.findall(part) if _NUMBER.sub("#", part) in common else [] for part in parts]
    most = max(map(len, found), default=0)
    columns = [[int(one[at]) if at < len(one) else None for one in found] for at in range(most)]
    varying = [values for values in columns if len({*values} - {None}) > 1]
    if len(varying) == 1:
        yield varying[0]


def _part(path: str, level: int) -> str:
    parts = path.split("/")
    if level >= len(parts):
        return ""
    return parts[-1 - level] if level else _EXTENSION.sub("", parts[-1])
