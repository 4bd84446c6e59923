"""Which files of a folder are films, found in fixed order and without following a link out of it.

What the user points at is not trusted: links, endless trees and paths in tables may lead out.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pneumoscope.errors import Unreachable, UnreadableData, UnreadableImage
from pneumoscope.imaging import read
from pneumoscope.records import Film

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".webp")
)
DICOM_SUFFIXES = frozenset((".dcm", ".dicom", ".ima"))
_DEEPEST = 32
_SAMPLE = 16
_USUAL_SIDE = 1024
# Folders that systems leave behind, with thumbnails and copies in them.
_OF_THE_SYSTEM = frozenset(("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information"))
# Files without a suffix that are no DICOM. DICOMDIR is an index of films (PS3.10, 8.6).
_TEXTS = """
authors changelog changes checksums contributing copying dicomdir index install licence license
lockfile makefile manifest md5sums news notice readme sha1sums sha256sums todo version
"""
_NO_FILMS = frozenset(_TEXTS.split())
ANOTHER_KIND = "files of another kind"
"""Why tables, texts and the like are passed over: they are no films, by their names."""

LINKS = "links out of the folder, broken, or to folders"


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file: its path relative to the root with ``/``, bytes, and time of change in ns."""

    path: str
    size: int
    changed: int

    @property
    def suffix(self) -> str:
        """The extension in lower case, with its dot; empty when there is none.

        The last number of a DICOM UID that serves as a name (``1.2.840.10008``) is no extension.
        """
        return suffix_of(self.path)

    @property
    def written_suffix(self) -> str:
        """The extension as it is written, with its dot."""
        return self.path[len(self.path) - len(self.suffix) :]

    @property
    def is_dicom(self) -> bool:
        """Whether this may be a DICOM file, by its name: then it may name a person."""
        return self.suffix not in IMAGE_SUFFIXES

    @property
    def image_id(self) -> str:
        """The path as text that every table can hold; two paths never give the same."""
        try:
            self.path.encode()
        except UnicodeEncodeError:
            raw = self.path.encode("utf-8", "surrogateescape")
            short = hashlib.blake2b(raw, digest_size=4).hexdigest()
            return f"{raw.decode('utf-8', 'backslashreplace')} [{short}]"
        return self.path


@dataclass(frozen=True, slots=True)
class Listing:
    """The films below ``root``, sorted by path, and how many other things were passed over.

    ``links`` are symbolic links out of the folder that were not followed: path, and where to.
    """

    root: Path
    files: tuple[FoundFile, ...]
    passed_over: Mapping[str, int]
    links: tuple[tuple[str, Path], ...] = ()


def list_films(root: Path, also: Iterable[Path] = ()) -> Listing:
    """Every file below ``root`` whose name may be that of a film.

    Counted, not read: names that begin with a dot, foreign files, what is no regular file (a
    pipe would block its reader), and links that lead out of the folder and of those that the user
    named ``also``. A link to a folder is followed into these only, and in no circle. Raises
    UnreadableData when the folder is closed.
    """
    try:
        base = root.resolve(strict=True)
        walk = _Walk(base, tuple(folder.expanduser().resolve() for folder in also))
        files = sorted(walk.below(str(base), "", 0), key=lambda file: file.path)
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UnreadableData("the folder cannot be read", got=f"{root} ({why})") from None
    return Listing(root, tuple(files), dict(walk.passed), tuple(walk.links))


@dataclass(frozen=True, slots=True)
class _Walk:
    """One walk through ``base``; ``also`` are the folders that links may lead into."""

    base: Path
    also: tuple[Path, ...]
    passed: Counter[str] = field(default_factory=Counter)
    links: list[tuple[str, Path]] = field(default_factory=list)
    linked: set[str] = field(default_factory=set)

    def below(self, folder: str, prefix: str, depth: int) -> Iterator[FoundFile]:
        """The films in ``folder``, whose path below the base is ``prefix``."""
        if depth > _DEEPEST:
            self.passed["folders nested too deep"] += 1
            return
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    yield from self._entry(entry, prefix, depth)
        except OSError:  # closed, gone meanwhile, or a path too long for the system
            if not depth:
                raise
            self.passed["folders that may not be read"] += 1

    def _entry(self, entry: os.DirEntry[str], prefix: str, depth: int) -> Iterator[FoundFile]:
        # Names are joined as text: a Path for each of 100,000 files would cost more than the disk.
        name = entry.name
        if name.startswith(".") or name in _OF_THE_SYSTEM:
            self.passed["hidden files"] += 1
        elif entry.is_dir(follow_symlinks=False):
            yield from self.below(entry.path, f"{prefix}{name}/", depth + 1)
        elif _is_linked_folder(entry):
            yield from self._linked_folder(entry, f"{prefix}{name}", depth)
        elif not may_be_film(name):
            self.passed[ANOTHER_KIND] += 1
        elif isinstance(found := self._look(entry, prefix + name), FoundFile):
            yield found
        else:
            self.passed[found] += 1

    def _linked_folder(self, entry: os.DirEntry[str], path: str, depth: int) -> Iterator[FoundFile]:
        target = Path(entry.path).resolve()
        circle = Path(entry.path).parent.resolve().is_relative_to(target)
        # Each folder once: links that lead into one another would never end.
        if self._may_enter(target, self.also) and not circle and str(target) not in self.linked:
            self.linked.add(str(target))
            yield from self.below(entry.path, f"{path}/", depth + 1)
            return
        self.passed[LINKS] += 1
        if not self._may_enter(target, (self.base, *self.also)):
            self.links.append((path, target))

    def _look(self, entry: os.DirEntry[str], path: str) -> FoundFile | str:
        """The file, or the reason to pass it over."""
        try:
            if entry.is_symlink():
                target = Path(entry.path).resolve()
                if not entry.is_file():
                    return LINKS
                if not self._may_enter(target, (self.base, *self.also)):
                    self.links.append((path, target))
                    return LINKS
            elif not entry.is_file(follow_symlinks=False):
                return ANOTHER_KIND
            stat = entry.stat()
        except (OSError, RuntimeError):  # a link to itself; a file that went away
            return LINKS if entry.is_symlink() else "files that may not be read"
        return FoundFile(path, stat.st_size, stat.st_mtime_ns)

    @staticmethod
    def _may_enter(target: Path, homes: Iterable[Path]) -> bool:
        return any(target.is_relative_to(home) for home in homes)


def _is_linked_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:  # a link to itself
        return False


def may_be_film(name: str) -> bool:
    """Whether a file of this name may be a film.

    Archives of DICOM often give their files no extension at all.
    """
    suffix = suffix_of(name)
    if suffix:
        return suffix in IMAGE_SUFFIXES or suffix in DICOM_SUFFIXES
    return name.casefold() not in _NO_FILMS


def suffix_of(path: str) -> str:
    """The extension in lower case, with its dot; empty when there is none."""
    stem, dot, suffix = path.rpartition("/")[2].rpartition(".")
    return f".{suffix.lower()}" if dot and stem and suffix and not suffix.isdecimal() else ""


def read_file(file: Path, side: int = 0) -> Film:
    """The film in ``file``; ``side`` as in ``Record.read``. Raises UnreadableImage, whose reason
    names no file, also where the disk fails while it is read."""
    try:
        return read.read_film(file, side)
    except OSError as error:
        why = f": {error.strerror}" if error.strerror else ""
        raise Unreachable(f"the file cannot be read{why}") from None


def typical_side(root: Path, files: Sequence[FoundFile]) -> int:
    """The longest side in pixels of a typical film: the median of a few evenly spaced ones.

    Where none of them can be read, that of a usual radiograph: reading says what is wrong.
    """
    step = max(len(files) / _SAMPLE, 1)
    chosen = [files[int(i * step)] for i in range(min(_SAMPLE, len(files)))]
    sides = []
    with read.quiet_decoders():
        for file in chosen:
            with contextlib.suppress(UnreadableImage, OSError):
                sides.append(max(read.native_size(root / file.path)))
    return int(statistics.median(sides)) if sides else _USUAL_SIDE


def fingerprint(form: str, files: Iterable[FoundFile], *other: str) -> str:
    """32 hex digits that change when a file is added, taken away, renamed or written to.

    Like make and git, it trusts size and time of change: reading every byte would cost what the
    cache is there to save. The prepared set holds a digest of the pixels themselves.
    """
    hasher = hashlib.blake2b(form.encode(), digest_size=16)
    for text in other:
        hasher.update(f"{len(text)}:{text}".encode("utf-8", "surrogateescape"))
    for file in files:
        hasher.update(
            f"{file.path}\0{file.size}\0{file.changed}\n".encode("utf-8", "surrogateescape")
        )
    return hasher.hexdigest()


def inside(root: Path, path: str, also: Iterable[Path] = ()) -> Path:
    """The file that ``path``, as a table gives it, names below ``root``.

    Raises UnreadableImage where it leads out of ``root`` (absolute, ``..``, a link) and of the
    folders that the user named ``also``, or to nothing.
    """
    if not path or "\0" in path:
        raise UnreadableImage("the table gives no path")
    base = root.resolve()
    try:
        file = (base / path.replace("\\", "/")).resolve()
        homes = (base, *(folder.expanduser().resolve() for folder in also))
    except (OSError, RuntimeError, ValueError):  # a loop of links; half a character of JSON
        raise UnreadableImage("the path in the table cannot be followed") from None
    if not any(file.is_relative_to(home) for home in homes):
        raise UnreadableImage("the path in the table leads out of its folder")
    try:
        regular = file.is_file()
    except OSError:  # a name too long for a file
        regular = False
    if not regular:
        raise UnreadableImage("there is no such file")
    return file
