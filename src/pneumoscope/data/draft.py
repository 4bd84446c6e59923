"""Draft of a prepared set: it grows film by film, and a killed process loses nothing.

The pixels of a film are written before its line in the journal. So whatever the journal names is
there in full, and the next process goes on behind it. Only a machine that lost its power may have
kept the line without the pixels: then all is begun anew.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Required, TypedDict

import numpy as np
import pandas as pd
from numpy.lib import format as npy
from numpy.typing import NDArray

from pneumoscope.data.prepared import IMAGES, LOOKS, MASKS
from pneumoscope.imaging.thumbnails import LOOK
from pneumoscope.manifest import ReasonCount
from pneumoscope.records import CLASSES, Grey

_COLUMNS = ("image_id", "patient_id", "split", "label", "height", "width", "pixel_hash")
_SOMETIMES = ("aside", "origin", "site")
_JOURNAL = "journal.jsonl"

FilmRow = dict[str, object]
"""A line of the table, by column."""


class _Line(TypedDict, total=False):
    """What the journal knows of a film: whether it has a mask, or why it was dropped."""

    row: Required[FilmRow]
    mask: bool
    reason: str
    unreached: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one film: its row, with ``image`` uint8 (S, S), ``look`` uint8 (48, 48) of
    the whole film and, where the truth is known, ``mask`` uint8 (S, S); or the reason why it was
    dropped, and whether it may come back."""

    row: FilmRow
    image: Grey | None = None
    look: Grey | None = None
    mask: NDArray[np.uint8] | None = None
    reason: str = ""
    unreached: bool = False


class Draft:
    """The folder of a set that is being made; ``done`` films need not be read again."""

    def __init__(self, folder: Path, side: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        lines = _whole_lines(folder / _JOURNAL)
        kept = [line for line in lines if "reason" not in line]
        masks = sum(line["mask"] for line in kept)
        stacks = ((IMAGES, side, len(kept)), (LOOKS, LOOK, len(kept)))
        if any(_lacks(folder / name, size, count) for name, size, count in stacks) or _lacks(
            folder / MASKS, side, masks
        ):
            (folder / _JOURNAL).unlink()
            lines, kept, masks = [], [], 0
        self.done = len(lines)
        self._images = Stack(folder / IMAGES, side, len(kept))
        self._looks = Stack(folder / LOOKS, LOOK, len(kept))
        self._masks = Stack(folder / MASKS, side, masks)
        self._journal: IO[bytes] = (folder / _JOURNAL).open("ab")

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Write films in their order: pixels first, then their lines."""
        lines: list[_Line] = []
        for outcome in outcomes:
            if outcome.image is None or outcome.look is None:
                why, unreached = outcome.reason, outcome.unreached
                lines.append({"row": outcome.row, "reason": why, "unreached": unreached})
                continue
            self._images.append(outcome.image)
            self._looks.append(outcome.look)
            if outcome.mask is not None:
                self._masks.append(outcome.mask)
            lines.append({"row": outcome.row, "mask": outcome.mask is not None})
        self._images.flush()
        self._looks.flush()
        self._masks.flush()
        self._journal.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        self._journal.flush()
        self.done += len(lines)

    def finish(self) -> tuple[pd.DataFrame, list[dict[str, str]], list[int]]:
        """Complete the files; the table of the kept films, id and reason of the dropped, and the
        places in the source of those that could not be reached."""
        whole = self._masks.count == self._images.count
        self.close()
        if not whole:  # truth is kept only when it is known for every film
            (self.folder / MASKS).unlink()
        lines = _whole_lines(self.folder / _JOURNAL)
        dropped = [
            {
                "image_id": str(line["row"]["image_id"]),
                "reason": line["reason"],
                "class": class_name(line["row"].get("label")),
            }
            for line in lines
            if "reason" in line
        ]
        unreached = [place for place, line in enumerate(lines) if line.get("unreached")]
        return table_of([line["row"] for line in lines if "reason" not in line]), dropped, unreached

    def forget(self) -> None:
        """Take the journal away, when all that is made of it is written."""
        (self.folder / _JOURNAL).unlink()

    def close(self) -> None:
        """Write what is buffered and let go of the files."""
        with ExitStack() as each:  # the others also where one of them cannot be written
            for file in (self._images, self._looks, self._masks, self._journal):
                each.callback(file.close)


def _whole_lines(journal: Path) -> list[_Line]:
    """The lines of the journal; from one that is cut short or damaged on they are taken away."""
    if not journal.exists():
        return []
    data = journal.read_bytes()
    lines: list[_Line] = []
    end = 0
    for line in data.splitlines(keepends=True):
        try:
            lines.append(json.loads(line if line.endswith(b"\n") else b""))
        except ValueError:
            break
        end += len(line)
    if end < len(data):
        with journal.open("r+b") as file:
            file.truncate(end)
    return lines


def _lacks(stack: Path, side: int, count: int) -> bool:
    """Whether ``stack`` holds fewer than ``count`` films of ``side``."""
    return count > 0 and (not stack.exists() or stack.stat().st_size < count * side * side)


def table_of(rows: list[FilmRow]) -> pd.DataFrame:
    """The table of a prepared set, with fixed types for its fixed columns."""
    names = dict.fromkeys([*_COLUMNS, *(name for row in rows for name in row)])
    table = pd.DataFrame({name: [row.get(name) for row in rows] for name in names})
    for name in names:
        if name.startswith("fact_"):
            table[name] = _one_type(table[name])
    text = dict.fromkeys(("image_id", "patient_id", "split", "pixel_hash"), "string")
    text |= {name: "string" for name in _SOMETIMES if name in table}
    # Without this an all-unknown column would be stored as null type and read back as object.
    return table.astype({**text, "label": "Int8", "height": "int32", "width": "int32"})


def _one_type(values: pd.Series[Any]) -> pd.Series[Any]:
    """Numbers stay numbers; a column of words, or of both, becomes words."""
    if all(value is None or isinstance(value, int | float) for value in values):
        return values.astype("float64")
    return values.map(str, na_action="ignore").astype("string")


def class_name(label: object) -> str:
    """The class of a label as a word, ``unknown`` where there is none."""
    return CLASSES[label] if isinstance(label, int) else "unknown"


def reasons(dropped: list[dict[str, str]]) -> list[ReasonCount]:
    """How often each reason occurs, most frequent first."""
    counts = Counter(film["reason"] for film in dropped)
    return [{"reason": reason, "count": count} for reason, count in counts.most_common()]


class Stack:
    """A ``.npy`` of uint8 (N, S, S) that grows: the header gets its N when all is written.

    The header of a growing array is padded by numpy to the same length for any N below 10**21,
    so it can be written twice in the same place.
    """

    def __init__(self, path: Path, side: int, count: int = 0) -> None:
        self.count = count
        self._side = side
        self._file = path.open("r+b" if path.exists() else "w+b")
        self._write_header()
        # What lies behind the films that the journal knows was cut short by a kill.
        self._file.truncate(self._file.tell() + count * side * side)
        self._file.seek(0, 2)

    def append(self, image: NDArray[np.uint8]) -> None:
        """Add one uint8 (S, S)."""
        self._file.write(np.ascontiguousarray(image).data)
        self.count += 1

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        if not self._file.closed:
            try:
                self._write_header()
            finally:  # a full disk refuses the header, and the file must not stay open
                self._file.close()

    def _write_header(self) -> None:
        self._file.seek(0)
        shape = (self.count, self._side, self._side)
        npy.write_array_header_1_0(
            self._file, {"descr": "|u1", "fortran_order": False, "shape": shape}
        )
