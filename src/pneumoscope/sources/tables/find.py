"""The label tables that lie in a folder beside its films: one, in parts, or two to be joined."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

from pneumoscope.errors import BadLabels, InputError, printable
from pneumoscope.sources.candidates import NoLabelColumn
from pneumoscope.sources.legends import in_words, legends_in
from pneumoscope.sources.meaning.words import words_of
from pneumoscope.sources.places.groups import Groups
from pneumoscope.sources.places.match import Names
from pneumoscope.sources.rows.detections import of_boxes
from pneumoscope.sources.tables.bounds import Table
from pneumoscope.sources.tables.columns import has_boxes, image_column
from pneumoscope.sources.tables.join import with_labels, with_more
from pneumoscope.sources.tables.label import counted, find_label
from pneumoscope.sources.tables.parts import LabelTable, in_parts, with_parts
from pneumoscope.sources.tables.read import read_annotations, read_table
from pneumoscope.sources.tables.roles import has_a_role, is_rsna

_LISTS = (".yaml", ".yml")
_SUFFIXES = (
    *(".csv", ".tsv", ".txt", ".xlsx", ".jsonl", ".ndjson", ".json", ".parquet"),
    *(".csv.gz", ".tsv.gz", *_LISTS),
)
_TEXTS = (".txt", ".json", *_LISTS)
_EXAMPLES = frozenset(("sample", "submission", "example"))
"""Words of tables with made-up answers, as challenges hand them out."""

_DEEPEST, _MOST_FILES, _LARGEST = 4, 200, 256 << 20
_ENOUGH = 0.5
NEVER, POSSIBLE, LIKELY, KNOWN = range(4)
"""How surely a table says what films show."""

_NOTHING: Mapping[str, str] = {}
_FEW = 3


def table_files(root: Path) -> list[Path]:
    """The files below ``root`` that may be tables, those nearest to it first."""
    return files_below(root, _SUFFIXES)


def may_have_tables(root: Path) -> bool:
    """Whether any file below ``root`` may be a table, or a row of one."""
    return bool(files_below(root, (*_SUFFIXES, ".xml")))


def files_below(root: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The first files below ``root`` that end so, those nearest to it first."""
    found: list[Path] = []
    for folder, below, names in os.walk(root):
        here = Path(folder)
        deep = len(here.relative_to(root).parts) >= _DEEPEST
        below[:] = [] if deep else sorted(name for name in below if not name.startswith("."))
        wanted = (n for n in sorted(names) if n.lower().endswith(suffixes) and n[0] != ".")
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


def label_tables(
    root: Path, films: Names, said: Mapping[str, str], *, least: int = LIKELY
) -> list[LabelTable]:
    """Every table below ``root`` that names films and says what they show, as surely as any does,
    the one that names most films first; where none does both, those that can be joined to a table
    that names films; else those that name films and could say it, if ``least`` is that low."""
    read = _read(root, said)
    naming = _naming(read, films)
    sure = {path: _says(table, said, naming.get(path, "")) for path, table in read}
    here = [one for one in read if one[0] in naming]
    both, found = _surest(here, sure, LIKELY), []
    if not both:
        saying = [one for one in read if sure[one[0]] >= LIKELY]
        made = [_with_films(read, naming, films, LabelTable((p,), table)) for p, table in saying]
        found = [one for one in made if one is not None]
    if not found:
        both = both or _surest(here, sure, least)
        both = with_parts(root, both, here)
        found = in_parts(root, both, partial(places_named, films))
        found = _without_boxes(found, films) if len(found) > 1 else found
    if len(found) == 1:
        return [_completed(found[0], [one for one in read if one not in both], films)]
    return sorted(found, key=lambda one: _rank(one.table, films, said))


def _surest(
    tables: Sequence[tuple[Path, Table]], sure: Mapping[Path, int], least: int
) -> list[tuple[Path, Table]]:
    """The tables that say what films show as surely as any of them, at ``least`` so."""
    most = max((sure[path] for path, _ in tables), default=NEVER)
    return [one for one in tables if sure[one[0]] == most >= least]


def with_films(root: Path, labels: LabelTable, films: Names) -> LabelTable:
    """``labels`` as they are where they name films, else joined to a table below ``root`` that
    does, if there is one."""
    read = [one for one in _read(root) if one[0] not in labels.paths]
    if _image(labels.table, films):
        return _completed(labels, read, films)
    found = _with_films(read, _naming(read, films), films, labels)
    return _completed(found, read, films) if found else labels


def label_like(root: Path) -> list[Table]:
    """The tables below ``root``, no texts, in which a column says what films show, or could."""
    return [
        table
        for path, table in _read(root)
        if not (_is_text(path) and not of_boxes(table)) and _says(table) >= LIKELY
    ]


def places_named(films: Names, table: Table) -> list[str | int]:
    """What each row of ``table`` names: the place of a film, or the text that names none."""
    image = _image(table, films)
    cells = table.frame[image].tolist() if image else [""] * len(table.frame)
    hits = {cell: films.find(cell) for cell in set(cells)}
    place = {cell: hit.films[0] if hit and len(hit.films) == 1 else cell
             for cell, hit in hits.items()}  # fmt: skip
    return [place[cell] for cell in cells]


def named_by(table: Table, films: Names) -> int:
    """How many films ``table`` names."""
    return len(films_of(table, films))


def told_of(table: Table, films: Names) -> str:
    """What to tell of a table to choose it by: films, and how many rows are of which class."""
    sick, well = _labelled_by(table, films, {})
    counts = f", {sick:,} pneumonia, {well:,} normal" if sick or well else ""
    return f"{named_by(table, films):,} films{counts}"


def _labelled_by(table: Table, films: Names, said: Mapping[str, str]) -> tuple[int, int]:
    """How many rows of ``table`` are of pneumonia and of normal films, as far as is understood."""
    try:
        return counted(find_label(table, None, said, {_image(table, films)}), said)
    except InputError:
        return 0, 0


def _rank(table: Table, films: Names, said: Mapping[str, str]) -> tuple[int, int]:
    """The lower, the likelier a table is the one of labels: by films, then by those with one."""
    return -named_by(table, films), -sum(_labelled_by(table, films, said))


def films_of(table: Table, films: Names) -> set[int]:
    """The places of the films that ``table`` names."""
    return {place for place in places_named(films, table) if isinstance(place, int)}


def names_films(table: Table, films: Names) -> bool:
    """Whether ``table`` has a column that names films, or groups of them."""
    return bool(_image(table, films))


def naming_tables(root: Path, films: Names) -> list[tuple[Path, Table]]:
    """The tables below ``root``, no texts, that name films."""
    return [one for one in _read(root) if not _is_text(one[0]) and _image(one[1], films)]


def _read(root: Path, said: Mapping[str, str] = _NOTHING) -> list[tuple[Path, Table]]:
    """The tables below ``root`` that can be read, without examples of answers, with the words of
    legends in the place of numbers that the user ``said`` nothing of."""
    read: list[tuple[Path, Table]] = []
    legends = legends_in(root)
    for path in table_files(root):
        try:
            if 0 < path.stat().st_size <= _LARGEST and _EXAMPLES.isdisjoint(words_of(path.stem)):
                read.append((path, in_words(read_table(path), legends, said)))
        except (InputError, OSError):  # a text that is no table
            continue
    made = read_annotations(root, files_below(root, (".xml",)))
    return [*read, *((one.path, one) for one in made)]


def _naming(read: Sequence[tuple[Path, Table]], films: Names) -> dict[Path, str]:
    """The tables that name films, with the column that does."""
    return {path: image for path, table in read if (image := _image(table, films))}


def _image(table: Table, films: Names) -> str:
    """The column of a table that names films, or groups of them; empty where none does."""
    if isinstance(films, Groups):
        return group_column(table, films)
    try:
        image = image_column(table, films.share, [])
    except InputError:
        return ""
    sample = table.frame[image].iloc[:: max(1, len(table.frame) // 64)].tolist()
    return image if films.share(sample) >= _ENOUGH else ""


def group_column(table: Table, groups: Groups) -> str:
    """The column of a table that names the groups that films are in; empty where none does."""
    names = [n for n in table.frame.columns if not has_a_role(n, "image", "patient", "study")]
    ids = {name: [str(cell) for cell in table.frame[name].unique()] for name in names}
    return groups.column(ids)


def _says(table: Table, said: Mapping[str, str] = _NOTHING, image: str = "") -> int:
    """How surely some column says what films show: KNOWN, LIKELY by words, POSSIBLE or NEVER."""
    try:
        find_label(table, None, said, {image})
    except NoLabelColumn as error:
        return LIKELY if error.likely else POSSIBLE
    except BadLabels as error:
        return KNOWN if error.answer else NEVER  # it asks which of several
    except InputError:
        return NEVER
    return KNOWN


def _with_films(
    read: Sequence[tuple[Path, Table]], naming: Mapping[Path, str], films: Names, labels: LabelTable
) -> LabelTable | None:
    """``labels`` joined to the table that names most films, of those that share a key."""
    bare = [(path, table) for path, table in read if path in naming]
    for path, table in sorted(bare, key=lambda one: -named_by(one[1], films)):
        here = LabelTable((path,), table)
        if found := with_labels(here, naming[path], labels.paths[0], labels.table):
            return found
    return None


def _completed(found: LabelTable, read: Sequence[tuple[Path, Table]], films: Names) -> LabelTable:
    """``found`` with what the other tables say of splits, patients and views."""
    image = _image(found.table, films)
    for path, table in read:
        if path not in found.paths and not _is_text(path):
            found = with_more(found, image, path, table)
    return found


def _without_boxes(found: Sequence[LabelTable], films: Names) -> list[LabelTable]:
    """``found`` without tables of boxes whose films another table names: they mark what it says."""
    sets = [films_of(one.table, films) for one in found]
    boxed = [has_boxes(one.table) and not is_rsna(one.table) for one in found]
    plain = [films for films, box in zip(sets, boxed, strict=True) if not box]
    kept = [
        one
        for one, mine, box in zip(found, sets, boxed, strict=True)
        if not (box and any(mine <= other for other in plain))
    ]
    left = [path.name for one in found if one not in kept for path in one.paths]
    if not left or len(kept) != 1:
        return kept
    note = f"Not read, being of boxes on the same films: {', '.join(left)}."
    table = replace(kept[0].table, notes=(*kept[0].table.notes, note))
    return [replace(kept[0], table=table)]


def _is_text(path: Path) -> bool:
    """Whether a file is a text for people or programs rather than a table, by its name."""
    return path.suffix.lower() in _TEXTS
