"""Films that are one film stored in two ways, found once when a set is prepared.

They are looked for in looks of one fixed size, 48 px, whatever the recipe stores, so that every
recipe divides the same films in the same way. What is found is kept beside the set, where splits
and the audit read it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.data.pool import cores, in_order
from pneumoscope.data.prepared import ALIKE, PreparedSet, give_back, map_file
from pneumoscope.imaging.appearance import FLAT
from pneumoscope.imaging.similar import (
    COPY,
    RowIndices,
    Whitening,
    blocks,
    close_pairs,
    coarse_cosines,
    likeness,
)
from pneumoscope.imaging.thumbnails import LOOK, SIDE, Floats32, batches, spreads, thumbnails
from pneumoscope.listener import Advance

MOST_PAIRS = 20_000
"""Pairs looked at, at most: a set that is one film many times over would have billions.
A pair takes up to 2.5 ms."""

_MOST_HELD = 500_000
"""Pairs held until they are looked at, the closest ones."""

_AT_ONCE, _PART = 1024, 64
"""Pairs looked at before those are passed over whose films are joined by now, and of these the
pairs that a thread takes."""

_COARSE, _HOPE = 24, 0.92
"""A pair is looked at in half the size first, which takes an eighth of the time; most strangers end
there. Copies that are found at all have .937 and more at that size."""

_FILMS = 256
"""Films of which a thread makes codes at once: their floats stay in the processor's cache."""


class Looks:
    """The looks of a set that is being made, uint8 (N, 48, 48), of which parts are read when they
    are asked for, so that memory stays as it is however many there are."""

    def __init__(self, file: Path) -> None:
        self._looks, self._mapped = map_file(file)

    def __len__(self) -> int:
        return len(self._looks)

    def __getitem__(self, rows: slice | RowIndices) -> NDArray[np.uint8]:
        part: NDArray[np.uint8] = np.array(self._looks[rows])
        give_back(self._mapped)
        return part

    def thumbs(self) -> NDArray[np.uint8]:
        """Uint8 (N, 32, 32)."""
        small = np.empty((len(self), SIDE, SIDE), np.uint8)
        for part in batches(len(self)):
            small[part] = thumbnails(self[part])
        return small


@dataclass(frozen=True, slots=True)
class Alike:
    """Pairs of rows (first, second) that are one film, int64 (P,), with their ``likeness``
    float32 (P,), the most alike first; of films with equal pixels only the first row takes part.
    ``complete`` says that every close pair was looked at."""

    first: RowIndices
    second: RowIndices
    likeness: NDArray[np.float32]
    complete: bool

    def __len__(self) -> int:
        return len(self.first)


_Pairs = tuple[RowIndices, RowIndices, NDArray[np.float32]]
"""Pairs of rows, with a value of each."""


@dataclass(frozen=True, slots=True)
class _Close:
    """Pairs of rows whose codes are close, int64 (P,), the closest first; ``count`` of them were
    found, of which these are held."""

    first: RowIndices = field(default_factory=lambda: np.zeros(0, np.int64))
    second: RowIndices = field(default_factory=lambda: np.zeros(0, np.int64))
    count: int = 0


def find_alike(
    looks: NDArray[np.uint8] | Looks,
    hashes: pd.Series[str] | None,
    advance: Advance | None = None,
    *,
    sets: RowIndices | None = None,
) -> Alike:
    """The pairs among films of which ``looks`` are uint8 (N, 48, 48). Films with the pixel hash of
    an earlier one, and those that show nothing, take no part. With ``sets`` int64 (N,), the number
    of the set that each film is of, only pairs of different sets are looked for.

    Where more than ``MOST_PAIRS`` are close, the closest are looked at, without those whose films
    are joined already by others.
    """
    again = np.zeros(len(looks), bool) if hashes is None else hashes.duplicated().to_numpy(bool)
    rows, coarse = _shown(looks, np.flatnonzero(~again))
    whitening = Whitening(coarse)
    own = None if sets is None else sets[rows]
    close = _closest(whitening.codes(coarse), whitening.close, advance, own)
    pairs = rows[close.first], rows[close.second]
    first, second, alike = _look_at(looks, pairs, close.count > MOST_PAIRS, advance)
    order = np.lexsort((second, first, -alike))
    return Alike(first[order], second[order], alike[order], close.count <= MOST_PAIRS)


def _shown(looks: NDArray[np.uint8] | Looks, rows: RowIndices) -> tuple[RowIndices, Floats32]:
    """Those of ``rows`` that show something, and the coarse cosines (n, D) of their looks."""

    def seen(part: RowIndices) -> tuple[Floats32, Floats32]:
        these = looks[part]
        return spreads(these), coarse_cosines(these)

    parts = [rows[part] for part in batches(len(rows), _FILMS)]
    found = [*in_order(seen, parts, cores())]
    if not found:
        return rows, np.zeros((0, 1), np.float32)
    spread, coarse = (np.concatenate(each) for each in zip(*found, strict=True))
    shown = spread >= FLAT
    return rows[shown], coarse if shown.all() else coarse[shown]


def _closest(
    codes: Floats32, least: float, advance: Advance | None, sets: RowIndices | None = None
) -> _Close:
    """The pairs whose cosine is ``least`` or above, at most 500,000; memory holds these and a few
    blocks, whatever the number of films. With ``sets`` (N,) those of different sets alone."""
    held = _together([])
    count, limit, work = 0, least, blocks(len(codes))

    def near(block: tuple[int, int]) -> _Pairs:
        pairs = close_pairs(codes, block, limit)
        return pairs if sets is None else _where(pairs, sets[pairs[0]] != sets[pairs[1]])

    for done, pairs in enumerate(in_order(near, work, cores()), 1):
        count += len(pairs[0])
        # The limit may have risen since the block was begun.
        held = _together([held, _where(pairs, pairs[2] >= limit)])
        if len(held[0]) > _MOST_HELD:
            held = _where(held, np.argsort(-held[2], kind="stable")[: _MOST_HELD // 2])
            limit = float(held[2].min())
        if advance:
            advance(done, len(work))
    first, second, _ = _where(held, np.argsort(-held[2], kind="stable"))
    return _Close(first, second, count)


def _together(parts: list[_Pairs]) -> _Pairs:
    none = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
    first, second, value = zip(none, *parts, strict=True)
    return np.concatenate(first), np.concatenate(second), np.concatenate(value)


def _where(pairs: _Pairs, chosen: NDArray[Any]) -> _Pairs:
    first, second, value = pairs
    return first[chosen], second[chosen], value[chosen]


def _look_at(
    looks: NDArray[np.uint8] | Looks,
    pairs: tuple[RowIndices, RowIndices],
    sparing: bool,
    advance: Advance | None,
) -> _Pairs:
    """Those of ``pairs`` that are one film, with their likeness; ``sparing`` passes over pairs of
    films that others have joined."""
    copies = _together([])
    first, second = pairs
    seen, total = 0, min(MOST_PAIRS, len(first))
    while seen < total and len(first):
        step = min(_AT_ONCE, total - seen, len(first))
        parts = [(first[:step][part], second[:step][part]) for part in batches(step, _PART)]
        each = in_order(lambda part: _likeness(looks, *part), parts, cores())
        now = first[:step], second[:step], np.concatenate([*each])
        copies = _together([copies, _where(now, now[2] >= COPY)])
        first, second, seen = first[step:], second[step:], seen + step
        if sparing:
            joined = components(len(looks), np.stack(copies[:2]))
            apart = joined[first] != joined[second]
            first, second = first[apart], second[apart]
        if advance:
            advance(seen, total)
    return copies


def _likeness(
    looks: NDArray[np.uint8] | Looks, a: RowIndices, b: RowIndices
) -> NDArray[np.float32]:
    """The likeness of each pair; of one that is a stranger at half the size, that."""
    found = likeness(thumbnails(looks[a], _COARSE), thumbnails(looks[b], _COARSE), _HOPE)
    hope = np.flatnonzero(found >= _HOPE)
    found[hope] = likeness(looks[a[hope]], looks[b[hope]])
    return found


def components(count: int, pairs: NDArray[np.int64]) -> RowIndices:
    """The component of each of ``count`` rows under ``pairs``, int64 (2, P)."""
    from scipy.sparse import coo_array  # a tenth of a second that only preparing needs
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(pairs.shape[1], bool), tuple(pairs)), shape=(count, count))
    found: RowIndices = connected_components(graph, directed=False)[1].astype(np.int64)
    return found


def write_alike(file: Path, alike: Alike) -> None:
    """Keep ``alike`` as parquet."""
    frame = pd.DataFrame({"first": alike.first, "second": alike.second, "likeness": alike.likeness})
    frame.attrs["complete"] = alike.complete
    frame.to_parquet(file, index=False)


def read_alike(file: Path) -> Alike:
    """What ``write_alike`` kept. Raises OSError and ValueError."""
    frame = pd.read_parquet(file)
    return Alike(
        frame["first"].to_numpy(np.int64),
        frame["second"].to_numpy(np.int64),
        frame["likeness"].to_numpy(np.float32),
        bool(frame.attrs.get("complete", True)),
    )


def alike_of(prepared: PreparedSet) -> Alike:
    """The copies in a prepared set, as they were found when it was made; found anew in one that
    is older, from its stored squares."""
    file = prepared.folder / ALIKE
    if file.is_file():
        return read_alike(file)
    hashes = prepared.table.get("pixel_hash")
    return find_alike(thumbnails(prepared.images, LOOK), hashes)
