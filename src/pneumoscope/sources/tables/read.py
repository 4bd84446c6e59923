"""The only door for tables: CSV, parquet, JSON lines or a workbook become columns of text.

Nothing is ever unpickled, and no cell appears in a message: a table may name people.
"""

from __future__ import annotations

import gzip
import importlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from pneumoscope.errors import DataNotFound, UnreadableData
from pneumoscope.sources.rows.block import Row, find_block
from pneumoscope.sources.rows.cvat import cvat_rows, is_cvat
from pneumoscope.sources.rows.detections import (
    IMAGE,
    LABEL,
    coco_rows,
    label_studio_rows,
    yolo_rows,
)
from pneumoscope.sources.rows.single import single_rows
from pneumoscope.sources.rows.voc import voc_rows
from pneumoscope.sources.tables import bounds
from pneumoscope.sources.tables.bounds import Table
from pneumoscope.sources.tables.parquet import read_parquet
from pneumoscope.sources.tables.text import read_text

TABLE_SUFFIXES = frozenset(
    (".csv", ".tsv", ".txt", ".parquet", ".pq", ".jsonl", ".ndjson", ".json", ".xlsx", ".xls")
)
_PACKED = (".csv.gz", ".tsv.gz", ".txt.gz")
_LISTS = (".yaml", ".yml")
_LINES, _BOOKS = (".jsonl", ".ndjson", ".json"), (".xlsx", ".xlsm")


def is_table(path: Path) -> bool:
    """Whether ``path`` is named as a table, be it packed by gzip."""
    name = path.name.lower()
    return path.suffix.lower() in TABLE_SUFFIXES or name.endswith(_PACKED)


def read_table(path: Path) -> Table:
    """Read a table; which kind it is is told by its content, and JSON and workbooks by name. A row
    that repeats the header is left out, and one that names several films is one for each.

    CSV has commas, semicolons, tabs or blanks; UTF-8 with or without BOM, UTF-16 or Windows-1252;
    without a header the columns are called by their position; gzip is unpacked. Raises
    DataNotFound, and UnreadableData for what is empty, ragged, binary, has a column name twice, or
    exceeds bounds.
    """
    if not path.is_file():
        raise DataNotFound(
            "the table is not a regular file" if path.exists() else "there is no such table",
            got=path,
            expected="a .csv or .parquet file",
        )
    with bounds.refusals(path):
        with path.open("rb") as file:
            head = file.read(4)
        size = path.stat().st_size
        if size > bounds.MOST_BYTES:
            most = f"{bounds.MOST_BYTES >> 20} MiB"
            raise bounds.too(path, "large", f"{size >> 20} MiB", most)
        return single_rows(_read(path, head))


def _read(path: Path, head: bytes) -> Table:
    """The table whose file begins with ``head``, with its rows as they are."""
    if head == b"PAR1":
        return read_parquet(path)
    if head == b"PK\x03\x04" and path.suffix.lower() in _BOOKS:
        return _read_book(path)
    if path.suffix.lower() in _LISTS:
        rows = yolo_rows(path)
        return _table(path, list(rows[0]), map(list, rows[1:]), bounds.digest(path))
    if path.suffix.lower() in _LINES:
        return _read_json(path)
    packed = _unpacked(path) if head.startswith(b"\x1f\x8b") else None
    return read_text(path, head, packed)


def read_annotations(root: Path, files: Iterable[Path]) -> list[Table]:
    """The annotations of Pascal VOC below ``root`` as one table, and CVAT's among ``files``, XML.
    Raises UnreadableData for one that is refused."""
    rows, digest = voc_rows(root)
    made = [_table(root / "*.xml", [IMAGE, LABEL], map(list, rows), digest)] if rows else []
    for path in filter(is_cvat, files):
        if found := cvat_rows(path):
            made.append(_table(path, list(found[0]), map(list, found[1:]), bounds.digest(path)))
    return made


def _unpacked(path: Path) -> bytes:
    """What a table packed by gzip holds. Raises UnreadableData where it is more than may be."""
    try:
        with gzip.open(path) as file:
            text = file.read(bounds.MOST_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise UnreadableData("the packed table cannot be read", got=path) from None
    if len(text) > bounds.MOST_BYTES:
        most = f"{bounds.MOST_BYTES >> 20} MiB"
        raise bounds.too(path, "large", "more unpacked text", most)
    return text


def _read_json(path: Path) -> Table:
    """Objects, one a line or all in one list; a list of words in a cell stays the text of one."""
    digest = bounds.digest(path, no_zeros=True)
    try:
        if path.suffix.lower() == ".json":
            objects = _objects(path.read_text("utf-8-sig"))
        else:
            with path.open(encoding="utf-8-sig") as lines:
                objects = [json.loads(line) for line in lines if line.strip()]
    except (ValueError, RecursionError) as error:
        raise UnreadableData(
            "the table is not JSON", got=f"{path} ({type(error).__name__})"
        ) from None
    rows = [one for one in objects if isinstance(one, dict)]
    if not rows or len(rows) < len(list(objects)):
        raise UnreadableData(
            "the JSON is no table", got=path, expected="an object for each film, one a line"
        )
    names = list(dict.fromkeys(name for row in rows for name in row))
    kept = [name for name in names if not any(isinstance(row.get(name), dict) for row in rows)]
    return _table(path, kept, ([_cell(row.get(n)) for n in kept] for row in rows), digest,
                  tuple(name for name in names if name not in kept))  # fmt: skip


def _objects(text: str) -> list[Any]:
    """What is in a file called .json: one value, or as CheXpert Plus has it, one on each line."""
    try:
        return _listed(json.loads(text))
    except json.JSONDecodeError:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        return [json.loads(line) for line in lines]


def _listed(found: Any) -> list[Any]:
    """The objects of a list, or of what is kept by name: ``{"a.png": "normal"}``, or objects."""
    if not isinstance(found, dict):
        return (label_studio_rows(found) or found) if isinstance(found, list) else []
    if (detected := coco_rows(found)) is not None:
        return detected
    if all(isinstance(value, dict) for value in found.values()):
        return [{"name": name, **value} for name, value in found.items()]
    records = [value for value in found.values() if _are_records(value)]
    if records:
        return records[0] if len(records) == 1 else []
    if any(isinstance(value, dict) for value in found.values()):
        return []
    if found and all(value == [] or _are_lists(value) for value in found.values()):
        return []
    return [{"name": name, "label": value} for name, value in found.items()]


def _are_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _are_lists(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(one, list) for one in value)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return str(value).strip()


def _read_book(path: Path) -> Table:
    """The first sheet of an Excel workbook, by openpyxl where that is installed."""
    try:
        with zipfile.ZipFile(path) as archive:
            claimed = sum(info.file_size for info in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise UnreadableData("the workbook cannot be read", got=path) from None
    if claimed > bounds.MOST_BYTES:
        most = f"{bounds.MOST_BYTES >> 20} MiB"
        raise bounds.too(path, "large", f"{claimed >> 20} MiB unpacked", most)
    try:
        openpyxl = importlib.import_module("openpyxl")
    except ImportError:
        raise UnreadableData(
            "a workbook is read by openpyxl, which is not installed",
            got=path,
            remedy="pip install openpyxl, or save the sheet as CSV in UTF-8",
        ) from None
    load: Callable[..., Any] = openpyxl.load_workbook
    try:
        book = load(path, read_only=True, data_only=True)
        cells: Iterator[Any] = book.worksheets[0].iter_rows(values_only=True)
        top = [[_cell(value) for value in next(cells, ())]]
        rows = top + [[_cell(value) for value in row] for row in cells if any(row)]
        book.close()
    except Exception as error:  # a damaged workbook makes it raise anything
        raise UnreadableData(
            "the workbook cannot be read", got=f"{path} ({type(error).__name__})"
        ) from None
    width = max(
        (place for row in rows for place, cell in enumerate(row, 1) if cell.strip()), default=0
    )
    padded = ((row + [""] * width)[:width] for row in rows)
    block = find_block(path, (Row(row, at, at) for at, row in enumerate(padded, 1)))
    table = _table(path, rows[block.first - 1], rows[block.first : block.last], bounds.digest(path))
    return replace(table, notes=tuple(filter(None, [block.note(path)])))


def _table(
    path: Path,
    names: list[str],
    rows: Iterable[list[str]],
    digest: str,
    unread: tuple[str, ...] = (),
) -> Table:
    bounds.check_names(path, names)
    body = []
    for row in rows:
        body.append((row + [""] * len(names))[: len(names)])
        bounds.check_extent(path, len(body), len(names))
    if not body:
        raise bounds.no_rows(path)
    for place, name in enumerate(names):
        bounds.check_cell(path, name, max(len(row[place].encode()) for row in body))
    called = [bounds.called(name, place) for place, name in enumerate(names, 1)]
    return Table(path, pd.DataFrame(body, columns=called, dtype="str"), digest, unread)
