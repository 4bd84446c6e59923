"""From what the user named to a source: its form is found by looking, and said."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from pneumoscope.errors import DataNotFound, InputError, UnreadableData, nearest
from pneumoscope.records import DataRequest, Listener, Source
from pneumoscope.sources.dicom_folder import labelled_folder_source
from pneumoscope.sources.download import PNEUMONIAMNIST, fetch
from pneumoscope.sources.folder import folder_source, looks_like_folder
from pneumoscope.sources.huggingface import (
    fetch_hub,
    huggingface_source,
    looks_like_huggingface,
)
from pneumoscope.sources.kermany import fetch_kermany
from pneumoscope.sources.medmnist import medmnist_source
from pneumoscope.sources.phantom import phantom_source
from pneumoscope.sources.rsna import looks_like_rsna, rsna_source
from pneumoscope.sources.table import looks_like_table, table_source
from pneumoscope.sources.unlabelled import unlabelled_source

NAMES = ("kermany", "phantom", "pneumoniamnist")
"""Data sets that are known by name; a size may follow an ``@``."""

_ZIP = b"PK\x03\x04"
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")

Opener = Callable[[DataRequest], Source]


def _medmnist(request: DataRequest) -> Source:
    return medmnist_source(Path(request.data).expanduser())


def _looks_like_medmnist(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return "a zip, as numpy writes it" if file.read(len(_ZIP)) == _ZIP else None


_OPENERS: Mapping[str, Opener] = {
    "medmnist": _medmnist,
    "folder": folder_source,
    "rsna": rsna_source,
    "dicom": labelled_folder_source,
    "huggingface": huggingface_source,
    "table": table_source,
    "unlabelled": unlabelled_source,
}

_LOOKS: tuple[tuple[str, Callable[[Path, DataRequest], str | None]], ...] = (
    ("medmnist", lambda path, _: _looks_like_medmnist(path)),
    ("rsna", lambda path, _: looks_like_rsna(path)),
    ("huggingface", lambda path, _: looks_like_huggingface(path)),
    ("table", lambda path, _: looks_like_table(path)),
    ("folder", lambda path, request: looks_like_folder(path, request.classes)),
)
"""In this order: a form that shows itself by a file of its own goes before one that any folder
could have. What shows none of them is taken for films without labels."""


def open_source(request: DataRequest, downloads: Path, listener: Listener) -> Source:
    """The source that ``request`` names: a path, ``hf:owner/name``, or one of NAMES.

    A path wins over a name. Raises DataNotFound, UnreadableData or BadLabels with what was
    expected.
    """
    data = request.data
    path = _as_path(data)
    if path is not None:
        return _from_path(replace(request, data=str(path)), path)
    if data.startswith("hf:"):
        return huggingface_source(fetch_hub(request, downloads, listener))
    name, _, size = data.partition("@")
    if name == "phantom":
        return phantom_source(size=_size(data, size, 96, range(32, 513)))
    if name == "pneumoniamnist":
        return _pneumoniamnist(data, size, downloads, listener)
    if data == "kermany":
        listener.stage("Fetch the Kermany set through kagglehub, about 2.3 GB")
        return folder_source(replace(request, data=str(fetch_kermany())))
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
    if "/" in data or "\\" in data or "." in data:
        return "a file or folder that exists"
    return nearest(data.split("@")[0], NAMES)


def _from_path(request: DataRequest, path: Path) -> Source:
    _check_there(path)
    form = request.form or ("dicom" if request.labels else None)
    if form is None:
        form = next((form for form, look in _LOOKS if look(path, request)), "unlabelled")
    if form not in _OPENERS:
        raise InputError("there is no such form", got=repr(form), expected=nearest(form, _OPENERS))
    return _OPENERS[form](request)


def _check_there(path: Path) -> None:
    if not path.is_dir() and not path.is_file():
        raise DataNotFound(
            "this is not a regular file" if path.exists() else "there is no such file",
            got=path,
            expected="a file or folder that exists",
            remedy="check the path, or give a name: " + ", ".join(NAMES),
        )
    if path.is_file() and path.suffix.lower() in _ARCHIVES:
        raise UnreadableData(
            "archives are not read",
            got=path,
            remedy="unpack it, and give the folder that comes out of it",
        )
    if not os.access(path, os.R_OK):
        raise UnreadableData(
            "this may not be read", got=path, remedy="ask for permission to read it"
        )


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
