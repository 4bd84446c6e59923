"""The only door for tables: a CSV or parquet file becomes columns of text, within bounds.

Everything stays text, so an id such as ``007`` or ``1e5`` is never turned into a number. Nothing
is ever unpickled, and no cell appears in a message: a table may name people.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from pneumoscope.errors import DataNotFound, UnreadableData

TABLE_SUFFIXES = frozenset((".csv", ".tsv", ".txt", ".parquet", ".pq"))
MOST_BYTES = 512 << 20
MOST_ROWS = 5_000_000
MOST_COLUMNS = 1000
# Few of the columns are wide in any real table; this bounds memory where all of them are.
MOST_CELLS = 50_000_000
LONGEST_CELL = 32_767
"""Bytes of UTF-8 in one cell; a spreadsheet holds as many characters."""

MISSING = frozenset(("", "nan", "null", "none", "<na>", "na", "n/a"))
"""Cells that hold nothing, in lower case: what programs write for a missing value."""

_LONGEST_NAME = 256
_CHUNK = 1 << 20  # of a CSV; no row is longer
_BATCH = 1024  # rows; few, because what they unpack to is known only afterwards
_DELIMITERS = ",;\t"
_FOREIGN = {
    b"PK\x03\x04": "a zip archive or a spreadsheet workbook",
    b"\xd0\xcf\x11\xe0": "a spreadsheet workbook",
    b"\x1f\x8b": "gzip-compressed",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}
_AS_TEXT = "save it as CSV in UTF-8 and try again"


@dataclass(frozen=True, slots=True)
class Table:
    """A table as read: every column text, blanks at both ends taken off, ``""`` where empty.

    ``digest`` is of the file's bytes. ``unread`` names the columns that hold neither text nor
    numbers (lists, bytes, images, times); they were not read.
    """

    path: Path
    frame: pd.DataFrame
    digest: str
    unread: tuple[str, ...] = ()


def read_table(path: Path) -> Table:
    """Read a CSV (comma, semicolon or tab; UTF-8 with or without BOM) or a parquet file.

    Which of the two is told by content. Raises DataNotFound, and UnreadableData for what is
    empty, ragged, binary, not UTF-8, has a column name twice, or exceeds the bounds above.
    """
    if not path.is_file():
        raise DataNotFound(
            "the table is not a regular file" if path.exists() else "there is no such table",
            got=path,
            expected="a .csv or .parquet file",
        )
    with _refusals(path):
        with path.open("rb") as file:
            head = file.read(4)
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise _unreadable(path, "too large", f"{size >> 20} MiB", f"{MOST_BYTES >> 20} MiB")
        if head == b"PAR1":
            return _read_parquet(path)
        return _read_csv(path, head)


def is_missing(cell: str) -> bool:
    """Whether ``cell`` holds nothing, be it empty or a program's word for that."""
    return cell.lower() in MISSING


def _read_csv(path: Path, head: bytes) -> Table:
    for mark, kind in _FOREIGN.items():
        if head.startswith(mark):
            raise UnreadableData(
                "the table is no text in UTF-8", got=f"{kind}: {path}", remedy=_AS_TEXT
            )
    digest = _digest(path, no_zeros=True)
    names, delimiter = _header(path)
    _check_names(path, names)
    reader = arrow_csv.open_csv(
        path,
        # One thread, because only then does an error say which row is at fault.
        read_options=arrow_csv.ReadOptions(use_threads=False, block_size=_CHUNK),
        parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )
    if reader.schema.names != names or any(t != pa.string() for t in reader.schema.types):
        raise UnreadableData("the header of the table cannot be read", got=path, remedy=_AS_TEXT)
    return Table(path, _gather(path, names, reader), digest)


def _header(path: Path) -> tuple[list[str], str]:
    """The names in the first line that is not blank, and the delimiter that gives most of them."""
    with path.open("rb") as file:
        start = file.read(_CHUNK)
    text = start.decode("utf-8-sig", "replace").lstrip("\r\n")
    found = ([""], ",")
    for delimiter in _DELIMITERS:
        row = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [""])
        if len(row) > len(found[0]):
            found = (row, delimiter)
        elif len(found[0]) == 1:
            found = (row, found[1])
    if not any(name.strip() for name in found[0]):
        raise UnreadableData("the table is empty", got=path, expected="a header and rows")
    return found


def _read_parquet(path: Path) -> Table:
    digest = _digest(path)
    with pq.ParquetFile(path) as file:
        _check_names(path, file.schema_arrow.names)
        fields = [field for field in file.schema_arrow if _readable(field.type)]
        names = [field.name for field in fields]
        # The footer may lie, so what really comes is counted as well.
        _check_extent(path, file.metadata.num_rows, len(names))
        _check_claim(path, file)
    unread = tuple(name for name in file.schema_arrow.names if name not in names)
    if not names:
        raise UnreadableData("the table has no column of text or numbers", got=path)
    # A dictionary keeps one long value that a million rows share from being copied a million times.
    texts = [field.name for field in fields if _is_text(field.type)]
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        batches = file.iter_batches(_BATCH, columns=names, use_threads=False)
        return Table(path, _gather(path, names, batches), digest, unread)


def _check_claim(path: Path, file: pq.ParquetFile) -> None:
    """Refuse what unpacks to far more than its size, films in other columns being packed already.

    By row group, not by column: pyarrow's view of a column ends the process on a damaged footer.
    """
    groups = range(file.metadata.num_row_groups)
    claimed = sum(file.metadata.row_group(group).total_byte_size for group in groups)
    if claimed > 2 * MOST_BYTES:
        raise _unreadable(
            path, "too large", f"{claimed >> 20} MiB unpacked", f"{MOST_BYTES >> 19} MiB"
        )


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _readable(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null)
    return _is_text(kind) or any(test(kind) for test in numbers)


def _gather(path: Path, names: list[str], batches: Iterable[pa.RecordBatch]) -> pd.DataFrame:
    """All batches as one frame of text; stops at the first that passes a bound."""
    kept: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        rows += batch.num_rows
        _check_extent(path, rows, len(names))
        columns = []
        for name, column in zip(names, batch.columns, strict=True):
            size += _measure(path, name, column)
            if size > MOST_BYTES:
                raise _unreadable(
                    path, "too large", "more unpacked text", f"{MOST_BYTES >> 20} MiB"
                )
            text = pc.cast(column, pa.string())
            columns.append(pc.utf8_trim_whitespace(pc.fill_null(text, "")))
        kept.append(pa.RecordBatch.from_arrays(columns, names))
    if not rows:
        raise UnreadableData(
            "the table has a header but no rows", got=path, expected="a row for each film"
        )
    frame: pd.DataFrame = pa.Table.from_batches(kept).to_pandas()
    frame.columns = [_called(name, place) for place, name in enumerate(names, 1)]
    return frame


def _measure(path: Path, name: str, column: pa.Array) -> int:
    """Bytes of text that ``column`` unpacks to, before it is unpacked."""
    if pa.types.is_dictionary(column.type):
        lengths = pc.take(pc.binary_length(column.dictionary), column.indices)
    elif _is_text(column.type):
        lengths = pc.binary_length(column)
    else:
        return len(column) * 8
    longest = pc.max(lengths).as_py() or 0
    if longest > LONGEST_CELL:
        raise UnreadableData(
            f"a cell of the column {name!r} is too long",
            got=f"{longest} bytes in {path}",
            expected=f"at most {LONGEST_CELL}",
        )
    return int(pc.sum(lengths).as_py() or 0)


def _check_names(path: Path, names: list[str]) -> None:
    if len(names) > MOST_COLUMNS:
        raise _unreadable(path, "too wide", f"{len(names)} columns", f"{MOST_COLUMNS}")
    if any(len(name) > _LONGEST_NAME for name in names):
        raise UnreadableData(
            "a column name is too long", got=path, expected=f"at most {_LONGEST_NAME} characters"
        )
    called = [_called(name, place) for place, name in enumerate(names, 1)]
    twice = sorted({name for name in called if called.count(name) > 1})
    if twice:
        raise UnreadableData(
            "a column name stands twice in the table",
            got=", ".join(map(repr, twice[:5])) + f" in {path}",
            expected="every name once",
        )


def _called(name: str, place: int) -> str:
    return name.strip() or f"column {place}"


def _check_extent(path: Path, rows: int, columns: int) -> None:
    if rows > MOST_ROWS:
        raise _unreadable(path, "too long", "more rows", f"{MOST_ROWS:,}")
    if rows * columns > MOST_CELLS:
        raise _unreadable(path, "too large", "more cells", f"{MOST_CELLS:,}")


def _digest(path: Path, *, no_zeros: bool = False) -> str:
    hasher = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if no_zeros and b"\0" in chunk:
                raise UnreadableData(
                    "the table is binary, not text", got=path, expected="CSV in UTF-8, or parquet"
                )
            hasher.update(chunk)
    return hasher.hexdigest()


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    """What the libraries raise, in our words and without the rows that they cite."""
    try:
        yield
    except (pa.ArrowException, csv.Error, OSError, UnicodeDecodeError, MemoryError) as error:
        said = str(error)
        ragged = re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", said)
        row = re.search(r"Row #(\d+)", said)
        where = f"row {row[1]} of {path}" if row else str(path)
        if ragged:
            raise UnreadableData(
                "the rows of the table are of different lengths",
                got=f"{ragged[3]} cells in {where}",
                expected=f"{ragged[2]}, as in its header",
                remedy="quote the cells that hold the delimiter",
            ) from None
        if "UTF8" in said or isinstance(error, UnicodeDecodeError):
            raise UnreadableData(
                "the table is no text in UTF-8", got=where, remedy=_AS_TEXT
            ) from None
        if "straddling" in said or "field larger" in said:
            raise _unreadable(path, "too wide", "a longer row", f"{_CHUNK >> 20} MiB") from None
        if "no rows" in said or "Empty CSV" in said:
            raise UnreadableData(
                "the table has a header but no rows", got=path, expected="a row for each film"
            ) from None
        why = getattr(error, "strerror", None) or "broken, cut short or not what it claims to be"
        raise UnreadableData("the table cannot be read", got=f"{path} ({why})") from None


def _unreadable(path: Path, how: str, got: str, most: str) -> UnreadableData:
    return UnreadableData(f"the table is {how}", got=f"{got}: {path}", expected=f"at most {most}")
