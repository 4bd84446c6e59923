"""Boxes of detection sets as rows of films: COCO's JSON, and YOLO's texts beside ``data.yaml``.

Which classes a film has boxes of is what it shows; where the boxes lie is not read. A film without
any says NO_BOX, which may mean normal, or only that nobody drew one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from pneumoscope.errors import UnreadableData
from pneumoscope.sources.meaning.asking import NO_BOX
from pneumoscope.sources.tables import bounds

IMAGE, LABEL = "file_name", "label"
_MOST_FILES, _DEEPEST, _LARGEST = 200_000, 6, 1 << 20
_LISTS = ("images", "annotations", "categories")


def coco_rows(found: Mapping[str, Any]) -> list[dict[str, str]] | None:
    """A row for each image of COCO's JSON with the names of its boxes' categories; None where it is
    another JSON. Raises ValueError where an image has no name."""
    lists = [each for name in _LISTS if isinstance(each := found.get(name), list)]
    if len(lists) < len(_LISTS):
        return None
    images, annotations, categories = lists
    names = {_key(one, "id"): _text(one, "name") for one in _dicts(categories)}
    shown: dict[str, dict[str, None]] = {}
    for one in _dicts(annotations):
        if name := names.get(_key(one, "category_id")):
            shown.setdefault(_key(one, "image_id"), {})[name] = None
    rows = []
    for one in _dicts(images):
        label = "|".join(shown.get(_key(one, "id"), ())) or NO_BOX
        rows.append({IMAGE: _text(one, "file_name"), LABEL: label})
    return rows


def yolo_rows(path: Path) -> list[tuple[str, str]]:
    """A header, then a row for each text of boxes below the folder of ``path``, ``data.yaml``,
    whose ``names`` are the classes. Raises UnreadableData where it is another YAML."""
    names = _names(path)
    rows = [(IMAGE, LABEL)]
    for text in islice(_texts(path.parent), _MOST_FILES):
        if (numbers := _numbers(text)) is None:
            continue
        shown = dict.fromkeys(names.get(number, f"class {number}") for number in numbers)
        film = text.relative_to(path.parent).with_suffix("").as_posix()
        # The last "labels" of its path is "images" for the film.
        before, within, last = f"/{film}".rpartition("/labels/")
        rows.append(((f"{before}/images/{last}" if within else film).lstrip("/"),
                     "|".join(shown) or NO_BOX))  # fmt: skip
    if len(rows) == 1:
        raise bounds.no_rows(path)
    return rows


def of_boxes(table: bounds.Table) -> bool:
    """Whether a table was made of boxes."""
    return list(table.frame.columns) == [IMAGE, LABEL]


def _names(path: Path) -> dict[int, str]:
    try:
        if path.stat().st_size > _LARGEST:
            raise bounds.too(path, "large", "more", f"{_LARGEST >> 20} MiB")
        found = yaml.safe_load(path.read_text("utf-8-sig"))
    except (yaml.YAMLError, ValueError, RecursionError):
        found = None
    names = found.get("names") if isinstance(found, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    plain = isinstance(names, dict) and all(
        isinstance(n, int) and isinstance(name, str | int) for n, name in names.items()
    )
    if not isinstance(names, dict) or not plain:
        raise UnreadableData(
            "the YAML is no list of classes", got=path, expected="names, as YOLO's data.yaml has"
        )
    return {number: str(name).strip() for number, name in names.items()}


def _texts(root: Path) -> Iterator[Path]:
    for folder, below, files in os.walk(root):
        here = Path(folder)
        deep = len(here.relative_to(root).parts) >= _DEEPEST
        below[:] = [] if deep else sorted(name for name in below if not name.startswith("."))
        yield from (here / name for name in sorted(files) if name.lower().endswith(".txt"))


def _numbers(text: Path) -> list[int] | None:
    """The classes of the boxes in one text; None where it is another text."""
    try:
        if text.stat().st_size > _LARGEST:
            return None
        lines = [line.split() for line in text.read_text("utf-8").splitlines() if line.strip()]
        boxes = [[float(value) for value in line] for line in lines]
    except (OSError, ValueError):
        return None
    if any(len(box) < 5 or not box[0].is_integer() or box[0] < 0 for box in boxes):
        return None
    return [int(box[0]) for box in boxes]


def _dicts(values: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    return (value for value in values if isinstance(value, dict))


def _key(one: Mapping[str, Any], name: str) -> str:
    return str(one.get(name))


def _text(one: Mapping[str, Any], name: str) -> str:
    value = one.get(name)
    return value.strip() if isinstance(value, str) else ""
