"""Do two sets hold the same films, though one is cropped and the other squashed?

PneumoniaMNIST keeps the middle square of a film, others squash the whole of it, so one set is
compared with windows of the other, from .4 of the width or height to all. A film counts as shared
when its best candidate agrees in fine structure too (``similar.likeness``).

Measured, 28 against 112 px: 534 of PneumoniaMNIST's 624 test films were found in the Kaggle set,
all in its test split and with its label. Of the rest 22 lie just below SHARED, and 67 are normal
films that an exhaustive search did not find either: the two editions differ. None of 624 was found
in the mirrored set, none of 624 in the other splits, none of 491 in films of other patients, none
of 400 phantoms.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope.audit.counts import split_words
from pneumoscope.audit.findings import Finding, few
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.imaging.similar import (
    CLOSE,
    RowIndices,
    Whitening,
    coarse_cosines,
    likeness,
)
from pneumoscope.imaging.thumbnails import SIDE, Crop, Floats32, thumbnails
from pneumoscope.metrics.intervals import wilson
from pneumoscope.readings import Estimate

MOST_OF_A_SPLIT = 400
"""Films of each split that are looked for: a share is then known to ± 5 points or better."""

SHARED = 0.93
"""Likeness above which two films of different sets are one. Lower than COPY, as the window is only
nearly right; the most alike of 3,000 strangers reached .929."""

_LISTED = 48
_BLOCK = 4096
_WINDOWS = tuple(round(0.4 + 0.05 * k, 2) for k in range(12))
_HIDDEN = {"train", "val", "no split"}


@dataclass(frozen=True, slots=True)
class Shared:
    """A film of the set (``row``) found in the other (``other``), and how alike they are."""

    row: int
    other: int
    likeness: float


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many films of one split lie in a split of the other set."""

    split: str
    split_of_other: str
    count: int


@dataclass(frozen=True, slots=True)
class SharedFilm:
    """A film that both sets hold, by its row, id and split in each."""

    row: int
    image_id: str
    split: str
    row_of_other: int
    image_id_of_other: str
    split_of_other: str
    likeness: float


@dataclass(frozen=True, slots=True)
class Genealogy:
    """What one set shares with another.

    ``looked`` counts the films looked for in each split, ``found`` those of them that the other
    set holds, ``shared`` their share by split, ``overlap`` where they lie. ``exact`` counts the
    pixel hashes that both sets hold, among all films. ``pairs`` are the most alike.
    """

    against: str
    looked: dict[str, int]
    found: int = 0
    exact: int = 0
    shared: dict[str, Estimate] = field(default_factory=dict)
    overlap: tuple[Overlap, ...] = ()
    pairs: tuple[SharedFilm, ...] = ()


def trace(
    prepared: PreparedSet, against: PreparedSet, thumbs: NDArray[np.uint8], seed: int = 0
) -> Genealogy:
    """Look for the films of ``prepared`` in ``against``; ``thumbs`` are those of ``prepared``."""
    mine, theirs = (split_words(s.table).astype(str).to_numpy() for s in (prepared, against))
    rows = _sample(mine, seed)
    pairs = find_shared(prepared.images, rows, thumbs, against.images)
    looked = {split: int((mine[rows] == split).sum()) for split in dict.fromkeys(mine[rows])}
    found = Counter(mine[pair.row] for pair in pairs)
    overlap = Counter((str(mine[p.row]), str(theirs[p.other])) for p in pairs)
    return Genealogy(
        against=str(against.about.get("source", {}).get("name", against.folder.name)),
        looked=looked,
        found=len(pairs),
        exact=_same_hashes(prepared, against),
        shared={split: wilson(found[split], n) for split, n in looked.items()},
        overlap=tuple(Overlap(*places, n) for places, n in overlap.most_common()),
        pairs=tuple(_pair(p, prepared, against) for p in pairs[:_LISTED]),
    )


def find_shared(
    images: NDArray[np.uint8],
    rows: RowIndices,
    thumbs: NDArray[np.uint8],
    others: NDArray[np.uint8],
) -> list[Shared]:
    """The best match of each of ``rows`` in ``others``, if it is the same film.

    Constant films match nothing. The most alike come first.
    """
    far = thumbnails(others)
    best = np.full(len(rows), -1.0, np.float32)
    match = np.zeros(len(rows), np.int64)
    view = np.zeros(len(rows), np.int64)
    own, their = Whitening(coarse_cosines(thumbs)), Whitening(coarse_cosines(far))
    for number, (near_window, far_window) in enumerate(VIEWS):
        # Both are whitened as the set that is left whole: the other is cut to look like it.
        whitening = own if near_window == Crop() else their
        codes = whitening.codes(coarse_cosines(near_window.of(thumbs[rows], SIDE)))
        for start in range(0, len(far), _BLOCK):
            block = far_window.of(far[start : start + _BLOCK], SIDE)
            cosine = codes @ whitening.codes(coarse_cosines(block)).T
            top = cosine.argmax(axis=1)
            value = cosine[np.arange(len(rows)), top]
            better = value > best
            best[better], match[better], view[better] = value[better], top[better] + start, number
    near = np.flatnonzero(best >= CLOSE - 0.15)
    alike = _verify(images, rows[near], others, match[near], view[near])
    pairs = [
        Shared(int(rows[k]), int(match[k]), float(a))
        for k, a in zip(near, alike, strict=True)
        if a >= SHARED
    ]
    return sorted(pairs, key=lambda pair: (-pair.likeness, pair.row))


def _views() -> tuple[tuple[Crop, Crop], ...]:
    """Windows of (the set, the other): one of the two is whole, the other cut in one direction."""
    cuts = [Crop(wide=w) for w in _WINDOWS[:-1]] + [Crop(high=h) for h in _WINDOWS[:-1]]
    whole = Crop()
    return ((whole, whole), *((whole, c) for c in cuts), *((c, whole) for c in cuts))


VIEWS = _views()


def _verify(
    images: NDArray[np.uint8],
    rows: RowIndices,
    others: NDArray[np.uint8],
    match: RowIndices,
    view: NDArray[np.int64],
) -> Floats32:
    """Likeness of each pair under its own view, and under windows between the views."""
    side = min(48, images.shape[-1], others.shape[-1])
    alike = np.full(len(rows), -2.0, np.float32)
    for number in np.unique(view):
        for nudge in (0.0, -0.0125, 0.0125, -0.025, 0.025):
            # Strangers, most of all pairs, are given up after the first look.
            hope = (alike > SHARED - 0.13) & (alike < SHARED) if nudge else alike < 0
            todo = np.flatnonzero((view == number) & hope)
            near_window, far_window = (_nudged(w, nudge) for w in VIEWS[number])
            for start in range(0, len(todo), 64):
                part = todo[start : start + 64]
                first = near_window.of(images[rows[part]], side)
                second = far_window.of(others[match[part]], side)
                alike[part] = np.maximum(alike[part], likeness(first, second))
    return alike


def _nudged(window: Crop, by: float) -> Crop:
    wide = min(1.0, window.wide + by) if window.wide < 1 else 1.0
    high = min(1.0, window.high + by) if window.high < 1 else 1.0
    return Crop(wide, high)


def _sample(splits: NDArray[Any], seed: int) -> RowIndices:
    """Up to 400 rows of each split, ascending."""
    rng = np.random.default_rng(seed)
    parts = []
    for split in sorted(set(splits)):
        members = np.flatnonzero(splits == split)
        parts.append(rng.permutation(members)[:MOST_OF_A_SPLIT])
    return np.sort(np.concatenate(parts)).astype(np.int64) if parts else np.zeros(0, np.int64)


def _same_hashes(prepared: PreparedSet, against: PreparedSet) -> int:
    if "pixel_hash" not in prepared.table or "pixel_hash" not in against.table:
        return 0
    mine, theirs = (set(s.table["pixel_hash"].dropna()) for s in (prepared, against))
    return len(mine & theirs)


def _pair(pair: Shared, prepared: PreparedSet, against: PreparedSet) -> SharedFilm:
    mine, theirs = prepared.table, against.table
    return SharedFilm(
        row=pair.row,
        image_id=str(mine["image_id"].iloc[pair.row]),
        split=str(split_words(mine).iloc[pair.row]),
        row_of_other=pair.other,
        image_id_of_other=str(theirs["image_id"].iloc[pair.other]),
        split_of_other=str(split_words(theirs).iloc[pair.other]),
        likeness=round(pair.likeness, 4),
    )


def genealogy_findings(genealogy: Genealogy | None) -> list[Finding]:
    """What the shared films mean for judging one set with a model of the other."""
    if genealogy is None:
        return []
    looked, found = sum(genealogy.looked.values()), genealogy.found
    if not found and not genealogy.exact:
        high = wilson(0, looked).high
        title = f"None of {looked:,} films was found in {genealogy.against}: at most {high:.1%} "
        title += "are shared, but other films of the same patients could not be seen."
        remedy = "Compare patient ids, or ask where both sets come from."
        return [Finding("SAME-FAMILY", "info", title, 0, remedy, (), "not provable")]
    ids = few(pair.image_id for pair in genealogy.pairs)
    title = f"{found:,} of {looked:,} films looked for lie in {genealogy.against} too."
    remedy = "Treat both as one set: neither is an external test of a model trained on the other."
    findings = [Finding("SAME-FAMILY", "warning", title, max(found, genealogy.exact), remedy, ids)]
    crossed = [each for each in genealogy.overlap if _test_within_train(each)]
    if crossed:
        where = "; ".join(
            f"{each.count} of {each.split} in its {each.split_of_other}" for each in crossed
        )
        title = f"Films to test on are films to learn from in {genealogy.against}: {where}."
        remedy = "Never judge a model of one of the two on the other's test split."
        count = sum(each.count for each in crossed)
        findings.append(Finding("TEST-WITHIN-TRAIN", "severe", title, count, remedy, ids))
    return findings


def _test_within_train(found: Overlap) -> bool:
    here, there = found.split, found.split_of_other
    return (here == "test" and there in _HIDDEN) or (there == "test" and here in _HIDDEN)
