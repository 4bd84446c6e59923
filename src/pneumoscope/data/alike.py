"""Films that are one film stored in two ways, found once when a set is prepared.

They are looked for in looks of one fixed size, 48 px, whatever the recipe stores, so that every
recipe divides the same films in the same way. What is found is kept beside the set, where splits
and the audit read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.data.prepared import ALIKE, PreparedSet
from pneumoscope.imaging.appearance import FLAT
from pneumoscope.imaging.similar import COPY, RowIndices, Whitening, close_pairs, likeness
from pneumoscope.imaging.thumbnails import LOOK, spreads, thumbnails

MOST_PAIRS = 20_000
"""Pairs looked at, at most: a set that is one film many times over would have billions.
A pair takes up to 2.5 ms."""

_COARSE, _HOPE = 24, 0.6
"""A pair is looked at in half the size first, which takes an eighth of the time; strangers, nearly
all pairs of a large set, end there."""


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


def find_alike(looks: NDArray[np.uint8], hashes: pd.Series[str] | None) -> Alike:
    """The pairs among films of which ``looks`` are uint8 (N, 48, 48). Films with the pixel hash of
    an earlier one, and those that show nothing, take no part."""
    again = np.zeros(len(looks), bool) if hashes is None else hashes.duplicated().to_numpy(bool)
    rows = np.flatnonzero(~again & (spreads(looks) >= FLAT))
    seen_films = looks if len(rows) == len(looks) else looks[rows]
    whitening = Whitening(seen_films)
    codes = whitening.codes(seen_films)
    firsts, seconds = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    values = [np.zeros(0, np.float32)]
    seen = 0
    for one, other, _ in close_pairs(codes, whitening.close):
        left = MOST_PAIRS - seen
        a, b = rows[one[:left]], rows[other[:left]]
        seen += len(one)
        found = _likeness(looks, a, b)
        copies = found >= COPY
        firsts.append(a[copies])
        seconds.append(b[copies])
        values.append(found[copies])
        if seen > MOST_PAIRS:
            break
    first, second = np.concatenate(firsts), np.concatenate(seconds)
    alike = np.concatenate(values)
    order = np.lexsort((second, first, -alike))
    return Alike(first[order], second[order], alike[order], seen <= MOST_PAIRS)


def _likeness(looks: NDArray[np.uint8], a: RowIndices, b: RowIndices) -> NDArray[np.float32]:
    """The likeness of each pair; of one that is a stranger at half the size, that."""
    found = likeness(thumbnails(looks[a], _COARSE), thumbnails(looks[b], _COARSE))
    hope = np.flatnonzero(found >= _HOPE)
    found[hope] = likeness(looks[a[hope]], looks[b[hope]])
    found[found < _HOPE] = np.minimum(found[found < _HOPE], _HOPE)
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
