"""From what the user typed to a source: its form is found by looking, and said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from pneumoscope.errors import DataNotFound, UnreadableData, nearest
from pneumoscope.records import Listener, Source
from pneumoscope.sources.download import PNEUMONIAMNIST, fetch
from pneumoscope.sources.medmnist import medmnist_source
from pneumoscope.sources.phantom import phantom_source

NAMES = ("phantom", "pneumoniamnist")
"""Data sets that are known by name; a size follows an ``@``."""


def open_source(data: str, downloads: Path, listener: Listener) -> Source:
    """The source that ``data`` names: a path, ``phantom[@SIDE]`` or ``pneumoniamnist[@SIDE]``.

    A path wins over a name. Raises DataNotFound or UnreadableData with what was expected.
    """
    path = _as_path(data)
    if path is not None:
        return _from_path(path)
    name, _, size = data.partition("@")
    if name == "phantom":
        return phantom_source(size=_size(data, size, 96, range(32, 513)))
    if name == "pneumoniamnist":
        return _pneumoniamnist(data, size, downloads, listener)
    raise DataNotFound(
        f"{data!r} is neither a path nor the name of a data set",
        expected=_expected(data),
        remedy="check the path; relative paths start at the present folder",
    )


def _as_path(data: str) -> Path | None:
    """The path that ``data`` names, if anything is there (a broken link too)."""
    try:
        path = Path(data).expanduser()
        return path if data and (path.exists() or path.is_symlink()) else None
    except (OSError, RuntimeError):  # a name too long for a file; no such user's home
        return None


def _expected(data: str) -> str:
    looks_like_path = "/" in data or "\\" in data or "." in data
    return "an .npz file that exists" if looks_like_path else nearest(data.split("@")[0], NAMES)


def _from_path(path: Path) -> Source:
    if path.is_dir():
        raise UnreadableData(
            "folders cannot be read yet",
            got=path,
            expected="a MedMNIST .npz file, or one of the names: " + ", ".join(NAMES),
        )
    return medmnist_source(path)


def _pneumoniamnist(data: str, size: str, downloads: Path, listener: Listener) -> Source:
    side = _size(data, size, 28, PNEUMONIAMNIST)
    published = PNEUMONIAMNIST[side]

    def advance(done: int, total: int) -> None:
        listener.progress(done, total, "byte")

    listener.stage(f"Fetch {published.file_name}")
    file = fetch(published, downloads, advance)
    return medmnist_source(file, name="pneumoniamnist" if side == 28 else f"pneumoniamnist-{side}")


def _size(data: str, size: str, default: int, known: range | Mapping[int, object]) -> int:
    if not size:
        return default
    if re.fullmatch("[0-9]{1,4}", size) and int(size) in known:
        return int(size)
    sizes = f"{known.start} to {known.stop - 1}" if isinstance(known, range) else sorted(known)
    raise DataNotFound(f"there is no {data!r}", expected=f"a side in pixels of {sizes}")
