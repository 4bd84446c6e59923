"""PneumoniaMNIST by name: fetched once, checked by size and MD5, kept in the cache folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from pneumoscope.errors import DataNotFound, UnreadableData
from pneumoscope.listener import Advance
from pneumoscope.storage import writing

if TYPE_CHECKING:
    import requests

_RECORD = "https://zenodo.org/records/10519652/files/"
_CHUNK = 1 << 18
_TIMEOUT = (10, 60)  # seconds to connect, seconds of silence while reading


@dataclass(frozen=True, slots=True)
class Published:
    """A published file: its address, its size in bytes and its MD5 sum."""

    url: str
    size: int
    md5: str

    @property
    def file_name(self) -> str:
        return self.url.rsplit("/", 1)[1].split("?")[0]


# MedMNIST+ release, Zenodo record 10519652; sizes and sums as Zenodo states them.
PNEUMONIAMNIST = {
    28: Published(_RECORD + "pneumoniamnist.npz", 4_170_669, "28209eda62fecd6e6a2d98b1501bb15f"),
    64: Published(
        _RECORD + "pneumoniamnist_64.npz", 20_606_998, "8f4eceb4ccffa70c672198ea285246c6"
    ),
    128: Published(
        _RECORD + "pneumoniamnist_128.npz", 75_506_212, "05b46931834c231683c68f40c47b2971"
    ),
    224: Published(
        _RECORD + "pneumoniamnist_224.npz", 214_384_716, "d6a3c71de1b945ea11211b03746c1fe1"
    ),
}


def fetch(file: Published, folder: Path, advance: Advance | None = None) -> Path:
    """The file in ``folder``, downloaded if it is not there; a broken download is continued.

    The sum is checked on every call: it costs less than the reading that follows, and a file
    that was damaged on disk is fetched again instead of being trained on.

    Raises DataNotFound without network and UnreadableData when size or MD5 are wrong.
    """
    target = folder / file.file_name
    if _is_published(file, target):
        return target
    part = target.with_name(target.name + ".part")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        # A second process waits here, and then finds the file that the first one fetched.
        with FileLock(target.with_name(target.name + ".lock")):
            if not _is_published(file, target):
                _complete(file, part, advance)
                part.replace(target)
    return target


def _complete(file: Published, part: Path, advance: Advance | None) -> None:
    import requests  # late: every verb that reads data passes here, few of them download

    try:
        _download(file, part, advance)
    except requests.RequestException as error:
        raise DataNotFound(
            f"{file.file_name} could not be downloaded",
            got=f"{file.url} ({_reason(error)})",
            expected="a network, or the file on disk",
            remedy="run the same command again, it goes on where it stopped; or bring the file "
            f"from elsewhere: pneumoscope train PATH/{file.file_name}",
        ) from None
    _verify(file, part)


def _reason(error: requests.RequestException) -> str:
    status = "" if error.response is None else f" {error.response.status_code}"
    return f"{error.__class__.__name__}{status}"


def _download(file: Published, part: Path, advance: Advance | None) -> None:
    import requests

    have = part.stat().st_size if part.exists() else 0
    if have >= file.size:
        return
    # Bytes are counted and continued, so they must come as they are, not compressed on the way.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(file.url, headers=headers, stream=True, timeout=_TIMEOUT) as reply:
        reply.raise_for_status()
        # A server that ignores the range sends the whole file with 200 instead of 206.
        resumed = have > 0 and reply.status_code == requests.codes.partial_content
        done = have if resumed else 0
        with part.open("ab" if resumed else "wb") as out:
            for chunk in reply.iter_content(_CHUNK):
                out.write(chunk)
                done += len(chunk)
                if done > file.size:
                    break  # more than was promised, perhaps without end: the check refuses it
                if advance:
                    advance(done, file.size)


def _verify(file: Published, part: Path) -> None:
    if _is_published(file, part):
        return
    size, md5 = part.stat().st_size, _md5(part)
    short = size < file.size
    if not short:  # a whole but wrong file can never be continued
        part.unlink()
    raise UnreadableData(
        f"what was downloaded is not the published {file.file_name}",
        got=f"{size} bytes, MD5 {md5}, from {file.url}",
        expected=f"{file.size} bytes, MD5 {file.md5}",
        remedy="run the same command again"
        + (", it goes on where it stopped" if short else "; what came was removed"),
    )


def _is_published(file: Published, path: Path) -> bool:
    return path.is_file() and path.stat().st_size == file.size and _md5(path) == file.md5


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, partial(hashlib.md5, usedforsecurity=False)).hexdigest()
