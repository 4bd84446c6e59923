"""The films below a folder: files that may be films, without masks and what was made from films."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pneumoscope.errors import UnreadableData
from pneumoscope.imaging.views import TOLD, aside_of_folder
from pneumoscope.sources.film.objects import object_kind
from pneumoscope.sources.film.rule import other_branches, sort_films
from pneumoscope.sources.film.stores import check_stores_below
from pneumoscope.sources.meaning.words import words_of
from pneumoscope.sources.places.files import Listing, list_films


@dataclass(frozen=True, slots=True)
class Found:
    """The films of a ``listing``, and ``notes`` on folders that were passed over."""

    listing: Listing
    notes: tuple[str, ...]


def find_films(root: Path, also: Iterable[Path] = (), classes: Collection[str] = ()) -> Found:
    """Every film below ``root``; ``also`` as ``list_films``, ``classes`` as ``sort_films``.

    Raises UnreadableData when the folder is closed, and where it, or all that holds films in it, is
    named for another modality or part of the body.
    """
    listing = list_films(root, also)
    folders = {file.path.rpartition("/")[0] for file in listing.files}
    own = aside_of_folder(words_of(root.resolve().name))
    other = other_branches(folders, classes)
    if folders and (own or len(other) == len(folders)):
        why = TOLD[own] if own else next(iter(other.values()))
        raise UnreadableData(
            "these folders are named for what is no film of a chest",
            got=f"{len(listing.files):,} {why}: {root}",
            expected="frontal radiographs of chests",
            remedy="give the folder of these; if these are, rename it",
        )
    return only_films(listing, classes)


def only_films(listing: Listing, classes: Collection[str] = ()) -> Found:
    """``listing`` without what is no film, counted by reason."""
    # Windows' own unpacker leaves whole paths as the names of files elsewhere.
    paths = [file.path.replace("\\", "/") for file in listing.files]
    kept = sort_films(paths, classes)
    sorted_out = [(listing.files[place], _kind(listing, place)) for place in kept.kept]
    files = tuple(file for file, kind in sorted_out if kind is None)
    objects = Counter(kind for _, kind in sorted_out if kind is not None)
    passed = Counter(listing.passed_over) + Counter(kept.passed) + objects
    return Found(replace(listing, files=files, passed_over=dict(passed)), kept.notes)


def _kind(listing: Listing, place: int) -> str | None:
    """What a DICOM file without pixels is; None for films."""
    file = listing.files[place]
    return object_kind(listing.root / file.path) if file.is_dicom else None


def check_any(found: Found) -> None:
    """Raise UnreadableData where there is no film."""
    if found.listing.files:
        return
    check_stores_below(found.listing.root)
    counts = ", ".join(f"{n:,} {what}" for what, n in found.listing.passed_over.items())
    raise UnreadableData(
        "there is no film in this folder",
        got=f"{counts or 'nothing at all'} in {found.listing.root}",
        expected="JPEG, PNG, TIFF, BMP, WebP or DICOM files",
    )
