"""Preparation: from a source to a prepared set, read on all cores and written in a stream.

Memory holds a few films at a time. The folder appears under its name only when it is complete; a
killed run leaves a draft, with which the next one goes on.
"""

from __future__ import annotations

import hashlib
import math
import os
import shlex
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from filelock import AcquireReturnProxy, FileLock, Timeout
from platformdirs import user_cache_path

from pneumoscope.data.alike import Looks, find_alike, write_alike
from pneumoscope.data.aside import aside_of
from pneumoscope.data.draft import Draft, FilmRow, Outcome, reasons
from pneumoscope.data.groups import groups_of
from pneumoscope.data.ids import Pseudonym, load_salt, salted
from pneumoscope.data.pool import cores, in_order, pieces
from pneumoscope.data.prepared import (
    ALIKE,
    LOOKS,
    PREPARED,
    SCHEMA,
    TABLE,
    PreparedSet,
    open_prepared,
)
from pneumoscope.errors import Unreachable, UnreadableData, UnreadableImage
from pneumoscope.imaging.geometry import boxes_on, fit_square, fit_square_mask
from pneumoscope.imaging.read import quiet_decoders
from pneumoscope.imaging.thumbnails import coarse_of, looks_of
from pneumoscope.manifest import PreparedManifest, SpecEntry
from pneumoscope.plain import to_plain
from pneumoscope.records import CLASSES, Advance, Film, InputSpec, Record, Source
from pneumoscope.storage import check_space, slug, sweep, write_atomic, write_json, writing

_WEEK = 7 * 24 * 3600.0
_MARK = "content"
"""A file of a draft: the name of what is being made there."""

_RESERVE = 64 << 20
"""Bytes left on the disk for the tables beside the pixels."""

_PIECE, _PIECE_BYTES = 16, 2 << 20
"""Films a worker takes at once, at least, and more of them while they are small: the cost of
handing them over is spread, memory stays small."""

_LONG = 2.0
"""Seconds after which the user is told how far comparing films has come."""

_UNEVEN, _MANY = 3, 10
"""How many times the part of one class that is lost may exceed that of the other, from so many
films on."""

MOST_BAD = 0.05
"""A source of which more than this part cannot be read is refused."""


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
            return _check_bad(prepared, most_bad)
        shutil.rmtree(folder, ignore_errors=True)
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        # A second process that prepares the same set waits here, and then finds it made.
        with _hold(folder.with_name(f".{folder.name}.lock"), waiting):
            if not (folder / PREPARED).is_file():
                if folder.parent == cache_folder() / "prepared":  # elsewhere drafts are not ours
                    sweep(folder.parent, older_than=_WEEK)
                needed = source.count * spec.stored**2 + _RESERVE
                check_space(folder.parent, needed, "the prepared set does not fit")
                draft = folder.with_name(f".{folder.name}.tmp")
                _claim(draft, prepared_name(source, spec, keep_ids=keep_ids))
                _write(source, spec, draft, advance, keep_ids=keep_ids)
                draft.rename(folder)
    return _check_bad(open_prepared(folder), most_bad)


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
        read = partial(_read_piece, spec=spec, pseudonym=_pseudonym(folder, keep_ids))
        left = islice(source.records, draft.done, None)
        with quiet_decoders():
            for outcomes in in_order(read, pieces(left, _piece(spec)), cores()):
                draft.add(outcomes)
                if advance:
                    advance(draft.done, source.count)
        table, dropped, unreached = draft.finish()
    finally:
        draft.close()
    about = _about(source, spec, table, dropped)
    table = table.drop(columns="boxes_lost", errors="ignore")
    alike = find_alike(Looks(folder / LOOKS), table["pixel_hash"], _if_long(advance, len(table)))
    write_alike(folder / ALIKE, alike)
    groups = groups_of(table, alike)
    table["group"] = groups.codes
    about["chains"] = [(joined, list(pairs)) for joined, pairs in groups.chains]
    # Comparing many films takes half a minute: one that is killed then need not read them again.
    draft.forget()
    (folder / LOOKS).unlink()
    (folder / "salt").unlink(missing_ok=True)
    (folder / _MARK).unlink()
    table.to_parquet(folder / TABLE, index=False)
    write_atomic(folder / "dropped.csv", pd.DataFrame(dropped).to_csv(index=False))
    if unreached:
        about["unreached"] = unreached
    write_json(folder / PREPARED, about)


def _piece(spec: InputSpec) -> int:
    return max(_PIECE, min(4 * _PIECE, _PIECE_BYTES // spec.stored**2))


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


def _read_piece(records: list[Record], spec: InputSpec, pseudonym: Pseudonym) -> list[Outcome]:
    outcomes = [_read(record, spec, pseudonym) for record in records]
    looks = iter(looks_of([outcome.look for outcome in outcomes if outcome.look is not None]))
    return [o if o.look is None else replace(o, look=next(looks)) for o in outcomes]


def _read(record: Record, spec: InputSpec, pseudonym: Pseudonym) -> Outcome:
    known = pseudonym if record.private else str
    image_id = known(record.image_id)
    try:
        film = record.read(spec.stored)
    except UnreadableImage as error:
        unreached = isinstance(error, Unreachable)
        lost: FilmRow = {"image_id": image_id, "label": record.label}
        return Outcome(lost, reason=error.what, unreached=unreached)
    # An id that the file itself names is a person's, whatever the source thought of the file.
    patient = known(record.patient_id) if record.patient_id else None
    if patient is None and film.patient_id:
        patient = pseudonym(film.patient_id)
    row: FilmRow = {
        "image_id": image_id,
        "patient_id": patient,
        "split": record.split,
        "label": record.label,
        "height": film.height,
        "width": film.width,
        "pixel_hash": pixel_hash(film),
        **{f"fact_{name}": fact for name, fact in {**film.facts, **record.facts}.items()},
    }
    if aside := aside_of(film, row):
        row["aside"] = aside
    if record.origin:
        row["origin"] = known(record.origin)
    if record.boxes:
        boxes = boxes_on(record.boxes, (film.height, film.width), record.boxes_drawn_on)
        row["boxes"] = [list(box) for box in boxes]
        row["boxes_lost"] = len(record.boxes) - len(boxes)
    mask = None
    if record.mask is not None:
        mask = fit_square_mask(record.mask(), spec).astype(np.uint8)
    return Outcome(row, fit_square(film.pixels, spec), coarse_of(film), mask)


def pixel_hash(film: Film) -> str:
    """32 hex digits, equal for films of equal native size and equal pixels as decoded."""
    # SHA-256 is the fast one where the processor computes it itself, as most do.
    hasher = hashlib.sha256(f"{film.height}x{film.width}".encode())
    hasher.update(np.ascontiguousarray(film.pixels).data)
    return hasher.hexdigest()[:32]


def _check_bad(prepared: PreparedSet, most_bad: float) -> PreparedSet:
    """Refuse a set of which too much is lost. The way to allow it is told only where what is left
    has both classes, and neither lost much more of its films than the other."""
    flow = prepared.about["flow"]
    lost = lost_by_class(prepared.about)
    bad = sum(sum(counts.values()) for counts in lost.values())
    found = flow["kept"] + bad
    if bad <= most_bad * max(found, 1) and flow["kept"]:
        return prepared
    shown = "; ".join(
        f"{sum(counts.values())} × {reason} ({_told(counts)})"
        if len(lost) < 4
        else f"{sum(counts.values())} × {reason}"
        for reason, counts in list(lost.items())[:5]
    )
    remedy = f"they are listed in {prepared.folder / 'dropped.csv'}"
    enough = math.ceil(100 * bad / max(found, 1)) / 100
    harm = _harm(prepared.table, lost)
    allow = ("--set", f"data.most_bad={enough}")
    if harm or not flow["kept"]:
        remedy += f"; {harm}" if harm else ""
    else:
        remedy += f"; {shlex.join(allow)} allows as many"
    raise UnreadableData(
        f"{bad} of {found} films of {prepared.about['source']['name']} cannot be used",
        got=shown or "no film",
        expected=f"at most {most_bad:.0%}" if flow["kept"] else "films that can be read",
        remedy=remedy,
        answer=() if harm or not flow["kept"] else allow,
    )


def lost_by_class(about: PreparedManifest) -> dict[str, dict[str, int]]:
    """Films that should be there and cannot be used, by reason and class: those that could not be
    read, the most frequent reason first, and those that the source lost."""
    dropped = about["flow"].get("dropped_by_class") or {
        entry["reason"]: {"unknown": entry["count"]} for entry in about["flow"]["dropped"]
    }
    lost = {reason: dict(counts) for reason, counts in dropped.items()}
    return lost | {r: dict(counts) for r, counts in about["source"].get("lost", {}).items()}


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _harm(table: pd.DataFrame, lost: Mapping[str, Mapping[str, int]]) -> str:
    """Why what is left would mislead: a class that is gone, or that lost far more than the other;
    empty where it would not, or where classes are unknown."""
    gone = {name: sum(counts.get(name, 0) for counts in lost.values()) for name in CLASSES}
    left = {name: int((table["label"] == label).sum()) for label, name in enumerate(CLASSES)}
    if not any(gone.values()) or not any(left.values()):
        return ""
    for name in CLASSES:
        if not left[name] and gone[name]:
            return f"without them no {name} film is left"
    parts = [gone[name] / max(gone[name] + left[name], 1) for name in CLASSES]
    if max(parts) > _UNEVEN * min(parts) and max(gone.values()) >= _MANY:
        worse = CLASSES[parts.index(max(parts))]
        return (
            f"{max(parts):.0%} of the {worse} films are among them, so a model of the rest would "
            "learn what made them unreadable: mend the cause"
        )
    return ""


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
            "dropped_by_class": _by_class(dropped),
            "boxes_lost": _boxes_lost(table),
        },
    }


def _by_class(dropped: list[dict[str, str]]) -> dict[str, dict[str, int]]:
    """How often each reason occurs in each class."""
    found: dict[str, Counter[str]] = {}
    for entry in reasons(dropped):
        counts = Counter(d["class"] for d in dropped if d["reason"] == entry["reason"])
        found[entry["reason"]] = counts
    return {reason: dict(counts) for reason, counts in found.items()}


def _boxes_lost(table: pd.DataFrame) -> int:
    return int(table["boxes_lost"].fillna(0).sum()) if "boxes_lost" in table else 0


def content_digest(table: pd.DataFrame) -> str:
    """32 hex digits of all pixels, labels and official splits, wherever the files lie."""
    hasher = hashlib.blake2b(digest_size=16)
    for row in zip(table["pixel_hash"], table["label"], table["split"], strict=True):
        hasher.update("\t".join(map(str, row)).encode() + b"\n")
    return hasher.hexdigest()
