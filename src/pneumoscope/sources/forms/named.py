"""Films whose own names say what they show: ``NORMAL-12.png``, ``person1_virus_45.jpeg``.

Read only where neither folders nor a table give labels, nearly every name has a word for a class,
and these are not all of one. Numbers, ``CHNCXR_0001_0.png``, are read by a legend or asked about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from pneumoscope.errors import BadLabels, UnreadableData
from pneumoscope.records import DataRequest, Source
from pneumoscope.sources.assemble import Listed, assemble, check_links, told
from pneumoscope.sources.film.find import Found, check_any, find_films
from pneumoscope.sources.legends import legends_in, words_for
from pneumoscope.sources.listed import NO_LABEL, About, Boxes, Column, FileFilms
from pneumoscope.sources.meaning.asking import Question
from pneumoscope.sources.meaning.cells import read_cells
from pneumoscope.sources.meaning.filenames import numbers_of, word_of
from pneumoscope.sources.meaning.words import known
from pneumoscope.sources.official import with_splits
from pneumoscope.sources.places.files import fingerprint, typical_side
from pneumoscope.sources.tables.find import label_like

_NEARLY, _MOST_WORDS, _MOST_TOLD, _OF_ALL = 0.9, 24, 6, 0.02


def named_source(request: DataRequest) -> Source:
    """The films below a folder, each with the label that its own name says, or none.

    Raises UnreadableData where there is no film or no word in the names, and BadLabels for words
    that are not certain, and for numbers without a legend.
    """
    root = Path(request.data).expanduser()
    found = find_films(root, request.links)
    check_any(found)
    return _source(root, found, _words(root, found), request)


def looks_named(root: Path, request: DataRequest) -> Callable[[DataRequest], Source] | None:
    """How ``root`` is opened where the names of its films tell classes apart; None where they do
    not, or where a table has labels too, though for films of other names."""
    if not root.is_dir():
        return None
    found = find_films(root, request.links)
    words = _words(root, found)
    counts = Counter(filter(None, words))
    named = counts.total() >= _NEARLY * len(words) and len(counts) <= _MOST_WORDS
    several = {known(word) or word for word in counts}
    if not named or len(several) < 2 or label_like(root):  # noqa: PLR2004 - two classes
        return None
    return partial(_source, root, found, words)


def _words(root: Path, found: Found) -> Sequence[str]:
    """The word of each film's name; else the number at its end, in the words of a legend."""
    paths = [file.path for file in found.listing.files]
    words = [word_of(path) for path in paths]
    counts = Counter(filter(None, words))
    if counts.total() >= _NEARLY * len(paths) and len(counts) > 1:
        return _common(words, counts)
    if numbers := numbers_of(paths):
        legend, _ = words_for(set(numbers), legends_in(root))
        return [legend.get(number, number) for number in numbers]
    return words


def _common(words: Sequence[str], counts: Counter[str]) -> Sequence[str]:
    """``words`` without those of a few films that are not sure: a name like a word is none."""
    rare = {word for word, n in counts.items() if n < _OF_ALL * len(words) and not known(word)}
    return ["" if word in rare else word for word in words]


def _source(root: Path, found: Found, words: Sequence[str], request: DataRequest) -> Source:
    counts = Counter(filter(None, words))
    if not counts:
        raise UnreadableData("no name of a film has a word for a class", got=root)
    question = Question(f"the names of the films in {root}")
    try:
        meaning = read_cells(counts, question, request.meanings)
    except BadLabels as error:
        raise _without_guess(error, counts) from None
    files = found.listing.files
    none = Column.empty(len(files))
    code = np.array([meaning.code.get(word, -1) for word in words], dtype=np.int64)
    reason = Column(np.where(code < 0, 0, -1), [NO_LABEL])
    about = About(code, reason, none, none, {}, Boxes.none(len(files)))
    about, notes = with_splits(root, files, about)
    told_words = ", ".join(repr(word) for word, _ in counts.most_common(_MOST_TOLD))
    links = {"unknown": len(found.listing.links)}
    return assemble(
        Listed(
            form="names",
            name=root.resolve().name or "films",
            why=f"words of the file names: {told_words}",
            films=FileFilms(root.resolve(), files),
            about=about,
            fingerprint=fingerprint("names", files, *words, told(request)),
            native_size=typical_side(root, files),
            words=meaning.words,
            notes=(*found.notes, *notes),
            passed=found.listing.passed_over,
            lost=check_links(found.listing, len(files), links),
        )
    )


def _without_guess(error: BadLabels, counts: Counter[str]) -> BadLabels:
    """``error`` without meanings for bare numbers: behind a name, 1 may be any disease."""
    if not all(word.isdecimal() for word in counts):
        return error
    words = tuple((word, films, "") for word, films, _ in error.words)
    error = BadLabels(
        "the names of the films end with numbers that do not say what they stand for",
        got=error.got,
        expected=error.expected,
        remedy="where they are of classes, say which is which: --classes words.csv",
        answer=("--classes", "words.csv"),
        hints=(
            "look up which is which where the data comes from: nothing is offered",
            "a file beside the films that says it is read: labels.txt with 0: normal",
        ),
    )
    error.words = words
    return error
