"""What annotators marked as rows of films: COCO's JSON, YOLO's texts beside ``data.yaml``, and
Label Studio's JSON.

Which classes a film has boxes of is what it shows; where the boxes lie is not read. A film without
any says NO_BOX, which may mean normal, or only that nobody drew one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from pneumoscope.errors import UnreadableData
from pneumoscope.sources.meaning.asking import NO_BOX
from pneumoscope.sources.places.files import IMAGE_SUFFIXES, suffix_of
from pneumoscope.sources.tables import bounds

IMAGE, LABEL = "file_name", "label"
_MOST_FILES, _DEEPEST, _LARGEST = 200_000, 6, 1 << 20
_KINDS = ("choices", "rectanglelabels", "polygonlabels", "brushlabels", "labels")
_UPLOAD = re.compile(r"^.*\?d=|^(?:.*/)?[0-9a-f]{8}-(?=.)")
"""What Label Studio puts before the name of a film: its store, or eight digits of an upload."""

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


def label_studio_rows(found: Sequence[Any]) -> list[dict[str, str]] | None:
    """A row for each annotation of Label Studio's export, with what it chose for its film, or the
    labels of its boxes; None where it is another list. Annotations that were cancelled, and tasks
    without one, say nothing."""
    tasks = [one for one in _dicts(found) if {"data", "annotations"} <= one.keys()]
    if not tasks or len(tasks) < len(found):
        return None
    rows: list[dict[str, str]] = []
    for task in tasks:
        data = task["data"] if isinstance(task["data"], dict) else {}
        film = _UPLOAD.sub("", next((v for v in data.values() if _is_film(v)), ""))
        made = task["annotations"] if isinstance(task["annotations"], list) else []
        there = [one for one in _dicts(made) if not one.get("was_cancelled")]
        cells = [_chosen(one.get("result")) for one in there] or [""]
        rows += [{IMAGE: film, LABEL: cell} for cell in dict.fromkeys(cells)]
    return rows


def _chosen(result: Any) -> str:
    """The choices, else the labels of boxes, of one annotation; NO_BOX where it has neither."""
    shown: dict[str, None] = {}
    for one in _dicts(result if isinstance(result, list) else []):
        value = one.get("value")
        marks = value if isinstance(value, dict) else {}
        for found in map(marks.get, _KINDS):
            words = [found] if isinstance(found, str) else found
            shown |= {w: None for w in words or () if isinstance(w, str)}
    return "|".join(shown) or NO_BOX


def _is_film(value: Any) -> bool:
    name = value.partition("?d=")[2] or value if isinstance(value, str) else ""
    return suffix_of(name) in IMAGE_SUFFIXES


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
