"""What could hold the labels of films and is not read, files beside them and their own names: it is
named, since a set with labels must not end as one without."""

from __future__ import annotations

import glob
import re
from collections import Counter
from pathlib import Path, PurePosixPath

from pneumoscope.errors import InputError, UnreadableData, printable
from pneumoscope.records import DataRequest
from pneumoscope.sources.film.find import find_films
from pneumoscope.sources.meaning.words import is_kind, known, misspelt, words_of
from pneumoscope.sources.places.files import ANOTHER_KIND, IMAGE_SUFFIXES
from pneumoscope.sources.rows.voc import voc_rows
from pneumoscope.sources.tables.find import files_below
from pneumoscope.sources.tables.read import TABLE_SUFFIXES, read_table
from pneumoscope.sources.tables.roles import few

_STORES = frozenset((
    ".xls", ".xlsx", ".xlsm", ".ods", ".numbers", ".sav", ".dta", ".sas7bdat", ".rds", ".rdata",
    ".rda", ".db", ".sqlite", ".sqlite3", ".mdb", ".accdb", ".pkl", ".pickle", ".feather", ".arrow",
    ".mat", ".h5", ".hdf5", ".npy", ".npz",
))  # fmt: skip
"""Files that hold tables in a way that text does not show."""

_TEXTS = frozenset(
    (".json", ".jsonl", ".ndjson", ".xml", ".html", ".htm", ".yaml", ".yml", ".txt", ".csv", ".tsv")
)
_BESIDE = _TEXTS | {".rtf", ".doc", ".docx", ".md"}
_SAMPLE, _LONGEST_TEXT, _SHORTEST_NAME, _MOSTLY = 32, 16 << 20, 4, 0.5
_NEARLY, _FEW = 0.9, 8
_NAME, _LONGEST_SIDECAR = re.compile(r"[\w.-]+"), 64 << 10
_SUMS = frozenset((".md5", ".sha1", ".sha256", ".crc", ".dcm", ".lock", ".bak", ".tmp", ""))
_JUNK = "thumbs.db"  # Windows leaves it in folders of pictures
_REMEDY = (
    "write what it says into a table with a row for each film, file and label, and name that: "
    "--labels FILE.csv; where folders say it: --form folder; where the films have no labels: "
    "--form unlabelled"
)


def check_unread(root: Path, request: DataRequest) -> None:
    """Raise UnreadableData for the first file below ``root`` that could say what its films show and
    is not read: one with each film (XML, text), a text that names films, a store of tables; or for
    their own names, where these have words for classes."""
    if not root.is_dir():
        return
    found = find_films(root, request.links).listing
    films = [file.path for file in found.files]
    if films:
        _check_names(root, films)
    if not films or not found.passed_over.get(ANOTHER_KIND):
        return
    others = [p for p in files_below(root, tuple(_BESIDE | _STORES)) if p.name.lower() != _JUNK]
    _check_sidecars(root, films)
    _check_beside(root, films, others)
    _check_texts(root, films, others)
    for path in others:
        why = _why(path, films)
        if why:
            raise UnreadableData(
                "a file among the films could hold their labels, and is not read",
                got=f"{printable(path.relative_to(root))} ({why})",
                expected="a table: CSV, parquet, a workbook, JSON of records or of COCO",
                remedy=_REMEDY,
            )


def _check_names(root: Path, films: list[str]) -> None:
    """Raise where the films' own names have words for classes, and not all the same."""
    words = Counter(filter(None, map(_class_word, films)))
    there = words.total()
    if there < _MOSTLY * len(films) or (len(words) < 2 and there > _NEARLY * len(films)):
        return
    named = ", ".join(f"{word!r} × {count:,}" for word, count in words.most_common(_FEW))
    raise UnreadableData(
        "the names of the films seem to say what they show, and are not read for labels",
        got=f"{named} of {len(films):,} films in {root}",
        expected="folders named for classes, or a table of labels",
        remedy="move the films of each word into a folder of that name, or "
        + _REMEDY.replace("what it says", "what they say"),
    )


def _class_word(film: str) -> str:
    """The first word of a film's name that could be one of a class, empty without one."""
    words = [word.rstrip("0123456789") for word in words_of(PurePosixPath(film).stem)]
    return next((word for word in words if known(word) or misspelt(word) or is_kind(word)), "")


def _check_beside(root: Path, films: list[str], others: list[Path]) -> None:
    stems = {PurePosixPath(film).stem for film in films}
    beside = Counter(path.suffix.lower() for path in others if path.stem in stems)
    for suffix, count in beside.most_common(1):
        if count < _MOSTLY * min(len(films), _SAMPLE):
            return
        if suffix == ".xml":
            voc_rows(root)  # says why it was refused
        what = {
            ".xml": "annotations other than Pascal VOC's",
            ".txt": "boxes of YOLO, or reports",
        }
        raise UnreadableData(
            "a file beside each film could hold its label, and is not read",
            got=f"{count:,} {suffix} files named as films in {root} "
            f"({what.get(suffix, 'texts of their own')})",
            expected="one table of all labels; boxes of YOLO with their data.yaml, or COCO's JSON",
            remedy=_REMEDY,
        )


def _check_sidecars(root: Path, films: list[str]) -> None:
    """Raise for small files of any other kind that lie beside the films under their names, as
    WebDataset's ``.cls`` do."""
    some = films[:: max(1, len(films) // _SAMPLE)]
    found = Counter(suffix for film in some for suffix in _beside(root / film))
    for suffix, count in found.most_common(1):
        if count >= _MOSTLY * len(some):
            raise _not_read(f"{suffix} files named as films in {root}")


def _beside(film: Path) -> set[str]:
    """The extensions of small files beside ``film`` that bear its name, of kinds that no other
    check knows."""
    known = _BESIDE | _STORES | IMAGE_SUFFIXES | TABLE_SUFFIXES | _SUMS
    there = (one for one in film.parent.glob(f"{glob.escape(film.stem)}.*") if one.is_file())
    small = (one for one in there if 0 < one.stat().st_size <= _LONGEST_SIDECAR)
    return {one.suffix.lower() for one in small if one.name != film.name} - known


def _check_texts(root: Path, films: list[str], others: list[Path]) -> None:
    """Raise where texts of other names than the films' each name one, as reports of Open-i do."""
    texts = [path for path in others if path.suffix.lower() in _TEXTS]
    stems = {PurePosixPath(film).stem for film in films}
    stems = {stem for stem in stems if len(stem) >= _SHORTEST_NAME}
    some = texts[:: max(1, len(texts) // _SAMPLE)]
    naming = [path for path in some if not stems.isdisjoint(_names_in(path))]
    if len(texts) < _MOSTLY * min(len(films), _SAMPLE) or len(naming) < _MOSTLY * len(some):
        return
    # Not which: a report's name may tell of a patient.
    raise _not_read(f"{len(texts):,} texts that name a film each in {root}")


def _not_read(got: str) -> UnreadableData:
    """The error for files of which each could hold a film's label, in no form that is read."""
    return UnreadableData(
        "a file for each film could hold its label, and is not read",
        got=got,
        expected="one table of all labels",
        remedy=_REMEDY,
    )


def _names_in(path: Path) -> set[str]:
    """The words of a text that could be names of films, without extension."""
    try:
        text = path.read_text("utf-8", "ignore") if path.stat().st_size <= _LONGEST_TEXT else ""
    except OSError:
        return set()
    words = _NAME.findall(text)
    return {*words, *(PurePosixPath(word).stem for word in words)}


def _why(path: Path, films: list[str]) -> str:
    """Why a file that could hold labels cannot be read, empty where it is or holds none."""
    suffix = path.suffix.lower()
    if suffix in TABLE_SUFFIXES:
        why = f"its name, {path.stem!r}, says what films show" if _class_word(path.name) else ""
        try:
            if (unread := read_table(path).unread) and "json" in suffix:
                why = f"what is within {few(unread)} is not read"
        except InputError as error:
            why = "; ".join(filter(None, (error.what, error.remedy)))
        return why if why and (suffix in _STORES or _names_films(path, films)) else ""
    if suffix in _STORES:
        return f"a {suffix} file"
    return f"a {suffix} file that names films" if _names_films(path, films) else ""


def _names_films(path: Path, films: list[str]) -> bool:
    """Whether a text holds the names of films."""
    try:
        if path.stat().st_size > _LONGEST_TEXT:
            return False
        text = path.read_text("utf-8", "ignore")
    except OSError:
        return False
    some = films[:: max(1, len(films) // _SAMPLE)]
    stems = [stem for film in some if len(stem := PurePosixPath(film).stem) >= _SHORTEST_NAME]
    return bool(stems) and sum(stem in text for stem in stems) >= _MOSTLY * len(stems)
