"""What is a film: masks, drawings and derived pictures are told by the words of their paths.

One rule for every command. A folder or file named for masks, segmentations or heatmaps holds no
films. One named for pictures made from films (masked, cropped, enhanced) holds none where the films
they were made from are there too, under the same names; else it is all that there is. What only
pixels can say is seen in ``imaging.pictures`` when a film is read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pneumoscope.errors import printable
from pneumoscope.imaging.views import TOLD, aside_of_folder
from pneumoscope.sources.meaning.words import fold, known, words_of
from pneumoscope.sources.splits import split_of

MASKS = "masks and annotations"
DERIVED = "pictures made from other films"

_NEVER_TEXT = """
mask masks lungmask lungmasks maskimages segmentation segmentations seg segs groundtruth
groundtruths gt annotation annotations contour contours outline outlines heatmap heatmaps
gradcam gradcams cam cams saliency overlay overlays overlaid overlayed attention bbox bboxes
boundingbox boundingboxes roi rois landmark landmarks trimap trimaps annot annots annotated segmap
segmaps unet
"""
_NEVER = frozenset(_NEVER_TEXT.split())
"""Words of folders and files that hold no films."""

_MADE_TEXT = """
masked segmented cropped crop crops enhanced equalized equalised clahe denoised filtered
inverted edges edge skeleton boneless suppressed normalized normalised preprocessed processed
resized thumbnail thumbnails thumb thumbs preview previews visualization visualizations label
labels lung lungs predicted prediction predictions reconstructed colorized edited marked drawn vis
bse bone bones binary probability semantic
"""
_MADE = frozenset(_MADE_TEXT.split())
"""Words of folders and files with pictures that may have been made from films."""

_HOME_TEXT = """
image images img imgs film films picture pictures xray xrays cxr cxrs radiograph radiographs
original originals raw png pngs jpg jpgs jpeg jpegs dicom dicoms dcm
"""
_HOME = frozenset(_HOME_TEXT.split())
"""Words of the folder that the films themselves lie in."""

_ANY = re.compile("|".join(sorted(_NEVER | _MADE)))
_EXTENSION = re.compile(r"\.[^.]{1,5}$")
_SETS = frozenset(("data", "dataset", "datasets", "database", "set", "challenge"))
_SIDES = frozenset(("left", "right", "l", "r"))
_MOSTLY = 0.5
_FEW = 6


@dataclass(frozen=True, slots=True)
class Sorted:
    """``kept`` are the places of films, ascending. ``passed`` counts the others by reason, and
    ``notes`` name their folders."""

    kept: tuple[int, ...]
    passed: Mapping[str, int]
    notes: tuple[str, ...] = ()


def sort_films(paths: Sequence[str], classes: Collection[str] = ()) -> Sorted:
    """Which of ``paths``, relative with ``/``, are films; ``classes`` are folded words of folders
    that the user calls classes, which hold films whatever their names."""
    said = frozenset(classes)
    folders = {path.rpartition("/")[0] for path in paths}
    never = {folder: _word_in(folder, _NEVER, said) for folder in folders}
    other = other_branches(folders, said)
    other = {} if len(other) == len(folders) else other  # whether all are is not asked here
    aside = Counter(other[folder] for path in paths if (folder := path.rpartition("/")[0]) in other)
    first = [
        place
        for place, path in enumerate(paths)
        if (folder := path.rpartition("/")[0]) not in other
        and not never[folder]
        and not _is_mask(path.rpartition("/")[2])
    ]
    made = _made_from_others([paths[place] for place in first], said)
    kept = tuple(place for place, word in zip(first, made, strict=True) if word is None)
    counts = Counter(word for word in made if word is not None)
    masks = len(paths) - len(first) - aside.total() + counts.pop(MASKS, 0)
    names, derived, notes = sorted(word for word in counts if word), DERIVED, []
    if names:
        told = ", ".join(repr(printable(name)) for name in names[:_FEW])
        derived += f", in {told}"
        notes.append(
            f"{sum(counts[name] for name in names):,} pictures in folders named {told} repeat the "
            "names of films beside them: they are taken as made from these, and passed over."
        )
    passed = {MASKS: masks, derived: sum(counts.values()), **aside}
    return Sorted(kept, {reason: n for reason, n in passed.items() if n}, tuple(notes))


def other_branches(folders: Iterable[str], classes: Collection[str] = ()) -> dict[str, str]:
    """The folders, relative with ``/``, that lie in one named for another modality or part of the
    body, with the reason to pass them over; ``classes`` as ``sort_films``."""
    folders = list(folders)
    parts = {part for folder in folders for part in folder.split("/") if part}
    beside = {word for part in parts for word in words_of(part)}
    why = {
        part: aside
        for part in parts
        if fold(part) not in classes
        and not known(part)
        and (aside := aside_of_folder(words_of(part), beside))
    }
    found = {}
    for folder in folders if why else ():
        if part := next((part for part in folder.split("/") if part in why), None):
            found[folder] = f"{TOLD[why[part]]}, in {printable(part)!r}"
    return found


def holds_films(name: str, classes: Collection[str] = ()) -> bool:
    """Whether a folder of this name may hold films, by its words."""
    return not _word_in(name, _NEVER, frozenset(classes))


@lru_cache(maxsize=4096)
def _words(name: str) -> tuple[str, ...]:
    """The words of one folder's name, and all of them as one: ``lung_masks``, ``LungMasks``."""
    words = [word.rstrip("0123456789") or word for word in words_of(name)]
    return (*words, "".join(words))


def _word_in(folder: str, wanted: frozenset[str], said: frozenset[str]) -> str:
    """The part of ``folder`` that has one of the ``wanted`` words, empty without one."""
    parts = folder.split("/")
    for place, part in enumerate(parts):
        if not wanted.isdisjoint(_words(part)) and fold(part) not in said and not known(part):
            # "Lung Segmentation Data" is a set, which parts films and masks itself.
            whole = not _SETS.isdisjoint(_words(part))
            if not (whole and any(map(_parts_films, parts[place + 1 :]))):
                return part
    return ""


def _parts_films(folder: str) -> bool:
    """Whether a folder is named for films or for what is none."""
    return not (_HOME | _NEVER).isdisjoint(_words(folder))


def _is_mask(name: str) -> bool:
    """Whether a file's name begins or ends with a word for masks: ``CHNCXR_0001_0_mask.png``."""
    words = words_of(name.rpartition(".")[0] or name)
    while len(words) > 1 and (words[-1].isdecimal() or words[-1] in _SIDES):
        words = words[:-1]
    return len(words) > 1 and (words[0] in _NEVER or words[-1] in _NEVER)


def _made_from_others(paths: Sequence[str], said: frozenset[str]) -> list[str | None]:
    """For each path None where it is a film, else the folder that holds what was made from it; by
    the file's own name empty, or MASKS."""
    folders = {path.rpartition("/")[0] for path in paths}
    in_folder = {folder: _word_in(folder, _MADE, said) for folder in folders}
    made = [in_folder[path.rpartition("/")[0]] or _maker(path) for path in paths]
    beside = _beside_films(paths, said)
    if not beside and not any(made):
        return made
    films = {_core(path) for path, word in zip(paths, made, strict=True) if word is None}
    found: list[str | None] = []
    for path, word in zip(paths, made, strict=True):
        if word is not None and _core(path, word) in films:
            of_folder = word in path.split("/")[:-1]
            found.append(word if of_folder else MASKS if word in _NEVER else "")
        elif word is None and (folder := beside.get(path.rpartition("/")[0])):
            found.append(folder)
        else:
            found.append(None)
    return found


def _maker(path: str) -> str | None:
    """The word of the file's name that says that ``path`` was made from a film."""
    return _cut(_file_words(path.rpartition("/")[2]))[1] or None


def _core(path: str, word: str = "") -> tuple[str, ...]:
    """What a film and a picture made from it share: folders but those of films and of ``word``,
    and the name without extension and without ``word``."""
    *folders, name = path.split("/")
    words = _file_words(name)
    plain = [fold(part) for part in folders if part != word and _HOME.isdisjoint(_words(part)[:-1])]
    if word and word not in folders:
        words = words[: _cut(words)[0]]
    return (*plain, "".join(words))


def _file_words(name: str) -> list[str]:
    """The words of a file's name without its extension."""
    return words_of(_EXTENSION.sub("", name))


def _cut(words: Sequence[str]) -> tuple[int, str]:
    """Where in a file's name what it was made from ends, and the word for masks or for pictures
    made from films that follows: ``film 12 | mask left``. All words and "" where none does."""
    if _ANY.search("".join(words)):
        for place in range(1, len(words)):
            both = "".join(words[place : place + 2])
            for word in (words[place].rstrip("0123456789"), both):
                if word in _NEVER or word in _MADE:
                    return place, word
    return len(words), ""


def _beside_films(paths: Iterable[str], said: frozenset[str]) -> dict[str, str]:
    """Folders of an unknown name beside a folder of films (``images``), most of whose pictures
    have the names of these films: ``bone_view`` beside ``images``."""
    homes: dict[str, list[str]] = {}
    for folder in {path.rpartition("/")[0] for path in paths}:
        above, _, last = folder.rpartition("/")
        if last and fold(last) in _HOME:
            homes.setdefault(above, []).append(folder)
    if not homes:
        return {}
    stems: dict[str, set[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        stems.setdefault(folder, set()).add("".join(_file_words(name)))
    found = {}
    for folder, names in stems.items():
        above, _, last = folder.rpartition("/")
        if not last or fold(last) in _HOME or above not in homes:
            continue
        if fold(last) in said or known(last) or split_of(last):
            continue
        films = set().union(*(stems[home] for home in homes[above]))
        if len(names & films) > _MOSTLY * len(names):
            found[folder] = last
    return found
