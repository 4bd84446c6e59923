"""What the user said words mean: ``--classes WORD=MEANING``, or a file that holds a line for each.

A file that is not there yet is written with the words that were asked about, to be filled in.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from pneumoscope.errors import BadLabels, InputError, nearest
from pneumoscope.sources.meaning.words import VERDICTS, fold
from pneumoscope.storage import write_atomic

_LARGEST = 4 << 20
_SUFFIXES = (".csv", ".tsv", ".txt")
_COLUMN, _OF = "column", ": "
"""The head of what column a word is of, and what parts the two in a key; no word that is folded
has it."""

_FORM = "WORD=normal, WORD=pneumonia or WORD=ignore, once for each word; or a .csv file of them"


def parse_classes(said: Iterable[str]) -> dict[str, str]:
    """From ``["COVID=pneumonia", "Other=ignore"]`` to ``{"covid": "pneumonia", …}``, keys folded.

    A text without ``=`` names a file of such lines; see ``file_to_fill``. Words that it gives for
    one column have keys that begin with that, see ``said_of``. Raises InputError for another form,
    an unknown meaning, and a word that is said twice.
    """
    classes: dict[str, str] = {}
    for text in said:
        if "=" in text or not text.lower().endswith(_SUFFIXES):
            word, equals, meaning = text.rpartition("=")
            _add(classes, word, meaning, text if equals else "")
        elif Path(text).expanduser().is_file():
            for word, meaning, column in _lines(Path(text).expanduser()):
                _add(classes, word, meaning, f"{word}={meaning} in {text}", column)
    return classes


def file_to_fill(said: Iterable[str]) -> Path | None:
    """The file among ``said`` that is not there yet."""
    names = (Path(t).expanduser() for t in said if "=" not in t and t.lower().endswith(_SUFFIXES))
    return next((path for path in names if not path.exists()), None)


def write_words(file: Path, errors: Iterable[BadLabels]) -> None:
    """Write the words that ``errors`` ask about, each once for its column, to be filled in. Raises
    OSError."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    write(("word", "meaning", "films", _COLUMN))
    rows = {(fold(word), error.column): (word, offer, films, error.column)
            for error in errors for word, films, offer in error.words}  # fmt: skip
    for row in rows.values():
        write(row)
    write_atomic(file, out.getvalue())


def said_of(column: str, said: Mapping[str, str]) -> Mapping[str, str]:
    """What was ``said`` of words in ``column``: of any, and what a file says of this one alone."""
    if not any(_OF in key for key in said):
        return said
    before = _of(column)
    own = {key.removeprefix(before): said[key] for key in said if key.startswith(before)}
    return {key: verdict for key, verdict in said.items() if _OF not in key} | own


def _of(column: str) -> str:
    return fold(column) + _OF


def _add(classes: dict[str, str], word: str, meaning: str, text: str, column: str = "") -> None:
    key, verdict = (_of(column) if column else "") + fold(word), meaning.strip().casefold()
    if not text or not fold(word) or "=" in word:
        raise InputError("--classes cannot be read", got=repr(text or meaning), expected=_FORM)
    if verdict not in VERDICTS:
        raise InputError(
            f"--classes gives {word!r} an unknown meaning",
            got=repr(meaning.strip()),
            expected=nearest(verdict, VERDICTS),
        )
    if key in classes:
        again = "twice" if classes[key] == verdict else f"as {classes[key]} and as {verdict}"
        raise InputError(
            f"--classes names {word!r} {again}",
            got=repr(text),
            expected="each word once; case, accents and leading numbers do not count",
        )
    classes[key] = verdict


def _lines(file: Path) -> list[tuple[str, str, str]]:
    """Word, meaning and column of each line, the last empty where the file is for any; an empty
    meaning leaves the word to be asked about again."""
    try:
        if file.stat().st_size > _LARGEST:
            raise InputError("the file of class words is too large", got=file)
        text = file.read_text("utf-8-sig")
        dialect = "\t" if "\t" in text.partition("\n")[0] else ","
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=dialect) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            "the file of class words cannot be read",
            got=f"{file} ({type(error).__name__})",
            expected="UTF-8 text with a word and its meaning in each line",
        ) from None
    names = [cell.strip().lower() for cell in rows[0]] if rows else []
    at = names.index(_COLUMN) if _COLUMN in names else len(names)
    if names[:2] == ["word", "meaning"]:
        rows = rows[1:]
    pairs = [(*(row[:2] if len(row) > 1 else row[0].rpartition("=")[::2]), *row[at : at + 1])
             for row in rows]  # fmt: skip
    return [
        (word.strip(), meaning.strip(), "".join(column))
        for word, meaning, *column in pairs
        if meaning.strip()
    ]
