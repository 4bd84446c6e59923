"""JSON of records: dataclasses as plain data and back, by their fields and annotations.

A field's name is its key and a tuple is an array. JSON has no NaN: a number that is not finite is
written as null, and null is read as NaN where a float is expected. A record whose JSON differs
from its fields has a ``to_json``, or a classmethod ``from_json``, of its own; it is asked wherever
it lies in another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

_T = TypeVar("_T")


def to_plain(record: Any) -> dict[str, Any]:
    """The fields of a dataclass in their order, each as JSON holds it."""
    return {each.name: _plain(getattr(record, each.name)) for each in fields(record)}


def from_plain(kind: type[_T], value: object) -> _T:
    """The record that ``to_plain`` wrote. What is unknown to ``kind`` is passed over, so that a
    newer file can be read; raises ValueError, which names the field, where one is missing or of
    another type."""
    found: _T = _read(kind, value)
    return found


def _plain(value: Any) -> Any:
    if hasattr(value, "to_json"):
        return value.to_json()
    if is_dataclass(value):
        return to_plain(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _read(kind: Any, value: Any) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        known = [each for each in inner if each is not NoneType]
        return None if value is None and NoneType in inner else _read(known[0], value)
    if origin is tuple:
        # tuple[X, ...] is an array of any length, tuple[X, Y] a pair.
        kinds = inner[:1] * len(_checked(value, list)) if inner[-1] is Ellipsis else inner
        return tuple(map(_read, kinds, value))
    if origin in (dict, Mapping):
        return {key: _read(inner[1], item) for key, item in _checked(value, dict).items()}
    if hasattr(kind, "from_json"):
        return kind.from_json(_checked(value, dict))
    if is_dataclass(kind):
        return _read_fields(kind, _checked(value, dict))
    if kind is float:
        return math.nan if value is None else float(_checked(value, float))
    return _checked(value, kind) if isinstance(kind, type) else value


def _read_fields(kind: Any, value: Mapping[str, Any]) -> Any:
    hints, found = _hints(kind), {}
    for each in fields(kind):
        if each.name in value:
            try:
                found[each.name] = _read(hints[each.name], value[each.name])
            except (ValueError, TypeError) as error:
                raise ValueError(f"{each.name}: {error}") from None
        elif each.default is MISSING and each.default_factory is MISSING:
            raise ValueError(f"no {each.name!r}")
    return kind(**found)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _checked(value: Any, kind: type) -> Any:
    # A bool is an int to Python, and a whole number a float to JSON.
    fits = isinstance(value, int | float) if kind is float else isinstance(value, kind)
    if not fits or (isinstance(value, bool) and kind in (int, float)):
        raise ValueError(f"{value!r:.40} in place of a {kind.__name__}")
    return value
