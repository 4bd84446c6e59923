"""Legends: files beside a table that say what the numbers of its label stand for.

``label_list.txt``, ``classes.names``, ``class_to_idx.json``, the names of a ``data.yaml``, lines
such as ``0: normal`` of a README, and data dictionaries. A legend is used where it names every
number of one column, or of folders; two that differ are not, and the numbers are asked about.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from pneumoscope.sources.meaning.answers import said_of
from pneumoscope.sources.meaning.cells import is_missing
from pneumoscope.sources.meaning.flags import about
from pneumoscope.sources.meaning.words import fold, words_of
from pneumoscope.sources.places.files import IMAGE_SUFFIXES, suffix_of
from pneumoscope.sources.tables.bounds import Table
from pneumoscope.sources.tables.facts import ABOUT_FILMS, fact_name
from pneumoscope.sources.tables.roles import has_a_role, named

_SUFFIXES = (".txt", ".names", ".json", ".csv", ".tsv", ".yaml", ".yml", ".md")
_NAMED_TEXT = "label labels class classes synset synsets category categories"
_NAMED = frozenset(_NAMED_TEXT.split())
_BESIDE_TEXT = """
names name list map mapping to idx index id ids id2label label2id legend key 2 idx2class class2idx
id2name name2id codes dict words
"""
_BESIDE = frozenset(_BESIDE_TEXT.split())
_DICTIONARY = frozenset(("dictionary", "datadictionary", "codebook", "legend", "variables"))
_MOST_TOLD = 12
_LARGEST, _MOST, _LONGEST, _MOST_FILES = 256 << 10, 1000, 80, 8
_NUMBER_FIRST = re.compile(r"\s*([0-9]+)\s*[\s,;:=]\s*(.*\S)\s*")
_NUMBER_LAST = re.compile(r"\s*(.*\S)\s*[\s,;:=]\s*([0-9]+)\s*")
_TOLD = re.compile(
    r"[-*\s`'\"]*([0-9])[`'\"]?\s*(?:[:=]|->|=>)\s*[`'\"]?([^\W\d][\w -]{1,40}?)[`'\".]*\s*"
)
_CHOICE = re.compile(r"(?:^|[|;,\n])\s*([0-9]+)\s*[,=:]\s*([^|;,\n=:]+)")

Words = Mapping[str, str]
"""The word that each number stands for."""


@dataclass(frozen=True, slots=True)
class Legend:
    """What numbers stand for, as ``path`` says; ``columns`` are the folded names of the columns
    that it is about, empty where it does not say."""

    path: Path
    words: Words
    columns: frozenset[str] = frozenset()


def legends_in(root: Path, *more: Path) -> list[Legend]:
    """The legends in ``root`` and in the folders ``more``, by the names of files and what is in
    them."""
    folders = dict.fromkeys((root, *more))
    files = [path for folder in folders for path in sorted(folder.iterdir()) if _may_be(path)]
    found: list[Legend] = []
    for path in files[:_MOST_FILES]:
        try:
            found += _read(path)
        except (
            OSError,
            ValueError,
            RecursionError,
            csv.Error,
            yaml.YAMLError,
        ):  # a text of another kind
            continue
    return found


def words_for(numbers: Collection[str], legends: Sequence[Legend]) -> tuple[Words, str]:
    """The word of each of ``numbers``, folded, by the only legend of no column that has all of
    them, and what to say of that; nothing where there is none, two differ, or some is no number."""
    if not all(number.isdecimal() for number in numbers):
        return {}, ""
    fit = [one for one in legends if not one.columns and set(numbers) <= one.words.keys()]
    words = {number: fit[0].words[number] for number in sorted(numbers, key=int)} if fit else {}
    if not words or any(not _alike(words, one.words) for one in fit):
        return {}, ""
    told = ", ".join(f"{number} is {word!r}" for number, word in words.items())
    return words, f"What the numbers stand for is read from {fit[0].path.name}: {told}."


def in_words(table: Table, legends: Sequence[Legend], said: Mapping[str, str]) -> Table:
    """``table`` with the words of ``legends`` in the place of the numbers of its label; as it is
    where none fits, two differ, or the user ``said`` what one of the numbers means."""
    if not legends:
        return table
    table = _choices(table, legends)
    fitting = {name: found for name in _columns(table) if (found := _fitting(table, name, legends))}
    if len(fitting) != 1:
        return table
    ((name, found),) = fitting.items()
    there = sorted({fold(cell) for cell in table.frame[name] if not is_missing(cell)}, key=int)
    words = {number: found[0].words[number] for number in there}
    if not words.keys().isdisjoint(said_of(name, said)) or any(
        not _alike(words, one.words) for one in found[1:]
    ):
        return table
    cells = table.frame[name].map(lambda cell: words.get(fold(cell), cell))
    shown = found[0].words if len(found[0].words) <= _MOST_TOLD else words
    told = ", ".join(f"{number} is {shown[number]!r}" for number in sorted(shown, key=int))
    note = f"What the numbers of {name!r} stand for is read from {found[0].path.name}: {told}."
    frame = table.frame.assign(**{name: cells})
    return replace(table, frame=frame, digest=table.digest + note, notes=(*table.notes, note))


def _choices(table: Table, legends: Sequence[Legend]) -> Table:
    """``table`` with ``findings___2``, as REDCap calls the box of a choice, named for the word."""
    called = {}
    for name in map(str, table.frame.columns):
        base, _, number = name.rpartition("___")
        words = {one.words.get(number, "") for one in legends if fold(base) in one.columns}
        if base and len(words) == 1 and (word := words.pop()):
            called[name] = f"{base}___{word}"
    if not called or not set(called.values()).isdisjoint(table.frame.columns):
        return table
    told = ", ".join(f"{name!r} is {word!r}" for name, word in list(called.items())[:_MOST_TOLD])
    note = f"Columns are named for what the data dictionary says of them: {told}."
    frame = table.frame.rename(columns=called)
    return replace(table, frame=frame, digest=table.digest + note, notes=(*table.notes, note))


def _columns(table: Table) -> list[str]:
    """The columns that may hold numbers of classes: those named for labels, else all without a
    use of their own. A column of pneumonia says itself what its 1 means."""
    names = [str(name) for name in table.frame.columns if not about(str(name))]
    rest = [n for n in names if not has_a_role(n) and fact_name(n) not in ABOUT_FILMS]
    return [name for name in named(table, "label") if name in names] or rest


def _fitting(table: Table, name: str, legends: Sequence[Legend]) -> list[Legend]:
    """The legends that name every number of a column: those that are about it, if there is one."""
    cells = {fold(cell) for cell in table.frame[name].unique()[: _MOST + 1] if not is_missing(cell)}
    if not 2 <= len(cells) <= _MOST or not all(cell.isdecimal() for cell in cells):
        return []
    fit = [one for one in legends if cells <= one.words.keys()]
    about = [one for one in fit if fold(name) in one.columns]
    return about or [one for one in fit if not one.columns]


def _alike(words: Words, others: Words) -> bool:
    return all(fold(others[number]) == fold(word) for number, word in words.items())


def _may_be(path: Path) -> bool:
    words = set(words_of(path.stem))
    by_name = words & _NAMED and words <= _NAMED | _BESIDE
    named_so = by_name or words & (_DICTIONARY | _BESIDE & {"id2label", "label2id", "idx2class"})
    suffix = path.suffix.lower()
    if suffix in (".yaml", ".yml"):
        named_so = by_name or words & {"data", "dataset"}
    elif suffix in (".md", ".txt"):
        named_so = named_so or words & {"readme"}
    right = suffix in _SUFFIXES and bool(named_so)
    return right and path.is_file() and 0 < path.stat().st_size <= _LARGEST


def _read(path: Path) -> Iterator[Legend]:
    text = path.read_text("utf-8-sig")
    if path.suffix.lower() == ".json":
        yield from _of_json(path, json.loads(text))
        return
    if path.suffix.lower() in (".yaml", ".yml"):
        found = yaml.safe_load(text)
        names = found.get("names", found) if isinstance(found, dict) else found
        yield from _of_json(path, {"names": names})
        return
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if "readme" in words_of(path.stem):
        if words := _checked([(pair[1], pair[2]) for pair in map(_TOLD.fullmatch, lines) if pair]):
            yield Legend(path, words)
        return
    if words := _of_lines(lines):
        yield Legend(path, words)
    elif path.suffix.lower() != ".txt":
        delimiter = next((mark for mark in "\t;" if mark in lines[0]), ",")
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
        for row in rows:
            for cell in row:
                if words := _checked(_CHOICE.findall(cell)):
                    yield Legend(path, words, frozenset(map(fold, row)))
        yield from _of_variables(path, rows)


def _of_variables(path: Path, rows: Sequence[Sequence[str]]) -> Iterator[Legend]:
    """The legends of a codebook with a row for each code: variable, code, meaning."""
    by_name: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        if len(row) >= 3:
            by_name.setdefault(row[0], []).append((row[1].strip(), row[2]))
    for name, pairs in by_name.items():
        if all(code.isdecimal() for code, _ in pairs) and (words := _checked(pairs)):
            yield Legend(path, words, frozenset((fold(name),)))


def _of_json(path: Path, found: Any) -> Iterator[Legend]:
    if words := _of_object(found):
        yield Legend(path, words)
    elif isinstance(found, dict):
        for name, inner in found.items():
            if words := _of_object(inner):
                general = set(words_of(name)) <= _NAMED | _BESIDE
                yield Legend(path, words, frozenset() if general else frozenset((fold(name),)))


def _of_object(found: Any) -> Words:
    """The words of ``["normal", …]``, ``{"normal": 0, …}`` or ``{"0": "normal", …}``."""
    if isinstance(found, list) and all(isinstance(word, str) for word in found):
        return _counted(found)
    if not isinstance(found, dict):
        return {}
    pairs = [(str(key), value) for key, value in found.items()]
    if all(isinstance(value, int) for _, value in pairs):
        return _checked([(str(value), word) for word, value in pairs])
    if all(isinstance(value, str) and key.isdecimal() for key, value in pairs):
        return _checked(pairs)
    return {}


def _of_lines(lines: Sequence[str]) -> Words:
    """The words of lines with a number each, first or last, below a header or none; else of lines
    that are a word each, whose numbers count from 0."""
    for body in (lines, lines[1:]):
        for pattern, number in ((_NUMBER_FIRST, 1), (_NUMBER_LAST, 2)):
            rows = [pattern.fullmatch(line) for line in body]
            if words := _checked(
                [(row[number], row[3 - number]) for row in rows if row], len(body)
            ):
                return words
    return {} if any(mark in line for line in lines for mark in ",;\t") else _counted(lines)


def _counted(words: Sequence[str]) -> Words:
    """``words`` by their place from 0, each of which must be another."""
    pairs = [(str(number), word) for number, word in enumerate(words)]
    return _checked(pairs) if len({fold(word) for word in words}) == len(words) else {}


def _checked(pairs: Sequence[tuple[str, str]], count: int = 0) -> Words:
    """``pairs`` of number and word by number; nothing where a number has two words, fewer than
    ``count`` were found, or the words are none, such as names of films."""
    words = {fold(number): word.strip().strip("'\"") for number, word in pairs}
    fine = 2 <= len(words) == len(pairs) <= _MOST and len(words) >= count
    return words if fine and all(map(_is_word, words.values())) else {}


def _is_word(text: str) -> bool:
    film = suffix_of(text.replace("\\", "/")) in IMAGE_SUFFIXES
    return len(text) <= _LONGEST and any(map(str.isalpha, text)) and not film
