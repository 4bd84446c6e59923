"""Which films the user means: files and folders as given, each film once, nothing followed out.

A folder's files are found by ``sources.files``; a file that is named is taken whatever its name.
What is not there, closed or empty is no film, but has a row of its own with the reason.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pneumoscope.errors import UnreadableData
from pneumoscope.sources.files import list_films


@dataclass(frozen=True, slots=True)
class FilmFile:
    """One row to be: ``name`` as the user would write it. ``error`` says why it is no film."""

    name: str
    path: Path
    error: str | None = None


@dataclass(frozen=True, slots=True)
class FoundFilms:
    """The rows in the order given, folders sorted within, and what was passed over by reason."""

    files: tuple[FilmFile, ...]
    passed_over: Mapping[str, int]


def find_films(given: Iterable[str | os.PathLike[str]]) -> FoundFilms:
    """Every film that ``given`` names, files or folders, each once, under the first name given.

    Two names are the same film where the folders they lie in are the same, links resolved. A
    link to a film is a film of its own. Never raises: what cannot be had is a row with an error.
    """
    passed: Counter[str] = Counter()
    rows: dict[str, FilmFile] = {}
    for each in given:
        name = os.fspath(each)
        for place, row in _rows(name, passed):
            rows.setdefault(place, row)
    return FoundFilms(tuple(rows.values()), dict(passed))


def _rows(name: str, passed: Counter[str]) -> list[tuple[str, FilmFile]]:
    """The rows of one name, each with the place that tells it from others."""
    path = Path(name)
    try:
        there, folder = path.exists(), path.is_dir()
        place = os.path.realpath(name) if folder else _place(name)
    except (OSError, ValueError) as error:  # closed, too long, a zero byte, a link to itself
        why = getattr(error, "strerror", None) or "no possible name"
        return [(name, FilmFile(name, path, f"the file cannot be reached: {why}"))]
    if folder:
        return _below(name, place, passed)
    reason = None if there else "there is no such file"
    if not there and path.is_symlink():
        reason = "the link leads to nothing, or round in a circle"
    return [(place, FilmFile(name, path, reason))]


def _place(name: str) -> str:
    parent, last = os.path.split(name)
    return os.path.join(os.path.realpath(parent), last)  # noqa: PTH118 10,000 names are joined


def _below(name: str, place: str, passed: Counter[str]) -> list[tuple[str, FilmFile]]:
    try:
        listing = list_films(Path(name))
    except UnreadableData as error:
        return [(place, FilmFile(name, Path(name), error.what))]
    passed.update(listing.passed_over)
    if not listing.files:
        what = ", ".join(f"{n:,} {reason}" for reason, n in listing.passed_over.items())
        held = f"only {what}" if what else "nothing at all"
        return [(place, FilmFile(name, Path(name), f"no film in this folder: {held}"))]
    prefix = "" if name in (".", "./") else name.rstrip("/") + "/"
    return [
        (f"{place}/{file.path}", FilmFile(prefix + file.path, Path(name) / file.path))
        for file in listing.files
    ]
