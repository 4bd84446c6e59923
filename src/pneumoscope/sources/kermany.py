"""The Kermany set (Kaggle's chest-xray-pneumonia): patient and subtype are in its file names.

Kermany, Zhang, Goldbaum 2018: children of one to five years, Guangzhou.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from pneumoscope.errors import DataNotFound

HANDLE = "paultimothymooney/chest-xray-pneumonia"
"""The set's name on Kaggle."""

_KAGGLE = re.compile(
    r"(?P<patient>person[0-9]+)_(?P<cause>bacteria|virus)_[0-9]+(?:_[0-9]+)?"
    r"|(?P<well>(?:NORMAL2-)?IM-[0-9]+)(?:-[0-9]+)+"
)
# Mendeley Data, doi:10.17632/rscbjbr9sj: (disease)-(random patient id)-(image of this patient).
_MENDELEY = re.compile(r"(?P<cause>BACTERIA|VIRUS|NORMAL)-(?P<patient>[0-9]+)-[0-9]+")
# Roboflow, through which the Hugging Face copy went, puts a hash behind each name.
_SUFFIX = re.compile(r"(?:_jpe?g\.rf\.[0-9a-f]{4,64})?\.(?:jpe?g|png)\Z", re.IGNORECASE)
_SUBTYPE = {"bacteria": "bacterial", "virus": "viral", "normal": "none"}
_ENOUGH = 0.9

KAGGLE_NOTE = (
    "These are the film names of the Kermany set as Kaggle has it: patients, and bacterial or "
    "viral, are read from them. Whether a personN of train and one of test are the same child is "
    "documented nowhere, so that the test films show other children is not provable."
)
MENDELEY_NOTE = (
    "These are the film names of the Kermany set as Mendeley Data has it: the patient's number, "
    "and bacterial or viral, are read from them."
)


@dataclass(frozen=True, slots=True)
class NamedFilm:
    """What a file name of the set says. ``subtype`` is bacterial, viral or, for normal, none."""

    patient_id: str
    subtype: str

    @property
    def label(self) -> int:
        return int(self.subtype != "none")


def parse_name(name: str) -> NamedFilm | None:
    """What the file name ``name``, without folders, says; None when it is not of the set."""
    suffix = _SUFFIX.search(name)
    if suffix is None:
        return None
    stem = name[: suffix.start()]
    if found := _KAGGLE.fullmatch(stem):
        return NamedFilm(found["patient"] or found["well"], _SUBTYPE[found["cause"] or "normal"])
    if found := _MENDELEY.fullmatch(stem):
        return NamedFilm(found["patient"], _SUBTYPE[found["cause"].lower()])
    return None


def recognise(films: Iterable[tuple[str, int]]) -> str | None:
    """The note to give when (file name, label) pairs are those of the Kermany set, else None.

    Nine in ten names must be of its form and agree with the label. ``IM-0001-0001`` alone proves
    nothing, since viewers export any film under such names: a name with a germ must be there.
    """
    count = agreeing = germs = mendeley = 0
    for name, label in films:
        count += 1
        film = parse_name(name)
        if film is not None and film.label == label:
            agreeing += 1
            germs += film.label
            mendeley += film.patient_id.isdecimal()
    if not germs or agreeing < _ENOUGH * count:
        return None
    return MENDELEY_NOTE if 2 * mendeley > agreeing else KAGGLE_NOTE


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
