"""PneumoniaMNIST and any ``.npz`` of its form: six arrays ``{train,val,test}_{images,labels}``.

Pixels are unpacked to a temporary file that is then memory-mapped, so memory stays flat whatever
the size of the set; only the labels are held.
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pneumoscope.errors import BadLabels, DataNotFound, UnreadableData
from pneumoscope.records import CLASSES, SPLITS, Film, Grey, Record, Source, Split
from pneumoscope.sources.npz import Head, opened, read_flat, read_heads, unpack

_KEYS = tuple(f"{split}_{part}" for split in SPLITS for part in ("images", "labels"))
_LARGEST_SIDE = 4096
_CHUNK = 1 << 22
# Rec. 601 luma, as Pillow's mode L; a grey film stored as RGB comes back unchanged.
_LUMA = np.array([299, 587, 114], dtype=np.uint32)


def medmnist_source(path: Path, name: str = "") -> Source:
    """The records of a MedMNIST ``.npz``: grey (N, S, S) or RGB (N, S, S, 3) uint8 images and
    (N,) or (N, 1) labels 0/1, in three splits. Raises DataNotFound, UnreadableData, BadLabels.
    """
    if not path.is_file():
        raise DataNotFound(
            "there is no such file" if not path.exists() else "this is not a regular file",
            got=path,
            expected="a MedMNIST .npz file",
            remedy="check the path, or give the name: pneumoscope train pneumoniamnist",
        )
    heads, labels = _check(path)
    count = sum(len(labels[split]) for split in SPLITS)
    shape = heads[f"{SPLITS[0]}_images"].shape
    return Source(
        name=name or path.stem,
        form="medmnist",
        why=f"a zip of the six arrays of MedMNIST, {shape[1]} px, "
        + ("RGB" if len(shape) == 4 else "grey"),
        fingerprint=_digest(path),
        count=count,
        native_size=max(shape[1:3]),
        records=_Records(path, heads, labels),
        notes=_notes(labels),
    )


@dataclass(frozen=True, slots=True)
class _Records:
    """Iterates the records; pixels live in a temporary file for the time of the iteration."""

    path: Path
    heads: dict[str, Head]
    labels: dict[Split, NDArray[np.int64]]

    def __iter__(self) -> Iterator[Record]:
        for split in SPLITS:
            head = self.heads[f"{split}_images"]
            # The file has no name, so that even a killed process leaves nothing behind.
            with tempfile.TemporaryFile() as raw:
                unpack(self.path, f"{split}_images", head, raw)
                pixels: NDArray[np.uint8] = np.memmap(
                    raw, np.uint8, "r", head.offset, head.shape, "F" if head.fortran else "C"
                )
                for row, label in enumerate(self.labels[split].tolist()):
                    yield Record(
                        image_id=f"{split}-{row:06d}",
                        read=partial(_read, pixels, row),
                        label=label,
                        split=split,
                    )
                del pixels


def _read(pixels: NDArray[np.uint8], row: int, side: int = 0) -> Film:
    grey = _grey(pixels, row)
    height, width = grey.shape
    return Film(grey, height, width, facts={"mode": "L" if pixels.ndim == 3 else "RGB"})


def _grey(pixels: NDArray[np.uint8], row: int) -> Grey:
    """Uint8 (S, S) of one row; RGB becomes luma."""
    image = np.asarray(pixels[row])
    if image.ndim == 2:
        return image.copy()
    return ((image @ _LUMA + 500) // 1000).astype(np.uint8)


def _check(path: Path) -> tuple[dict[str, Head], dict[Split, NDArray[np.int64]]]:
    with opened(path) as archive:
        heads = read_heads(archive, _KEYS)
        _check_images(heads, path)
        return heads, {split: _read_labels(archive, split, heads, path) for split in SPLITS}


def _check_images(heads: dict[str, Head], path: Path) -> None:
    first = heads[f"{SPLITS[0]}_images"]
    for split in SPLITS:
        head = heads[f"{split}_images"]
        rank_is_fine = len(head.shape) == 3 or (len(head.shape) == 4 and head.shape[3] == 3)
        if head.dtype != np.uint8 or not rank_is_fine:
            raise UnreadableData(
                f"the array '{split}_images' has the wrong type or shape",
                got=f"{head.dtype} {head.shape} in {path}",
                expected="uint8 (N, S, S) grey or (N, S, S, 3) RGB",
            )
        if head.shape[0] == 0:
            raise UnreadableData(f"the {split} split is empty", got=path, expected="images")
        if head.shape[1:] != first.shape[1:]:
            raise UnreadableData(
                "the splits hold images of different shapes",
                got=f"train {first.shape[1:]}, {split} {head.shape[1:]} in {path}",
            )
    if not all(1 <= side <= _LARGEST_SIDE for side in first.shape[1:3]):
        raise UnreadableData(
            "the images have an impossible size",
            got=f"{first.shape[1:3]} in {path}",
            expected=f"1 to {_LARGEST_SIDE} px a side",
        )


def _read_labels(
    archive: zipfile.ZipFile, split: Split, heads: dict[str, Head], path: Path
) -> NDArray[np.int64]:
    key, head = f"{split}_labels", heads[f"{split}_labels"]
    images = heads[f"{split}_images"].shape[0]
    if head.shape not in ((images,), (images, 1)):
        raise BadLabels(
            f"the array {key!r} does not fit its images",
            got=f"shape {head.shape} for {images} images in {path}",
            expected=f"({images},) or ({images}, 1)",
        )
    if head.dtype.kind not in "buif":
        raise BadLabels(f"the array {key!r} holds no numbers", got=f"{head.dtype} in {path}")
    values = read_flat(archive, key, head)
    wrong = ~np.isin(values, (0, 1))  # NaN is in no set, so it is wrong too
    if wrong.any():
        raise BadLabels(
            f"the array {key!r} holds labels that are neither 0 nor 1",
            got=f"{int(wrong.sum())} of {images}, first {values[wrong][0]}, in {path}",
            expected="0 normal, 1 pneumonia",
            remedy="is this PneumoniaMNIST? Other MedMNIST sets have other classes",
        )
    labels = values.astype(np.int64)
    if labels.min() == labels.max():
        raise BadLabels(
            f"the {split} split holds one class only",
            got=f"{images} × {CLASSES[int(labels[0])]} in {path}",
            expected="both classes in every split",
        )
    return labels


def _digest(path: Path) -> str:
    hasher = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()


def _notes(labels: dict[Split, NDArray[np.int64]]) -> tuple[str, ...]:
    notes = [
        "MedMNIST keeps no patient ids, so a patient may lie in two splits: not provable.",
        "Its validation split is cut from the training films and is therefore optimistic.",
    ]
    counts = {split: len(values) for split, values in labels.items()}
    if counts == {"train": 3882, "val": 524, "test": 624}:
        notes.append(
            "This is the imbalanced variant with 3,882 training films, not the original 4,708."
        )
    return tuple(notes)
