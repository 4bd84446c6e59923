"""Films as a form lists them, and what is known of each: the one currency of all forms.

A form lists its films in a fixed order and says in columns what stands about them; the records
follow from both. Nothing is read until a record is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pneumoscope.errors import UnreadableImage
from pneumoscope.records import Film, Record
from pneumoscope.sources.meaning.readers import TIED
from pneumoscope.sources.places.files import FoundFile, read_file

Reader = Callable[[int], Film]
"""As ``Record.read``."""

Box = tuple[float, float, float, float]
Codes = NDArray[np.int64]

UNKNOWN, IGNORED = -1, 2
"""Codes beside the labels 0 and 1: no label is known; of a class that is to be left out."""

NO_LABEL = "no label"
IN_ANOTHER = "no row in the label table, but in"
"""How the reason begins where films have a row in another table, which is named behind."""
READERS_TIE = "films of which no label has a majority of readers"
CLASS_IGNORED = "films of a class that was said to be ignored"
FOLDER_IGNORED = "films of a class to ignore"


@dataclass(frozen=True, slots=True)
class Column:
    """A value per film: ``values[code]``, or none where the code is -1."""

    codes: Codes
    values: list[Any]

    @classmethod
    def of(cls, values: Sequence[Any]) -> Column:
        """The column that holds ``values``, None where there is none."""
        distinct: dict[Any, int] = {}
        codes = [-1 if v is None else distinct.setdefault(v, len(distinct)) for v in values]
        return cls(np.array(codes, dtype=np.int64), list(distinct))

    @classmethod
    def empty(cls, count: int) -> Column:
        return cls(np.full(count, -1, dtype=np.int64), [])

    def at(self, place: int) -> Any:
        code = self.codes[place]
        return None if code < 0 else self.values[code]

    def take(self, places: Codes) -> Column:
        """The values at ``places``, none where a place is negative."""
        return Column(np.where(places < 0, -1, self.codes[places]), self.values)

    @property
    def known(self) -> int:
        """How many films have a value."""
        return int((self.codes >= 0).sum())


@dataclass(frozen=True, slots=True)
class Boxes:
    """All boxes (n, 4) as (x, y, width, height) in pixels; those of film i are the rows from
    ``starts[i]`` to ``starts[i + 1]``."""

    corners: NDArray[np.float64]
    starts: Codes

    @classmethod
    def none(cls, count: int) -> Boxes:
        return cls(np.empty((0, 4)), np.zeros(count + 1, dtype=np.int64))

    def of(self, place: int) -> tuple[Box, ...]:
        rows = self.corners[self.starts[place] : self.starts[place + 1]]
        return tuple((x, y, width, height) for x, y, width, height in rows.tolist())

    def take(self, places: Codes) -> Boxes:
        """The boxes of the films at ``places``, none where a place is negative."""
        if not len(self.corners):
            return Boxes.none(len(places))
        spans = [(0, 0) if p < 0 else (self.starts[p], self.starts[p + 1]) for p in places]
        rows = [np.arange(start, end) for start, end in spans]
        starts = np.cumsum([0, *(len(part) for part in rows)])
        return Boxes(self.corners[np.concatenate(rows)], starts.astype(np.int64))


@dataclass(frozen=True, slots=True)
class About:
    """What is known of each of N films beside its pixels, in columns.

    ``label`` is int64 (N,): 0, 1, UNKNOWN, IGNORED or TIED. ``reason`` says why a film cannot
    be used, empty or none where it can. ``origin`` is the same for films that were made from one.
    ``splits`` says how splits are known where no column or folder is named for them.
    """

    label: Codes
    reason: Column
    patient: Column
    split: Column
    facts: Mapping[str, Column]
    boxes: Boxes
    origin: Column | None = None
    splits: str = ""

    @classmethod
    def nothing(cls, count: int) -> About:
        """Films of which nothing is known."""
        none = Column.empty(count)
        return cls(np.full(count, UNKNOWN), none, none, none, {}, Boxes.none(count))

    def __len__(self) -> int:
        return len(self.label)

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Bool (N,): films without a reason against them."""
        bad = np.array([bool(reason) for reason in self.reason.values] + [False])
        fine: NDArray[np.bool_] = ~bad[self.reason.codes]
        return fine

    @property
    def ignored(self) -> NDArray[np.bool_]:
        """Bool (N,): films of a class that the user said to leave out."""
        found: NDArray[np.bool_] = (self.label == IGNORED) & self.usable
        return found

    @property
    def tied(self) -> NDArray[np.bool_]:
        """Bool (N,): films that readers do not agree on, as the user said to leave them out."""
        found: NDArray[np.bool_] = (self.label == TIED) & self.usable
        return found

    def take(self, places: Codes, reasons: Mapping[int, str]) -> About:
        """What is known of the films at ``places``; a negative place has its reason."""
        reason = self.reason.take(places)
        values = [*reason.values, *reasons.values()]
        codes = reason.codes.copy()
        for number, place in enumerate(reasons, len(reason.values)):
            codes[places == place] = number
        return About(
            np.where(places < 0, UNKNOWN, self.label[places]),
            Column(codes, values),
            self.patient.take(places),
            self.split.take(places),
            {name: column.take(places) for name, column in self.facts.items()},
            self.boxes.take(places),
            self.origin.take(places) if self.origin else None,
            self.splits,
        )

    def facts_of(self, place: int) -> dict[str, Any]:
        """The facts that are known of one film."""
        found = {name: column.at(place) for name, column in self.facts.items()}
        return {name: value for name, value in found.items() if value is not None}


class Films(Protocol):
    """Films in a fixed order. ``ids`` name each, ``paths`` are what the data calls it, with ``/``
    (empty where it has no name), ``private`` says which ids may name a person, and ``has_header``
    which films say themselves, in their DICOM header, whose they are and how they were taken."""

    @property
    def ids(self) -> Sequence[str]: ...

    @property
    def paths(self) -> Sequence[str]: ...

    @property
    def private(self) -> Sequence[bool]: ...

    @property
    def has_header(self) -> Sequence[bool]: ...

    def readers(self) -> Iterator[Reader]:
        """How each film is read, in order; may be iterated more than once."""


@dataclass(frozen=True, slots=True)
class FileFilms:
    """Films that are files below ``root``. ``named`` are ids that take the place of paths."""

    root: Path
    files: Sequence[FoundFile]
    named: Sequence[str] = ()
    all_private: bool = False

    @property
    def ids(self) -> Sequence[str]:
        return self.named or [file.image_id for file in self.files]

    @property
    def paths(self) -> Sequence[str]:
        return [file.path for file in self.files]

    @property
    def private(self) -> Sequence[bool]:
        return [self.all_private or file.is_dicom for file in self.files]

    @property
    def has_header(self) -> Sequence[bool]:
        return [file.is_dicom for file in self.files]

    def readers(self) -> Iterator[Reader]:
        return (partial(read_file, self.root / file.path) for file in self.files)


@dataclass(frozen=True, slots=True)
class Records:
    """The records of ``films``, made one by one; those of ignored classes are left out.

    A film that cannot be used gives a record that cannot be read, with the reason. ``drawn_on`` is
    as in ``Record.boxes_drawn_on``; ``hidden``, bool (N,), is true for what is no film.
    """

    films: Films
    about: About
    drawn_on: int
    hidden: NDArray[np.bool_]

    def __len__(self) -> int:
        return int((~self._left_out).sum())

    def __iter__(self) -> Iterator[Record]:
        left_out, ids, private = self._left_out, self.films.ids, self.films.private
        for place, read in enumerate(self.films.readers()):
            if not left_out[place]:
                yield self._record(place, ids[place], read, private[place])

    def _record(self, place: int, image_id: str, read: Reader, private: bool) -> Record:
        about = self.about
        label = int(about.label[place])
        known = label if label in (0, 1) else None
        if reason := about.reason.at(place):
            return Record(image_id, partial(refuse, reason), known, private=private)
        return Record(
            image_id,
            read,
            known,
            patient_id=about.patient.at(place),
            split=about.split.at(place),
            boxes=about.boxes.of(place),
            boxes_drawn_on=self.drawn_on,
            facts=about.facts_of(place),
            private=private,
            origin=about.origin.at(place) if about.origin else None,
        )

    @property
    def _left_out(self) -> NDArray[np.bool_]:
        left_out: NDArray[np.bool_] = self.about.ignored | self.about.tied | self.hidden
        return left_out

    def passed_over(self) -> Counter[str]:
        """How many films were left out because of their class, or for want of one."""
        left = {CLASS_IGNORED: self.about.ignored, READERS_TIE: self.about.tied}
        return +Counter({why: int((films & ~self.hidden).sum()) for why, films in left.items()})


def refuse(reason: str, side: int = 0) -> Film:
    """What ``Record.read`` does for a film that the data rules out."""
    raise UnreadableImage(reason)
