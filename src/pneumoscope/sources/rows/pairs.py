"""Arrays of films and of their labels: in one ``.npz``, or in ``.npy`` files side by side."""

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

from pneumoscope.errors import UnreadableData
from pneumoscope.records import SPLITS, Split
from pneumoscope.sources.rows.npz import Head, opened, read_flat, read_heads, unpack
from pneumoscope.sources.splits import split_of

_MEDMNIST = tuple((f"{split}_images", f"{split}_labels", split) for split in SPLITS)
_IMAGES = ("images", "image", "x", "data", "films", "arr_0", "imgs")
_LABELS = ("labels", "label", "y", "targets", "target", "arr_1", "classes")
_MOST_NAMES = 64


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
    """The films of one split, None where there is but one, and their labels in memory."""

    pixels: Pixels
    labels: NDArray[Any]
    name: str
    split: Split | None
    files: tuple[Path, ...]


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
        heads = read_heads(archive, [name for pair in wanted for name in pair[:2]])
        return [
            Pair(
                _Packed(path, images, heads[images]),
                _labels(read_flat(archive, labels, heads[labels]), heads[labels]),
                labels,
                split,
                (path,),
            )
            for images, labels, split in wanted
        ]


def _labels(flat: NDArray[Any], head: Head) -> NDArray[Any]:
    return flat.reshape(head.shape, order="F" if head.fortran else "C")


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
    return [
        Pair(
            _Loose(images, arrays[images]),
            np.asarray(arrays[labels]),
            labels,
            split,
            (files[images], files[labels]),
        )
        for images, labels, split in found
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
        words = [word for word in re.split(r"[_\W]+", name.lower()) if word]
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
