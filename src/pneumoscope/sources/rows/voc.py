"""Pascal VOC's XML as rows of films: one file for each, in ``Annotations`` or beside its film.

As of other boxes, which classes a film has objects of is what it shows, and a film without any says
NO_BOX. Files are refused before they are parsed where they are large or declare a document type or
an entity, through which XML reads other files and grows.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree

from pneumoscope.errors import UnreadableData, printable
from pneumoscope.sources.meaning.asking import NO_BOX
from pneumoscope.sources.places.files import IMAGE_SUFFIXES, suffix_of

_MOST_FILES, _DEEPEST, _LARGEST = 200_000, 6, 1 << 20
_ROOT = "<annotation"
DECLARES = ("<!doctype", "<!entity")
"""What XML may not declare, in lower case."""
_HOMES = frozenset(("annotations", "annotation", "xmls", "xml"))
"""Names of folders of annotations, beside those of films."""


def voc_rows(root: Path) -> tuple[list[tuple[str, str]], str]:
    """What film each annotation of Pascal VOC below ``root`` names, from there on, with what it
    shows, and 32 hex digits of them all; nothing where none names an object. Raises UnreadableData
    for one that is refused or cannot be read."""
    hasher = hashlib.blake2b(digest_size=16)
    rows: list[tuple[str, str]] = []
    folders: dict[Path, str] = {}
    for path in islice(_files(root), _MOST_FILES):
        if (text := _text(root, path)) is None or (shown := _shown(root, path, text)) is None:
            continue
        hasher.update(f"{path.relative_to(root).as_posix()}\0{text}\0".encode())
        home = folders.setdefault(path.parent, "") or _films_of(root, path.parent)
        folders[path.parent] = home
        rows.append((f"{home}/{path.stem}".removeprefix("./"), "|".join(shown) or NO_BOX))
    there = rows if any(label != NO_BOX for _, label in rows) else []
    return there, hasher.hexdigest()


def _films_of(root: Path, folder: Path) -> str:
    """The folder below ``root`` of the films whose annotations are in ``folder``: itself, or of
    those beside it the one that has films."""
    if folder != root and folder.name.casefold() in _HOMES:
        beside = sorted(one for one in folder.parent.iterdir() if one.is_dir() and one != folder)
        found = [one for one in beside if any(suffix_of(f) in IMAGE_SUFFIXES for f in _names(one))]
        if len(found) == 1:
            return found[0].relative_to(root).as_posix()
        if not any(suffix_of(name) in IMAGE_SUFFIXES for name in _names(folder)):
            return folder.parent.relative_to(root).as_posix()
    return folder.relative_to(root).as_posix()


def _names(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as entries:
        yield from (entry.name for entry in entries)


def _files(root: Path) -> Iterator[Path]:
    for folder, below, files in os.walk(root):
        here = Path(folder)
        deep = len(here.relative_to(root).parts) >= _DEEPEST
        below[:] = [] if deep else sorted(name for name in below if not name.startswith("."))
        yield from (here / name for name in sorted(files) if name.lower().endswith(".xml"))


def _text(root: Path, path: Path) -> str | None:
    """The text of an annotation, None where it is another file. Raises UnreadableData where it may
    not be parsed."""
    try:
        with path.open("rb") as file:
            read = file.read(_LARGEST + 1)
    except OSError:
        return None
    text = read.decode("utf-8-sig", "replace")
    if _ROOT not in text:
        return None
    if len(read) > _LARGEST:
        raise _refused(root, path, "is too large", f"at most {_LARGEST >> 20} MiB")
    if any(word in text.casefold() for word in DECLARES):
        raise _refused(root, path, "declares a document type or an entity", "neither of them")
    return text


def _shown(root: Path, path: Path, text: str) -> dict[str, None] | None:
    """The classes of the objects of one annotation; None where it is of another form."""
    try:
        # Of text the parser takes no other encoding, whatever its first line declares.
        found = ElementTree.fromstring(text)  # noqa: S314 - no entity is left
    except (ElementTree.ParseError, ValueError):
        raise _refused(root, path, "cannot be read", "XML in UTF-8") from None
    if found.tag != "annotation":
        return None
    names = (one.findtext("name", "").strip() for one in found.iter("object"))
    return {name: None for name in names if name}


def _refused(root: Path, path: Path, what: str, expected: str) -> UnreadableData:
    return UnreadableData(
        f"an annotation of Pascal VOC {what}",
        got=printable(path.relative_to(root)),
        expected=expected,
        remedy="correct or remove it, or write one table of all labels",
    )
