"""From what the user named to a source: its form is found by looking, and said."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pneumoscope.errors import DataNotFound, InputError, UnreadableData, nearest
from pneumoscope.listener import Listener
from pneumoscope.records import DataRequest, Source
from pneumoscope.sources.asked import open_or_ask
from pneumoscope.sources.candidates import NoLabelColumn
from pneumoscope.sources.fetch.download import PNEUMONIAMNIST, fetch
from pneumoscope.sources.fetch.kermany import fetch_kermany
from pneumoscope.sources.film.stores import check_store
from pneumoscope.sources.forms.arrays import arrays_source, looks_like_arrays
from pneumoscope.sources.forms.folder import folder_source, looks_like_folder
from pneumoscope.sources.forms.huggingface import (
    fetch_hub,
    huggingface_source,
    looks_like_huggingface,
)
from pneumoscope.sources.forms.labelled import (
    check_tables,
    find_labels,
    labelled_folder_source,
)
from pneumoscope.sources.forms.levels import looks_parted
from pneumoscope.sources.forms.named import looks_named, named_source
from pneumoscope.sources.forms.phantom import phantom_source
from pneumoscope.sources.forms.rsna import looks_like_rsna, rsna_source
from pneumoscope.sources.forms.table import looks_like_table, table_source
from pneumoscope.sources.forms.unlabelled import unlabelled_source
from pneumoscope.sources.tables.find import POSSIBLE
from pneumoscope.sources.tables.read import TABLE_SUFFIXES, is_table
from pneumoscope.sources.unread import check_unread

NAMES = ("kermany", "phantom", "pneumoniamnist")
"""Data sets that are known by name; a size may follow an ``@``."""

_ZIP = b"PK\x03\x04"

Opener = Callable[[DataRequest], Source]


def _looks_like_medmnist(path: Path) -> str | None:
    # By its name too: one that is cut short or empty is then told as such. But a table that is a
    # zip inside is a workbook under another name, which the reader of tables says.
    if not path.is_file() or path.suffix.lower() in TABLE_SUFFIXES:
        return None
    if path.suffix.lower() == ".npz":
        return "an .npz file"
    with path.open("rb") as file:
        return "a zip, as numpy writes it" if file.read(len(_ZIP)) == _ZIP else None


def _folder(path: Path, request: DataRequest) -> str | None:
    return looks_like_folder(path, request.meanings, follow=bool(request.links))


def _beside_numbers(path: Path, request: DataRequest) -> Opener | None:
    """As ``find_labels``: folders that are only numbered, as parts of a large set are, say less
    than a label table beside them."""
    folders = [one.name for one in path.iterdir() if one.is_dir()] if path.is_dir() else []
    numbered = bool(folders) and all(name.isdecimal() for name in folders)
    return find_labels(path, request) if numbered else None


_OPENERS: Mapping[str, Opener] = {
    "medmnist": arrays_source,
    "folder": folder_source,
    "rsna": rsna_source,
    "labelled": labelled_folder_source,
    "huggingface": huggingface_source,
    "table": table_source,
    "names": named_source,
    "unlabelled": unlabelled_source,
}

_FORMERLY = {"dicom": "labelled"}
"""Words of ``--form`` that older runs keep, by what they are called now."""

_OPTIONS = {"classes": "--classes", "labels": "--labels", "columns": "--column"}
_TAKES: Mapping[str, tuple[str, ...]] = {
    "medmnist": ("classes",),
    "unlabelled": (),
    "folder": ("classes",),
    "names": ("classes",),
    "huggingface": ("classes", "columns"),
    "table": ("classes", "columns"),
}
"""What a user may say of data in these forms; of others, anything."""

_LOOKS: tuple[tuple[str, Callable[[Path, DataRequest], str | Opener | None]], ...] = (
    ("medmnist", lambda path, _: _looks_like_medmnist(path) or looks_like_arrays(path)),
    ("rsna", lambda path, _: looks_like_rsna(path)),
    ("huggingface", lambda path, _: looks_like_huggingface(path)),
    ("table", lambda path, _: looks_like_table(path)),
    ("labelled", lambda path, request: _beside_numbers(path, request)),
    ("folder", lambda path, request: _folder(path, request)),
    ("labelled", find_labels),
    ("names", looks_named),
)
"""In this order: a form that shows itself by a file of its own goes before one that any folder
could have."""

_GUESSES: tuple[tuple[str, Callable[[Path, DataRequest], str | Opener | None]], ...] = (
    ("folder", partial(looks_parted, likely=True)),
    ("labelled", partial(find_labels, least=POSSIBLE)),
)
"""What might hold labels where no form shows itself, the likeliest first: it is asked about. Then
comes what is not read, then folders of any words; where there is none of it either, films are taken
for what they are without labels."""

_NO_LABELS = "where the films have no labels: --form unlabelled"


def open_source(request: DataRequest, downloads: Path, listener: Listener) -> Source:
    """The source that ``request`` names: a path, ``hf:owner/name``, or one of NAMES.

    A path wins over a name. Raises DataNotFound, UnreadableData or BadLabels with what was
    expected, and one error for all that has to be asked; see ``open_or_ask``.
    """
    return open_or_ask(request, lambda asked: _open(asked, downloads, listener))


def _open(request: DataRequest, downloads: Path, listener: Listener) -> Source:
    data = request.data
    path = _as_path(data)
    if path is not None:
        return _from_path(replace(request, data=str(path)), path)
    if data.startswith("hf:"):
        return huggingface_source(fetch_hub(request, downloads, listener))
    name, _, size = data.partition("@")
    if name in ("phantom", "pneumoniamnist"):
        _check_said(request, (), f"data known by name: {name}")
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
    form, seen = request.form or ("labelled" if request.labels else ""), None
    form = _FORMERLY.get(form, form)
    guessed = False
    if not form:
        form, seen = _first(_LOOKS, path, request)
    if not form:
        guessed, (form, seen) = True, _guessed(path, request)
    if form not in _OPENERS:
        raise InputError("there is no such form", got=repr(form), expected=nearest(form, _OPENERS))
    _check_said(request, _TAKES.get(form, tuple(_OPTIONS)), f"the form {form}")
    opener = seen if callable(seen) else _OPENERS[form]
    try:
        return opener(request)
    except InputError as error:
        unsaid = isinstance(error, NoLabelColumn) or not (request.classes or request.columns)
        asked = error.answer and not isinstance(error, UnreadableData)  # links are no labels
        if asked and unsaid and (guessed or isinstance(error, NoLabelColumn)):
            error.hints = (*error.hints, _NO_LABELS)
        raise


def _guessed(path: Path, request: DataRequest) -> tuple[str, str | Opener | None]:
    """The form by what might hold labels, where no form shows itself. Raises where something that
    is not read could."""
    form, seen = _first(_GUESSES, path, request)
    if form:
        return form, seen
    check_tables(path, request)
    check_unread(path, request)
    parted = looks_parted(path, request, likely=False)
    return "folder" if parted else "unlabelled", parted


def _first(
    looks: Sequence[tuple[str, Callable[[Path, DataRequest], str | Opener | None]]],
    path: Path,
    request: DataRequest,
) -> tuple[str, str | Opener | None]:
    """The first form that ``path`` shows, with what shows it; empty without one."""
    seen = ((form, look(path, request)) for form, look in looks)
    return next((one for one in seen if one[1]), ("", None))


def _check_said(request: DataRequest, taken: tuple[str, ...], where: str) -> None:
    """Refuse an option that would be passed over in silence."""
    said = [name for name in _OPTIONS if getattr(request, name) and name not in taken]
    if said:
        raise InputError(
            "an option has no meaning for this data",
            got=f"{_OPTIONS[said[0]]} for {where}",
            expected=", ".join(_OPTIONS[name] for name in taken) or "no such option",
            remedy="leave it out, or say with --form what the data is",
        )


def _check_there(path: Path) -> None:
    if not path.is_dir() and not path.is_file():
        raise DataNotFound(
            "this is not a regular file" if path.exists() else "there is no such file",
            got=path,
            expected="a file or folder that exists",
            remedy="check the path, or give a name: " + ", ".join(NAMES),
        )
    if path.is_file() and not is_table(path):
        check_store(path)
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
    name = "pneumoniamnist" if side == 28 else f"pneumoniamnist-{side}"
    return arrays_source(DataRequest(str(file)), name)


def _size(data: str, size: str, default: int, known: range | Mapping[int, object]) -> int:
    if not size:
        return default
    if re.fullmatch("[0-9]{1,4}", size) and int(size) in known:
        return int(size)
    sizes = f"{known.start} to {known.stop - 1}" if isinstance(known, range) else sorted(known)
    raise DataNotFound(f"there is no {data!r}", expected=f"a side in pixels of {sizes}")
