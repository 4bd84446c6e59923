"""Dealing films to parts: near a share of every label each, and no group divided."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pneumoscope.errors import InputError
from pneumoscope.sections import DataChoices

Labels = NDArray[np.int64]
Groups = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Plan:
    """The split of every film, object (N,) of SPLITS or None where it has no label, and how that
    came to be: (what, choice, why) for test and val."""

    split: NDArray[np.object_]
    choices: tuple[tuple[str, str, str], ...]


def folds(labels: Labels, groups: Groups, count: int, seed: int) -> NDArray[np.int64]:
    """The fold 0 … count-1 of each film for cross-validation, int64 (N,)."""
    if count < 2:
        raise InputError("cross-validation needs folds", got=count, expected="at least 2")
    return assign(labels, groups, [1 / count] * count, seed)


def assign(labels: Labels, groups: Groups, shares: Sequence[float], seed: int) -> Groups:
    """The part 0 … len(shares)-1 of each film, int64 (N,); no group is divided.

    ``labels`` are small integers, ``groups`` numbers from 0. Each part gets near its share of
    every label, and one group with each label where there are enough. The largest groups are
    dealt first, in an order drawn from ``seed``, each to the part that it fills least.
    """
    kinds, label = np.unique(labels, return_inverse=True)
    counts = np.zeros((int(groups.max(initial=-1)) + 1, len(kinds)))
    np.add.at(counts, (groups, label), 1.0)
    want = np.outer(shares, counts.sum(axis=0))
    enough = (counts > 0).sum(axis=0) >= len(shares)
    want = np.maximum(np.where(enough, np.maximum(want, 1.0), want), 1e-9)
    order = np.random.default_rng(seed).permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    have = np.zeros_like(want)
    part_of = np.zeros(len(counts), dtype=np.int64)
    for group in order:
        present = counts[group] > 0
        filled = ((have + counts[group]) / want)[:, present].max(axis=1, initial=0.0)
        part = int(np.argmin(filled))
        have[part] += counts[group]
        part_of[group] = part
    _give_each(part_of, counts, enough, len(shares))
    return part_of[groups]


def _give_each(
    part_of: Groups, counts: NDArray[np.float64], enough: NDArray[np.bool_], parts: int
) -> None:
    """Move the smallest group with a label to each part that got none of it, though there are
    ``enough``: a small share filled worst by whole patients would else stay empty."""
    for kind in np.flatnonzero(enough):
        there = np.flatnonzero(counts[:, kind] > 0)
        for part in range(parts):
            if (part_of[there] == part).any():
                continue
            donor = np.bincount(part_of[there], minlength=parts).argmax()
            spare = there[part_of[there] == donor]
            part_of[spare[counts[spare].sum(axis=1).argmin()]] = part


def reduce_train(
    split: NDArray[np.object_], labels: Labels, groups: Groups, choices: DataChoices, counted: str
) -> list[tuple[str, str, str]]:
    """Leave all but ``train_share`` of the training patients of each class out of ``split``, in
    place; say so, in films where these are ``counted`` for want of patients. The order of patients
    follows from the split seed alone, so that a smaller share lies within a larger one."""
    if choices.train_share == 1:
        return []
    rows = np.flatnonzero(split == "train")
    ids, place = np.unique(groups[rows], return_inverse=True)
    ill = np.zeros(len(ids), dtype=np.int64)
    np.maximum.at(ill, place, labels[rows])
    order = np.random.default_rng((choices.split_seed, len(ids))).permutation(len(ids))
    kept = np.zeros(len(ids), dtype=bool)
    for kind in (0, 1):
        of_kind = order[ill[order] == kind]
        kept[of_kind[: math.ceil(choices.train_share * len(of_kind) - 1e-9)]] = True
    split[rows[~kept[place]]] = None
    films = f"{int(kept[place].sum()):,} of {len(rows):,} films"
    why = f"{counted} drawn within each class; validation and test films stay as they are"
    return [("train split", f"{choices.train_share:.0%} of its {counted}, {films}", why)]
