"""What a table may be at most, and how one that is more, or broken, is refused."""

from __future__ import annotations

import csv
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from pneumoscope.errors import UnreadableData

MOST_BYTES = 512 << 20
MOST_ROWS = 5_000_000
MOST_COLUMNS = 1000
# Few of the columns are wide in any real table; this bounds memory where all of them are.
MOST_CELLS = 50_000_000
LONGEST_CELL = 32_767
"""Bytes of UTF-8 in one cell; a spreadsheet holds as many characters."""

CHUNK = 1 << 20
"""Bytes of a table that are looked at together; no row is longer."""

AS_TEXT = "save it as CSV in UTF-8 and try again"
_LONGEST_NAME = 256
_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Table:
    """A table as read: every column text, blanks at both ends taken off, ``""`` where empty.

    ``digest`` is of the file's bytes. ``unread`` names the columns that hold neither text nor
    numbers (bytes, images, times); they were not read. ``notes`` say what was not as it should be:
    no header, another encoding. ``headless`` says that the names are only positions. ``sisters``
    are the other files of a table in parts.
    """

    path: Path
    frame: pd.DataFrame
    digest: str
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    headless: bool = False
    sisters: tuple[Path, ...] = ()

    @property
    def where(self) -> str:
        """The file, for messages; of a table in parts all of them."""
        if not self.sisters:
            return str(self.path)
        files = (self.path, *self.sisters)
        home = os.path.commonpath([str(path.parent) for path in files])
        named = [path.relative_to(home).as_posix() for path in files]
        shown = ", ".join(named[:_MOST_NAMED])
        more = f" and {len(named) - _MOST_NAMED:,} more" if len(named) > _MOST_NAMED else ""
        return f"{shown}{more} in {home}"


def called(name: str, place: int) -> str:
    """The name of the column at ``place``, from 1, where it may have none."""
    return name.strip() or f"column {place}"


def check_names(path: Path, names: Sequence[str]) -> None:
    """Refuse too many columns, a name that is too long, and one that stands twice."""
    if len(names) > MOST_COLUMNS:
        raise too(path, "wide", f"{len(names)} columns", f"{MOST_COLUMNS}")
    if any(len(name) > _LONGEST_NAME for name in names):
        raise UnreadableData(
            "a column name is too long", got=path, expected=f"at most {_LONGEST_NAME} characters"
        )
    named = [called(name, place) for place, name in enumerate(names, 1)]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise UnreadableData(
            "a column name stands twice in the table",
            got=", ".join(map(repr, twice[:5])) + f" in {path}",
            expected="every name once",
        )


def check_extent(path: Path, rows: int, columns: int) -> None:
    """Refuse too many rows, or too many cells."""
    if rows > MOST_ROWS:
        raise too(path, "long", "more rows", f"{MOST_ROWS:,}")
    if rows * columns > MOST_CELLS:
        raise too(path, "large", "more cells", f"{MOST_CELLS:,}")


def check_cell(path: Path, name: str, length: int) -> None:
    """Refuse a cell of ``length`` bytes that is too long."""
    if length > LONGEST_CELL:
        raise UnreadableData(
            f"a cell of the column {name!r} is too long",
            got=f"{length} bytes in {path}",
            expected=f"at most {LONGEST_CELL}",
        )


def no_rows(path: Path) -> UnreadableData:
    return UnreadableData(
        "the table has a header but no rows", got=path, expected="a row for each film"
    )


def too(path: Path, how: str, got: str, most: str) -> UnreadableData:
    return UnreadableData(
        f"the table is too {how}", got=f"{got}: {path}", expected=f"at most {most}"
    )


def digest(path: Path, *, no_zeros: bool = False) -> str:
    """32 hex digits of the file's bytes; refuses binary ones where there may be no zeros."""
    hasher = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            if no_zeros and b"\0" in chunk:
                raise UnreadableData(
                    "the table is binary, not text", got=path, expected="CSV in UTF-8, or parquet"
                )
            hasher.update(chunk)
    return hasher.hexdigest()


@contextmanager
def refusals(path: Path) -> Iterator[None]:
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
                "the table is no text in UTF-8", got=where, remedy=AS_TEXT
            ) from None
        if "straddling" in said or "field larger" in said:
            raise too(path, "wide", "a longer row", f"{CHUNK >> 20} MiB") from None
        if "no rows" in said or "Empty CSV" in said:
            raise no_rows(path) from None
        why = getattr(error, "strerror", None) or "broken, cut short or not what it claims to be"
        raise UnreadableData("the table cannot be read", got=f"{path} ({why})") from None
