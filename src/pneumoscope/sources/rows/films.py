"""The films that lie in rows: their bytes or paths, read a few at a time, so memory stays flat."""

from __future__ import annotations

import contextlib
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from pneumoscope.errors import UnreadableImage
from pneumoscope.imaging import read
from pneumoscope.records import Film
from pneumoscope.sources.listed import Reader, refuse
from pneumoscope.sources.places.files import inside, read_file
from pneumoscope.sources.rows.arrow import Lost, RowFile
from pneumoscope.sources.rows.features import RowColumns
from pneumoscope.sources.rows.shards import Shard

_LARGEST_FILM = 256 << 20  # bytes
_SAMPLE = 8
_USUAL_SIDE = 1024
_NO_FILM = "the row holds no image"


@dataclass(frozen=True, slots=True)
class RowFilms:
    """The films of all rows, read a few at a time; a row keeps its number whatever is left out."""

    root: Path
    shards: tuple[Shard, ...]
    files: tuple[RowFile, ...]
    columns: RowColumns
    paths: Sequence[str]
    has_patients: bool

    @property
    def ids(self) -> Sequence[str]:
        number: Counter[str] = Counter()
        found = []
        for part in self.parts:
            found.append(f"{part}-{number[part]:06d}")
            number[part] += 1
        return found

    @property
    def parts(self) -> list[str]:
        """The split of each row, by its file, or all."""
        pairs = zip(self.shards, self.files, strict=True)
        return [shard.part for shard, file in pairs for _ in range(file.rows)]

    @property
    def private(self) -> Sequence[bool]:
        return [self.has_patients] * sum(file.rows for file in self.files)

    @property
    def has_header(self) -> Sequence[bool]:
        return [False] * len(self.paths)

    def readers(self) -> Iterator[Reader]:
        return (self._reader(film) for file in self.files for film in self.films(file))

    def films(self, file: RowFile) -> Iterator[bytes | Path | str]:
        """The bytes of each film, its path, or why there is neither."""
        for batch in file.stream([self.columns.image]):
            if isinstance(batch, Lost):
                yield from ["the row lies in a damaged part of its file"] * batch.rows
                continue
            for cell in batch.column(0):
                yield _film(cell, self.columns.nested)

    def _reader(self, film: bytes | Path | str) -> Reader:
        if isinstance(film, str):
            return partial(refuse, film)
        return partial(_read_film, self.root, film)


def typical_side(records: RowFilms) -> int:
    """The longest side in pixels of a typical film: the median of eight, out of four files."""
    step = max(len(records.files) // 4, 1)
    chosen = records.files[::step][:4]
    sides = []
    for file in chosen:
        few = list(islice(records.films(file), min(file.rows, 64)))
        spread = max(len(few) * len(chosen) // _SAMPLE, 1)
        for film in few[::spread]:
            with contextlib.suppress(UnreadableImage, OSError), read.quiet_decoders():
                if not isinstance(film, str):
                    source = film if isinstance(film, bytes) else inside(records.root, str(film))
                    sides.append(max(read.native_size(source)))
    # Where none can be read, that of a usual radiograph: reading says what is wrong.
    return int(statistics.median(sides)) if sides else _USUAL_SIDE


def _film(cell: Any, nested: bool) -> bytes | Path | str:
    """The film of one cell: bytes, a path, or the reason why it has neither."""
    if not cell.is_valid:
        return _NO_FILM
    data = cell["bytes"] if nested else cell
    if not data.is_valid:
        return _path(cell["path"]) if nested and "path" in cell else _NO_FILM
    if not nested and isinstance(data, pa.StringScalar | pa.LargeStringScalar):
        return _path(data)
    buffer = data.as_buffer()
    if buffer.size > _LARGEST_FILM:
        return "the row holds more bytes than any film has"
    return bytes(buffer.to_pybytes()) if buffer.size else _NO_FILM


def _path(cell: Any) -> Path | str:
    try:
        path = cell.as_py()
    except UnicodeDecodeError:  # parquet does not check that its text is UTF-8
        return "the path in the table cannot be followed"
    return Path(path) if isinstance(path, str) and path else _NO_FILM


def _read_film(root: Path, film: bytes | Path, side: int = 0) -> Film:
    if isinstance(film, bytes):
        return read.read_film(film, side)
    return read_file(inside(root, str(film)), side)
