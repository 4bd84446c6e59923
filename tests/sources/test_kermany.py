"""The Kermany set: its download without a network."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from pneumoscope.errors import DataNotFound
from pneumoscope.sources.fetch.kermany import HANDLE, fetch_kermany


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    return tmp_path / "datasets" / HANDLE


def install(monkeypatch: pytest.MonkeyPatch, download: Callable[[str], str]) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(dataset_download=download))


def test_the_download_is_silent_and_gives_the_folder(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = []
    logger = logging.getLogger("kagglehub")
    level = logger.level
    handler = logging.StreamHandler(sys.stdout)  # as kagglehub sets it up when it is imported
    logger.addHandler(handler)

    def download(handle: str) -> str:
        asked.append(handle)
        sys.stdout.write("Warning: Looks like you're using an outdated version")
        sys.stderr.write("100%|#####|")
        logging.getLogger("kagglehub.clients").error("Downloading")
        cache.mkdir(parents=True)
        return str(cache)

    install(monkeypatch, download)
    try:
        assert fetch_kermany() == cache
    finally:
        logger.removeHandler(handler)
    assert asked == [HANDLE]
    assert capfd.readouterr() == ("", "")
    assert logger.level == level


def test_a_complete_copy_needs_no_network(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    for version in ("2", "9", "10", "11"):
        (cache / "versions" / version).mkdir(parents=True)
    for mark in ("2.complete", "9.complete", "10.complete", "12.complete", "x.complete"):
        (cache / mark).touch()
    assert fetch_kermany() == cache / "versions" / "10"


def test_without_kagglehub_the_remedy_is_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(DataNotFound, match="not installed") as error:
        fetch_kermany()
    assert "pip install 'pneumoscope[kaggle]'" in str(error.value.remedy)


class KaggleApiHTTPError(OSError):  # requests' errors descend from OSError
    def __init__(self, status: int) -> None:
        super().__init__("secret-token was refused")
        self.response = SimpleNamespace(status_code=status)


class UnauthenticatedError(Exception):
    pass


class DataCorruptionError(Exception):
    pass


@pytest.mark.parametrize(
    ("raised", "what", "got", "remedy"),
    [
        (ConnectionError("secret-token"), "could not be downloaded", "ConnectionError", "network"),
        (KaggleApiHTTPError(403), "without an account", "KaggleApiHTTPError 403", "API_TOKEN"),
        (KaggleApiHTTPError(500), "could not be downloaded", "KaggleApiHTTPError 500", "network"),
        (UnauthenticatedError(), "without an account", "UnauthenticatedError", "kaggle.json"),
        (DataCorruptionError("secret-token"), "could not be", "DataCorruptionError", "network"),
        (OSError(28, "No space left", "/x/a.zip"), "cannot be stored", "OSError", "make room"),
        (ValueError("bad file secret-token"), "could not be", "ValueError", "network"),
    ],
)
def test_a_failed_download_says_why_and_what_to_do(
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    raised: Exception,
    what: str,
    got: str,
    remedy: str,
) -> None:
    def download(handle: str) -> str:
        raise raised

    install(monkeypatch, download)
    with pytest.raises(DataNotFound, match=what) as error:
        fetch_kermany()
    assert error.value.got == f"{got} for {HANDLE}"
    assert remedy in str(error.value.remedy) and "PATH/chest_xray" in str(error.value.remedy)
    assert "secret" not in str(error.value)


def test_a_download_that_leaves_nothing_is_noticed(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, lambda handle: str(cache / "nothing"))
    with pytest.raises(DataNotFound, match="could not be downloaded"):
        fetch_kermany()


def test_a_stop_by_the_user_goes_through(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(handle: str) -> str:
        raise KeyboardInterrupt

    install(monkeypatch, download)
    with pytest.raises(KeyboardInterrupt):
        fetch_kermany()
