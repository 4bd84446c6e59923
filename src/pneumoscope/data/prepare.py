"""Preparation: from a source to a prepared set, read on all cores and written in a stream.

Memory holds a few films at a time. The folder appears under its name only when it is complete; a
killed run leaves a draft, with which the next one goes on.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from filelock import AcquireReturnProxy, FileLock, Timeout
from platformdirs import user_cache_path

from pneumoscope.data.draft import Draft, reasons
from pneumoscope.data.films import at_once, read_films
from pneumoscope.data.ids import Pseudonym, load_salt, salted
from pneumoscope.data.lost import MOST_BAD, by_class, check_bad
from pneumoscope.data.pool import cores, in_order, pieces
from pneumoscope.data.prepared import (
    ALIKE,
    LOOKS,
    PREPARED,
    SCHEMA,
    TABLE,
    THUMBS,
    PreparedSet,
    open_prepared,
)
from pneumoscope.data.together.alike import Looks, find_alike, write_alike
from pneumoscope.data.together.groups import groups_of
from pneumoscope.errors import Unreachable, UnreadableImage
from pneumoscope.imaging.read import quiet_decoders
from pneumoscope.listener import Advance
from pneumoscope.manifest import PreparedManifest, SpecEntry
from pneumoscope.plain import to_plain
from pneumoscope.records import InputSpec, Source
from pneumoscope.storage import check_space, slug, sweep, write_atomic, write_json, writing

_WEEK = 7 * 24 * 3600.0
_MARK = "content"
"""A file of a draft: the name of what is being made there."""

_RESERVE = 64 << 20
"""Bytes left on the disk for the tables beside the pixels."""

_LONG = 2.0
"""Seconds after which the user is told how far comparing films has come."""


def cache_folder() -> Path:
    """Where prepared sets and downloads are kept: $PNEUMOSCOPE_CACHE, else the user's cache."""
    chosen = os.environ.get("PNEUMOSCOPE_CACHE")
    try:
        folder = Path(chosen) if chosen else user_cache_path("pneumoscope", appauthor=False)
        return folder.expanduser().absolute()
    except RuntimeError:  # this user has no home
        return Path(tempfile.gettempdir()) / "pneumoscope"


def prepared_name(source: Source, spec: InputSpec, *, keep_ids: bool = False) -> str:
    """The folder name that this content under this spec has in the cache."""
    print_ = source.fingerprint[:16]
    # The schema is raised when the way films are prepared changes, so old sets are not reused.
    name = f"{slug(source.name)}-{spec.stored}px-{spec.fit}-v{SCHEMA}-{print_}"
    return f"{name}-ids" if keep_ids else name


def prepare(
    source: Source,
    spec: InputSpec,
    folder: Path,
    advance: Advance | None = None,
    *,
    keep_ids: bool = False,
    most_bad: float = MOST_BAD,
    waiting: Callable[[], None] | None = None,
) -> PreparedSet:
    """Write the prepared set to ``folder``, or open it when it is there already.

    Raises UnreadableData when more than the part ``most_bad`` of the films is bad,
    OutputNotWritable when the disk is full or closed. Bad films are dropped, counted with their
    reason and listed in ``dropped.csv``. Ids that may name a person are hashed unless
    ``keep_ids``. ``waiting`` is called when another process is making the same set. ``advance``
    counts films read, and begins anew where comparing them with each other takes over two seconds.
    """
    # Like make, the folder's name trusts sizes and times of change: reading every byte to be sure
    # would cost what the cache saves.
    if (folder / PREPARED).is_file():
        prepared = open_prepared(folder)
        if not _come_back(source, prepared):
            return check_bad(prepared, most_bad)
        shutil.rmtree(folder, ignore_errors=True)
    name = prepared_name(source, spec, keep_ids=keep_ids)
    write = partial(_write, source, spec, advance=advance, keep_ids=keep_ids)
    return check_bad(
        make_set(folder, name, source.count * spec.stored**2, write, waiting), most_bad
    )


def make_set(
    folder: Path,
    name: str,
    size: int,
    write: Callable[[Path], None],
    waiting: Callable[[], None] | None = None,
) -> PreparedSet:
    """The prepared set in ``folder``, made where it is not there yet: ``write`` fills a draft of
    the content ``name``, which takes ``size`` bytes. Raises OutputNotWritable when the disk is full
    or closed."""
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        # A second process that prepares the same set waits here, and then finds it made.
        with _hold(folder.with_name(f".{folder.name}.lock"), waiting):
            if not (folder / PREPARED).is_file():
                if folder.parent == cache_folder() / "prepared":  # elsewhere drafts are not ours
                    sweep(folder.parent, older_than=_WEEK)
                check_space(folder.parent, size + _RESERVE, "the prepared set does not fit")
                draft = folder.with_name(f".{folder.name}.tmp")
                _claim(draft, name)
                write(draft)
                (draft / _MARK).unlink()
                draft.rename(folder)
    return open_prepared(folder)


def _come_back(source: Source, prepared: PreparedSet) -> bool:
    """Whether a film that could not be reached when the set was made can be now: a closed file
    that was opened, or a disk that is back, changes no fingerprint."""
    places = set(prepared.about.get("unreached", ()))
    missed = (r for place, r in enumerate(source.records) if place in places) if places else ()
    for record in missed:
        try:
            record.read(prepared.spec.stored)
        except Unreachable:
            continue
        except UnreadableImage:
            pass
        return True
    return False


def _hold(file: Path, waiting: Callable[[], None] | None) -> AcquireReturnProxy[FileLock]:
    """The lock ``file``, held; ``waiting`` is called when another process has it."""
    file.touch()  # raises at once where no file can be made; a lock would be waited for
    lock = FileLock(file)
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        if waiting:
            waiting()
        return lock.acquire()


def _claim(draft: Path, name: str) -> None:
    """Make ``draft`` one of the content ``name``. What a killed process left there of other data,
    or of another side, is taken away: a folder that the user names may have been meant for it."""
    mark = draft / _MARK
    if mark.is_file() and mark.read_text("utf-8") == name:
        return
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir()
    write_atomic(mark, name)


def _write(
    source: Source, spec: InputSpec, folder: Path, advance: Advance | None, *, keep_ids: bool
) -> None:
    draft = Draft(folder, spec.stored)
    try:
        read = partial(read_films, spec=spec, pseudonym=_pseudonym(folder, keep_ids))
        left = islice(source.records, draft.done, None)
        with quiet_decoders():
            for outcomes in in_order(read, pieces(left, at_once(spec)), cores()):
                draft.add(outcomes)
                if advance:
                    advance(draft.done, source.count)
        table, dropped, unreached = draft.finish()
    finally:
        draft.close()
    about = _about(source, spec, table, dropped)
    table = table.drop(columns="boxes_lost", errors="ignore")
    looks = Looks(folder / LOOKS)
    np.save(folder / THUMBS, looks.thumbs())
    alike = find_alike(looks, table["pixel_hash"], _if_long(advance, len(table)))
    write_alike(folder / ALIKE, alike)
    groups = groups_of(table, alike)
    table["group"] = groups.codes
    about["chains"] = [(joined, list(pairs)) for joined, pairs in groups.chains]
    # Comparing many films takes half a minute: one that is killed then need not read them again.
    draft.forget()
    (folder / LOOKS).unlink()
    (folder / "salt").unlink(missing_ok=True)
    table.to_parquet(folder / TABLE, index=False)
    write_atomic(folder / "dropped.csv", pd.DataFrame(dropped).to_csv(index=False))
    if unreached:
        about["unreached"] = unreached
    write_json(folder / PREPARED, about)


def _if_long(advance: Advance | None, films: int) -> Advance | None:
    """``advance`` in films for what takes more than two seconds; what is faster is not told."""
    if advance is None:
        return None
    start, tell = time.monotonic(), advance

    def told(done: int, total: int) -> None:
        if time.monotonic() - start > _LONG:
            tell(films * done // total, films)

    return told


def _pseudonym(draft: Path, keep_ids: bool) -> Pseudonym:
    if keep_ids:
        return str
    try:
        return salted(load_salt(cache_folder()))
    except OSError:  # a closed cache folder: the salt lives as long as the draft
        return salted(load_salt(draft))


def _about(
    source: Source, spec: InputSpec, table: pd.DataFrame, dropped: list[dict[str, str]]
) -> PreparedManifest:
    return {
        "schema": SCHEMA,
        "spec": cast(SpecEntry, to_plain(spec)),
        "fingerprint": source.fingerprint,
        "content": content_digest(table),
        "source": source.to_json(),
        "flow": {
            "found": len(table) + len(dropped),
            "kept": len(table),
            "dropped": reasons(dropped),
            "dropped_by_class": by_class(dropped),
            "boxes_lost": _boxes_lost(table),
        },
    }


def _boxes_lost(table: pd.DataFrame) -> int:
    return int(table["boxes_lost"].fillna(0).sum()) if "boxes_lost" in table else 0


def content_digest(table: pd.DataFrame) -> str:
    """32 hex digits of all pixels, labels and official splits, wherever the files lie."""
    hasher = hashlib.blake2b(digest_size=16)
    for row in zip(table["pixel_hash"], table["label"], table["split"], strict=True):
        hasher.update("\t".join(map(str, row)).encode() + b"\n")
    return hasher.hexdigest()
