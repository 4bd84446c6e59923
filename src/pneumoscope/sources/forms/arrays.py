"""Films as arrays: MedMNIST's ``.npz``, Keras' ``x_train, y_train``, and pairs of ``.npy`` files.

Pixels are unpacked to a temporary file that is then memory-mapped, so memory stays flat whatever
the size of the set; only the labels are held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope.errors import BadLabels, DataNotFound, UnreadableData
from pneumoscope.records import SPLITS, DataRequest, Film, Source
from pneumoscope.sources.assemble import Listed, assemble
from pneumoscope.sources.listed import About, Boxes, Column, Reader
from pneumoscope.sources.meaning.asking import Question
from pneumoscope.sources.meaning.cells import is_missing, read_cells
from pneumoscope.sources.rows.pairs import Pair, Pixels, find_pairs, grey_of
from pneumoscope.sources.tables.bounds import digest

_LARGEST_SIDE = 4096
_PNEUMONIA = "pneumonia"
_PNEUMONIAMNIST = ((4708, 524, 624), (3882, 524, 624))
_CHEST = (
    *("atelectasis", "cardiomegaly", "effusion", "infiltration", "mass", "nodule", "pneumonia"),
    *("pneumothorax", "consolidation", "edema", "emphysema", "fibrosis", "pleural thickening"),
    "hernia",
)
_SIBLINGS: Mapping[str, str] = {
    **{"path": "tissue slides", "derma": "skin", "oct": "retinas", "retina": "retinas"},
    **{"breast": "ultrasound of breasts", "blood": "blood cells", "tissue": "kidney cells"},
    **{"organa": "CT slices", "organc": "CT slices", "organs": "CT slices"},
    **{"organ": "CT volumes", "nodule": "CT volumes", "adrenal": "CT volumes"},
    **{"fracture": "CT volumes", "vessel": "MR volumes", "synapse": "microscopy volumes"},
}
"""What MedMNIST's other sets show, by the first part of their names."""


def looks_like_arrays(path: Path) -> str | None:
    """Why ``path`` is a file of arrays, or a folder of ``.npy`` pairs; None where it is not."""
    if path.is_dir():
        names = sorted(one.name for one in path.glob("*.npy"))
        return f"arrays lie in the folder: {names[0]}" if len(names) > 1 else None
    return "arrays in a .npy file" if path.suffix.lower() == ".npy" and path.is_file() else None


def arrays_source(request: DataRequest, name: str = "") -> Source:
    """The films of arrays: uint8 (N, H, W), (N, H, W, 1) grey or (N, H, W, 3) RGB, with labels
    (N,), (N, 1), or (N, 14) as ChestMNIST has them, by split where there are several. Of others
    than MedMNIST floats from 0 to 1 or 255, class words, and ids of patients (N,) are read too.

    Raises DataNotFound, UnreadableData, BadLabels.
    """
    path = Path(request.data).expanduser()
    if not path.exists() or not (path.is_file() or path.is_dir()):
        raise DataNotFound(
            "there is no such file" if not path.exists() else "this is not a regular file",
            got=path,
            expected="a MedMNIST .npz file",
            remedy="check the path, or give the name: pneumoscope train pneumoniamnist",
        )
    name = name or path.stem
    kind = _kind(path, name)
    pairs = find_pairs(path)
    if kind == "medmnist" and [pair.split for pair in pairs] != list(SPLITS):
        kind = "arrays"
    for pair in pairs:
        _check_images(pair, pairs[0], path, floats=kind == "arrays")
    by_pair = [_cells(pair, kind, path) for pair in pairs]
    if kind == "medmnist":
        _check_classes(by_pair, pairs, path)
    cells = [cell for part in by_pair for cell in part]
    counts = tuple(len(pair.labels) for pair in pairs)
    known = _PNEUMONIA in name.lower() or counts in _PNEUMONIAMNIST
    where = f"the labels of {path}"
    question = Question(where, "pneumonia" if known else "", findings=kind == "chest")
    words = dict(zip(*np.unique(cells, return_counts=True), strict=True))
    meaning = read_cells({str(w): int(n) for w, n in words.items()}, question, request.meanings)
    label = np.array([meaning.code[cell] for cell in cells], dtype=np.int64)
    films = _ArrayFilms(path, tuple(pairs))
    shape = pairs[0].pixels.shape
    about = _about(label, pairs)
    return assemble(
        Listed(
            form="medmnist",
            name=name,
            why=f"{_told(pairs)}, {shape[1]} px, "
            + ("RGB" if len(shape) == 4 and shape[3] == 3 else "grey"),
            films=films,
            about=about,
            fingerprint=_fingerprint(path, pairs),
            native_size=max(shape[1:3]),
            words=meaning.words,
            notes=_notes(counts, counts in _PNEUMONIAMNIST or "mnist" in name.lower())
            if not about.patient.known
            else (),
            patients="an array of their ids" if about.patient.known else "",
        )
    )


@dataclass(frozen=True, slots=True)
class _ArrayFilms:
    """The films of all pairs; pixels of one lie in a temporary file for the time they are read."""

    path: Path
    pairs: tuple[Pair, ...]

    @property
    def ids(self) -> Sequence[str]:
        return [
            f"{pair.split or 'all'}-{row:06d}"
            for pair in self.pairs
            for row in range(len(pair.labels))
        ]

    @property
    def paths(self) -> Sequence[str]:
        return [""] * sum(len(pair.labels) for pair in self.pairs)

    @property
    def private(self) -> Sequence[bool]:
        return [pair.patients is not None for pair in self.pairs for _ in range(len(pair.labels))]

    @property
    def has_header(self) -> Sequence[bool]:
        return [False] * len(self.paths)

    def readers(self) -> Iterator[Reader]:
        for pair in self.pairs:
            with pair.pixels.opened() as pixels:
                for row in range(len(pair.labels)):
                    yield partial(_read, pixels, row)


def _read(pixels: NDArray[np.uint8], row: int, side: int = 0) -> Film:
    grey = grey_of(pixels, row)
    height, width = grey.shape
    colour = pixels.ndim == 4 and pixels.shape[3] == 3
    return Film(grey, height, width, facts={"mode": "RGB" if colour else "L"})


def _kind(path: Path, name: str) -> str:
    """Which of MedMNIST's sets this is by its name. Raises BadLabels for one of no chests."""
    plain = name.lower()
    if "mnist" not in plain:
        return "arrays" if path.suffix.lower() != ".npz" else "medmnist"
    first = plain.partition("mnist")[0]
    if first == "chest":
        return "chest"
    if first in _SIBLINGS:
        raise BadLabels(
            f"this is {first}mnist of MedMNIST, which shows {_SIBLINGS[first]}",
            got=path,
            expected="pneumoniamnist, or chestmnist with its column of pneumonia",
            remedy="pneumoscope train pneumoniamnist fetches it",
        )
    return "medmnist"


def _check_images(pair: Pair, first: Pair, path: Path, *, floats: bool) -> None:
    pixels: Pixels = pair.pixels
    shape = pixels.shape
    fine = len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3))
    if not (pixels.dtype == np.uint8 or (floats and pixels.dtype.kind == "f")) or not fine:
        raise UnreadableData(
            f"the array {pixels.name!r} has the wrong type or shape",
            got=f"{pixels.dtype} {shape} in {path}",
            expected="uint8 (N, S, S) grey or (N, S, S, 3) RGB",
            remedy="write the films as uint8, 0 to 255, films first and colours last",
        )
    if shape[0] == 0:
        raise UnreadableData(f"the {pair.split} split is empty", got=path, expected="images")
    if shape[1:] != first.pixels.shape[1:]:
        raise UnreadableData(
            "the splits hold images of different shapes",
            got=f"{first.split} {first.pixels.shape[1:]}, {pair.split} {shape[1:]} in {path}",
        )
    if not all(1 <= side <= _LARGEST_SIDE for side in shape[1:3]):
        raise UnreadableData(
            "the images have an impossible size",
            got=f"{shape[1:3]} in {path}",
            expected=f"1 to {_LARGEST_SIDE} px a side",
        )


def _cells(pair: Pair, kind: str, path: Path) -> list[str]:
    """The label of each film as text; of several columns of 0 and 1, the names of those with 1."""
    values, count = pair.labels, pair.pixels.shape[0]
    columns = len(_CHEST) if kind == "chest" else 1
    if kind != "chest":
        values = _indices(values, count)
    if values.shape not in ((count,), (count, columns)):
        raise BadLabels(
            f"the array {pair.name!r} does not fit its images",
            got=f"shape {values.shape} for {count} images in {path}",
            expected=f"({count},) or ({count}, {columns})",
        )
    if values.dtype.kind in "US" and kind == "arrays":
        words = values.reshape(count)
        return [w.decode("utf-8", "replace") if isinstance(w, bytes) else w for w in words.tolist()]
    if values.dtype.kind not in "buif":
        raise BadLabels(
            f"the array {pair.name!r} holds no numbers",
            got=f"{values.dtype} in {path}",
            expected="0 and 1, or class words",
        )
    if kind == "chest" and values.shape == (count, columns):
        named = [
            [name for name, one in zip(_CHEST, row, strict=True) if one == 1] for row in values
        ]
        return ["|".join(words) or "no finding" for words in named]
    flat = values.reshape(count)
    if kind == "medmnist":
        wrong = ~np.isin(flat, (0, 1))  # NaN is in no set, so it is wrong too
        if wrong.any():
            raise BadLabels(
                f"the array {pair.name!r} holds labels that are neither 0 nor 1",
                got=f"{int(wrong.sum())} of {count}, first {flat[wrong][0]}, in {path}",
                expected="0 normal, 1 pneumonia",
                remedy="is this PneumoniaMNIST? Other MedMNIST sets have other classes",
            )
    return [f"{value:g}" for value in flat.astype(np.float64).tolist()]


def _indices(values: NDArray[Any], count: int) -> NDArray[Any]:
    """One-hot rows (N, C) as the numbers (N,) of their columns; others as they are."""
    if values.ndim != 2 or len(values) != count or values.shape[1] < 2:
        return values
    one_hot = np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all()
    return values.argmax(axis=1) if one_hot else values


def _check_classes(cells: Sequence[list[str]], pairs: Sequence[Pair], path: Path) -> None:
    """Refuse a split of one value: before it is asked what it means, which could not help."""
    for part, pair in zip(cells, pairs, strict=True):
        if len(set(part)) == 1:
            raise BadLabels(
                f"the {pair.split} split holds one class only",
                got=f"{len(part)} × {part[0]} in {path}",
                expected="both classes in every split",
            )


def _about(label: NDArray[np.int64], pairs: Sequence[Pair]) -> About:
    splits = [pair.split for pair in pairs for _ in range(len(pair.labels))]
    none = Column.empty(len(label))
    ids: list[str | None] = []
    for pair in pairs:
        each = [None] * len(pair.labels) if pair.patients is None else pair.patients.tolist()
        ids += [None if one is None else _id(one) for one in each]
    return About(label, none, Column.of(ids), Column.of(splits), {}, Boxes.none(len(label)))


def _id(value: float | str | bytes) -> str | None:
    """An id of an array as text; None for NaN and what is empty."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, float):
        value = "" if np.isnan(value) else f"{value:g}"
    return None if is_missing(str(value)) else str(value)


def _fingerprint(path: Path, pairs: Sequence[Pair]) -> str:
    if path.suffix.lower() == ".npz" or path.is_file() and len(pairs) == 3:
        return digest(path)
    return "".join(digest(file)[:16] for pair in pairs for file in pair.files)[:64]


def _told(pairs: Sequence[Pair]) -> str:
    if [pair.split for pair in pairs] == list(SPLITS):
        return "a zip of the six arrays of MedMNIST"
    return "arrays " + ", ".join(f"{pair.pixels.name} and {pair.name}" for pair in pairs)


def _notes(counts: Sequence[int], medmnist: bool) -> tuple[str, ...]:
    notes = ["Arrays keep no patient ids, so a patient may lie in two splits: not provable."]
    if medmnist:
        notes = [
            "MedMNIST keeps no patient ids, so a patient may lie in two splits: not provable.",
            "Its validation split is cut from the training films and is therefore optimistic.",
        ]
    if tuple(counts) == _PNEUMONIAMNIST[1]:
        notes.append(
            "This is the imbalanced variant with 3,882 training films, not the original 4,708."
        )
    return tuple(notes)
