"""Rows out of parquet files and Arrow streams, a few at a time, so that memory stays flat.

Parquet is read page by page through a small buffer. An Arrow stream is mapped, and its pages are
given back after every few rows: the writer chose how many films lie in one batch, not we.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pneumoscope.errors import UnreadableData

# What pyarrow raises on damaged files, found by damaging them.
BROKEN = (pa.ArrowException, OSError, ValueError, OverflowError)

_BUFFER = 1 << 20
_AT_ONCE = 16 << 20  # bytes of films in memory
_UNFOLDED = 1 << 30
_MOST_ROWS = 64
_LIGHT_ROWS = 4096
_PARQUET, _STREAM, _FILE = b"PAR1", b"\xff\xff\xff\xff", b"ARROW1"
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"


@dataclass(frozen=True, slots=True)
class Lost:
    """This many rows stand in a damaged part of the file."""

    rows: int


@dataclass(frozen=True, slots=True)
class RowFile:
    """A file of rows: its columns, and the rows of each of its row groups or record batches.

    ``row_bytes`` are the average bytes of a row. ``pointed`` are the most bytes of a row group of
    parquet: a value may be stored once and pointed at, so a single row may need as many.
    """

    path: Path
    schema: Any
    groups: tuple[int, ...]
    is_parquet: bool
    row_bytes: int
    pointed: int = 0

    @property
    def rows(self) -> int:
        return sum(self.groups)

    def scan(self, columns: list[str]) -> Iterator[Any]:
        """Record batches of ``columns`` without films, all rows in order.

        Raises UnreadableData where one is damaged, or the rows are not as many as the file says.
        """
        rows = 0
        # A word that is stored once and pointed at stays so: unfolded, a small file could fill
        # the memory. Within a struct or a list pyarrow cannot keep it so.
        nested = not all(map(self._is_plain, columns))
        try:
            for batch in self._batches(columns, self._at_once(_LIGHT_ROWS, nested)):
                rows += batch.num_rows
                yield batch
        except BROKEN as error:
            raise damaged(self.path, error) from None
        if rows != self.rows:
            raise UnreadableData(
                "the file does not hold the rows that it says",
                got=f"{rows} of {self.rows} rows in {self.path}",
                remedy="the file is damaged: fetch or write it again",
            )

    def _is_plain(self, name: str) -> bool:
        return name in self.schema.names and not pa.types.is_nested(self.schema.field(name).type)

    def _batches(self, columns: list[str], rows: int) -> Iterator[Any]:
        if self.is_parquet:
            with _parquet(self.path, [c for c in columns if self._is_plain(c)]) as file:
                for batch in file.iter_batches(rows, columns=columns, use_threads=False):
                    _check_pointers(batch)
                    yield batch
        else:
            with _mapped(self.path) as mapped:
                for batch in _stream(mapped, self.schema, columns):
                    yield from _slices(batch, rows)

    def stream(self, columns: list[str]) -> Iterator[Any | Lost]:
        """Record batches of ``columns`` with films, about 16 MiB and at most 64 rows each.

        Rows that cannot be had come as Lost, so that every row of the file is accounted for.
        """
        read = _parquet_rows if self.is_parquet else _stream_rows
        return read(self, columns, self._at_once(_MOST_ROWS, unfolded=True))

    def _at_once(self, most: int, unfolded: bool) -> int:
        """How many rows to hold at a time."""
        rows = _AT_ONCE // max(self.row_bytes, 1)
        if unfolded:
            rows = min(rows, _UNFOLDED // max(self.pointed, 1))
        return min(max(rows, 1), most)


def open_rows(path: Path) -> RowFile:
    """A parquet file or Arrow stream, told by its first bytes. Raises UnreadableData."""
    try:
        with path.open("rb") as file:
            magic = file.read(6)
            size = file.seek(0, 2)
        rows = None
        if magic.startswith(_PARQUET):
            rows = _open_parquet(path)
        elif magic.startswith(_STREAM):
            rows = _open_stream(path, size)
        if rows is not None:
            _read_names(rows.schema)
            return rows
    except BROKEN as error:
        raise damaged(path, error) from None
    raise UnreadableData(
        "the file is empty" if not magic else "this is neither parquet nor an Arrow stream",
        got=f"{path}" + (" (an Arrow file with random access)" if magic == _FILE else ""),
        expected="a parquet file, or the folder that save_to_disk wrote",
    )


def _read_names(fields: Any) -> None:
    """Raises UnicodeDecodeError where the name of a column, or of a part of it, is no text."""
    for field in fields:
        if field.name and pa.types.is_struct(field.type):
            _read_names(field.type)


def damaged(path: Path, error: BaseException) -> UnreadableData:
    """The error for what pyarrow cannot read."""
    reason = " ".join(str(error).split())[:160]
    return UnreadableData(
        "the file is cut short or damaged",
        got=f"{path} ({error.__class__.__name__}: {reason})",
        remedy="fetch or write it again",
    )


@contextmanager
def _parquet(path: Path, folded: list[str] | None = None) -> Iterator[Any]:
    # Mapped pages of a parquet file would count as this process's memory until it ends.
    with pq.ParquetFile(
        path, memory_map=False, buffer_size=_BUFFER, pre_buffer=False, read_dictionary=folded
    ) as file:
        yield file


def _open_parquet(path: Path) -> RowFile:
    with _parquet(path) as file:
        about = file.metadata
        chunks = [about.row_group(group) for group in range(about.num_row_groups)]
        groups = tuple(chunk.num_rows for chunk in chunks)
        if about.num_rows != sum(groups) or min(groups, default=0) < 0:
            raise UnreadableData(
                "the file does not hold the rows that it says",
                got=f"{about.num_rows} rows, row groups of {sum(groups)}, in {path}",
                remedy="the file is damaged: fetch or write it again",
            )
        # Nothing more is asked of the footer: pyarrow ends the whole process where the
        # description of a column chunk is damaged.
        sizes = [max(chunk.total_byte_size, 0) for chunk in chunks]
        row = sum(sizes) // max(sum(groups), 1)
        return RowFile(path, file.schema_arrow, groups, True, row, max(sizes, default=0))


def _parquet_rows(source: RowFile, columns: list[str], rows: int) -> Iterator[Any | Lost]:
    with _parquet(source.path) as file:
        for group, expected in enumerate(source.groups):
            given = 0
            try:
                for batch in file.iter_batches(
                    rows, row_groups=[group], columns=columns, use_threads=False
                ):
                    given += batch.num_rows
                    yield batch
            except BROKEN:
                pass  # the other row groups may be whole
            if given < expected:
                yield Lost(expected - given)


def _place(schema: Any, name: str) -> int:
    place: int = schema.get_field_index(name)
    return place if place >= 0 else int(schema.get_field_index(name.partition(".")[0]))


def _check_pointers(batch: Any) -> None:
    """Refuse words pointed at that are not there, which parquet's reader lets through."""
    for column in batch.columns:
        if pa.types.is_dictionary(column.type):
            ends = pc.min_max(column.indices).as_py()
            if ends["max"] is not None and not 0 <= ends["min"] <= ends["max"] < len(
                column.dictionary
            ):
                raise pa.ArrowInvalid("a value points beyond its dictionary")


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap]:
    with path.open("rb") as file:
        # Not closed by hand: batches may still point into it. It goes with the last of them.
        yield mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _stream(mapped: mmap.mmap, schema: Any, columns: list[str]) -> Iterator[Any]:
    """The record batches of a mapped stream; nothing is copied and nothing checked."""
    options = pa.ipc.IpcReadOptions(
        included_fields=[_place(schema, name) for name in columns], use_threads=False
    )
    with pa.ipc.open_stream(pa.BufferReader(pa.py_buffer(mapped)), options=options) as reader:
        for batch in reader:
            batch.validate(full=True)  # offsets in a stream are not checked on reading
            yield batch


def _open_stream(path: Path, size: int) -> RowFile:
    with _mapped(path) as mapped:
        if mapped[-len(_END_OF_STREAM) :] != _END_OF_STREAM:
            raise UnreadableData(
                "the file is cut short or damaged",
                got=f"{path} (the end of the stream is missing)",
                remedy="fetch or write it again",
            )
        with pa.ipc.open_stream(pa.BufferReader(pa.py_buffer(mapped))) as reader:
            schema = reader.schema
            groups = tuple(batch.num_rows for batch in reader)
    return RowFile(path, schema, groups, False, size // max(sum(groups), 1))


def _stream_rows(source: RowFile, columns: list[str], rows: int) -> Iterator[Any | Lost]:
    given = 0
    try:
        with _mapped(source.path) as mapped:
            for batch in _stream(mapped, source.schema, columns):
                for part in _slices(batch, rows):
                    given += part.num_rows
                    yield part
                    if hasattr(mmap, "MADV_DONTNEED"):
                        mapped.madvise(mmap.MADV_DONTNEED)
    except BROKEN:
        pass  # a stream can only be read in order, so the rest of it is lost
    if given < source.rows:
        yield Lost(source.rows - given)


def _slices(batch: Any, rows: int) -> Iterator[Any]:
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)
