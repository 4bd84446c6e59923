"""An untrusted ``.npz``: a zip of plain ``.npy`` arrays, read without pickle and without trust.

What a member's header claims is held against what the zip says is there before anything is
unpacked, so memory stays small whatever the file claims.
"""

from __future__ import annotations

import io
import math
import shutil
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from pneumoscope.errors import UnreadableData
from pneumoscope.storage import check_space, writing

_CHUNK = 1 << 22
_LONGEST_HEADER = 1 << 14  # numpy refuses headers above 10,000 characters
_LONGEST_IN_MEMORY = 1 << 28
_MOST_AXES, _LONGEST_AXIS = 4, 1 << 40
_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
# numpy.savez knows no others, and Python's bzip2 and LZMA readers unpack without any limit.
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
# What zipfile raises on damaged archives: a broken directory makes it seek to impossible places
# (ValueError, OverflowError), a broken method is one that it does not know.
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, EOFError),
    *(ValueError, ArithmeticError, NotImplementedError),
)


@dataclass(frozen=True, slots=True)
class Head:
    """What a member's ``.npy`` header claims; ``length`` is that of the whole member in bytes."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    offset: int
    length: int


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive at ``path``; whatever is wrong with its bytes becomes UnreadableData."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except _DAMAGED as error:
        raise damaged(path, str(error) or "it ends too early") from None
    except OSError as error:
        raise UnreadableData(
            "the file cannot be read", got=f"{path} ({error.strerror or error})"
        ) from None


def damaged(path: Path, why: str) -> UnreadableData:
    """The error for bytes that are no whole archive."""
    return UnreadableData(
        "the file is not a whole .npz archive",
        got=f"{path} ({why})",
        expected="a zip of .npy arrays, as numpy.savez writes it",
        remedy="it may be cut short: download it again and compare its size or MD5",
    )


# Headers and dtypes are numpy's to read; but numpy.load allocates what a header claims before it
# looks whether it is there, and maps no array that lies in an archive.
def read_heads(archive: zipfile.ZipFile, keys: Sequence[str]) -> dict[str, Head]:
    """The checked headers of the arrays ``keys``. Raises UnreadableData."""
    found = archive.namelist()
    missing = [key for key in keys if f"{key}.npy" not in found]
    if missing:
        names = ", ".join(name.removesuffix(".npy")[:40] for name in found[:12]) or "nothing"
        raise UnreadableData(
            f"the archive has no array {missing[0]!r}"
            + (f", and {len(missing) - 1} more are missing" if len(missing) > 1 else ""),
            got=f"{archive.filename} with: {names}",
            expected="the arrays " + ", ".join(keys),
        )
    if twice := [key for key in keys if found.count(f"{key}.npy") > 1]:
        raise UnreadableData(
            f"the array {twice[0]!r} stands twice in the archive",
            got=f"{archive.filename}, {len(found)} members",
            expected="each array once",
            remedy="write the archive anew: which of the two was meant cannot be known",
        )
    return {key: _read_head(archive, key) for key in keys}


def _read_head(archive: zipfile.ZipFile, key: str) -> Head:
    info = _member(archive, key)
    with archive.open(info) as file:
        start = io.BytesIO(file.read(_LONGEST_HEADER))
    try:
        shape, fortran, dtype = _parse(start)
    except Exception as error:  # numpy evaluates a literal: a hostile one raises almost anything
        raise UnreadableData(
            f"the array {key!r} has no readable .npy header",
            got=f"{archive.filename} ({str(error)[:200] or type(error).__name__})",
        ) from None
    if dtype.hasobject:
        raise UnreadableData(
            f"the array {key!r} holds pickled objects, which are never loaded",
            got=f"{archive.filename}, dtype {dtype}",
            expected="plain numbers",
            remedy="store images as uint8 and labels as integers",
        )
    # Exact integer arithmetic: a header may claim any size, but the zip says how much is there.
    length = start.tell() + dtype.itemsize * math.prod(shape)
    if length != info.file_size:
        raise UnreadableData(
            f"the array {key!r} is not as long as its header says",
            got=f"{info.file_size} bytes in {archive.filename}",
            expected=f"{length} bytes for shape {shape} of {dtype}",
        )
    return Head(shape, dtype, fortran, start.tell(), length)


def _parse(start: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(start)
    if version not in _READERS:
        raise ValueError(f"format version {version}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy remarks on files that Python 2 wrote
        shape, fortran, dtype = _READERS[version](start)
    if len(shape) > _MOST_AXES or not all(0 <= side < _LONGEST_AXIS for side in shape):
        raise ValueError("an impossible shape")
    return tuple(int(side) for side in shape), fortran, dtype


def _member(archive: zipfile.ZipFile, key: str) -> zipfile.ZipInfo:
    info = archive.getinfo(f"{key}.npy")
    if info.compress_type not in _COMPRESSIONS or info.flag_bits & _ENCRYPTED:
        raise UnreadableData(
            f"the array {key!r} is packed in a way that is not read",
            got=f"{archive.filename}, compression {info.compress_type}"
            + (", encrypted" if info.flag_bits & _ENCRYPTED else ""),
            expected="stored or deflated, as numpy.savez and numpy.savez_compressed write it",
        )
    return info


def read_flat(archive: zipfile.ZipFile, key: str, head: Head) -> NDArray[Any]:
    """A small array, flat, in the order of its bytes. Raises UnreadableData."""
    if head.length > _LONGEST_IN_MEMORY:
        raise UnreadableData(
            f"the array {key!r} is too long",
            got=f"{head.length >> 20} MiB in {archive.filename}",
            expected=f"at most {_LONGEST_IN_MEMORY >> 20} MiB",
        )
    with archive.open(_member(archive, key)) as file:
        data = file.read(head.length)
    if len(data) != head.length:
        raise damaged(Path(str(archive.filename)), f"{key!r} ends too early")
    return np.frombuffer(data, dtype=head.dtype, offset=head.offset)


def unpack(path: Path, key: str, head: Head, target: IO[bytes]) -> None:
    """Copy a member to the temporary file ``target``. The zip layer stops at the checked size and
    verifies the CRC. Raises UnreadableData, and OutputNotWritable where it will not fit."""
    folder = Path(tempfile.gettempdir())
    check_space(
        folder,
        head.length,
        f"the array {key!r} does not fit into the temporary folder",
        remedy="free some space, or set TMPDIR to a folder on another disk",
    )
    with (
        opened(path) as archive,
        archive.open(_member(archive, key)) as member,
        writing(folder),
    ):
        shutil.copyfileobj(member, target, _CHUNK)
        target.flush()
    if target.tell() != head.length:
        raise damaged(path, f"{key!r} ends too early")
