"""Tables in parquet: columns of text and numbers, unpacked batch by batch within the bounds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pneumoscope.errors import UnreadableData
from pneumoscope.sources.tables import bounds
from pneumoscope.sources.tables.bounds import Table

_BATCH = 1024  # rows; few, because what they unpack to is known only afterwards


def read_parquet(path: Path) -> Table:
    """The table in a parquet file. Raises UnreadableData."""
    digest = bounds.digest(path)
    with pq.ParquetFile(path) as file:
        bounds.check_names(path, file.schema_arrow.names)
        fields = [field for field in file.schema_arrow if _readable(field.type)]
        names = [field.name for field in fields]
        # The footer may lie, so what really comes is counted as well.
        bounds.check_extent(path, file.metadata.num_rows, len(names))
        _check_claim(path, file)
    unread = tuple(name for name in file.schema_arrow.names if name not in names)
    if not names:
        raise UnreadableData("the table has no column of text or numbers", got=path)
    # A dictionary keeps one long value that a million rows share from being copied a million times.
    texts = [field.name for field in fields if _is_text(field.type)]
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        batches = file.iter_batches(_BATCH, columns=names, use_threads=False)
        return Table(path, gather(path, names, batches), digest, unread)


def gather(path: Path, names: list[str], batches: Iterable[pa.RecordBatch]) -> pd.DataFrame:
    """All batches as one frame of text; stops at the first that passes a bound."""
    kept: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        rows += batch.num_rows
        bounds.check_extent(path, rows, len(names))
        columns = []
        for name, column in zip(names, batch.columns, strict=True):
            size += _measure(path, name, column)
            if size > bounds.MOST_BYTES:
                most = f"{bounds.MOST_BYTES >> 20} MiB"
                raise bounds.too(path, "large", "more unpacked text", most)
            text = pc.cast(column, pa.string())
            columns.append(pc.utf8_trim_whitespace(pc.fill_null(text, "")))
        kept.append(pa.RecordBatch.from_arrays(columns, names))
    if not rows:
        raise bounds.no_rows(path)
    frame: pd.DataFrame = pa.Table.from_batches(kept).to_pandas()
    frame.columns = [bounds.called(name, place) for place, name in enumerate(names, 1)]
    return frame


def _check_claim(path: Path, file: pq.ParquetFile) -> None:
    """Refuse what unpacks to far more than its size, films in other columns being packed already.

    By row group, not by column: pyarrow's view of a column ends the process on a damaged footer.
    """
    groups = range(file.metadata.num_row_groups)
    claimed = sum(file.metadata.row_group(group).total_byte_size for group in groups)
    if claimed > 2 * bounds.MOST_BYTES:
        most = f"{bounds.MOST_BYTES >> 19} MiB"
        raise bounds.too(path, "large", f"{claimed >> 20} MiB unpacked", most)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _readable(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null)
    return _is_text(kind) or any(test(kind) for test in numbers)


def _measure(path: Path, name: str, column: pa.Array) -> int:
    """Bytes of text that ``column`` unpacks to, before it is unpacked."""
    if pa.types.is_dictionary(column.type):
        lengths = pc.take(pc.binary_length(column.dictionary), column.indices)
    elif _is_text(column.type):
        lengths = pc.binary_length(column)
    else:
        return len(column) * 8
    bounds.check_cell(path, name, pc.max(lengths).as_py() or 0)
    return int(pc.sum(lengths).as_py() or 0)
