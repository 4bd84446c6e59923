"""Questions about a source: all that is unknown is asked in one message, with one command."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import cast

from pneumoscope.errors import BadLabels, InputError
from pneumoscope.records import DataRequest, Readers, Source
from pneumoscope.sources.meaning.answers import parse_classes, write_words
from pneumoscope.sources.meaning.readers import ReadersDisagree
from pneumoscope.storage import writing

_FILE = "words.csv"
_READERS_LATER = "once words are said, films on which readers disagree are counted and asked about"
_MOST = 4
"""Questions of one message; no form has more."""


def open_or_ask(request: DataRequest, opened: Callable[[DataRequest], Source]) -> Source:
    """What ``opened`` makes of ``request``. Raises one InputError for all that it has to ask.

    Whether there is a second question is found out by giving the first one its offered answer, so
    the command that the message ends with opens the data as far as questions go. Words that are
    asked about are written to ``request.fill_in``.
    """
    asked: list[InputError] = []
    while True:
        try:
            source = opened(request)
        except InputError as error:
            answer = error.answer
            again = any(answer == other.answer for other in asked)
            if not answer and not asked:
                raise
            if isinstance(error, ReadersDisagree) and any(map(_words, asked)):
                asked[-1].hints += (_READERS_LATER,)
                raise joined(asked, request.fill_in) from None
            if answer and not again:
                asked.append(error)
            if not answer or again or len(asked) == _MOST:
                raise joined(asked, request.fill_in) from None
            request = answered(request, answer)
        else:
            if asked:
                raise joined(asked, request.fill_in)
            return source


def _words(error: InputError) -> bool:
    """Whether words are asked about."""
    return isinstance(error, BadLabels) and bool(error.words)


def answered(request: DataRequest, answer: Sequence[str]) -> DataRequest:
    """``request`` with ``answer``, the words of a command line that an error offers."""
    classes, columns = dict(request.classes), dict(request.columns)
    labels, readers, links = request.labels, request.readers, request.links
    for option, value in _options(answer):
        match option:
            case "--classes":
                classes |= parse_classes([value])
            case "--column":
                role, _, name = value.partition("=")
                columns[role] = name
            case "--labels":
                labels = Path(value)
            case "--readers":
                readers = cast(Readers, value)
            case "--links":
                links = (*links, Path(value))
            case _:
                raise ValueError(f"no option of data: {option}")
    return replace(
        request, classes=classes, columns=columns, labels=labels, readers=readers, links=links
    )


def _options(answer: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Option and value of ``--name value`` and ``--name=value``."""
    words = iter(answer)
    for word in words:
        name, equals, value = word.partition("=")
        yield name, value if equals else next(words)


def joined(asked: Sequence[InputError], fill_in: Path | None) -> InputError:
    """One error that asks all of ``asked``, the first question first."""
    of_words = [error for error in asked if isinstance(error, BadLabels) and error.words]
    if fill_in and of_words:
        with writing(fill_in):
            write_words(fill_in, of_words)
    for error in asked:
        _with_a_new_file(error)
        if fill_in and error in of_words:
            error.remedy = f"fill in {fill_in}, which was written, and do the same again"
            error.answer = ()
    if len(asked) == 1:
        return asked[0]
    labels = [error for error in asked if isinstance(error, BadLabels)]
    kind = BadLabels if labels else InputError
    one = kind(
        f"{len(asked)} things have to be said of this data",
        answer=tuple(word for error in asked for word in error.answer),
        points=asked,
    )
    if isinstance(one, BadLabels):
        one.words = tuple(word for error in labels for word in error.words)
    return one


def _with_a_new_file(error: InputError) -> None:
    """Another name for the file to be filled in, where one of that name is there already: what was
    written for one column is never offered for the words of another."""
    if _FILE not in error.answer or not Path(_FILE).exists():
        return
    stem, _, suffix = _FILE.partition(".")
    names = (f"{stem}{number}.{suffix}" for number in count(2))
    free = next(name for name in names if not Path(name).exists())
    error.answer = tuple(free if word == _FILE else word for word in error.answer)
    error.remedy = (error.remedy or "").replace(_FILE, free)
