"""``hf:owner/name[:config][@revision]``: a set's parquet files from the Hugging Face hub, to disk.

The hub keeps a parquet conversion of every set under the revision ``refs/convert/parquet``, also of
those whose loading script no longer runs. Nothing but parquet is ever fetched: no scripts, no
pickles, no archives. What is complete on disk is used again without network.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pneumoscope.errors import DataNotFound, PneumoscopeError, UnreadableData
from pneumoscope.records import Listener
from pneumoscope.sources.rows.shards import choose_config, place_of
from pneumoscope.storage import check_space, refusal, slug, write_json, writing

MARK = ".fetched.json"
"""Lies in a fetched folder when it is complete: the set's name, its commit, and file sizes."""

CONVERTED = "refs/convert/parquet"

_WORD = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_DATA = re.compile(
    rf"hf:(?P<name>{_WORD}/{_WORD})(?::(?P<config>[A-Za-z0-9][\w.+ -]{{0,95}}))?"
    r"(?:@(?P<revision>[A-Za-z0-9][A-Za-z0-9._/-]{0,127}))?",
    re.ASCII,
)
_SAFE_PATH = re.compile(
    r"(?:[\w+=@()-][\w.+=@() -]{0,150}/){0,8}[\w+=@()-][\w.+=@() -]{0,150}\.parquet"
)
_TIMEOUT = 10.0  # seconds
_GLANCE = 0.5  # seconds between two looks at how far a download is
_RESERVE = 64 << 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """A set of the hub, as the user named it."""

    data: str
    name: str
    config: str | None
    revision: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a repository at one commit: bytes by path."""

    commit: str
    files: Mapping[str, int]


class Hub(Protocol):
    """What is asked of the hub. Both raise DataNotFound with a remedy."""

    def listing(self, name: str, revision: str) -> Listing | None:
        """The files of the data set ``name``; None when it has no such revision."""

    def fetch(self, name: str, commit: str, path: str, folder: Path) -> None:
        """Put one file to ``folder / path``, going on where an earlier attempt stopped."""


def parse(data: str) -> Wanted:
    """``hf:owner/name[:config][@revision]`` taken apart. Raises DataNotFound."""
    found = _DATA.fullmatch(data)
    if found is None or ".." in data or "--" in found["name"]:
        raise DataNotFound(
            f"{data[:200]!r} is not the name of a set on the Hugging Face hub",
            expected="hf:owner/name, hf:owner/name:config or hf:owner/name@revision",
        )
    return Wanted(data, found["name"], found["config"], found["revision"])


def fetch_set(data: str, downloads: Path, listener: Listener, hub: Hub | None = None) -> Path:
    """The folder with the parquet files of one configuration of the set, fetched when it is not
    there. Raises DataNotFound, UnreadableData, OutputNotWritable.
    """
    wanted = parse(data)
    key = f"{wanted.config or 'default'}@{wanted.revision or 'latest'}"
    folder = downloads / "huggingface" / wanted.name.replace("/", "--") / slug(key)
    if _is_complete(folder, wanted):
        listener.choice("set", str(folder), "fetched before; delete this folder to fetch it anew")
        return folder
    hub = hub or HuggingFaceHub()
    listing, config = _chosen(wanted, hub, listener)
    total = sum(listing.files.values())
    listener.stage(f"Fetch {wanted.name}: {len(listing.files)} parquet files, {_told(total)}")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        needed = total - _bytes_below(folder) + _RESERVE
        check_space(folder, needed, "the set does not fit")
        with _watched(folder, total, listener):
            for path in listing.files:
                hub.fetch(wanted.name, listing.commit, path, folder)
        _tidy(folder, listing)
        about = {"data": wanted.data, "name": wanted.name + (f":{config}" if config else "")}
        write_json(folder / MARK, about | {"commit": listing.commit, "files": dict(listing.files)})
    return folder


def _is_complete(folder: Path, wanted: Wanted) -> bool:
    try:
        about = json.loads((folder / MARK).read_text("utf-8"))
        files = about["files"].items()
        sizes = [(folder / path).stat().st_size == size for path, size in files]
        return bool(sizes) and all(sizes) and about["data"] == wanted.data
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False


def _chosen(wanted: Wanted, hub: Hub, listener: Listener) -> tuple[Listing, str]:
    """The parquet files of one configuration, and its name; empty where there is but one."""
    tried = (wanted.revision,) if wanted.revision else (CONVERTED, "main")
    whole: list[tuple[str, Listing]] = []
    for revision in tried:
        listing = hub.listing(wanted.name, revision)
        files = {} if listing is None else listing.files
        kept = {p: size for p, size in files.items() if _SAFE_PATH.fullmatch(p) and ".." not in p}
        if listing is not None and kept:
            whole.append((revision, Listing(listing.commit, kept)))
            # The conversion of a large set may hold its first part only.
            if not any("partial-" in path for path in kept):
                break
    if not whole:
        raise UnreadableData(
            "the set has no parquet files on the hub",
            got=f"{wanted.name}, revision {' and '.join(tried)}",
            expected="parquet files, or the hub's own conversion to them",
            remedy="fetch the set from its page on huggingface.co, and give its folder",
        )
    revision, listing = whole[-1]
    configs: dict[str, dict[str, int]] = {}
    for path, size in sorted(listing.files.items()):
        configs.setdefault(place_of(path)[0], {})[path] = size
    config, why = choose_config({n: sum(f.values()) for n, f in configs.items()}, wanted.config)
    listener.choice("revision", f"{revision} ({listing.commit[:12]})", "parquet files are there")
    if config:
        others = f"; there are {', '.join(sorted(configs))}" if len(configs) > 1 else ""
        listener.choice("configuration", config, why + others)
    return Listing(listing.commit, configs[config]), config


def _tidy(folder: Path, listing: Listing) -> None:
    """Check what came, and remove files that an older commit left behind."""
    for path, size in listing.files.items():
        have = (folder / path).stat().st_size if (folder / path).is_file() else 0
        if have != size:
            (folder / path).unlink(missing_ok=True)
            raise UnreadableData(
                "what was downloaded is not the published file",
                got=f"{path}: {have} bytes",
                expected=f"{size} bytes",
                remedy="run the same command again; what came was removed",
            )
    for file in folder.rglob("*.parquet"):
        if file.relative_to(folder).as_posix() not in listing.files:
            file.unlink()


@contextlib.contextmanager
def _watched(folder: Path, total: int, listener: Listener) -> Iterator[None]:
    """Tell the progress by the bytes on disk: how the client counts them differs by version."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_GLANCE):
            listener.progress(min(_bytes_below(folder), total), total, "byte")

    watcher = threading.Thread(target=watch, name="download", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
    listener.progress(total, total, "byte")


def _bytes_below(folder: Path) -> int:
    done = 0
    for file in folder.rglob("*"):
        with contextlib.suppress(OSError):  # renamed since it was listed
            done += file.stat().st_size if file.suffix in (".parquet", ".incomplete") else 0
    return done


def _told(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


class HuggingFaceHub:
    """The real hub, through ``huggingface_hub``; a token that the user stored is used."""

    def __init__(self, endpoint: str | None = None) -> None:
        self._endpoint = endpoint
        self._asked = False

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

    def fetch(self, name: str, commit: str, path: str, folder: Path) -> None:
        from huggingface_hub import HfApi, hf_hub_url

        with _told_plainly(name, folder), _silence():
            api = HfApi(endpoint=self._endpoint)
            if not self._asked:  # again without retries: gated, limited or in trouble
                url = hf_hub_url(
                    name, path, repo_type="dataset", revision=commit, endpoint=self._endpoint
                )
                api.get_hf_file_metadata(url=url, timeout=_TIMEOUT)
                self._asked = True
            api.hf_hub_download(name, path, repo_type="dataset", revision=commit, local_dir=folder)


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
