"""How a tree of folders says class and split: the nearest word of each above a film."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pneumoscope.errors import printable
from pneumoscope.records import SPLITS, Split
from pneumoscope.sources.classes import Verdict, class_of, fold, subtype_of
from pneumoscope.sources.files import FoundFile

_SPLIT_WORDS: Mapping[str, Split] = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "development"), "val"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
}
_SPLIT_TAILS = ("", "set", "data", "split", "images", "folder")
_MASK_WORDS = frozenset(
    ("mask", "masks", "lungmask", "lungmasks", "segmentation", "segmentations", "annotations")
)
_A_SPLIT = "/split"  # no folder can have this name
_ENOUGH = 0.9
_SAMPLE = 16
_COMPARED = 1 << 20
_FEW = 6


@dataclass(frozen=True, slots=True)
class Place:
    """What the folder ``parts`` says of the films in it.

    ``class_at`` and ``split_at`` are the indices in ``parts`` of the nearest class word and split
    word, -1 without one. ``masks`` says that what lies there are masks, not films.
    """

    parts: tuple[str, ...]
    verdict: Verdict | None = None
    class_at: int = -1
    split: Split | None = None
    split_at: int = -1
    masks: bool = False

    @property
    def subtype(self) -> str | None:
        """bacterial or viral, where the class word says so."""
        return subtype_of(self.parts[self.class_at]) if self.verdict == "pneumonia" else None

    @property
    def top(self) -> int:
        """How many of ``parts`` lie above the folders of classes and splits."""
        return min(i for i in (self.class_at, self.split_at, len(self.parts)) if i >= 0)


def folder_of(path: str) -> str:
    """The folder of a film, relative to the root, empty for the root itself."""
    return path.rpartition("/")[0]


def split_of(word: str) -> Split | None:
    """The split that a folder name means, None when it is no split word."""
    folded = fold(word)
    for tail in _SPLIT_TAILS:
        if folded.endswith(tail) and (found := _SPLIT_WORDS.get(folded.removesuffix(tail))):
            return found
    return None


def places_of(folders: Iterable[str], classes: Mapping[str, str]) -> dict[str, Place]:
    """What each of the folders (relative paths with ``/``) says; ``classes`` as ``class_of``."""
    words: dict[str, tuple[Verdict | None, Split | None, bool]] = {}
    places: dict[str, Place] = {}
    for folder in folders:
        if folder in places:
            continue
        parts = tuple(folder.split("/")) if folder else ()
        place = Place(parts)
        for index, part in enumerate(parts):
            if part not in words:
                verdict = class_of(part, classes)
                words[part] = verdict, split_of(part), not verdict and fold(part) in _MASK_WORDS
            place = _one_further(place, index, *words[part])
        places[folder] = place
    return places


def _one_further(
    place: Place, index: int, verdict: Verdict | None, split: Split | None, masks: bool
) -> Place:
    return Place(
        place.parts,
        verdict or place.verdict,
        index if verdict else place.class_at,
        split or place.split,
        index if split else place.split_at,
        place.masks or masks,
    )


def unknown_class_folders(places: Iterable[Place]) -> list[str]:
    """The names of folders with films that stand where class folders stand, but are none.

    A folder stands there when it lies directly beside a class folder, or at the same place below
    another split: in ``{train,test}/…`` what stands beside ``train/NORMAL`` or ``test/NORMAL``.
    """
    places = [place for place in places if not place.masks]
    beside = {_blurred(p.parts[: p.class_at]) for p in places if p.verdict}
    unknown = {}
    for place in places:
        for index in range(place.class_at + 1, len(place.parts)):
            name = place.parts[index]
            if not split_of(name) and _blurred(place.parts[:index]) in beside:
                unknown[name] = True
                break
    return sorted(unknown)


def _blurred(parts: Sequence[str]) -> tuple[str, ...]:
    """``parts`` with all splits alike."""
    return tuple(_A_SPLIT if split_of(part) else part for part in parts)


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
        below = film.path.split("/", place.top)[-1]
        trees.setdefault(above, []).append((film, (below, film.size)))
    seen: dict[tuple[str, int], tuple[FoundFile, tuple[str, ...]]] = {}
    paths: set[str] = set()
    copied: dict[str, str] = {}
    for above in sorted(trees, key=lambda parts: (len(parts), parts)) if len(trees) > 1 else ():
        twins = [(film, *seen[key]) for film, key in trees[above] if key in seen]
        if len(twins) >= _ENOUGH * len(trees[above]) and _alike(root, twins):
            paths.update(film.path for film, _, _ in twins)
            copied["/".join(above)] = "/".join(twins[0][2])
        for film, key in trees[above]:
            seen.setdefault(key, (film, above))
    return Copies(frozenset(paths), copied)


def _alike(root: Path, twins: Sequence[tuple[FoundFile, FoundFile, object]]) -> bool:
    """Whether a few of the twins begin with the same bytes."""
    for film, twin, _ in twins[:: max(len(twins) // _SAMPLE, 1)]:
        try:
            with (root / film.path).open("rb") as one, (root / twin.path).open("rb") as other:
                if one.read(_COMPARED) != other.read(_COMPARED):
                    return False
        except OSError:
            return False
    return True
