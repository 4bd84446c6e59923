"""The Hugging Face hub as a client: what files a set has, fetching them, and what goes wrong.

All asking is ``huggingface_hub``'s; its bars and words are silenced, and its errors told in ours.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pneumoscope.errors import DataNotFound, PneumoscopeError
from pneumoscope.storage import refusal

_TIMEOUT = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a repository at one commit: bytes by path."""

    commit: str
    files: Mapping[str, int]


class Hub(Protocol):
    """What is asked of the hub. Both raise DataNotFound with a remedy."""

    def listing(self, name: str, revision: str) -> Listing | None:
        """The files of the data set ``name``; None when it has no such revision."""

    def fetch(self, name: str, commit: str, paths: Sequence[str], folder: Path) -> None:
        """Put these files below ``folder``, going on where an earlier attempt stopped."""


class HuggingFaceHub:
    """The real hub, through ``huggingface_hub``; a token that the user stored is used."""

    def __init__(self, endpoint: str | None = None) -> None:
        self._endpoint = endpoint

    def listing(self, name: str, revision: str) -> Listing | None:
        from huggingface_hub import HfApi, errors

        with _told_plainly(name), _silence():
            try:
                # One request without retries, so that a missing network is told at once.
                about = HfApi(endpoint=self._endpoint).dataset_info(
                    name, revision=revision, files_metadata=True, timeout=_TIMEOUT
                )
            except errors.RevisionNotFoundError:
                return None
        files = {one.rfilename: one.size or 0 for one in about.siblings or ()}
        return Listing(str(about.sha), files)

    def fetch(self, name: str, commit: str, paths: Sequence[str], folder: Path) -> None:
        from huggingface_hub import HfApi, hf_hub_url

        with _told_plainly(name, folder), _silence():
            api = HfApi(endpoint=self._endpoint)
            # Again one request without retries: gated, limited or in trouble is told at once.
            url = hf_hub_url(
                name, paths[0], repo_type="dataset", revision=commit, endpoint=self._endpoint
            )
            api.get_hf_file_metadata(url=url, timeout=_TIMEOUT)
            # Paths are patterns here; those that are fetched hold none of their signs.
            api.snapshot_download(
                name,
                repo_type="dataset",
                revision=commit,
                allow_patterns=list(paths),
                local_dir=folder,
            )


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """No bar and no word of the client's own; what matters is said by the listener."""
    from huggingface_hub import constants
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    # Where the user's environment decides about bars, the client only warns when told otherwise.
    free = constants.HF_HUB_DISABLE_PROGRESS_BARS is None and not are_progress_bars_disabled()
    logger.setLevel(logging.CRITICAL)
    if free:
        disable_progress_bars()
    try:
        yield
    finally:
        logger.setLevel(level)
        if free:
            enable_progress_bars()


@contextlib.contextmanager
def _told_plainly(name: str, folder: Path | None = None) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the client's, httpx's and Xet's errors have no common base
        if isinstance(error, OSError) and folder is not None:
            told = refusal(error, folder)
            if isinstance(told, PneumoscopeError):
                raise told from None
        raise _explained(name, error) from None


def _explained(name: str, error: Exception) -> DataNotFound:
    """The error for what went wrong between us and the hub."""
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__) is not None and len(chain) < 8:
        chain.append(cause)
    kinds = {base.__name__ for one in chain for base in type(one).__mro__}
    codes = [getattr(getattr(one, "response", None), "status_code", None) for one in chain]
    status = next((code for code in codes if isinstance(code, int)), None)
    what, remedy = _reason(kinds, status)
    return DataNotFound(
        what,
        got=f"{name} ({type(error).__name__}" + (f" {status})" if status else ")"),
        remedy=f"{remedy}, or bring the set from elsewhere and give its folder",
    )


def _reason(kinds: set[str], status: int | None) -> tuple[str, str]:
    if "OfflineModeIsEnabled" in kinds:
        return (
            "the hub may not be asked: HF_HUB_OFFLINE is set",
            "unset HF_HUB_OFFLINE (and TRANSFORMERS_OFFLINE)",
        )
    if "GatedRepoError" in kinds:
        return (
            "the set is open only to those who accepted its conditions",
            "accept them on its page on huggingface.co, then: hf auth login",
        )
    if "RepositoryNotFoundError" in kinds or status in (401, 404):
        return (
            "the hub has no such set, or it is private",
            "check the name; for a private set: hf auth login",
        )
    if status == 403:
        return "the hub refuses access to the set", "look at its page on huggingface.co"
    if status == 429:
        return (
            "the hub limits how often it may be asked",
            "wait some minutes and run the same command again; more is allowed after hf auth login",
        )
    if status is not None and status >= 500:
        return "the hub is in trouble", "run the same command again later"
    return (
        "the set could not be downloaded",
        "check the network and run the same command again, it goes on where it stopped",
    )
