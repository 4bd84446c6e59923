"""PneumoniaMNIST and any ``.npz`` of its form: six arrays ``{train,val,test}_{images,labels}``.

The file is untrusted. It is read as a zip of plain ``.npy`` members, never through pickle; each
member's header is checked against what it claims before its pixels are unpacked to a temporary
file that is then memory-mapped, so memory stays flat whatever the size of the set.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from pneumoscope.errors import BadLabels, DataNotFound, UnreadableData
from pneumoscope.records import CLASSES, SPLITS, Grey, Record, Source, Split
from pneumoscope.run import writing

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
            "there is no such file",
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
class _Head:
    """What a member's ``.npy`` header claims."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    offset: int


@dataclass(frozen=True, slots=True)
class _Records:
    """Iterates the records; pixels live in a temporary file for the time of the iteration."""

    path: Path
    heads: dict[str, _Head]
    labels: dict[Split, NDArray[np.int64]]

    def __iter__(self) -> Iterator[Record]:
        with tempfile.TemporaryDirectory(prefix="pneumoscope-") as folder:
            for split in SPLITS:
                head = self.heads[f"{split}_images"]
                raw = Path(folder) / split
                with writing(raw):
                    _unpack(self.path, f"{split}_images", raw)
                pixels: NDArray[np.uint8] = np.memmap(
                    raw, np.uint8, "r", head.offset, head.shape, "F" if head.fortran else "C"
                )
                for row, label in enumerate(self.labels[split].tolist()):
                    yield Record(
                        image_id=f"{split}-{row:06d}",
                        read=partial(_grey, pixels, row),
                        label=label,
                        split=split,
                    )
                del pixels
                raw.unlink()


def _grey(pixels: NDArray[np.uint8], row: int) -> Grey:
    """Uint8 (S, S) of one row; RGB becomes luma."""
    image = np.asarray(pixels[row])
    if image.ndim == 2:
        return image.copy()
    return ((image @ _LUMA + 500) // 1000).astype(np.uint8)


def _check(path: Path) -> tuple[dict[str, _Head], dict[Split, NDArray[np.int64]]]:
    try:
        with zipfile.ZipFile(path) as archive:
            heads = {key: _read_head(archive, key, path) for key in _KEYS}
            _check_images(heads, path)
            labels = {split: _read_labels(archive, split, heads, path) for split in SPLITS}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _damaged(path, error) from None
    except OSError as error:
        raise UnreadableData(
            "the file cannot be read", got=f"{path} ({error.strerror or error})"
        ) from None
    return heads, labels


def _damaged(path: Path, error: BaseException) -> UnreadableData:
    return UnreadableData(
        "the file is not a whole .npz archive",
        got=f"{path} ({error})",
        expected="a zip of .npy arrays",
        remedy="it may be cut short: download it again and compare its size or MD5",
    )


def _member(archive: zipfile.ZipFile, key: str, path: Path) -> zipfile.ZipInfo:
    names = [info for info in archive.infolist() if info.filename == f"{key}.npy"]
    if not names:
        found = ", ".join(sorted(i.filename.removesuffix(".npy") for i in archive.infolist()[:12]))
        raise UnreadableData(
            f"the archive has no array {key!r}",
            got=f"{path} with: {found or 'nothing'}",
            expected="the arrays " + ", ".join(_KEYS),
        )
    return names[0]


def _read_head(archive: zipfile.ZipFile, key: str, path: Path) -> _Head:
    info = _member(archive, key, path)
    with archive.open(info) as file:
        try:
            version = npy.read_magic(file)
            if version not in ((1, 0), (2, 0)):
                raise ValueError(f"format version {version}")
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, fortran, dtype = read(file)
        except ValueError as error:
            raise UnreadableData(
                f"the array {key!r} has no readable .npy header", got=f"{path} ({error})"
            ) from None
        offset = file.tell()
    if dtype.hasobject:
        raise UnreadableData(
            f"the array {key!r} holds pickled objects, which are never loaded",
            got=f"{path}, dtype {dtype}",
            expected="plain numbers",
            remedy="store images as uint8 and labels as integers",
        )
    # Exact integer arithmetic: a header may claim any size, but the zip says how much is there.
    claimed = offset + dtype.itemsize * _product(shape)
    if claimed != info.file_size:
        raise UnreadableData(
            f"the array {key!r} is not as long as its header says",
            got=f"{info.file_size} bytes in {path}",
            expected=f"{claimed} bytes for shape {shape} of {dtype}",
        )
    return _Head(shape, dtype, fortran, offset)


def _product(shape: tuple[int, ...]) -> int:
    total = 1
    for length in shape:
        total *= int(length)
    return total


def _check_images(heads: dict[str, _Head], path: Path) -> None:
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
    archive: zipfile.ZipFile, split: Split, heads: dict[str, _Head], path: Path
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
    with archive.open(f"{key}.npy") as file:
        file.seek(head.offset)
        values = np.frombuffer(file.read(), dtype=head.dtype).reshape(images)
    wrong = ~np.isin(values, (0, 1))  # NaN is in no set, so it is wrong too
    if wrong.any():
        raise BadLabels(
            f"the array {key!r} holds labels that are neither 0 nor 1",
            got=f"{int(wrong.sum())} of {images}, first {values[wrong][0]!r}, in {path}",
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


def _unpack(path: Path, key: str, target: Path) -> None:
    """Copy a member to disk. The zip layer stops at the checked size and verifies the CRC."""
    try:
        with (
            zipfile.ZipFile(path) as archive,
            archive.open(f"{key}.npy") as member,
            target.open("wb") as out,
        ):
            shutil.copyfileobj(member, out, _CHUNK)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise _damaged(path, error) from None


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
