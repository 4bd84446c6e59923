"""The Kermany set (chest-xray-pneumonia), fetched from Kaggle once through kagglehub.

Kermany, Zhang, Goldbaum 2018: children of one to five years, Guangzhou. What its film names say
is read in ``together.names``.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from pneumoscope.errors import DataNotFound

HANDLE = "paultimothymooney/chest-xray-pneumonia"
"""The set's name on Kaggle."""


def fetch_kermany() -> Path:
    """The folder of the set, downloaded from Kaggle once (2.3 GB) into kagglehub's own cache.

    A complete copy in that cache is used as it is, without network. Raises DataNotFound when
    kagglehub is missing, or the set cannot be downloaded.
    """
    if (cached := _cached()) is not None:
        return cached
    try:
        with _silence():
            # Imported late: the extra is optional, and its logger takes hold of the screen.
            kagglehub = importlib.import_module("kagglehub")
    except ImportError:
        raise DataNotFound(
            "the kermany set needs kagglehub to be downloaded, which is not installed",
            expected="the package kagglehub, or the set on disk",
            remedy="pip install 'pneumoscope[kaggle]', or unpack the archive of "
            f"https://www.kaggle.com/datasets/{HANDLE} and give its folder",
        ) from None
    return _download(kagglehub)


def _download(kagglehub: ModuleType) -> Path:
    try:
        with _silence():
            folder = Path(kagglehub.dataset_download(HANDLE))
    except OSError as error:  # requests' errors are such too
        status = getattr(getattr(error, "response", None), "status_code", None)
        raise _failed(error, status) from None
    except Exception as error:  # kagglehub has a dozen of its own, which have no common base
        raise _failed(error, None) from None
    if not folder.is_dir():
        raise _failed(FileNotFoundError("it left no folder"), None)
    return folder


def _failed(error: Exception, status: int | None) -> DataNotFound:
    name = type(error).__name__
    if status in (401, 403) or name in ("UnauthenticatedError", "CredentialError"):
        what, remedy = (
            "Kaggle refuses the download without an account",
            "make an API token at https://www.kaggle.com/settings and set KAGGLE_API_TOKEN, or "
            "put it into ~/.kaggle/kaggle.json; or",
        )
    elif isinstance(error, OSError) and error.errno is not None and error.filename:
        what, remedy = (
            "the kermany set cannot be stored",
            "make room, or name another place with KAGGLEHUB_CACHE; or",
        )
    else:
        what, remedy = "the kermany set could not be downloaded", "check the network; or"
    return DataNotFound(
        what,
        got=name + (f" {status}" if status else "") + f" for {HANDLE}",
        expected="a network and 5 GB of room, or the set on disk",
        remedy=f"{remedy} unpack the archive of https://www.kaggle.com/datasets/{HANDLE} and give "
        "its folder: pneumoscope train PATH/chest_xray",
    )


def _cached() -> Path | None:
    """The newest complete copy in kagglehub's cache: ``versions/N`` with its mark ``N.complete``.

    kagglehub itself asks the network for the newest version before it looks there.
    """
    cache = os.environ.get("KAGGLEHUB_CACHE") or Path.home() / ".cache" / "kagglehub"
    try:
        base = Path(cache, "datasets", *HANDLE.split("/"))
        done = [
            int(mark.stem)
            for mark in base.glob("*.complete")
            if mark.stem.isdecimal() and (base / "versions" / mark.stem).is_dir()
        ]
    except (OSError, RuntimeError):  # RuntimeError: this user has no home
        return None
    return base / "versions" / str(max(done)) if done else None


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """No word of kagglehub on the screen: it logs and draws bars there."""
    logger = logging.getLogger("kagglehub")
    level = logger.level
    sink = io.StringIO()
    try:
        with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
            logger.setLevel(logging.CRITICAL + 1)
            yield
    finally:
        logger.setLevel(level)
