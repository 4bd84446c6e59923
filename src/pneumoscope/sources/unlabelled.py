"""One film, or a folder of films of which nothing is known: for use after training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pneumoscope.errors import DataNotFound, UnreadableData
from pneumoscope.records import DataRequest, Record, Source
from pneumoscope.sources.files import (
    FoundFile,
    Listing,
    fingerprint,
    list_films,
    read_file,
    typical_side,
)


def unlabelled_source(request: DataRequest) -> Source:
    """The film, or every film below the folder, that ``request.data`` names; label and split None.

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
    listing = _one(path) if single else list_films(path)
    if not listing.files:
        counts = ", ".join(f"{n} {what}" for what, n in listing.passed_over.items())
        raise UnreadableData(
            "there is no film in this folder",
            got=f"{counts or 'nothing at all'} in {path}",
            expected="JPEG, PNG, TIFF, BMP, WebP or DICOM files",
        )
    count = len(listing.files)
    return Source(
        name=(path.stem if single else path.resolve().name) or "films",
        form="unlabelled",
        why="a single file" if single else f"a folder of {count} files without class folders",
        fingerprint=fingerprint("unlabelled", listing.files),
        count=count,
        native_size=typical_side(listing.root, listing.files),
        records=UnlabelledRecords(listing.root.resolve(), listing.files),
        passed_over=dict(listing.passed_over),
    )


@dataclass(frozen=True, slots=True)
class UnlabelledRecords:
    """The records of ``films``, made one by one."""

    root: Path
    films: tuple[FoundFile, ...]

    def __len__(self) -> int:
        return len(self.films)

    def __iter__(self) -> Iterator[Record]:
        for film in self.films:
            yield Record(
                image_id=film.image_id,
                read=partial(read_file, self.root / film.path),
                label=None,
                facts={"bytes": film.size},
                private=film.is_dicom,
            )


def _one(path: Path) -> Listing:
    # The user named this very file, so a link is followed wherever it leads.
    try:
        stat = path.stat()
    except OSError as error:
        raise UnreadableData("the file cannot be read", got=f"{path} ({error.strerror})") from None
    return Listing(path.parent, (FoundFile(path.name, stat.st_size, stat.st_mtime_ns),), {})
