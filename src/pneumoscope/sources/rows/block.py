"""The block of rows in a report: title lines above its header and a footer below are no rows.

Only lines that cannot be rows are set aside, and none in the middle.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from pneumoscope.errors import UnreadableData
from pneumoscope.sources.places.files import DICOM_SUFFIXES, IMAGE_SUFFIXES, suffix_of

DELIMITERS = ",;\t"
_MOST_ABOVE, _MOST_BELOW, _LOOK, _NEARLY = 20, 5, 64, 0.9
_MOST_IN_TOTAL = 2
"""Filled cells of a total whose other cells are there and empty, as spreadsheets have it."""

_LEAST_PADDED = 4
_ENDS = ("total", "end of")


@dataclass(frozen=True, slots=True)
class Row:
    """A row and the lines of the file, from 1, at which it begins and ends."""

    cells: list[str]
    first: int
    last: int

    @property
    def filled(self) -> list[str]:
        return [cell for cell in self.cells if cell.strip()]


@dataclass(frozen=True, slots=True)
class Block:
    """The lines from the header, ``first``, to the last row, ``last``, and how many lines with
    anything in them stand above and below."""

    first: int
    last: int
    above: int
    below: int

    def note(self, path: Path) -> str:
        """What was set aside, empty where nothing was."""
        above = f"{_lines(self.above)} above the header of {path.name}" if self.above else ""
        place = "its rows" if above else f"the rows of {path.name}"
        below = f"{_lines(self.below)} below {place}" if self.below else ""
        one = self.above + self.below == 1
        said = " and ".join(filter(None, (above, below)))
        return f"{said} {'is no row' if one else 'are no rows'}." if said else ""


def names_film(cell: str) -> bool:
    """Whether a cell is the name of a film's file."""
    return suffix_of(cell.strip().replace("\\", "/")) in IMAGE_SUFFIXES | DICOM_SUFFIXES


def rows_of(text: str, delimiter: str) -> Iterator[Row]:
    """The rows of delimited text but empty lines; a quoted cell may hold line breaks."""
    reader, end = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), 0
    for cells in reader:
        if cells:
            yield Row(cells, end + 1, reader.line_num)
        end = reader.line_num


def titled(text: str) -> str:
    """The delimiter of a table that begins with title lines; empty where it begins with a row."""
    found = (False, 1, True, 0, "")
    for delimiter in DELIMITERS:
        try:
            head = list(islice(rows_of(text, delimiter), _LOOK))
        except csv.Error:  # such a cell is refused when the table is read
            return ""
        start = header_at(head)
        if start >= 0 and (width := len(head[start].cells)) > 1:
            rows = sum(len(row.cells) == width for row in head)
            found = max(found, (_parts(text, delimiter), width, start == 0, rows, delimiter))
    *_, plain, _, delimiter = found
    return "" if plain else delimiter


def _parts(text: str, delimiter: str) -> bool:
    """Whether quoted cells end at ``delimiter``: at others they go on: ``"a"\\t"b"`` at ``,``."""
    try:
        for _ in islice(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True), _LOOK):
            pass
    except csv.Error:
        return False
    return True


def header_at(head: Sequence[Row]) -> int:
    """Where in the first rows the header stands: 0 where no title is above it; -1 where that is not
    clear. A header below titles has nearly all rows' number of cells, all of them filled, distinct
    and words that those below do not say, in a column of which these are of another kind."""
    if not head:
        return -1
    cells = Counter(len(row.cells) for row in head)
    width = max(cells, key=lambda each: each * cells[each])
    at = next((i for i, row in enumerate(head) if not _is_short(row, width)), len(head))
    if at == 0:
        return 0 if len(head[0].cells) == width else -1
    below = [row.cells for row in head[at + 1 :] if len(row.cells) == width]
    if at > _MOST_ABOVE or not below or len(below) < _NEARLY * (len(head) - at - 1 - _MOST_BELOW):
        return -1
    return at if _is_header(head[at].cells, below) else -1


def find_block(path: Path, rows: Iterable[Row], delimiter: str = "", quoted: bool = True) -> Block:
    """The block of ``rows``, whose cells stand apart by ``delimiter`` and may be ``quoted``. Raises
    UnreadableData, which names the line, for a row of another length that is no title or footer."""
    rest = iter(rows)
    head = list(islice(rest, _LOOK))
    start = max(header_at(head), 0)
    body = _Body(path, head[start], delimiter, quoted)
    tail: deque[Row] = deque()
    for row in chain(head[start + 1 :], rest):
        tail.append(row)
        while tail and (len(tail) > _MOST_BELOW or not _may_end(row, body.width)):
            body.add(tail.popleft())
    while not all(map(body.is_footer, tail)):
        body.add(tail.popleft())
    below = sum(bool(row.filled) for row in tail)
    above = sum(bool(row.filled) for row in head[:start])
    return Block(head[start].first, body.last.last, above, below)


class _Body:
    """The rows below the header so far, and the characters that each column has."""

    def __init__(self, path: Path, header: Row, delimiter: str, quoted: bool) -> None:
        self.path, self.header, self.quoted = path, header, quoted
        # What an open quote takes into a cell: the rest of its row, or of the file.
        self._rows = frozenset(delimiter + "\r\n")
        self.last, self.width = header, len(header.cells)
        self._kinds: list[set[str]] = [set() for _ in header.cells]

    def add(self, row: Row) -> None:
        """One row more. Raises UnreadableData where it is of another length."""
        if len(row.cells) != self.width:
            mend = f"mend line {row.first}, or take it out"
            raise UnreadableData(
                "the rows of the table are of different lengths",
                got=f"{len(row.cells)} cells in line {row.first} of {self.path}",
                expected=f"{self.width}, as in line {self.header.first}; "
                "below titles a header, a word for each column",
                remedy=mend if self.quoted else f"{mend}; quote the cells that hold the delimiter",
            )
        for kinds, cell in zip(self._kinds, row.cells, strict=True):
            kinds.update(cell)
        self.last = row

    def is_footer(self, row: Row) -> bool:
        """Whether a last line is a total or a footer. A row that was cut short is none: it has
        characters as its column has, and may name a film."""
        if not _may_end(row, self.width) or self.last is self.header:
            return False
        if any(names_film(cell) or self._rows & set(cell) for cell in row.cells):
            return False
        place, cell = next(((i, c) for i, c in enumerate(row.cells) if c.strip()), (0, ""))
        there = set(map(_kind, self._kinds[place]))
        new = not {_kind(character) for character in cell.strip()} <= there
        return not cell or new or cell.strip().lower().startswith(_ENDS)


def _may_end(row: Row, width: int) -> bool:
    return len(row.cells) < width or (
        len(row.filled) <= _MOST_IN_TOTAL and _is_short(row, width) and len(row.cells) == width
    )


def _is_short(row: Row, width: int) -> bool:
    """Whether a row has fewer cells than ``width``, or is filled up to that with empty ones."""
    padded = width >= _LEAST_PADDED and 2 * len(row.filled) <= width and not row.cells[-1].strip()
    return len(row.cells) < width or padded


def _is_header(names: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    words = all(any(map(str.isalpha, name)) or name.strip() == "#" for name in names)
    if not words or len(set(names)) < len(names) or any(map(names_film, names)):
        return False
    columns = list(zip(names, zip(*below, strict=True), strict=True))
    if any(name in cells for name, cells in columns):
        return False
    return any(_differs(name, [cell for cell in cells if cell.strip()]) for name, cells in columns)


def _differs(name: str, cells: Sequence[str]) -> bool:
    """Whether the cells of a column have numbers and its name has none, or they are few words."""
    numbers = not _has_digit(name) and all(map(_has_digit, cells))
    return bool(cells) and (numbers or 2 * len(set(cells)) <= len(cells))


def _has_digit(cell: str) -> bool:
    return any(map(str.isdigit, cell))


def _kind(character: str) -> str:
    return "a" if character.isalpha() else "0" if character.isdigit() else character


def _lines(count: int) -> str:
    return f"{count} line" if count == 1 else f"{count} lines"
