"""Tables of text: CSV with any of the usual delimiters and encodings, with or without a header.

Everything stays text, so an id such as ``007`` or ``1e5`` is never turned into a number.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import IO

import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv

from pneumoscope.errors import UnreadableData
from pneumoscope.sources.rows.block import DELIMITERS, find_block, names_film, rows_of, titled
from pneumoscope.sources.tables import bounds
from pneumoscope.sources.tables.bounds import Table
from pneumoscope.sources.tables.parquet import gather

_BLANKS = re.compile(r"[ \t]+")
_FOREIGN = {
    b"PK\x03\x04": "a zip archive or a spreadsheet workbook",
    b"\xd0\xcf\x11\xe0": "a spreadsheet workbook",
}
_UTF16 = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_FALLBACK = "cp1252"
_RUNS, _MOSTLY = re.compile(rb"[\x80-\xff]{2,}"), 0.8
"""Bytes of one word that is none of Western letters, and the part of all such that lie in one."""
_FOREIGN_BYTE, _FEWEST, _ENOUGH = re.compile(rb"[\x80-\xff]"), 8, 1 << 16


def read_text(path: Path, head: bytes, unpacked: bytes | None = None) -> Table:
    """The table in a text file, or in what was ``unpacked`` of it. Raises UnreadableData."""
    for mark, kind in _FOREIGN.items():
        if head.startswith(mark):
            raise UnreadableData(
                "the table is no text in UTF-8", got=f"{kind}: {path}", remedy=bounds.AS_TEXT
            )
    stream: IO[bytes] | Path = path if unpacked is None else io.BytesIO(unpacked)
    start = _start(stream)
    encoding = _encoding(start)
    digest = bounds.digest(path, no_zeros=unpacked is None and encoding != "utf-16")
    notes = []
    if encoding != "utf-8":
        text = (path.read_bytes() if unpacked is None else unpacked).decode(encoding)
        stream = io.BytesIO(text.encode())
        notes.append(f"The table {path.name} is not UTF-8: it was read as {encoding}.")
        start = _start(stream)
    if delimiter := titled(start.decode("utf-8-sig", "replace")):
        return _read_inner(path, stream, delimiter, digest, notes)
    try:
        return _read(path, stream, digest, [*notes])
    except pa.ArrowInvalid as ragged:
        if "columns, got" not in str(ragged):
            raise
        try:
            return _read_inner(path, stream, header(start)[1], digest, notes)
        except csv.Error:  # an open quote
            raise ragged from None


def _read_inner(
    path: Path, stream: IO[bytes] | Path, delimiter: str, digest: str, notes: list[str]
) -> Table:
    """The table of the header and rows alone, without what stands above and below them."""
    text = _whole(stream)
    block = find_block(path, rows_of(text, delimiter), delimiter, '"' in text)
    lines = islice(io.StringIO(text, newline=""), block.first - 1, block.last)
    inner = io.BytesIO("".join(lines).encode())
    return _read(path, inner, digest, [*notes, block.note(path)])


def _read(path: Path, stream: IO[bytes] | Path, digest: str, notes: list[str]) -> Table:
    start = _start(stream)
    names, delimiter = header(start)
    if not any(name.strip() for name in names):
        raise UnreadableData("the table is empty", got=path, expected="a header and rows")
    if len(names) == 1 and (rows := _blank_rows(stream, start)):
        return _by_blanks(path, rows, digest, notes)
    headless = any(names_film(cell) for cell in names)
    if headless:
        names = [f"column {place}" for place in range(1, len(names) + 1)]
        notes.append(f"The table {path.name} has no header: {_positions(names)}.")
    bounds.check_names(path, names)
    frame = _parse(path, stream, names, delimiter, headless)
    return Table(path, frame, digest, notes=tuple(notes), headless=headless)


def header(start: bytes) -> tuple[list[str], str]:
    """The cells of the first line that is not blank, and the delimiter that gives most of them."""
    text = start.decode("utf-8-sig", "replace").lstrip("\r\n")
    found = ([""], ",")
    for delimiter in DELIMITERS:
        row = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [""])
        if len(row) > len(found[0]):
            found = (row, delimiter)
        elif len(found[0]) == 1:
            found = (row, found[1])
    return found


def lines_of(path: Path, most: int) -> list[str]:
    """The lines of a small text file without blanks around, at most ``most``; empty where it is
    no text."""
    try:
        with path.open("rb") as file:
            text = file.read(bounds.CHUNK * 16).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return []
    return [line.strip() for line in text.splitlines()[:most] if line.strip()]


def _encoding(start: bytes) -> str:
    for mark, name in _UTF16.items():
        if start.startswith(mark):
            return name
    cut = start.rpartition(b"\n")[0] or start
    try:
        cut.decode("utf-8")
    except UnicodeDecodeError:
        if b"\0" in cut:
            return "utf-8"
        # Western Excel's encoding: every byte of a text has a meaning there but five.
        encoding = _of_whole_words(cut) or _FALLBACK
        try:
            cut.decode(encoding)
        except UnicodeDecodeError:
            return "utf-8"
        return encoding
    return "utf-8"


def _of_whole_words(text: bytes) -> str:
    """The encoding of a text whose words are written in no Latin letters at all, Chinese, Korean or
    Cyrillic; empty for others, in which foreign letters stand alone."""
    if len(text) > _ENOUGH:
        text = text[:_ENOUGH].rpartition(b"\n")[0] or text[:_ENOUGH]
    foreign = len(_FOREIGN_BYTE.findall(text))
    if foreign < _FEWEST or sum(map(len, _RUNS.findall(text))) < _MOSTLY * foreign:
        return ""
    from charset_normalizer import from_bytes  # takes a tenth of a second

    best = from_bytes(text).best()
    return best.encoding if best else ""


def _start(stream: IO[bytes] | Path) -> bytes:
    if isinstance(stream, Path):
        with stream.open("rb") as file:
            return file.read(bounds.CHUNK)
    stream.seek(0)
    return stream.read(bounds.CHUNK)


def _whole(stream: IO[bytes] | Path) -> str:
    if isinstance(stream, Path):
        return stream.read_bytes().decode("utf-8-sig")
    stream.seek(0)
    return stream.read().decode("utf-8-sig")


def _parse(
    path: Path, stream: IO[bytes] | Path, names: list[str], delimiter: str, headless: bool
) -> pd.DataFrame:
    if not isinstance(stream, Path):
        stream.seek(0)
    # Not pandas.read_csv: it fills rows that are too short without a word, has no bound on a row
    # or on an open quote, and took 1.7 times as long for 100,000 rows.
    reader = arrow_csv.open_csv(
        stream,
        # One thread, because only then does an error say which row is at fault.
        read_options=arrow_csv.ReadOptions(
            use_threads=False, block_size=bounds.CHUNK, column_names=names if headless else None
        ),
        parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )
    if reader.schema.names != names or any(t != pa.string() for t in reader.schema.types):
        raise UnreadableData(
            "the header of the table cannot be read", got=path, remedy=bounds.AS_TEXT
        )
    return gather(path, names, reader)


def _blank_rows(stream: IO[bytes] | Path, start: bytes) -> list[list[str]]:
    """The rows of a table whose cells stand apart by blanks; empty where it is none.

    A file's name may hold blanks itself: in a row with more words than most have, those that end
    with the name's extension are put together.
    """
    first = start.decode("utf-8-sig", "replace").lstrip().partition("\n")[0]
    if len(_BLANKS.split(first.strip())) < 2:
        return []
    text = _whole(stream)
    rows = [_BLANKS.split(line.strip()) for line in text.splitlines() if line.strip()]
    width = Counter(map(len, rows)).most_common(1)[0][0]
    places = Counter(
        place for row in rows if len(row) == width for place, c in enumerate(row) if names_film(c)
    )
    if not places:
        return rows if all(len(row) == width for row in rows) else []
    at = places.most_common(1)[0][0]
    joined = []
    for row in rows:
        more = len(row) - width
        name = " ".join(row[at : at + more + 1])
        joined.append([*row[:at], name, *row[at + more + 1 :]] if more > 0 else row)
    return joined if all(len(row) == width for row in joined) else []


def _by_blanks(path: Path, rows: Sequence[list[str]], digest: str, notes: list[str]) -> Table:
    headless = any(names_film(cell) for cell in rows[0])
    names = [f"column {i}" for i in range(1, len(rows[0]) + 1)] if headless else rows[0]
    if headless:
        notes.append(
            f"The cells of {path.name} stand apart by blanks, without a header: "
            f"{_positions(names)}."
        )
    bounds.check_names(path, names)
    body = rows if headless else rows[1:]
    bounds.check_extent(path, len(body), len(names))
    if not body:
        raise bounds.no_rows(path)
    for place, name in enumerate(names):
        bounds.check_cell(path, name, max(len(row[place].encode()) for row in body))
    frame = pd.DataFrame(body, columns=names, dtype="str")
    return Table(path, frame, digest, notes=tuple(notes), headless=headless)


def _positions(names: Sequence[str]) -> str:
    last = names[-1] if len(names) > 1 else ""
    return f"its columns are called {names[0]!r}" + (f" to {last!r}" if last else "")
