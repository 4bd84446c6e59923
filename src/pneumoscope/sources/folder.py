"""Folders of classes: ``split/CLASS/*``, ``CLASS/*``, ``CLASS/split/*``, at any depth.

A film's class is the nearest class word among the folders above it, its split the nearest split
word. The name of the folder that the user gave says nothing, nor do the names of the files.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from pneumoscope.errors import UnreadableData
from pneumoscope.records import CLASSES, DataRequest, Facts, Record, Source
from pneumoscope.sources.classes import LABEL_OF, class_of, fold, unknown_classes
from pneumoscope.sources.files import (
    FoundFile,
    Listing,
    fingerprint,
    list_films,
    may_be_film,
    read_file,
    typical_side,
)
from pneumoscope.sources.kermany import parse_name, recognise
from pneumoscope.sources.layout import (
    Copies,
    Place,
    copied_trees,
    folder_of,
    places_of,
    split_of,
    told,
    told_layout,
    unknown_class_folders,
)

_NO_CLASSES: Mapping[str, str] = {}
_LOOK_DEEP = 4
_LOOK_WIDE = 200  # folders read in all
_LOOK_LONG = 2000  # entries read of one folder


def folder_source(request: DataRequest) -> Source:
    """The films of a folder of classes, each with its label, and its split where there is one.

    Raises UnreadableData where no film lies in a class folder, and BadLabels where a folder beside
    class folders has a name that is neither normal nor pneumonia.
    """
    root = Path(request.data).expanduser()
    listing = list_films(root)
    places = places_of((folder_of(file.path) for file in listing.files), request.classes)
    if unknown := unknown_class_folders(places.values()):
        raise unknown_classes(unknown, f"the folder {root}")
    passed = Counter(listing.passed_over)
    films = tuple(_films(listing, places, passed))
    if not films:
        raise _nothing(listing, passed, places)
    copies = copied_trees(root, films, places)
    if copies.paths:
        films = tuple(film for film in films if film.path not in copies.paths)
        passed["copies of a whole tree of folders"] += len(copies.paths)
    records = _records(root, films, places)
    used = {folder: places[folder] for folder in dict.fromkeys(folder_of(f.path) for f in films)}
    return Source(
        name="kermany" if records.note else _name(root),
        form="folder",
        why=told_layout(used.values()),
        fingerprint=fingerprint("folder", films, *_said(request)),
        count=len(films),
        native_size=typical_side(root, films),
        records=records,
        notes=(*records.notes(), *_copy_notes(copies), *_unused(request, places)),
        passed_over=dict(passed),
    )


@dataclass(frozen=True, slots=True)
class FolderRecords:
    """The records of ``films``, made one by one; ``note`` is that of the Kermany set, or empty."""

    root: Path
    films: tuple[FoundFile, ...]
    places: Mapping[str, Place]
    note: str
    subtypes: bool

    def __len__(self) -> int:
        return len(self.films)

    def __iter__(self) -> Iterator[Record]:
        for film in self.films:
            place = self.places[folder_of(film.path)]
            patient, facts = self._known(film, place)
            yield Record(
                image_id=film.image_id,
                read=partial(read_file, self.root / film.path),
                label=_label(place),
                patient_id=patient,
                split=place.split,
                facts=facts,
                private=film.is_dicom,
            )

    def _known(self, film: FoundFile, place: Place) -> tuple[str | None, Facts]:
        facts: dict[str, str | int] = {"bytes": film.size}
        named = parse_name(film.path.rpartition("/")[2]) if self.note else None
        subtype = named.subtype if named and named.label == _label(place) else place.subtype
        if self.subtypes and _label(place) == 0:
            subtype = "none"
        if subtype is not None:
            facts["subtype"] = subtype
        return (named.patient_id if named else None), facts

    def notes(self) -> tuple[str, ...]:
        """What the user should know of these films."""
        notes = [self.note] if self.note else []
        counted = Counter(self.places[folder_of(film.path)] for film in self.films)
        labels = {_label(place) for place in counted}
        if len(labels) == 1:
            notes.append(f"All films are {CLASSES[labels.pop() or 0]}: a model learns from both.")
        loose = sum(n for place, n in counted.items() if place.split is None)
        if 0 < loose < len(self.films):
            notes.append(f"{loose} films lie in no split folder, beside others that do.")
        return tuple(notes)


def looks_like_folder(path: Path, classes: Mapping[str, str] = _NO_CLASSES) -> str | None:
    """Why ``path`` seems to be a folder of classes, None when it does not.

    A cheap look into the first few levels, whatever the size of the tree; follows no link.
    """
    level = [path]
    budget = _LOOK_WIDE
    for _ in range(_LOOK_DEEP):
        below: list[Path] = []
        for folder in level[:budget]:
            inner = _folders_in(folder)
            found = [name for name in inner if class_of(name, classes) in CLASSES]
            if found := [name for name in found if _may_hold_films(folder / name)]:
                where = "" if folder == path else f" in {told([str(folder.relative_to(path))])}"
                return f"{'folders' if len(found) > 1 else 'a folder'} {told(found)}{where}"
            # Class folders are likelier below splits than below any other folder.
            inner.sort(key=lambda name: (split_of(name) is None, name))
            below += [folder / name for name in inner]
        budget -= len(level)
        level = below
        if budget <= 0:
            break
    return None


def _folders_in(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                entry.name
                for entry in islice(entries, _LOOK_LONG)
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith((".", "__"))
            )
    except OSError:
        return []


def _may_hold_films(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(
                entry.is_dir(follow_symlinks=False) or may_be_film(entry.name)
                for entry in islice(entries, _LOOK_LONG)
                if not entry.name.startswith(".")
            )
    except OSError:
        return False


def _films(
    listing: Listing, places: Mapping[str, Place], passed: Counter[str]
) -> Iterator[FoundFile]:
    for file in listing.files:
        place = places[folder_of(file.path)]
        if place.masks:
            passed["masks and annotations"] += 1
        elif place.verdict is None:
            passed["films outside a class folder"] += 1
        elif place.verdict == "ignore":
            passed["films of a class to ignore"] += 1
        else:
            yield file


def _records(
    root: Path, films: tuple[FoundFile, ...], places: Mapping[str, Place]
) -> FolderRecords:
    named = (
        (film.path.rpartition("/")[2], _label(places[folder_of(film.path)]) or 0) for film in films
    )
    note = recognise(named) or ""
    subtypes = bool(note) or any(place.subtype for place in places.values())
    return FolderRecords(root.resolve(), films, places, note, subtypes)


def _label(place: Place) -> int | None:
    return LABEL_OF[place.verdict] if place.verdict else None


def _name(root: Path) -> str:
    return root.resolve().name or "folder"


def _said(request: DataRequest) -> list[str]:
    return sorted(f"{word}={verdict}" for word, verdict in request.classes.items())


def _copy_notes(copies: Copies) -> list[str]:
    if not copies.trees:
        return []
    first = next(iter(copies.trees))
    more = f" and {len(copies.trees) - 1} more" if len(copies.trees) > 1 else ""
    original = told([copies.trees[first]]) if copies.trees[first] else "the tree above it"
    return [
        f"The films in {told([first])}{more} are copies of those in {original}, "
        f"as in the Kaggle download: {len(copies.paths)} left out."
    ]


def _unused(request: DataRequest, places: Mapping[str, Place]) -> list[str]:
    if not request.classes:
        return []
    there = {fold(part) for part in {part for place in places.values() for part in place.parts}}
    unused = sorted(word for word in request.classes if word not in there)
    return [f"--classes names {told(unused)}, which no folder with films is named."] * bool(unused)


def _nothing(
    listing: Listing, passed: Mapping[str, int], places: Mapping[str, Place]
) -> UnreadableData:
    counts = ", ".join(f"{n} {what}" for what, n in passed.items()) or "nothing at all"
    if not listing.files:
        return UnreadableData(
            "there is no film in this folder",
            got=f"{counts} in {listing.root}",
            expected="JPEG, PNG, TIFF, BMP, WebP or DICOM files in folders named for their class",
        )
    names = sorted({place.parts[-1] for place in places.values() if place.parts})
    return UnreadableData(
        "no film lies in a folder of normal or pneumonia films",
        got=f"{counts} in {listing.root}; folders with films: {told(names)}",
        expected="folders named for their class, such as NORMAL and PNEUMONIA",
        remedy="say what the folders hold: --classes WORD=pneumonia, normal or ignore; or give a "
        "table of labels: --labels FILE",
    )
