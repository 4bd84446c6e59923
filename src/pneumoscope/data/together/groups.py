"""What no split and no fold may divide: films of a patient, equal pixels, copies of one film."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.data.together.alike import Alike, components
from pneumoscope.records import Split

Codes = NDArray[np.int64]

LONGEST_CHAIN = 0.01
"""Part of the films that copies may join by a chain of pairs; a longer one is named and not
followed: it more likely joins strangers, each only alike to the next."""

FEW = 20
"""Films that may be joined in any set, however small."""

_NAMED = 12

_BESIDE: tuple[tuple[Split, Split], ...] = (("val", "train"), ("test", "train"), ("test", "val"))


@dataclass(frozen=True, slots=True)
class Groups:
    """``codes`` are int64 (N,): films with the same number belong together. A group has the number
    of its first patient, so that films that join no other keep theirs.

    ``chains`` are those that were not followed: how many films each would have joined, and some
    of its pairs as rows.
    """

    codes: Codes
    chains: tuple[tuple[int, tuple[tuple[int, int], ...]], ...] = ()


def patient_codes(table: pd.DataFrame) -> Codes:
    """A number for each patient in the order of first appearance, int64 (N,). A film whose
    patient is unknown counts as a patient of its own."""
    own = "film " + pd.Series(np.arange(len(table)), index=table.index).astype("string")
    names = ("patient " + table["patient_id"].astype("string")).fillna(own)
    return pd.factorize(names)[0].astype(np.int64)


def groups_of(table: pd.DataFrame, alike: Alike) -> Groups:
    """Which films belong together: by patient, by the film that their names say they come from, by
    equal pixels, and by being copies of one film."""
    patients = patient_codes(table)
    same = [_joined(table[name]) for name in ("origin", "pixel_hash") if name in table]
    sure = components(len(table), np.concatenate([_pairs(patients), *same], axis=1))
    near = np.stack([alike.first, alike.second]) if len(alike) else np.empty((2, 0), np.int64)
    whole = components(len(table), np.concatenate([_pairs(sure), near], axis=1))
    chains = []
    most = max(FEW, LONGEST_CHAIN * len(table))
    for group in np.flatnonzero(np.bincount(whole, minlength=1) > most):
        # Patients and equal pixels alone may be as many; only what copies add is a chain.
        members = np.unique(sure[whole == group], return_counts=True)[1]
        joined = int(members.sum() - members.max())
        if joined > most:
            inside = whole[near[0]] == group
            pairs = tuple((int(a), int(b)) for a, b in near[:, inside].T[:_NAMED])
            chains.append((joined, pairs))
            near = near[:, ~inside]
    together = components(len(table), np.concatenate([_pairs(sure), near], axis=1))
    first = np.full(len(table), np.iinfo(np.int64).max)
    np.minimum.at(first, together, patients)
    return Groups(first[together], tuple(chains))


def group_codes(table: pd.DataFrame, mode: str) -> Codes:
    """The groups that a recipe asks for: ``patients``, or ``alike`` where the set has them."""
    if mode == "alike" and "group" in table:
        return table["group"].to_numpy(np.int64)
    return patient_codes(table)


@dataclass(frozen=True, slots=True)
class Divided:
    """Films of ``split`` that belong together with films of ``other``: how many there are, and how
    many share a known patient, their pixels, or all but their file (near copies, and films that
    their names say come from one)."""

    split: Split
    other: Split
    films: int
    patients: int
    pixels: int
    copies: int


def divided(table: pd.DataFrame, alike: Alike | None = None) -> tuple[Divided, ...]:
    """What the splits of ``table`` divide: films of val and of test beside those of train, of test
    beside those of val. Pairs of splits that divide nothing are left out."""
    found = []
    for split, other in _BESIDE:
        here, there = (
            (table["split"] == name).fillna(False).to_numpy(bool) for name in (split, other)
        )
        patients = _shared(table, "patient_id", here, there)
        pixels = _shared(table, "pixel_hash", here, there)
        copies = _shared(table, "origin", here, there)
        if alike is not None:
            copies |= here & _near(table, alike, there)
        copies &= ~pixels
        films = int((patients | pixels | copies).sum())
        if films:
            counts = (int(kind.sum()) for kind in (patients, pixels, copies))
            found.append(Divided(split, other, films, *counts))
    return tuple(found)


def _shared(
    table: pd.DataFrame, column: str, here: NDArray[np.bool_], there: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Bool (N,): rows ``here`` whose cell in ``column`` is that of a row ``there``."""
    if column not in table:  # a set of an older version
        return np.zeros(len(table), bool)
    known = table[column].isin(table.loc[there, column].dropna())
    found: NDArray[np.bool_] = here & known.to_numpy(bool)
    return found


def _near(table: pd.DataFrame, alike: Alike, there: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Bool (N,): rows that are near copies of a row ``there``."""
    # Of films with equal pixels only the first takes part in pairs, so it stands for all of them.
    first = np.arange(len(table))
    if "pixel_hash" in table:
        hashes = table["pixel_hash"].astype(str).to_numpy()
        _, place, group = np.unique(hashes, return_index=True, return_inverse=True)
        first = place[group.ravel()]
    has = np.zeros(len(table), bool)
    has[first[there]] = True
    near = np.zeros(len(table), bool)
    near[alike.first[has[alike.second]]] = True
    near[alike.second[has[alike.first]]] = True
    found: NDArray[np.bool_] = near[first]
    return found


def _joined(cells: pd.Series[Any]) -> Codes:
    """Pairs of rows (2, P) that have the same cell, each with the first that has it."""
    codes = pd.factorize(cells)[0]
    known = np.flatnonzero(codes >= 0)
    return _pairs(codes[known], known)


def _pairs(codes: NDArray[np.int64], rows: Codes | None = None) -> Codes:
    """Pairs of rows (2, P) with the same code, each with the first that has it."""
    rows = np.arange(len(codes)) if rows is None else rows
    _, first, group = np.unique(codes, return_index=True, return_inverse=True)
    return np.stack([rows[first[group.ravel()]], rows])
