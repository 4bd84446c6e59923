"""One film, or a folder of films of which nothing is known: for use after training."""

from __future__ import annotations

from pathlib import Path

from pneumoscope.errors import DataNotFound, UnreadableData
from pneumoscope.records import DataRequest, Source
from pneumoscope.sources.assemble import Listed, assemble, check_links
from pneumoscope.sources.film.find import Found, check_any, find_films
from pneumoscope.sources.listed import About, FileFilms
from pneumoscope.sources.official import with_splits
from pneumoscope.sources.places.files import FoundFile, Listing, fingerprint, typical_side
from pneumoscope.sources.tables.find import mention_tables

_UNREAD = "None was seen to name films and say what they show"


def unlabelled_source(request: DataRequest) -> Source:
    """The film, or every film below the folder, that ``request.data`` names; label None, split
    that of its folder where there are several.

    A file that is named is taken whatever its name; its content decides when it is read.
    Raises DataNotFound where nothing is there, UnreadableData where there is no film.
    """
    path = Path(request.data).expanduser()
    single = path.is_file()
    if not single and not path.is_dir():
        raise DataNotFound(
            "this is neither a file nor a folder" if path.exists() else "there is no such file",
            got=path,
            expected="a film, or a folder of films",
        )
    found = Found(_one(path), ()) if single else find_films(path, request.links)
    listing = found.listing
    lost = check_links(listing, len(listing.files), {"unknown": len(listing.links)})
    check_any(found)
    count = len(listing.files)
    about, splits = with_splits(listing.root, listing.files, About.nothing(count))
    return assemble(
        Listed(
            form="unlabelled",
            name=(path.stem if single else path.resolve().name) or "films",
            why="a single file" if single else f"a folder of {count} files without class folders",
            films=FileFilms(listing.root.resolve(), listing.files),
            about=about,
            fingerprint=fingerprint("unlabelled", listing.files),
            native_size=typical_side(listing.root, listing.files),
            notes=(*found.notes, *splits, *([] if single else mention_tables(path, _UNREAD))),
            passed=listing.passed_over,
            lost=lost,
            unlabelled=True,
        )
    )


def _one(path: Path) -> Listing:
    # The user named this very file, so a link is followed wherever it leads.
    try:
        stat = path.stat()
    except OSError as error:
        raise UnreadableData("the file cannot be read", got=f"{path} ({error.strerror})") from None
    return Listing(path.parent, (FoundFile(path.name, stat.st_size, stat.st_mtime_ns),), {})
