"""Films as the user names them: files, folders or arrays, each film once, nothing followed out.

A folder's films are found by the rule of ``sources.film``; a file that is named is taken whatever
its name.
What is not there, closed or empty is no film, but has a row of its own with the reason.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pneumoscope.errors import UnreadableData, UnreadableImage
from pneumoscope.imaging.read import read_film
from pneumoscope.records import Film, Grey
from pneumoscope.sources.film.find import only_films
from pneumoscope.sources.places.files import list_films, read_file


@dataclass(frozen=True, slots=True)
class FilmInput:
    """A film to read: ``name`` as the user would write it, ``source`` its file, or where it is in
    memory the bytes of one, or its pixels uint8 (H, W), 0–255, air dark. ``error`` says why it is
    no film."""

    name: str
    source: Path | bytes | Grey
    error: str | None = None

    def read(self, side: int) -> Film:
        """The film, decoded for a square of ``side``. Raises UnreadableImage."""
        if self.error is not None:
            raise UnreadableImage(self.error)
        if isinstance(self.source, Path):
            return read_file(self.source, side)
        if isinstance(self.source, bytes):
            return read_film(self.source, side)
        height, width = self.source.shape
        return Film(self.source, height, width)


@dataclass(frozen=True, slots=True)
class FoundFilms:
    """The rows in the order given, folders sorted within, and what was passed over by reason."""

    files: tuple[FilmInput, ...]
    passed_over: Mapping[str, int]


def find_films(given: Iterable[str | os.PathLike[str]]) -> FoundFilms:
    """Every film that ``given`` names, files or folders, each once, under the first name given.

    Two names are the same film where the folders they lie in are the same, links resolved. A
    link to a film is a film of its own. Never raises: what cannot be had is a row with an error.
    """
    passed: Counter[str] = Counter()
    rows: dict[str, FilmInput] = {}
    for each in given:
        name = os.fspath(each)
        for place, row in _rows(name, passed):
            rows.setdefault(place, row)
    return FoundFilms(tuple(rows.values()), dict(passed))


def given_film(name: str, pixels: Any) -> FilmInput:
    """Check an array, uint8 (H, W) or (H, W, 3), and make colour Rec. 601 luma, as for files.

    Raises UnreadableImage.
    """
    shape, dtype = getattr(pixels, "shape", None), getattr(pixels, "dtype", None)
    colour = shape is not None and len(shape) == 3 and shape[2] == 3
    if dtype != np.uint8 or shape is None or not (len(shape) == 2 or colour) or 0 in shape:
        raise UnreadableImage(
            f"{name} is no film",
            got=f"{type(pixels).__name__} {shape or ''} {dtype or ''}".strip(),
            expected="a path, or a uint8 array (H, W) or (H, W, 3), 0–255, air dark",
            remedy="scale deeper arrays to 0–255 first, or give the file itself",
        )
    array = np.asarray(pixels)
    if colour:
        array = np.asarray(Image.fromarray(np.ascontiguousarray(array)).convert("L"))
    return FilmInput(name, array)


def _rows(name: str, passed: Counter[str]) -> list[tuple[str, FilmInput]]:
    """The rows of one name, each with the place that tells it from others."""
    path = Path(name)
    try:
        there, folder = path.exists(), path.is_dir()
        place = os.path.realpath(name) if folder else _place(name)
    except (OSError, ValueError) as error:  # closed, too long, a zero byte, a link to itself
        why = getattr(error, "strerror", None) or "no possible name"
        return [(name, FilmInput(name, path, f"the file cannot be reached: {why}"))]
    if folder:
        return _below(name, place, passed)
    reason = None if there else "there is no such file"
    if not there and path.is_symlink():
        reason = "the link leads to nothing, or round in a circle"
    return [(place, FilmInput(name, path, reason))]


def _place(name: str) -> str:
    parent, last = os.path.split(name)
    return os.path.join(os.path.realpath(parent), last)  # noqa: PTH118 10,000 names are joined


def _below(name: str, place: str, passed: Counter[str]) -> list[tuple[str, FilmInput]]:
    try:
        listing = only_films(list_films(Path(name))).listing
    except UnreadableData as error:
        return [(place, FilmInput(name, Path(name), error.what))]
    passed.update(listing.passed_over)
    if not listing.files:
        what = ", ".join(f"{n:,} {reason}" for reason, n in listing.passed_over.items())
        held = f"only {what}" if what else "nothing at all"
        return [(place, FilmInput(name, Path(name), f"no film in this folder: {held}"))]
    prefix = "" if name in (".", "./") else name.rstrip("/") + "/"
    return [
        (f"{place}/{file.path}", FilmInput(prefix + file.path, Path(name) / file.path))
        for file in listing.files
    ]
