"""Folds as folders: the same films dealt differently into train and val, once for each fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pneumoscope.sources.forms.layout import ENOUGH, Place, alike, folder_of, told
from pneumoscope.sources.places.files import FoundFile

_Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Dealt:
    """Films each once, with the ``places`` that say their class and split; ``repeated`` counts
    those that lie in another fold too."""

    films: tuple[FoundFile, ...]
    places: tuple[Place, ...]
    repeated: int = 0
    notes: tuple[str, ...] = ()


def dealt_again(root: Path, films: Sequence[FoundFile], places: Mapping[str, Place]) -> Dealt:
    """``films``, those of sibling trees with the same films once; where these trees deal a film
    into several splits, it is in none, so that new ones are cut."""
    used = tuple(places[folder_of(film.path)] for film in films)
    trees: dict[tuple[str, ...], dict[_Key, int]] = {}
    for at, (film, place) in enumerate(zip(films, used, strict=True)):
        if place.split:
            trees.setdefault(place.parts[: place.top], {})[_key(film, place)] = at
    folds = _folds(root, films, trees)
    if not folds:
        return Dealt(tuple(films), used)
    first: dict[_Key, int] = {}
    splits: dict[_Key, set[str | None]] = {}
    again = set()
    for above in folds:
        for key, at in trees[above].items():
            splits.setdefault(key, set()).add(used[at].split)
            if first.setdefault(key, at) != at:
                again.add(at)
    pooled = {first[key] for key, found in splits.items() if len(found) > 1}
    kept = [at for at in range(len(films)) if at not in again]
    names = sorted("/".join(above) for above in folds)
    note = (
        f"The folders {told(names)} hold the same films, dealt differently: each counts once, and "
        f"{len(pooled):,} that lie in several splits are pooled, so that new ones are cut. To use "
        f"one of them as it is, give its folder: {root / names[0]}"
    )
    return Dealt(
        tuple(films[at] for at in kept),
        tuple(replace(used[at], split=None) if at in pooled else used[at] for at in kept),
        len(again),
        (note,),
    )


def _key(film: FoundFile, place: Place) -> _Key:
    """What a film is called in each fold: its path below the fold without the split, its size."""
    parts = film.path.replace("\\", "/").split("/")
    below = [part for at, part in enumerate(parts) if at >= place.top and at != place.split_at]
    return "/".join(below), film.size


def _folds(
    root: Path, films: Sequence[FoundFile], trees: Mapping[tuple[str, ...], Mapping[_Key, int]]
) -> list[tuple[str, ...]]:
    """The sibling trees that hold the same films as the first of them; none where it is alone."""
    for above in trees:
        beside = [one for one in trees if one and one[:-1] == above[:-1]] if above else []
        found = [one for one in beside if _same(root, films, trees[above], trees[one])]
        if len(found) > 1:
            return found
    return []


def _same(
    root: Path, films: Sequence[FoundFile], one: Mapping[_Key, int], other: Mapping[_Key, int]
) -> bool:
    both = [key for key in one if key in other]
    if len(both) < ENOUGH * max(len(one), len(other)):
        return False
    return one is other or alike(root, [(films[one[k]], films[other[k]], ()) for k in both])
