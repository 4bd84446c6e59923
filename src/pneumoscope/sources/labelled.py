"""Films beside a table of labels: which row is which film's, and the records that follow."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.errors import BadLabels, UnreadableImage
from pneumoscope.formatting import plural
from pneumoscope.records import DataRequest, Film, Record
from pneumoscope.sources.annotations import Annotation, Annotations, Box, slashed
from pneumoscope.sources.files import FoundFile, read_file

NO_ROW = "no row in the label table"
SHARED_ROW = "several films match one row of the label table"
IGNORED = "films of a class that was said to be ignored"

_NOWHERE, _SHARED = -1, -2
_TOLERANCE = 1.0  # px: boxes are rounded to whole pixels in many tables


@dataclass(frozen=True, slots=True)
class Match:
    """Per film the place of its annotation, negative where there is none or where it is shared."""

    places: NDArray[np.int64]
    annotations: Annotations

    def of(self, film: int) -> Annotation:
        """The annotation of one film; with a reason where there is none."""
        place = int(self.places[film])
        if place >= 0:
            return self.annotations.of(place)
        return Annotation("", None, SHARED_ROW if place == _SHARED else NO_ROW)

    @property
    def ignored(self) -> NDArray[np.bool_]:
        """Bool (films,): those of a class that the user said to leave out."""
        found = self.places >= 0
        ignored: NDArray[np.bool_] = self.annotations.ignored[np.where(found, self.places, 0)]
        return found & ignored

    @property
    def rows_without_film(self) -> int:
        return len(self.annotations) - len(np.unique(self.places[self.places >= 0]))


@dataclass(frozen=True, slots=True)
class LabelledFilms:
    """The records of the films below ``root``, in the order of ``files``; read when asked for."""

    root: Path
    files: Sequence[FoundFile]
    ids: Sequence[str]
    match: Match
    private: bool = False

    def __len__(self) -> int:
        return len(self.files) - int(self.match.ignored.sum())

    def __iter__(self) -> Iterator[Record]:
        for film in np.flatnonzero(~self.match.ignored).tolist():
            file = self.files[film]
            yield record_of(
                self.match.of(film),
                self.ids[film],
                partial(read_file, self.root / file.path),
                private=self.private or file.is_dicom,
            )

    def passed_over(self) -> Counter[str]:
        return +Counter({IGNORED: int(self.match.ignored.sum())})


def name_columns(files: Sequence[FoundFile]) -> list[list[str]]:
    """What a table may call each film: path, path without suffix, file name, stem."""
    paths = [file.image_id for file in files]
    bare = [file.image_id.removesuffix(_suffix(file)) for file in files]
    return [paths, bare, *([path.rpartition("/")[2] for path in names] for names in (paths, bare))]


def share_named(files: Sequence[FoundFile]) -> Callable[[list[str]], float]:
    """How many of some cells name one of ``files``, as a share."""
    known = {name for names in name_columns(files) for name in names}

    def share(cells: list[str]) -> float:
        return sum(slashed(cell) in known for cell in cells) / max(len(cells), 1)

    return share


def match_films(files: Sequence[FoundFile], annotations: Annotations, where: Path) -> Match:
    """The row of each film: the one that gives its path, else its name, with or without suffix.

    A row that several films match says nothing of any of them. Raises BadLabels when no film has
    a row in the table ``where``.
    """
    places = np.full(len(files), _NOWHERE, dtype=np.int64)
    for names in name_columns(files):
        found = annotations.keys.get_indexer(pd.Index(names, dtype=annotations.keys.dtype))
        places = np.where(places == _NOWHERE, found, places)
    claimed, counts = np.unique(places[places >= 0], return_counts=True)
    if not len(claimed):
        raise BadLabels(
            "no film has a row in the label table",
            got=f"{plural(len(files), 'film')}, {len(annotations)} ids in {where}",
            expected="ids that are paths or file names of the films, with or without suffix",
            remedy="name the column of the ids: --column image=NAME",
        )
    places[np.isin(places, claimed[counts > 1])] = _SHARED
    return Match(places, annotations)


def record_of(
    annotation: Annotation, image_id: str, read: Callable[[int], Film], *, private: bool
) -> Record:
    """The record of one film; where the table says too little of it, one that cannot be read."""
    if annotation.reason:
        return Record(image_id, partial(refuse, annotation.reason), None, private=private)
    boxes = annotation.boxes
    return Record(
        image_id,
        partial(read_boxed, read, boxes) if boxes else read,
        annotation.label,
        patient_id=annotation.patient_id,
        split=annotation.split,
        boxes=boxes,
        facts=annotation.facts,
        private=private,
    )


def refuse(reason: str, side: int = 0) -> Film:
    """What ``Record.read`` does for a film that the table rules out."""
    raise UnreadableImage(reason)


def read_boxed(read: Callable[[int], Film], boxes: tuple[Box, ...], side: int = 0) -> Film:
    """Read a film and check that its boxes, in native pixels, lie on it."""
    film = read(side)
    for x, y, width, height in boxes:
        if x + width > film.width + _TOLERANCE or y + height > film.height + _TOLERANCE:
            raise UnreadableImage("a box lies outside the film")
    return film


def told(request: DataRequest) -> str:
    """What the user said of classes and columns, for the fingerprint."""
    said = {"classes": dict(request.classes), "columns": dict(request.columns)}
    return json.dumps(said, sort_keys=True)


def _suffix(file: FoundFile) -> str:
    """The suffix as it is written; of a UID that serves as a name, nothing."""
    return file.path[len(file.path) - len(file.suffix) :]
