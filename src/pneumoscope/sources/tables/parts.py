"""Parts of one table: several files of the same columns, whose names give the splits.

One within another (a balanced subset, a validation list beside the whole) is said and never read as
a part of its own; files that share films in any other way are readings or folds, to be asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from pneumoscope.errors import InputError
from pneumoscope.records import Split
from pneumoscope.sources.legends import in_words, legends_in
from pneumoscope.sources.meaning.words import words_of
from pneumoscope.sources.places.files import IMAGE_SUFFIXES, suffix_of
from pneumoscope.sources.splits import split_of
from pneumoscope.sources.tables.bounds import Table
from pneumoscope.sources.tables.columns import split_column
from pneumoscope.sources.tables.facts import ABOUT_FILMS, fact_name
from pneumoscope.sources.tables.read import is_table, read_table
from pneumoscope.sources.tables.roles import COUNTS, NAMES, folded, named

SPLIT = "split"

Films = Callable[[Table], list[str | int]]
"""What each row of a table names: a film, by its place, or text that meets none."""


@dataclass(frozen=True, slots=True)
class LabelTable:
    """One label table: the files that it was read from, and what they say as one table."""

    paths: tuple[Path, ...]
    table: Table


@dataclass(frozen=True, slots=True)
class _Part:
    path: Path
    frame: pd.DataFrame
    films: pd.Series[Any]
    split: Split | None


def in_parts(
    root: Path, tables: Sequence[tuple[Path, Table]], films: Films | None = None
) -> list[LabelTable]:
    """``tables`` of the same columns as one where they share no films but those of one within
    another; where they do, those whose names differ by the split alone; others alone."""
    found = []
    for alike in _by(tables, lambda _, table: _form(table)):
        whole = together(root, alike, films)
        if whole is not None:
            found.append(whole)
            continue
        for group in _rivals(root, _by(alike, lambda path, _: _set_of(path)), films):
            whole = together(root, group, films)
            found += [whole] if whole else [LabelTable((p,), table) for p, table in group]
    return found


def with_parts(
    root: Path, tables: Sequence[tuple[Path, Table]], others: Sequence[tuple[Path, Table]]
) -> list[tuple[Path, Table]]:
    """``tables`` with those of ``others`` that belong to one of them by their columns and by names
    that differ by the split alone: a validation list of one class says little by itself."""

    def key(path: Path, table: Table) -> object:
        return _form(table), _set_of(path)

    wanted = {key(*one) for one in tables if split_in_name(root, one[0])}
    paths = {path for path, _ in tables}
    return [
        one
        for one in others
        if one[0] in paths or (split_in_name(root, one[0]) and key(*one) in wanted)
    ]


def _rivals(
    root: Path, groups: list[list[tuple[Path, Table]]], films: Films | None
) -> list[list[tuple[Path, Table]]]:
    """``groups`` that share films, each with those that share none: ``test.csv`` beside folds."""
    named_films = [
        {film for path, table in group for film in _part(root, path, table, films).films}
        for group in groups
    ]
    apart = [
        all(mine.isdisjoint(other) for other in named_films if other is not mine)
        for mine in named_films
    ]
    if all(apart):
        return groups
    common = [one for group, alone in zip(groups, apart, strict=True) if alone for one in group]
    return [[*group, *common] for group, alone in zip(groups, apart, strict=True) if not alone]


def read_labels(
    root: Path, path: Path, said: Mapping[str, str], films: Films | None = None
) -> LabelTable:
    """The table ``path``, with its sisters where its name, or its folder's, is that of a split, and
    with the words of legends in the place of numbers that the user ``said`` nothing of."""
    legends = legends_in(root, path.parent)
    table = in_words(read_table(path), legends, said)
    alone = LabelTable((path,), table)
    if split_in_name(root, path) is None:
        return alone
    sisters = [(path, table)]
    for other in _sisters(root, path):
        try:
            sister = in_words(read_table(other), legends, said)
        except InputError:
            continue
        if _form(sister) == _form(table):
            sisters.append((other, sister))
    sisters.sort(key=lambda pair: str(pair[0]))
    return next((one for one in in_parts(root, sisters, films) if path in one.paths), alone)


def together(
    root: Path, tables: Sequence[tuple[Path, Table]], films: Films | None = None
) -> LabelTable | None:
    """Tables of one form as one, with the split of each as a column where they have none. None
    where they share films, but as one that lies within another and says the same."""
    if len(tables) == 1:
        return LabelTable((tables[0][0],), tables[0][1])
    parts = [_part(root, path, table, films) for path, table in tables]
    kept: dict[Path, _Part] = {}
    told = []
    for part in sorted(parts, key=lambda one: -len(one.frame)):
        over = [one for one in kept.values() if one.films.isin(part.films).any()]
        if not over:
            kept[part.path] = part
        elif not _says_the_same(part, over):
            return None
        elif part.split is None or all(one.split == part.split for one in over):
            told.append(
                f"{part.path.name} is no part of its own: its {len(part.frame):,} rows are in "
                f"{', '.join(one.path.name for one in over)} too."
            )
        else:
            for one in over:
                kept[one.path] = _without(one, part)
                if one.split and not len(kept[one.path].frame):
                    return None
            kept[part.path] = part
            told.append(
                f"The {len(part.frame):,} rows of {part.path.name} are in "
                f"{', '.join(one.path.name for one in over)} too, and are read from it alone."
            )
    used = [kept[path] for path, _ in tables if path in kept and len(kept[path].frame)]
    return LabelTable(tuple(one.path for one in used), _joined(root, tables, used, told))


def split_in_name(root: Path, path: Path) -> Split | None:
    """The split that a table is for, by a word of its name, or by its folder below ``root``."""
    words = [word for word in words_of(_stem(path)) if split_of(word)]
    if len(words) == 1:
        return split_of(words[0])
    return split_of(path.parent.name) if path.parent != root else None


def _joined(
    root: Path, tables: Sequence[tuple[Path, Table]], used: Sequence[_Part], told: Sequence[str]
) -> Table:
    (first, table) = next((path, table) for path, table in tables if path == used[0].path)
    frames = [part.frame for part in used]
    splits = {part.split for part in used}
    if len(splits) > 1 or splits == {"train"}:  # one held out alone would leave no film to train on
        frames = [_with_split(frame, table, part.split or "")
                  for frame, part in zip(frames, used, strict=True)]  # fmt: skip
    notes = list(dict.fromkeys(note for _, each in tables for note in each.notes))
    if len(used) > 1:
        each = all(part.split for part in used) and len({p.split for p in used}) == len(used)
        names = ", ".join(
            _under(root, part.path) + (f" ({part.split})" if part.split else "") for part in used
        )
        notes.append(f"One table {'for each split' if each else 'in parts'}: {names}.")
    digest = "".join(each.digest for _, each in tables)
    whole = pd.concat(frames, ignore_index=True).fillna("")
    sisters = tuple(part.path for part in used[1:])
    return Table(first, whole, digest, table.unread, (*notes, *told), table.headless, sisters)


def _with_split(frame: pd.DataFrame, table: Table, split: str) -> pd.DataFrame:
    own = split_column(replace(table, frame=frame), set())
    return frame if own else frame.assign(**{SPLIT: split})


def _part(root: Path, path: Path, table: Table, films: Films | None) -> _Part:
    """A table with paths from ``root`` on, and what its rows name."""
    frame, image = table.frame, _image_of(table)
    folder = _folder(root, path)
    if image is not None and folder:
        frame = frame.assign(**{image: folder + "/" + frame[image]})
    names: list[Any] = frame[image].tolist() if image else list(range(len(frame)))
    if films is not None:
        names = films(replace(table, frame=frame))
    named_films = pd.Series(names, index=frame.index, dtype=object)
    return _Part(path, frame, named_films, split_in_name(root, path))


def _says_the_same(part: _Part, over: Sequence[_Part]) -> bool:
    """Whether all films of ``part`` are in the others, with the same cells."""
    rows = pd.concat([one.frame.assign(**{_FILM: one.films}) for one in over])
    mine = part.frame.assign(**{_FILM: part.films})
    image = _image_of(Table(part.path, part.frame, ""))
    common = [
        name
        for name in mine.columns
        if name in rows.columns and name != image and folded(name) not in (*NAMES["split"], *COUNTS)
    ]
    return len(mine.merge(rows[common].drop_duplicates(), on=common)) == len(mine)


_FILM = "\0film"


def _without(part: _Part, other: _Part) -> _Part:
    rest = ~part.films.isin(other.films)
    return replace(part, frame=part.frame[rest], films=part.films[rest])


def _by(
    tables: Iterable[tuple[Path, Table]], key: Callable[[Path, Table], object]
) -> list[list[tuple[Path, Table]]]:
    groups: dict[object, list[tuple[Path, Table]]] = {}
    for path, table in tables:
        groups.setdefault(key(path, table), []).append((path, table))
    return list(groups.values())


def _form(table: Table) -> tuple[object, ...]:
    """What tables of one form share: their columns but those that say who read a film, its split,
    or how and of whom it was taken, which may be known of a part alone."""
    return table.headless, *(
        name
        for name in table.frame.columns
        if folded(name) not in (*NAMES["reader"], *NAMES["split"])
        and fact_name(name) not in ABOUT_FILMS
    )


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[0]


def _set_of(path: Path) -> tuple[Path, tuple[str, ...]]:
    """What tables that differ by their split alone share: the folder, and the other words of their
    names."""
    home = path.parent.parent if split_of(path.parent.name) else path.parent
    return home, tuple(word for word in words_of(_stem(path)) if not split_of(word))


def _sisters(root: Path, path: Path) -> list[Path]:
    of_splits = (p for p in path.parent.parent.glob(f"*/{path.name}") if split_of(p.parent.name))
    places = (path.parent.iterdir(), of_splits, root.iterdir())
    near = (one for place in places for one in place if is_table(one) and one != path)
    both = {one.resolve(): one for one in near if one.is_file()}
    return [one for one in both.values() if split_in_name(root, one)]


def _image_of(table: Table) -> str | None:
    """The column that names films, by its name, or by names of files in its first cells."""
    if by_name := named(table, "image"):
        return by_name[0]
    first = table.frame.head(_FIRST)
    return next((str(name) for name in first if first[name].map(_is_file).all()), None)


_FIRST = 8


def _is_file(cell: str) -> bool:
    return suffix_of(cell.strip().replace("\\", "/")) in IMAGE_SUFFIXES


def _folder(root: Path, path: Path) -> str:
    parent = path.parent
    below = parent != root and parent.is_relative_to(root)
    return parent.relative_to(root).as_posix() if below else ""


def _under(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
