"""The one message that asks what words mean, with the words of the command line that answer it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pneumoscope.errors import BadLabels, printable

Kind = Literal["vague", "number", "rest", "near", "denied", "doubt", "other"]

_FEW = 8
_WHY = {
    "vague": "words of a label do not say what for",
    "number": "numbers of a label do not say what they stand for",
    "rest": "a column of normal films does not say what the others show",
    "near": "class names are near to pneumonia or normal, but not certain",
    "denied": "class names deny one disease, and may be of another",
    "doubt": "labels say that they are not certain",
    "other": "class names are neither normal nor pneumonia",
}
_HINTS = {
    "vague": "a positive test may be of COVID-19, and a negative one show another pneumonia",
    "number": "look up which is which where the data comes from",
    "rest": "they may show any disease; --column label=NAME names a column of pneumonia, where "
    "there is one",
    "near": "a misspelt or kindred word is probably what it looks like",
    "denied": "films without COVID-19 may show another pneumonia: look up what they hold",
    "doubt": "uncertain=ignore leaves doubtful films out",
    "other": "other=ignore leaves all words out that are not named, other=normal counts them as "
    "films without pneumonia",
}


@dataclass(frozen=True, slots=True)
class Unknown:
    """A word that is asked about, how many films have it, and the meaning to offer."""

    word: str
    films: int
    kind: Kind
    offer: str


def unknown_words(words: Sequence[Unknown], where: str) -> BadLabels:
    """The error for ``words`` that stand at the place ``where``; its ``answer`` is complete."""
    kinds = [kind for kind in _WHY if any(word.kind == kind for word in words)]
    named = ", ".join(f"{word.word!r} × {word.films:,}" for word in words[:_FEW])
    more = len(words) - _FEW
    if more > 0:
        named += f" and {more:,} more"
    hints = [_HINTS[kind] for kind in kinds]
    if more > 0:
        hints.append("--classes words.csv writes all of them down, to be filled in")
    answer = _answers(words)
    error = BadLabels(
        "; ".join(_WHY[kind] for kind in kinds),
        got=named + (f" in {where}" if where else ""),
        expected="normal and pneumonia, in one of their common spellings",
        remedy="say what they mean, normal, pneumonia or ignore, if this is not it: "
        + printable(shlex.join(answer))
        + f"; {'; '.join(hints)}",
        answer=answer,
    )
    error.words = tuple((word.word, word.films, word.offer) for word in words)
    return error


def measured(numbers: Sequence[str], where: str) -> BadLabels:
    """The error for a label that is measured: to leave its numbers out would leave nothing."""
    few = ", ".join(map(repr, numbers[:_FEW]))
    return BadLabels(
        "the label is a measure, not a class",
        got=f"{few} and {len(numbers) - _FEW:,} more in {where}",
        expected="normal and pneumonia, or 0 and 1",
        remedy="write 0 and 1 into a column of its own, by a threshold that you choose before you "
        "see a result, and name it: --column label=NAME",
    )


def _answers(words: Sequence[Unknown]) -> tuple[str, ...]:
    """``--classes WORD=MEANING`` for each word, one for all others where they are many."""
    others = [word for word in words if word.kind == "other"]
    many = len(others) > 1
    told = [word for word in words if word.kind != "doubt" and (word.kind != "other" or not many)]
    pairs = [f"{word.word}={word.offer}" for word in told]
    if any(word.kind == "doubt" for word in words):
        pairs.append("uncertain=ignore")
    if many:
        pairs.append("other=ignore")
    return tuple(part for pair in pairs for part in _option(pair))


def _option(pair: str) -> tuple[str, ...]:
    # A word that begins with a minus would be read as an option of its own.
    return (f"--classes={pair}",) if pair.startswith("-") else ("--classes", pair)
