"""Folders of classes: ``split/CLASS/*``, ``CLASS/*``, ``CLASS/split/*``, at any depth.

A film's class is the nearest class word among the folders above it, its split the nearest split
word. The name of the folder that the user gave says nothing, nor do the names of the files.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from pneumoscope.errors import UnreadableData
from pneumoscope.records import CLASSES, DataRequest, Source
from pneumoscope.sources.assemble import Listed, assemble, check_links
from pneumoscope.sources.film.find import Found, find_films
from pneumoscope.sources.forms.dealt import dealt_again
from pneumoscope.sources.forms.layout import (
    Place,
    copied_trees,
    folder_of,
    places_of,
    told,
    told_layout,
    verdict_of,
    without_copied_folders,
)
from pneumoscope.sources.forms.levels import (
    like_classes,
    offering_branches,
    told_branches,
    unknown_class_folders,
)
from pneumoscope.sources.legends import legends_in, words_for
from pneumoscope.sources.listed import FOLDER_IGNORED, About, Boxes, Column, FileFilms
from pneumoscope.sources.meaning.answers import said_of
from pneumoscope.sources.meaning.asking import Question
from pneumoscope.sources.meaning.cells import DOUBT, REST, Meaning, read_cells
from pneumoscope.sources.meaning.words import LABEL_OF, fold
from pneumoscope.sources.official import with_splits
from pneumoscope.sources.places.files import (
    FoundFile,
    Listing,
    fingerprint,
    may_be_film,
    typical_side,
)
from pneumoscope.sources.splits import split_of
from pneumoscope.sources.tables.find import mention_tables

_NO_CLASSES: Mapping[str, str] = {}
_LOOK_DEEP = 4
_LOOK_WIDE = 200  # folders read in all
_LOOK_LONG = 2000  # entries read of one folder
_OUTSIDE = "films outside a class folder"


def folder_source(request: DataRequest) -> Source:
    """The films of a folder of classes, each with its label, and its split where there is one.

    Raises UnreadableData where no film lies in a class folder, and BadLabels where a folder that
    stands where classes stand has a name that does not say normal or pneumonia.
    """
    root = Path(request.data).expanduser()
    found = find_films(root, request.links, request.meanings)
    listing, doubles = without_copied_folders(root, found.listing)
    classes, legend = _understood(root, listing.files, request)
    places = places_of((folder_of(file.path) for file in listing.files), classes)
    passed = Counter(listing.passed_over)
    films = _films(listing, places, passed)
    if not films:
        raise _nothing(found, passed, places)
    copies = copied_trees(root, films, places)
    if copies.paths:
        films = tuple(film for film in films if film.path not in copies.paths)
        passed["copies of a whole tree of folders"] += len(copies.paths)
    dealt = dealt_again(root, films, places)
    films, used = dealt.films, dealt.places
    if dealt.repeated:
        passed["films that lie in another fold too"] += dealt.repeated
    meaning = _meaning(root, used, _ignored(listing, places), classes)
    about, notes = _about(root, films, used, pooled=bool(dealt.repeated))
    return assemble(
        Listed(
            form="folder",
            name=root.resolve().name or "folder",
            why=told_layout(dict.fromkeys(used)),
            films=FileFilms(root.resolve(), films),
            about=about,
            fingerprint=fingerprint("folder", films, *_said(request)),
            native_size=typical_side(root, films),
            words=meaning.words,
            notes=(
                *notes,
                *found.notes,
                *doubles,
                *copies.notes,
                *legend,
                *dealt.notes,
                *_unused(root, request, places),
                *mention_tables(root, "None was read; labels are those of the folders"),
            ),
            passed=dict(passed),
            lost=check_links(listing, len(films), _link_classes(listing, classes)),
        )
    )


def _understood(
    root: Path, files: Sequence[FoundFile], request: DataRequest
) -> tuple[Mapping[str, str], list[str]]:
    """What the user said, with what an answer for the rest makes of folders that it meets, and a
    legend of those that are numbered; and what to say of that. Raises BadLabels for the others."""
    counts = Counter(folder_of(file.path) for file in files)
    places = places_of(counts, request.meanings)
    there = {places[folder]: count for folder, count in counts.items()}
    unknown = unknown_class_folders(there)
    beside = (place.parts[place.class_at] for place in places.values() if place.verdict)
    films = dict.fromkeys((*unknown, *beside), 0)
    for folder, count in counts.items():
        for name in set(places[folder].parts) & set(films):
            films[name] += count
    words, legend = words_for({fold(name) for name in unknown}, legends_in(root))
    called = {name: words.get(fold(name), name) for name in films}
    cells = Counter[str]()
    for name, count in films.items():
        cells[called[name]] += count
    with offering_branches(there, unknown):
        read = read_cells(cells, Question(f"the folder {root}"), request.meanings)
    verdicts = {0: "normal", 1: "pneumonia"}
    found = {fold(n): verdicts.get(read.code[called[n]], "ignore") for n in unknown}
    notes = [legend] if legend else []
    return {**request.meanings, **found}, [*notes, *told_branches(there, unknown)]


def _ignored(listing: Listing, places: Mapping[str, Place]) -> list[Place]:
    """The place of each film of a class to ignore."""
    there = (places[folder_of(file.path)] for file in listing.files)
    return [place for place in there if place.verdict == "ignore"]


def _meaning(
    root: Path, used: Sequence[Place], ignored: Sequence[Place], classes: Mapping[str, str]
) -> Meaning:
    words = Counter(place.parts[place.class_at] for place in (*used, *ignored))
    return read_cells(words, Question(f"the folder {root}"), classes)


def _about(
    root: Path, films: Sequence[FoundFile], used: Sequence[Place], *, pooled: bool
) -> tuple[About, list[str]]:
    """What the folders say of each film, and what the user should know of that; ``pooled`` says
    that films were taken out of their splits."""
    labels = [LABEL_OF[place.verdict] if place.verdict else None for place in used]
    split = Column.of([place.split for place in used])
    notes: list[str] = []
    if split.known and (loose := len(films) - split.known) and not pooled:
        notes.append(f"{loose} films lie in no split folder, beside others that do.")
    facts = {}
    if any(place.subtype for place in used):
        kinds = zip(labels, used, strict=True)
        facts["subtype"] = Column.of([p.subtype if label else "none" for label, p in kinds])
    none = Column.empty(len(films))
    codes = np.array([-1 if label is None else label for label in labels], dtype=np.int64)
    about = About(codes, none, none, split, facts, Boxes.none(len(films)))
    return (about, notes) if split.known else with_splits(root, films, about)


def _link_classes(listing: Listing, classes: Mapping[str, str]) -> Counter[str]:
    """The links that were not followed, by the class of the folder that they lie in."""
    places = places_of((folder_of(path) for path, _ in listing.links), classes)
    return Counter(places[folder_of(path)].verdict or "unknown" for path, _ in listing.links)


def looks_like_folder(
    path: Path, classes: Mapping[str, str] = _NO_CLASSES, *, follow: bool = False
) -> str | None:
    """Why ``path`` seems to be a folder of classes, None when it does not.

    A cheap look into the first few levels, whatever the size of the tree; links to folders are
    looked into only where the user named what they may lead into (``follow``).
    """
    if flat := [part for part in _flat_parts(path) if verdict_of(part, classes) in CLASSES]:
        return f"files whose names hold folders, {told(sorted(set(flat)))}"
    level = [path]
    budget = _LOOK_WIDE - 1  # that for flat names
    for _ in range(_LOOK_DEEP):
        below: list[Path] = []
        for folder in level[:budget]:
            inner = _folders_in(folder, follow)
            found = [name for name in inner if verdict_of(name, classes) in CLASSES]
            if not found and like_classes(inner):
                found = inner
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


def _flat_parts(path: Path) -> list[str]:
    """Folders in the names of files, which Windows' own unpacker leaves elsewhere."""
    try:
        with os.scandir(path) as entries:
            names = [entry.name for entry in islice(entries, _LOOK_LONG) if "\\" in entry.name]
    except OSError:
        return []
    return [part for name in names for part in name.split("\\")[:-1]]


def _folders_in(folder: Path, follow: bool) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                entry.name
                for entry in islice(entries, _LOOK_LONG)
                if entry.is_dir(follow_symlinks=follow) and not entry.name.startswith((".", "__"))
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
) -> tuple[FoundFile, ...]:
    kept = []
    for file in listing.files:
        verdict = places[folder_of(file.path)].verdict
        if verdict in CLASSES:
            kept.append(file)
        else:
            passed[FOLDER_IGNORED if verdict else _OUTSIDE] += 1
    return tuple(kept)


def _said(request: DataRequest) -> list[str]:
    said = sorted(f"{word}={verdict}" for word, verdict in request.classes.items())
    return [*said, *(f"links {link}" for link in request.links)]


def _unused(root: Path, request: DataRequest, places: Mapping[str, Place]) -> list[str]:
    if not request.classes:
        return []
    there = {fold(part) for part in {part for place in places.values() for part in place.parts}}
    there |= {fold(word) for legend in legends_in(root) for word in legend.words.values()}
    said = said_of("", request.classes)
    unused = sorted(word for word in said if word not in {*there, REST, DOUBT})
    if not unused:
        return []
    return [f"--classes names {told(unused)}, which no folder with films is named."]


def _nothing(
    found: Found, passed: Mapping[str, int], places: Mapping[str, Place]
) -> UnreadableData:
    listing = found.listing
    counts = ", ".join(f"{n} {what}" for what, n in passed.items()) or "nothing at all"
    if listing.links:
        check_links(listing, 0, {"unknown": len(listing.links)})
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
