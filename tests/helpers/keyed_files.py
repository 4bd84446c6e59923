"""Files of results as the store of figures: every number that is read from one carries its key.

The files of a run, ``metrics.json``, ``run.json``, ``model.json`` and their like, hold all that
pages, card and terminal show. ``keyed_files`` lets numbers that come from them be ``Keyed``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from types import ModuleType
from typing import Any

import pytest
from tests.helpers.figures import save_nothing
from tests.helpers.keyed import Keyed, bare, is_marking, keyed, marking, marks_of, unmarked

IN_WORDS = ", in words"
"""Ends the key of a number in a sentence, which was found by its value."""
_TO_PERCENT = re.compile(r"\u2060?(–| to )\u2060?[−+]?[\d.]+%")
"""After the lower end of an interval in per cent."""
Heard = dict[str, str]
"""What was shown, with marks, by where."""
_heard: Heard = {}
_store: list[Keyed] = []
"""The figures of all files that were read."""
_BARE = re.compile(r"(?<![\w.])[−+-]?\d+(?:,\d{3})*(?:\.\d+)?%?(?!\w)")


def heard(name: str, text: str) -> str:
    """``text`` as a user sees it; while files are keyed, it is kept for the walk."""
    if is_marking():
        _heard[name] = text
    return unmarked(text)


@contextmanager
def keyed_files(patch: pytest.MonkeyPatch) -> Iterator[Heard]:
    """Let every number that is read from a file of results, or is about to be written to one,
    carry its key. Gives all texts that are ``heard`` meanwhile."""
    from pneumoscope import plain, storage
    from pneumoscope.audit import audit
    from pneumoscope.data import door
    from pneumoscope.report.compare import page
    from pneumoscope.report.kit import gallery
    from pneumoscope.report.kit.page import _environment
    from pneumoscope.workflows.groups import pooled, seeds

    _heard.clear()
    _store.clear()
    _rebind(
        patch,
        storage,
        "read_json",
        lambda found, path: _of_file(found, f"{path.parent.name}/{path.name}:"),
    )
    _rebind(patch, plain, "from_plain", lambda found, kind, value: _again(found, value))
    _rebind(patch, gallery, "shown_rows", lambda found, *_: _films(found))
    _rebind(patch, door, "door_of", lambda found, *_: _of_file(found, "run.json:door"))
    _rebind(patch, audit, "audit", lambda found, *_: _of_file(found, "audit.json:"))
    _rebind(patch, page, "_in_words", lambda found, *_: _of_file(found, "comparison.json:"))
    _rebind(patch, seeds, "summarise_seeds", lambda found, *_: _of_file(found, "summary.json:"))
    _rebind(patch, pooled, "evaluate_pooled", lambda found, *_: _of_file(found, "metrics.json:"))
    # The macros of templates that were shown before keep the filters of that time.
    _environment.cache_clear()
    patch.setitem(_environment().filters, "format", _formatted)
    patch.setattr("matplotlib.figure.Figure.savefig", _save)
    with marking():
        yield _heard


def _rebind(
    patch: pytest.MonkeyPatch, home: ModuleType, name: str, then: Callable[..., Any]
) -> None:
    """Let ``then`` see what the function gives, wherever it is known under that name."""
    function = getattr(home, name)

    def wrapper(*given: Any, **named: Any) -> Any:
        found = function(*given, **named)
        # A module that is first imported meanwhile keeps this wrapper.
        return then(found, *given) if is_marking() else found

    for module in [home, *(m for at, m in sys.modules.items() if at.startswith("pneumoscope"))]:
        if getattr(module, name, None) is function:
            patch.setattr(module, name, wrapper)


_LONG = 12
"""From so many numbers on a list is a curve, of which no sentence speaks."""
_IN_WORDS = {"verdict", "headline", "finding", "title", "notes", "choice", "why", "meaning"}
"""Keys of sentences that were written together with the figures of their file."""


def _of_file(value: Any, place: str) -> Any:
    """What a file holds, plain data or a record, with keys; numbers in its sentences carry those of
    the file's figures that they are the rounded values of."""
    value = _with_keys(value, place)
    own = list(_figures_in(value))
    value = _with_sentences(value, [*own, *_store], "")
    _store.extend(own)
    return value


def told_by(text: str, store: Any, place: str) -> str:
    """``text``, with the key of a figure of ``store``, plain data, at each number that is the
    rounded value of one; for what is shown before it is written."""
    figures = list(_figures_in(_with_keys(store, f"{place}:")))
    return _BARE.sub(lambda found: _told(found, figures), text)


def _with_keys(value: Any, key: str) -> Any:
    def below(name: object) -> str:
        return f"{key}{'' if key[-1] == ':' else '.'}{name}"

    return _mapped(value, lambda name, part: _with_keys(part, below(name)), keyed(value, key))


def _with_sentences(value: Any, figures: Sequence[Keyed], name: str) -> Any:
    own = value
    if isinstance(value, str) and name in _IN_WORDS:
        own = _BARE.sub(lambda found: _told(found, figures), value)

    def below(inner: object, part: Any) -> Any:
        return _with_sentences(part, figures, name if isinstance(inner, int) else str(inner))

    return _mapped(value, below, own)


def _mapped(value: Any, change: Callable[[object, Any], Any], leaf: Any) -> Any:
    """``value`` with its parts changed, a record in place; ``leaf`` where it has none."""
    if isinstance(value, Mapping):
        return {name: change(name, part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(change(at, part) for at, part in enumerate(value))
    if not is_dataclass(value):
        return leaf
    for each in fields(value):
        object.__setattr__(value, each.name, change(each.name, getattr(value, each.name)))
    return value


def _figures_in(value: Any) -> Iterator[Keyed]:
    if isinstance(value, Keyed):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _figures_in(part)
    elif isinstance(value, list | tuple) and len(value) <= _LONG:
        for part in value:
            yield from _figures_in(part)
    elif is_dataclass(value):
        for each in fields(value):
            yield from _figures_in(getattr(value, each.name))


def _told(found: re.Match[str], figures: Sequence[Keyed]) -> str:
    """A number of a sentence, with the key of the figure that it tells, if there is one."""
    number = found[0]
    value, places = _said(number)
    percent = number.endswith("%") or _TO_PERCENT.match(found.string, found.end())
    for figure in figures:
        if round(abs(bare(figure) * (100 if percent else 1)), places) == value:
            return number + marks_of(keyed(figure, f"{figure.key}{IN_WORDS}"))
    return number


def _said(number: str) -> tuple[float, int]:
    bare = number.lstrip("−+-").rstrip("%").replace(",", "")
    return float(bare), len(bare.partition(".")[2])


def _again(record: Any, source: Any) -> Any:
    """The record made of ``source``, its numbers with the keys that they had there."""
    if isinstance(source, Keyed):
        return keyed(bare(record), source.key)
    if is_dataclass(record) and isinstance(source, Mapping):
        for each in fields(record):
            if each.name in source:
                found = _again(getattr(record, each.name), source[each.name])
                object.__setattr__(record, each.name, found)
    elif isinstance(record, Mapping) and isinstance(source, Mapping):
        return {key: _again(value, source[key]) for key, value in record.items()}
    elif isinstance(record, tuple | list) and isinstance(source, list | tuple):
        return type(record)(_again(*pair) for pair in zip(record, source, strict=True))
    return record


def _films(rows: Any) -> Any:
    for row in rows:
        key = f"predictions.csv:{row.image_id}.probability"
        object.__setattr__(row, "probability", keyed(row.probability, key))
    return rows


def _formatted(pattern: str, *given: Any) -> str:
    """Jinja's filter ``format``, asking each number for its text."""
    left = iter(given)

    def one(found: re.Match[str]) -> str:
        return format(next(left), found[1].replace("d", ""))

    return re.sub(r"%([.\d]*[fgd])", one, str(pattern))


def _save(figure: Any, file: Any, **options: Any) -> None:
    if options["format"] == "svg":
        # Ticks of axes are a scale and no figures.
        words = [text.get_text() for text in figure.texts]
        for axes in figure.axes:
            words += [text.get_text() for text in [*axes.texts, axes.title]]
        _heard["drawn"] = "\n".join([_heard.get("drawn", ""), *words])
    save_nothing(figure, file, **options)
