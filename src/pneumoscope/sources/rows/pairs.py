"""Arrays of films, labels and patients: in one ``.npz``, or in ``.npy`` files side by side."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pneumoscope.errors import UnreadableData, UnreadableImage
from pneumoscope.records import SPLITS, Grey, Split
from pneumoscope.sources.rows.npz import Head, opened, read_flat, read_heads, unpack
from pneumoscope.sources.splits import split_of
from pneumoscope.sources.tables.roles import NAMES, folded

_MEDMNIST = tuple((f"{split}_images", f"{split}_labels", split) for split in SPLITS)
_IMAGES = ("images", "image", "x", "data", "films", "arr_0", "imgs")
_LABELS = ("labels", "label", "y", "targets", "target", "arr_1", "classes")
_PATIENTS = (*NAMES["patient"], "groups", "group", "groupid")
_MOST_NAMES = 64
# Rec. 601 luma, as Pillow's mode L; a grey film stored as RGB comes back unchanged.
_LUMA = np.array([299, 587, 114], dtype=np.uint32)


class Pixels(Protocol):
    """An array of films on disk, (N, H, W) or (N, H, W, C), not yet read."""

    @property
    def name(self) -> str: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def opened(self) -> Any:
        """The array, mapped for the time of the context."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The films of one split, None where there is but one, with their labels in memory, and ids of
    patients (N,) where an array has them."""

    pixels: Pixels
    labels: NDArray[Any]
    name: str
    split: Split | None
    files: tuple[Path, ...]
    patients: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True)
class _Packed:
    """An array in an ``.npz``."""

    path: Path
    name: str
    head: Head

    @property
    def shape(self) -> tuple[int, ...]:
        return self.head.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.head.dtype

    @contextmanager
    def opened(self) -> Iterator[NDArray[Any]]:
        # The file has no name, so that even a killed process leaves nothing behind.
        with tempfile.TemporaryFile() as raw:
            unpack(self.path, self.name, self.head, raw)
            head = self.head
            pixels: NDArray[Any] = np.memmap(
                raw, head.dtype, "r", head.offset, head.shape, "F" if head.fortran else "C"
            )
            yield pixels
            del pixels


@dataclass(frozen=True, slots=True)
class _Loose:
    """An array in an ``.npy``, mapped."""

    name: str
    array: NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @contextmanager
    def opened(self) -> Iterator[NDArray[Any]]:
        yield self.array


def find_pairs(path: Path) -> list[Pair]:
    """The arrays of films with their labels at ``path``: an ``.npz``, an ``.npy``, or a folder of
    these. Raises UnreadableData."""
    if path.is_dir() or path.suffix.lower() == ".npy":
        return _loose(path)
    with opened(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()[:_MOST_NAMES]]
        found = _paired(names)
        wanted = found or _MEDMNIST
        owners = {pair[0]: _patients(names, pair[0], len(wanted)) for pair in found}
        keys = [name for pair in wanted for name in pair[:2]]
        heads = read_heads(archive, [*keys, *filter(None, owners.values())])

        def whole(name: str) -> NDArray[Any]:
            head = heads[name]
            flat = read_flat(archive, name, head)
            return flat.reshape(head.shape, order="F" if head.fortran else "C")

        return [
            Pair(
                _Packed(path, images, heads[images]),
                whole(labels),
                labels,
                split,
                (path,),
                _of_each(whole(owner), heads[images]) if (owner := owners.get(images)) else None,
            )
            for images, labels, split in wanted
        ]


def _patients(names: Sequence[str], images: str, pairs: int) -> str:
    """The name of the array of patients that belongs to ``images``: with the same words for a
    split, where there are several pairs. Empty where there is none."""
    rest = {word for word in _words(images) if word not in _IMAGES} if pairs > 1 else set()
    for name in names:
        words = _words(name)
        own = folded("".join(word for word in words if word not in rest))
        if rest <= set(words) and (own in _PATIENTS or own.removesuffix("s") in _PATIENTS):
            return name
    return ""


def _of_each(ids: NDArray[Any], films: Head | NDArray[Any]) -> NDArray[Any] | None:
    """``ids`` (N,) where there is one for each of the films, else None."""
    flat = ids.reshape(-1)
    return flat if len(flat) == films.shape[0] and flat.dtype.kind in "uifUS" else None


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[_\W]+", name.lower()) if word]


def _loose(path: Path) -> list[Pair]:
    folder = path if path.is_dir() else path.parent
    files = {one.stem: one for one in sorted(folder.glob("*.npy"))[:_MOST_NAMES]}
    found = _paired(list(files))
    if not found:
        raise UnreadableData(
            "no array of films has one of labels beside it",
            got=", ".join(list(files)[:6]) + f" in {folder}",
            expected="pairs such as X_train.npy and y_train.npy",
        )
    arrays = {name: _mapped(files[name]) for pair in found for name in pair[:2]}
    owners = {pair[0]: _patients(list(files), pair[0], len(found)) for pair in found}
    return [
        Pair(
            _Loose(images, arrays[images]),
            np.asarray(arrays[labels]),
            labels,
            split,
            (files[images], files[labels], *([files[owner]] if owner else [])),
            _of_each(np.asarray(_mapped(files[owner])), arrays[images]) if owner else None,
        )
        for images, labels, split in found
        for owner in [owners[images]]
    ]


def _mapped(file: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:  # ValueError: pickles, or no header
        raise UnreadableData(
            "the array cannot be read", got=f"{file} ({type(error).__name__})"
        ) from None
    return array


def _paired(names: Sequence[str]) -> list[tuple[str, str, Split | None]]:
    """Names of films and labels that belong together: the same but for the word for either."""
    kinds: dict[tuple[str, ...], dict[str, str]] = {}
    for name in names:
        words = _words(name)
        whole = name.lower()
        for kind, known in (("images", _IMAGES), ("labels", _LABELS)):
            if whole in known:
                kinds.setdefault((), {})[kind] = name
            elif len(words) > 1 and len(at := [w for w in words if w in known]) == 1:
                rest = tuple(word for word in words if word not in at)
                kinds.setdefault(rest, {})[kind] = name
    if any(len(both) < 2 for both in kinds.values()):
        return []  # one of them is missing, and should be named
    pairs = [
        (both["images"], both["labels"], split_of("".join(rest)) if rest else None)
        for rest, both in kinds.items()
    ]
    order = {split: place for place, split in enumerate(SPLITS)}
    pairs.sort(key=lambda pair: order.get(pair[2], -1) if pair[2] else -1)
    if len(pairs) == 1:
        pairs = [(*pairs[0][:2], None)]
    return pairs


def grey_of(pixels: NDArray[np.uint8], row: int) -> Grey:
    """Uint8 (H, W) of one row; RGB becomes luma."""
    image = np.asarray(pixels[row])
    if image.dtype != np.uint8:
        image = _from_floats(image)
    if image.ndim == 2 or image.shape[2] == 1:
        return image.reshape(image.shape[:2]).copy()
    return ((image @ _LUMA + 500) // 1000).astype(np.uint8)


def _from_floats(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Uint8 of floats from 0 to 1, or from 0 to 255. Raises UnreadableImage for others: what was
    standardised says no more which grey level a value was."""
    low, high = float(image.min()), float(image.max())
    if not 0 <= low <= high <= 255:  # nor NaN
        raise UnreadableImage("values are neither from 0 to 1 nor from 0 to 255")
    grey: NDArray[np.uint8] = np.rint(image * (255 if high <= 1 else 1)).astype(np.uint8)
    return grey
