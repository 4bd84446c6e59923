"""CVAT's XML ("for images 1.1") as rows of films: one file for all, with tags and shapes of each.

As of other boxes, which labels a film has is what it shows, and a film without any says NO_BOX. A
file is refused before it is parsed where it declares a document type or an entity.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from pneumoscope.errors import UnreadableData
from pneumoscope.sources.meaning.asking import NO_BOX
from pneumoscope.sources.rows.detections import IMAGE, LABEL
from pneumoscope.sources.rows.voc import DECLARES

_LARGEST, _HEAD = 256 << 20, 4096
_NO_SUBSET = "default"
SPLIT = "subset"


def is_cvat(path: Path) -> bool:
    """Whether an XML file seems to be CVAT's, by how it begins."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    return b"<annotations" in head and path.stat().st_size <= _LARGEST


def cvat_rows(path: Path) -> list[Sequence[str]]:
    """A header, then a row for each image of CVAT's XML: its name, the labels of its tags and
    shapes, and its subset; nothing where no image has a label. Raises UnreadableData for a file
    that may not, or cannot, be parsed."""
    text = path.read_text("utf-8-sig", "replace")
    if any(word in text.casefold() for word in DECLARES):
        raise _refused(path, "declares a document type or an entity", "neither of them")
    try:
        # Of text the parser takes no other encoding, whatever its first line declares.
        found = ElementTree.fromstring(text)  # noqa: S314 - no entity is left
    except (ElementTree.ParseError, ValueError):
        raise _refused(path, "cannot be read", "XML in UTF-8") from None
    rows = [
        (one.get("name", ""), _shown(one) or NO_BOX, one.get("subset", ""))
        for one in found.iter("image")
    ]
    if all(label == NO_BOX for _, label, _ in rows):
        return []
    divided = any(subset not in ("", _NO_SUBSET) for *_, subset in rows)
    return [row if divided else row[:2] for row in ((IMAGE, LABEL, SPLIT), *rows)]


def _shown(image: ElementTree.Element) -> str:
    """The labels of the tags and shapes of one image, each once."""
    return "|".join(dict.fromkeys(filter(None, (one.get("label", "").strip() for one in image))))


def _refused(path: Path, what: str, expected: str) -> UnreadableData:
    return UnreadableData(
        f"the annotations of CVAT {what}",
        got=path,
        expected=expected,
        remedy="export them anew, or write one table of all labels",
    )
