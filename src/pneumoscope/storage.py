"""Storage: files written whole or not at all, and what to say where the disk is full or closed.

A file is written beside its place and moved there in one step, so a file that is there is complete.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from pneumoscope.errors import DiskFull, NotARun, OutputNotWritable, PneumoscopeError
from pneumoscope.plain import from_plain, to_plain

_T = TypeVar("_T")
_DRAFT, _ABANDONED = ".new-run-", 86_400.0


def slug(text: str) -> str:
    """``text`` as part of a file name: letters, digits, dot, dash and underscore only."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:80] or "run"


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file completely or not at all; text is UTF-8 with ``\\n`` line ends."""
    # A file name that is no UTF-8 holds lone surrogates. Escaped, they are JSON that reads back.
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    draft = path.with_name(f".{path.name}.{uuid4().hex[:8]}.tmp")
    with writing(path):
        try:
            with draft.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())  # or a power cut may leave the name without the bytes
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def sweep(folder: Path, older_than: float = 0.0) -> None:
    """Delete the drafts that killed processes left in ``folder``, those older than so many
    seconds; who calls it without an age must hold the run's lock."""
    for draft in [*folder.glob(".*.tmp"), *folder.glob("*/.*.tmp")]:
        with contextlib.suppress(OSError):
            if time.time() - draft.stat().st_mtime >= older_than:
                shutil.rmtree(draft) if draft.is_dir() else draft.unlink()


def draft_folder(parent: Path) -> Path:
    """A new hidden folder in ``parent``, in which results are made before they get their name.
    Those that killed processes left there, untouched for a day, are deleted."""
    sweep_drafts(parent, older_than=_ABANDONED)
    draft = parent / f"{_DRAFT}{uuid4().hex[:12]}"
    draft.mkdir()
    return draft


def sweep_drafts(folder: Path, older_than: float = 0.0) -> None:
    """Delete such folders, those untouched for so many seconds; who calls it without an age must
    hold the lock of what is made there."""
    for draft in folder.glob(f"{_DRAFT}*"):
        with contextlib.suppress(OSError):
            if time.time() - draft.stat().st_mtime >= older_than:
                shutil.rmtree(draft, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Write JSON completely or not at all. NaN is refused: JSON has none."""
    write_atomic(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def timestamp() -> str:
    """The present moment as every file of results records it: UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises NotARun when the file is missing or damaged."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise NotARun(
            f"{path.name} cannot be read", got=f"{path} ({error.__class__.__name__})"
        ) from None
    if not isinstance(value, dict):
        raise NotARun(f"{path.name} holds no JSON object", got=path)
    return value


def file_digest(path: Path) -> str:
    """SHA-256 of the bytes of a file, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_record(path: Path, record: object) -> None:
    """Write a record as JSON that ``read_record`` reads, completely or not at all."""
    write_json(path, to_plain(record))


def read_record(kind: type[_T], path: Path, schemas: Sequence[int]) -> _T:
    """The record of ``kind`` in a JSON file, as ``plain.to_plain`` wrote it. Raises NotARun where
    the file is missing, damaged, of a schema other than ``schemas``, or lacks what has no
    default."""
    found = read_json(path)
    if found.get("schema", schemas[0]) not in schemas:
        raise NotARun(
            f"{path.name} was made by another version of pneumoscope",
            got=f"schema {found['schema']!r} in {path}",
            expected=f"schema {' or '.join(map(str, schemas))}",
        )
    try:
        return from_plain(kind, found)
    except ValueError as error:
        raise NotARun(
            f"{path} is incomplete or damaged",
            got=error,
            remedy=f"complete the run: pneumoscope train --resume {path.parent}",
        ) from None


_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)
CLOSED_OR_FULL = (*_DISK_FULL, *_NO_PERMISSION)
_OTHER_DISK = "free some space, or set PNEUMOSCOPE_CACHE to a folder on another disk"
_NO_SUCH_PLACE = (
    *(errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY),
    *(errno.ENAMETOOLONG, errno.ENOENT, errno.ELOOP),
)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write at ``path`` into OutputNotWritable."""
    try:
        yield
    except PneumoscopeError:
        raise
    except OSError as error:
        raise refusal(error, path) from None


def refusal(error: OSError, path: Path) -> PneumoscopeError | OSError:
    """The error to show for ``error`` at ``path``: OutputNotWritable where the disk is full or
    closed to us, else ``error`` itself."""
    if error.errno in _DISK_FULL:
        return DiskFull(
            "the disk is full",
            got=f"{error.strerror} at {path}",
            remedy="free some space, or choose another disk: --out for the run, "
            "PNEUMOSCOPE_CACHE for data, TMPDIR for temporary files",
        )
    if error.errno in _NO_PERMISSION:
        return OutputNotWritable(
            "nothing can be written there",
            got=f"{error.strerror} at {path}",
            remedy="choose another place: --out for the run, PNEUMOSCOPE_CACHE for data",
        )
    if error.errno in _NO_SUCH_PLACE:
        return OutputNotWritable(
            "the output path cannot be made",
            got=f"{error.strerror} at {path}",
            remedy="choose another place: --out for the run, PNEUMOSCOPE_CACHE for data",
        )
    return error


def check_writable(folder: Path) -> None:
    """Refuse a folder that is closed, or cannot be made, before the work and not after it."""
    with writing(folder):
        there = next(place for place in (folder, *folder.parents) if place.exists())
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def free_space(folder: Path) -> int:
    """Bytes that may still be written on the disk of ``folder``."""
    return shutil.disk_usage(folder).free


def check_space(
    folder: Path, needed: int, what: str, *, purpose: str = "", remedy: str = _OTHER_DISK
) -> None:
    """Refuse work whose ``needed`` bytes have no room in ``folder``; ``what`` says so of them, and
    ``purpose`` what they are for. Raises DiskFull."""
    free = free_space(folder)
    if needed > free:
        raise DiskFull(
            f"the disk is full: {what}",
            got=f"{free >> 20:,} MiB free in {folder}",
            expected=f"{-(-needed >> 20):,} MiB{purpose}",
            remedy=remedy,
        )
