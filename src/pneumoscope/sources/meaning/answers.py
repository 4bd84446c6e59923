"""What the user said words mean: ``--classes WORD=MEANING``, or a file that holds a line for each.

A file that is not there yet is written with the words that were asked about, to be filled in.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from pneumoscope.errors import BadLabels, InputError, nearest
from pneumoscope.sources.meaning.words import VERDICTS, fold
from pneumoscope.storage import write_atomic

_LARGEST = 4 << 20
_SUFFIXES = (".csv", ".tsv", ".txt")
_FORM = "WORD=normal, WORD=pneumonia or WORD=ignore, once for each word; or a .csv file of them"


def parse_classes(said: Iterable[str]) -> dict[str, str]:
    """From ``["COVID=pneumonia", "Other=ignore"]`` to ``{"covid": "pneumonia", …}``, keys folded.

    A text without ``=`` names a file of such lines; see ``file_to_fill``. Raises InputError for
    another form, an unknown meaning, and a word that is said twice.
    """
    classes: dict[str, str] = {}
    for text in said:
        if "=" in text or not text.lower().endswith(_SUFFIXES):
            word, equals, meaning = text.rpartition("=")
            _add(classes, word, meaning, text if equals else "")
        elif Path(text).expanduser().is_file():
            for word, meaning in _lines(Path(text).expanduser()):
                _add(classes, word, meaning, f"{word}={meaning} in {text}")
    return classes


def file_to_fill(said: Iterable[str]) -> Path | None:
    """The file among ``said`` that is not there yet."""
    names = (Path(t).expanduser() for t in said if "=" not in t and t.lower().endswith(_SUFFIXES))
    return next((path for path in names if not path.exists()), None)


def write_words(file: Path, error: BadLabels) -> None:
    """Write the words that ``error`` asks about, to be filled in. Raises OSError."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    write(("word", "meaning", "films"))
    for word, films, offer in error.words:
        write((word, offer, films))
    write_atomic(file, out.getvalue())


def _add(classes: dict[str, str], word: str, meaning: str, text: str) -> None:
    key, verdict = fold(word), meaning.strip().casefold()
    if not text or not key or "=" in word:
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


def _lines(file: Path) -> list[tuple[str, str]]:
    """Word and meaning of each line; an empty meaning leaves the word to be asked about again."""
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
    if rows and [cell.strip().lower() for cell in rows[0][:2]] == ["word", "meaning"]:
        rows = rows[1:]
    pairs = [row[:2] if len(row) > 1 else row[0].rpartition("=")[::2] for row in rows]
    return [(word.strip(), meaning.strip()) for word, meaning in pairs if meaning.strip()]
