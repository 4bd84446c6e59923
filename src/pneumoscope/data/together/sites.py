"""Sites: several prepared sets joined to one, in which each film keeps the site it is from.

Each set is prepared by itself, as it would be alone, and stays as it is; what is joined is copied,
so that a joined set is a prepared set like any other. Ids of films and patients are qualified by
the site. A film that lies in an earlier set too, pixel for pixel, is left out; near copies of
different sites belong together, as those of one do.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.data.draft import Stack, table_of
from pneumoscope.data.prepare import content_digest, make_set
from pneumoscope.data.prepared import ALIKE, IMAGES, MASKS, PREPARED, SCHEMA, TABLE, THUMBS
from pneumoscope.data.prepared import PreparedSet as Prepared
from pneumoscope.data.together.alike import Alike, alike_of, find_alike, write_alike
from pneumoscope.data.together.groups import groups_of
from pneumoscope.imaging.thumbnails import LOOK, thumbnails
from pneumoscope.manifest import PreparedFlow, PreparedManifest, SpecEntry
from pneumoscope.plain import to_plain
from pneumoscope.records import Source
from pneumoscope.sources.sites import qualified
from pneumoscope.storage import slug, write_atomic, write_json

REPEATED = "films of another set, pixel for pixel"
"""Why a film of a later set is left out."""


def joined_name(sets: Mapping[str, Prepared], source: Source) -> str:
    """The folder name of these sets as one. It follows from their content, not from the sources
    alone: a film that can be reached again changes no fingerprint."""
    told = "".join(f"{site}\n{each.content}\n{each.fingerprint}\n" for site, each in sets.items())
    digest = hashlib.sha256(told.encode()).hexdigest()[:16]
    spec = next(iter(sets.values())).spec
    return f"{slug(source.name)}-{spec.stored}px-{spec.fit}-v{SCHEMA}-{digest}"


def join_sets(
    sets: Mapping[str, Prepared],
    source: Source,
    folder: Path,
    waiting: Callable[[], None] | None = None,
) -> Prepared:
    """The joined set of ``sets``, all of one spec, in ``folder``, made where it is not there yet.
    ``source`` is that of all of them. Raises OutputNotWritable when the disk is full or closed."""
    size = sum(each.images.nbytes for each in sets.values())
    write = partial(_write, sets, source)
    return make_set(folder, joined_name(sets, source), size, write, waiting)


def _write(sets: Mapping[str, Prepared], source: Source, draft: Path) -> None:
    whole = _whole_table(sets)
    repeated = _repeated(whole)
    alike = _alike(sets, whole)
    groups = groups_of(whole, alike)
    kept = np.flatnonzero(~repeated)
    place = np.full(len(whole), -1)
    place[kept] = np.arange(len(kept))
    table = whole.assign(group=groups.codes)[~repeated].reset_index(drop=True)
    stack_films([each.images for each in sets.values()], kept, draft / IMAGES)
    if all(each.masks is not None for each in sets.values()):
        stack_films([each.masks for each in sets.values() if each.masks is not None], kept,
                    draft / MASKS)  # fmt: skip
    np.save(draft / THUMBS, np.concatenate([each.thumbs for each in sets.values()])[kept])
    write_alike(draft / ALIKE, _renumbered(alike, place))
    table.to_parquet(draft / TABLE, index=False)
    dropped = [_dropped(site, each) for site, each in sets.items()]
    write_atomic(draft / "dropped.csv", pd.concat(dropped, ignore_index=True).to_csv(index=False))
    about = _about(sets, source, table)
    pairs = ((joined, place[np.array(of)]) for joined, of in groups.chains)
    about["chains"] = [
        (joined, [(int(a), int(b)) for a, b in of if min(a, b) >= 0]) for joined, of in pairs
    ]
    by_site = whole.loc[repeated, "site"].value_counts()
    if by_site.sum():
        about["source"]["passed_over"][REPEATED] = int(by_site.sum())
    write_json(draft / PREPARED, about)


def _whole_table(sets: Mapping[str, Prepared]) -> pd.DataFrame:
    """The rows of all sets, one set after the other, with their ``site``."""
    rows = [row for site, each in sets.items() for row in _rows(site, each.table)]
    return table_of(rows)


def _rows(site: str, table: pd.DataFrame) -> list[dict[str, object]]:
    known = table.drop(columns="group", errors="ignore")
    plain = known.astype(object).where(known.notna(), None)
    for name in ("image_id", "patient_id", "origin"):
        if name in plain:
            plain[name] = [None if one is None else qualified(site, one) for one in plain[name]]
    return cast(list[dict[str, object]], plain.assign(site=site).to_dict("records"))


def _repeated(whole: pd.DataFrame) -> NDArray[np.bool_]:
    """Bool (N,): films whose pixels are those of a film of an earlier site."""
    first = whole.groupby("pixel_hash")["site"].transform("first")
    found: NDArray[np.bool_] = (whole["site"] != first).to_numpy(bool)
    return found


def _alike(sets: Mapping[str, Prepared], whole: pd.DataFrame) -> Alike:
    """The near copies within each set, as they were found alone, and those of different sets,
    which alone are looked for."""
    starts = np.cumsum([0, *(len(each.table) for each in sets.values())])
    own = [alike_of(each) for each in sets.values()]
    looks = np.concatenate([thumbnails(each.images, LOOK) for each in sets.values()])
    across = find_alike(looks, whole["pixel_hash"], sets=pd.factorize(whole["site"])[0])
    within = [(a.first + s, a.second + s) for a, s in zip(own, starts, strict=False)]
    first, second = zip(*within, (across.first, across.second), strict=True)
    return Alike(
        np.concatenate(first),
        np.concatenate(second),
        np.concatenate([each.likeness for each in (*own, across)]),
        across.complete and all(each.complete for each in own),
    )


def _renumbered(alike: Alike, place: NDArray[np.int64]) -> Alike:
    """The pairs whose films are both kept, by their new rows."""
    first, second = place[alike.first], place[alike.second]
    both = (first >= 0) & (second >= 0)
    return Alike(first[both], second[both], alike.likeness[both], alike.complete)


def stack_films(parts: Sequence[NDArray[np.uint8]], kept: NDArray[np.int64], file: Path) -> None:
    """Write the rows ``kept`` of several arrays (N, S, S), counted through all of them, as one."""
    file.unlink(missing_ok=True)
    stack, start = Stack(file, parts[0].shape[-1]), 0
    try:
        for part in parts:
            for row in kept[(kept >= start) & (kept < start + len(part))] - start:
                stack.append(part[row])
            start += len(part)
    finally:
        stack.close()


def _dropped(site: str, prepared: Prepared) -> pd.DataFrame:
    frame = pd.DataFrame({"image_id": [], "reason": [], "class": []}, dtype="string")
    file = prepared.folder / "dropped.csv"
    if file.is_file() and prepared.about["flow"]["dropped"]:
        frame = pd.read_csv(file, dtype="string")
    return frame.assign(image_id=[qualified(site, one) for one in frame["image_id"]])


def _about(sets: Mapping[str, Prepared], source: Source, table: pd.DataFrame) -> PreparedManifest:
    flows = [one.about["flow"] for one in sets.values()]
    dropped: Counter[str] = Counter()
    by_class: dict[str, Counter[str]] = {}
    for each in flows:
        dropped.update({entry["reason"]: entry["count"] for entry in each["dropped"]})
        for reason, counts in each.get("dropped_by_class", {}).items():
            by_class.setdefault(reason, Counter()).update(counts)
    flow: PreparedFlow = {
        "found": len(table) + dropped.total(),
        "kept": len(table),
        "dropped": [{"reason": why, "count": n} for why, n in dropped.most_common()],
        "dropped_by_class": {why: dict(counts) for why, counts in by_class.items()},
        "boxes_lost": sum(each.get("boxes_lost", 0) for each in flows),
    }
    return {
        "schema": SCHEMA,
        "spec": cast(SpecEntry, to_plain(next(iter(sets.values())).spec)),
        "fingerprint": source.fingerprint,
        "content": content_digest(table),
        "source": source.to_json(),
        "flow": flow,
    }
