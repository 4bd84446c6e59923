"""``hf:owner/name[:config][@revision]``: a set's parquet files from the Hugging Face hub, to disk.

The hub keeps a parquet conversion of every set under the revision ``refs/convert/parquet``, also of
those whose loading script no longer runs. Nothing but parquet is ever fetched: no scripts, no
pickles, no archives. What is complete on disk is used again without network.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pneumoscope.errors import DataNotFound, UnreadableData
from pneumoscope.listener import Listener
from pneumoscope.sources.fetch.client import Hub, HuggingFaceHub, Listing
from pneumoscope.sources.rows.shards import choose_config, place_of
from pneumoscope.storage import check_space, slug, write_json, writing

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
_GLANCE = 0.5  # seconds between two looks at how far a download is
_RESERVE = 64 << 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """A set of the hub, as the user named it."""

    data: str
    name: str
    config: str | None
    revision: str | None


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
            hub.fetch(wanted.name, listing.commit, list(listing.files), folder)
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
