"""How a tree of folders says class and split: the nearest word of each above a film."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from pneumoscope.errors import printable
from pneumoscope.records import SPLITS, Split
from pneumoscope.sources.meaning.words import Verdict, fold, known, subtype_of
from pneumoscope.sources.places.files import FoundFile, Listing
from pneumoscope.sources.splits import split_of

_COPY_OF = re.compile(r"(?: - (?:Copy|Kopie|copie|copia))?(?: ?\([0-9]+\))?$| copy(?: [0-9]+)?$")
ENOUGH = 0.9
"""Part of the films of a tree that must have a twin in another for the one to be its copy."""

_SAMPLE = 16
_COMPARED = 1 << 20
_FEW = 6


@dataclass(frozen=True, slots=True)
class Place:
    """What the folder ``parts`` says of the films in it.

    ``class_at`` and ``split_at`` are the indices in ``parts`` of the nearest class word and split
    word, -1 without one.
    """

    parts: tuple[str, ...]
    verdict: Verdict | None = None
    class_at: int = -1
    split: Split | None = None
    split_at: int = -1

    @property
    def subtype(self) -> str | None:
        """bacterial or viral, where the class word says so."""
        return subtype_of(self.parts[self.class_at]) if self.verdict == "pneumonia" else None

    @property
    def top(self) -> int:
        """How many of ``parts`` lie above the folders of classes and splits."""
        return min(i for i in (self.class_at, self.split_at, len(self.parts)) if i >= 0)


def folder_of(path: str) -> str:
    """The folder of a film, relative to the root, empty for the root itself.

    A backslash parts folders too: Windows' own unpacker leaves ``train\\NORMAL\\a.png`` elsewhere.
    """
    return path.replace("\\", "/").rpartition("/")[0]


def places_of(folders: Iterable[str], classes: Mapping[str, str]) -> dict[str, Place]:
    """What each of the folders (relative paths with ``/``) says; ``classes`` as ``verdict_of``."""
    words: dict[str, tuple[Verdict | None, Split | None]] = {}
    places: dict[str, Place] = {}
    for folder in folders:
        if folder in places:
            continue
        parts = tuple(folder.split("/")) if folder else ()
        place = Place(parts)
        for index, part in enumerate(parts):
            if part not in words:
                words[part] = verdict_of(part, classes), split_of(part)
            place = _one_further(place, index, *words[part])
        places[folder] = place
    return places


def verdict_of(word: str, classes: Mapping[str, str]) -> Verdict | None:
    """What a folder's name means, by what the user said (keys as ``fold`` gives them), else by
    itself; None where it does not say what for."""
    return cast("Verdict | None", classes.get(fold(word))) or known(word)


def _one_further(place: Place, index: int, verdict: Verdict | None, split: Split | None) -> Place:
    if place.verdict == "ignore":  # which only the user says: of a branch with all in it
        verdict = None
    return Place(
        place.parts,
        verdict or place.verdict,
        index if verdict else place.class_at,
        split or place.split,
        index if split else place.split_at,
    )


def told_layout(places: Iterable[Place]) -> str:
    """A clause on how the films lie: "folders train and test with NORMAL and PNEUMONIA"."""
    splits: dict[str, int] = {}
    classes: dict[str, int] = {}
    split_first = True
    for place in places:
        if place.verdict:
            classes[place.parts[place.class_at]] = place.verdict != "normal"
        if place.split:
            splits[place.parts[place.split_at]] = SPLITS.index(place.split)
            split_first = place.split_at < place.class_at
    # As they stand on disk, but train before test and normal before pneumonia.
    by_class = told(sorted(classes, key=lambda name: (classes[name], name)))
    by_split = told(sorted(splits, key=lambda name: (splits[name], name)))
    if not splits:
        return f"folders {by_class}" if len(classes) > 1 else f"a folder {by_class}"
    outer, inner = (by_split, by_class) if split_first else (by_class, by_split)
    return f"folders {outer} with {inner}"


def told(names: Sequence[str]) -> str:
    """``names`` as one clause, the first few of many."""
    shown = [printable(name) for name in names[:_FEW]]
    if len(names) > _FEW:
        shown.append(f"{len(names) - _FEW} more")
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1]))) if shown else "none"


@dataclass(frozen=True, slots=True)
class Copies:
    """Films that lie twice, as whole trees; ``trees`` maps a copied tree to its original."""

    paths: frozenset[str]
    trees: Mapping[str, str]

    @property
    def notes(self) -> list[str]:
        """What to say of them."""
        if not self.trees:
            return []
        first, above = next(iter(self.trees.items()))
        more = f" and {len(self.trees) - 1} more" if len(self.trees) > 1 else ""
        original = told([above]) if above else "the tree above it"
        return [
            f"The films in {told([first])}{more} are copies of those in {original}, "
            f"as in the Kaggle download: {len(self.paths)} left out."
        ]


def copied_trees(root: Path, films: Sequence[FoundFile], places: Mapping[str, Place]) -> Copies:
    """The films of trees that are copies of another, shallower tree of classes below ``root``.

    Kaggle's chest-xray-pneumonia holds itself: ``chest_xray/train/…`` and
    ``chest_xray/chest_xray/train/…``. A tree is a copy when nine in ten of its films have a twin
    of the same relative path and size, and some that are looked into have the same content.
    """
    trees: dict[tuple[str, ...], list[tuple[FoundFile, tuple[str, int]]]] = {}
    for film in films:
        place = places[folder_of(film.path)]
        above = place.parts[: place.top]
        below = film.path.replace("\\", "/").split("/", place.top)[-1]
        trees.setdefault(above, []).append((film, (below, film.size)))
    seen: dict[tuple[str, int], tuple[FoundFile, tuple[str, ...]]] = {}
    paths: set[str] = set()
    copied: dict[str, str] = {}
    for above in sorted(trees, key=lambda parts: (len(parts), parts)) if len(trees) > 1 else ():
        twins = [(film, *seen[key]) for film, key in trees[above] if key in seen]
        if len(twins) >= ENOUGH * len(trees[above]) and alike(root, twins):
            paths.update(film.path for film, _, _ in twins)
            copied["/".join(above)] = "/".join(twins[0][2])
        for film, key in trees[above]:
            seen.setdefault(key, (film, above))
    return Copies(frozenset(paths), copied)


def without_copied_folders(root: Path, listing: Listing) -> tuple[Listing, list[str]]:
    """``listing`` without the films of folders that a file manager made as copies of those beside
    them (``NORMAL - Copy``, ``NORMAL (1)``), and what to say of them.

    Nine in ten films must have a twin of the same name and size there, and the same content where
    that is looked at: ``(1)`` may as well be the second half of an archive.
    """
    folders: dict[str, dict[tuple[str, int], FoundFile]] = {}
    for file in listing.files:
        folder, _, name = file.path.rpartition("/")
        folders.setdefault(folder, {})[name, file.size] = file
    copied: dict[str, str] = {}
    for folder, films in folders.items():
        above, _, last = folder.rpartition("/")
        base = _COPY_OF.sub("", last)
        original = f"{above}/{base}" if above else base
        if base == last or original not in folders:
            continue
        twins = [
            (f, folders[original][key], ()) for key, f in films.items() if key in folders[original]
        ]
        if len(twins) >= ENOUGH * len(films) and alike(root, twins):
            copied[folder] = original
    if not copied:
        return listing, []
    kept = tuple(file for file in listing.files if folder_of(file.path) not in copied)
    count = len(listing.files) - len(kept)
    passed = Counter(listing.passed_over) + Counter({"copies of a folder": count})
    first = next(iter(copied))
    more = f" and {len(copied) - 1} more" if len(copied) > 1 else ""
    note = (
        f"The films in {told([first])}{more} are copies of those in {told([copied[first]])}: "
        f"{count:,} left out."
    )
    return replace(listing, files=kept, passed_over=dict(passed)), [note]


def alike(root: Path, twins: Sequence[tuple[FoundFile, FoundFile, object]]) -> bool:
    """Whether a few of the twins begin with the same bytes."""
    for film, twin, _ in twins[:: max(len(twins) // _SAMPLE, 1)]:
        try:
            with (root / film.path).open("rb") as one, (root / twin.path).open("rb") as other:
                if one.read(_COMPARED) != other.read(_COMPARED):
                    return False
        except OSError:
            return False
    return True
