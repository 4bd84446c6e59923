"""The label tables that lie in a folder beside its films, one alone or one in each split."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pandas as pd

from pneumoscope.errors import BadLabels, InputError, printable
from pneumoscope.records import Split
from pneumoscope.sources.meaning.words import words_of
from pneumoscope.sources.places.match import Names
from pneumoscope.sources.splits import split_of
from pneumoscope.sources.tables.bounds import Table
from pneumoscope.sources.tables.columns import image_column
from pneumoscope.sources.tables.label import find_label
from pneumoscope.sources.tables.read import read_table
from pneumoscope.sources.tables.roles import named

_SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".jsonl", ".ndjson", ".json", ".parquet")
_EXAMPLES = frozenset(("sample", "submission", "example"))
"""Words of tables with made-up answers, as challenges hand them out."""

_DEEPEST, _MOST_FILES, _LARGEST = 4, 200, 256 << 20
_ENOUGH = 0.5
SPLIT = "split"
_NOTHING: Mapping[str, str] = {}
_FEW = 3


@dataclass(frozen=True, slots=True)
class LabelTable:
    """One label table: its file, or the files of one for each split, read as one."""

    paths: tuple[Path, ...]
    table: Table


def table_files(root: Path) -> list[Path]:
    """The files below ``root`` that may be tables, those nearest to it first."""
    found: list[Path] = []
    for folder, below, names in os.walk(root):
        here = Path(folder)
        deep = len(here.relative_to(root).parts) >= _DEEPEST
        below[:] = [] if deep else sorted(name for name in below if not name.startswith("."))
        wanted = (n for n in sorted(names) if n.lower().endswith(_SUFFIXES) and n[0] != ".")
        found += [here / name for name in islice(wanted, _MOST_FILES)]
        if len(found) >= _MOST_FILES:
            break
    return sorted(found, key=lambda path: (len(path.parts), str(path)))[:_MOST_FILES]


def mention_tables(root: Path, what: str) -> list[str]:
    """What to say of tables that lie in a folder and were not read; nothing where there is none."""
    files = [path for path in table_files(root) if len(path.relative_to(root).parts) <= 2]
    names = [path.relative_to(root).as_posix() for path in files if not _is_text(path)]
    if not names:
        return []
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    told = ", ".join(printable(name) for name in names[:_FEW])
    return [f"Tables lie in the folder: {told}{more}. {what}; --labels FILE reads one."]


def label_tables(root: Path, films: Names, said: Mapping[str, str]) -> list[LabelTable]:
    """Every table below ``root`` that names films and says what they show."""
    read = [(path, table) for path, table in _read(root) if _labels(table, films, said)]
    groups = _grouped(root, read)
    return [LabelTable(tuple(p for p, _ in group), together(root, group)) for group in groups]


def label_like(root: Path) -> list[Table]:
    """The tables below ``root``, no texts, in which a column says what films show, or could."""
    return [table for path, table in _read(root) if not _is_text(path) and _says(table)]


def _read(root: Path) -> list[tuple[Path, Table]]:
    """The tables below ``root`` that can be read, without examples of answers."""
    read: list[tuple[Path, Table]] = []
    for path in table_files(root):
        try:
            if 0 < path.stat().st_size <= _LARGEST and _EXAMPLES.isdisjoint(words_of(path.stem)):
                read.append((path, read_table(path)))
        except (InputError, OSError):  # a text that is no table
            continue
    return read


def read_labels(root: Path, path: Path) -> LabelTable:
    """The table ``path``, with its sisters where it is one of several that each hold a split."""
    table = read_table(path)
    split = _split(root, path)
    if split is None:
        return LabelTable((path,), table)
    sisters = [(path, table)]
    for other in _sisters(path):
        try:
            sister = read_table(other)
        except InputError:
            continue
        if list(sister.frame.columns) == list(table.frame.columns) and _split(root, other):
            sisters.append((other, sister))
    sisters.sort(key=lambda pair: str(pair[0]))
    splits = {_split(root, one) for one, _ in sisters}
    if len(splits) < len(sisters) or len(sisters) < 2:
        return LabelTable((path,), table)
    return LabelTable(tuple(p for p, _ in sisters), together(root, sisters))


def together(root: Path, tables: Sequence[tuple[Path, Table]]) -> Table:
    """Tables of one form as one, with the split of each as a column where they have none."""
    (first, table), *others = tables
    if not others:
        return table
    frames = []
    image = _image_of(table)
    for path, part in tables:
        frame = part.frame
        if not named(part, "split"):
            frame = frame.assign(**{SPLIT: _split(root, path) or ""})
        if image is not None and (folder := _folder(root, path)):
            frame = frame.assign(**{image: folder + "/" + frame[image]})
        frames.append(frame)
    notes = [note for _, part in tables for note in part.notes]
    notes.append(
        "One table for each split: "
        + ", ".join(f"{path.name if path.parent == root else _under(root, path)}"
                    f" ({_split(root, path)})" for path, _ in tables)
        + "."
    )  # fmt: skip
    digest = "".join(part.digest for _, part in tables)
    whole = pd.concat(frames, ignore_index=True)
    return Table(first, whole, digest, table.unread, tuple(notes), table.headless)


def _labels(table: Table, films: Names, said: Mapping[str, str]) -> bool:
    """Whether a table names films, and some column says what they show."""
    try:
        image = image_column(table, films.share, [])
    except InputError:
        return False
    sample = table.frame[image].iloc[:: max(1, len(table.frame) // 64)].tolist()
    return films.share(sample) >= _ENOUGH and _says(table, said, image)


def _says(table: Table, said: Mapping[str, str] = _NOTHING, image: str = "") -> bool:
    """Whether some column says what films show, or could be asked."""
    try:
        find_label(table, None, said, {image})
    except BadLabels as error:
        return bool(error.answer)  # it asks which of several
    except InputError:
        return False
    return True


def _grouped(root: Path, tables: Sequence[tuple[Path, Table]]) -> list[list[tuple[Path, Table]]]:
    """Tables of one form that each hold another split, together; others alone."""
    forms: dict[tuple[object, ...], list[tuple[Path, Table]]] = {}
    for path, table in tables:
        split = _split(root, path)
        columns = tuple(table.frame.columns)
        key: tuple[object, ...] = (*columns, _rest(path)) if split else (path,)
        forms.setdefault(key, []).append((path, table))
    groups = []
    for found in forms.values():
        splits = {_split(root, path) for path, _ in found}
        if len(splits) == len(found):
            groups.append(found)
        else:
            groups += [[one] for one in found]
    return groups


def _is_text(path: Path) -> bool:
    """Whether a file is a text for people or programs rather than a table, by its name."""
    return path.suffix.lower() in (".txt", ".json")


def _split(root: Path, path: Path) -> Split | None:
    """The split that a table is for, by a word of its name, or by its folder below ``root``."""
    words = [word for word in words_of(path.stem) if split_of(word)]
    if len(words) == 1:
        return split_of(words[0])
    return split_of(path.parent.name) if path.parent != root else None


def _rest(path: Path) -> tuple[str, ...]:
    """The words of a table's name but that of its split."""
    return tuple(word for word in words_of(path.stem) if not split_of(word))


def _sisters(path: Path) -> list[Path]:
    beside = path.parent.glob(f"*{path.suffix}")
    under = path.parent.parent.glob(f"*/{path.name}")
    both = {one.resolve(): one for one in (*beside, *under) if one != path and one.is_file()}
    return [one for one in both.values() if _rest(one) == _rest(path)]


def _image_of(table: Table) -> str | None:
    return next(iter(named(table, "image")), table.frame.columns[0] if table.headless else None)


def _folder(root: Path, path: Path) -> str:
    parent = path.parent
    return (
        parent.relative_to(root).as_posix()
        if parent != root and parent.is_relative_to(root)
        else ""
    )


def _under(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
