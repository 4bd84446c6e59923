"""The one message that asks what words mean: what is offered for each, and the words of the command
line that answer it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pneumoscope.errors import BadLabels, printable
from pneumoscope.records import CLASSES
from pneumoscope.sources.meaning.codes import Coded, coded, without_code
from pneumoscope.sources.meaning.qualified import earlier, is_grade, plain, short_normal
from pneumoscope.sources.meaning.words import (
    doubtful,
    fold,
    is_kind,
    kindred,
    known,
    misspelt,
    offers,
    vague,
)

Kind = Literal[
    "vague",
    "number",
    "rest",
    "near",
    "denied",
    "doubt",
    "earlier",
    "qualified",
    "code",
    "nothing",
    "unmarked",
    "other",
]
NOTHING_MARKED = "none of the columns"
"""The cell of a row that has no 1 in any of several columns, where one of them says normal."""
NO_BOX = "no box"
"""The label of a film that a set of boxes has none of."""

_FEW, _MOST_DROPPED, _MOST_ANSWERED = 12, 5, 10
_FREQUENT, _MOST_FREQUENT = 0.02, 20
_WHY: Mapping[Kind, str] = {
    "vague": "words of a label do not say what for",
    "number": "numbers of a label do not say what they stand for",
    "rest": "a column of normal films does not say what the others show",
    "near": "class names are near to pneumonia or normal, but not certain",
    "denied": "class names deny one disease, and may be of another",
    "doubt": "labels say that they are not certain",
    "earlier": "labels tell of an earlier pneumonia, which a film need not show",
    "qualified": "labels say more of a pneumonia than its place or kind",
    "code": "codes of diagnoses are given for a stay, not for a film",
    "nothing": "rows say yes in none of the columns, not even in that of normal films",
    "unmarked": "films without a box say nothing of themselves",
    "other": "class names are neither normal nor pneumonia",
}
_HINTS: Mapping[Kind, str] = {
    "vague": "a positive test may be of COVID-19, and a negative one show another pneumonia",
    "number": "look up which is which where the data comes from: what is offered for 0 and 1 is "
    "a guess to be checked, and for other numbers nothing is",
    "rest": "they may show any disease; --column label=NAME names a column of pneumonia, where "
    "there is one",
    "near": "a misspelt or kindred word is probably what it looks like",
    "denied": "films without COVID-19 may show another pneumonia: look up what they hold",
    "doubt": "uncertain=ignore leaves doubtful films out",
    "earlier": "an earlier, treated or old pneumonia is left out",
    "qualified": "what else is said may take the pneumonia back: leave it out, or look it up",
    "code": "J12 to J18 are pneumonia, Z87.01 is an earlier one: look up who gave them, and when",
    "nothing": "they are normal films where the columns name all findings, and else unknown",
    "unmarked": "they may be meant as normal, or were only never looked at",
    "other": "other=ignore leaves all words out that are not named, other=normal counts them as "
    "films without pneumonia",
}


_BARE = frozenset(("0", "1", "no", "yes", "false", "true", "n", "y", "f", "t", "absent", "present"))


@dataclass(frozen=True, slots=True)
class Question:
    """Where the cells stand. ``where`` is for messages. ``about`` is what the place itself says
    of a bare 1 or yes: the column ``pneumonia``, or one of normal films. ``findings`` says that a
    film may have several of the words, so that an opacity beside pneumonia is another finding.
    ``name`` is that of the column, to be shown with a bare word. ``pieces`` are those between
    commas that stand in several cells, folded: words of their own.
    """

    where: str
    about: Literal["pneumonia", "normal", ""] = ""
    findings: bool = False
    name: str = ""
    pieces: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Unknown:
    """A word that is asked about, how many films have it, and the meaning to offer."""

    word: str
    films: int
    kind: Kind
    offer: str


def unknown_words(
    words: Sequence[Unknown], question: Question, known: Collection[str | None] = CLASSES
) -> BadLabels:
    """The error for ``words`` of ``question``; its ``answer`` is complete.

    Where what is ``known`` and offered is of one class, the words are written down instead, to be
    filled in: no answer could be offered that leaves films of both.
    """
    where = question.where
    answer, hints = _way(words, known)
    points = [_kind(kind, each) for kind in _WHY if (each := [w for w in words if w.kind == kind])]
    one = points[0] if len(points) == 1 else None
    error = BadLabels(
        one.what if one else "words of a label are not certain, for several reasons",
        got=(f"{one.got} in {where}" if where else one.got) if one else where or None,
        expected="normal and pneumonia, in one of their common spellings",
        remedy="say what they mean, normal, pneumonia or ignore, if this is not it: "
        + printable(shlex.join(answer)),
        answer=answer,
        hints=(*(one.hints if one else ()), *hints),
        points=[] if one else points,
    )
    error.words = tuple((word.word, word.films, word.offer) for word in words)
    error.column = question.name
    return error


def _kind(kind: Kind, words: Sequence[Unknown]) -> BadLabels:
    """The problem with words of one kind alone."""
    return BadLabels(_WHY[kind], got=f"{_told(words, _FEW)} (films)", hints=(_HINTS[kind],))


def _way(
    words: Sequence[Unknown], known: Collection[str | None]
) -> tuple[tuple[str, ...], list[str]]:
    """The words of the command line that answer for ``words``, and what to know of them."""
    hints = []
    if any(n > _FEW for n in Counter(word.kind for word in words).values()):
        hints.append("--classes words.csv writes all of them down, to be filled in")
    if others := _others(words):
        hints.append(f"other=ignore would leave out {_told(others, _frequent(others))}")
    answer = _answers(words)
    if len(answer) > 2 * _MOST_ANSWERED:
        hints.append("they are too many for a command line: fill them in there")
        answer = ("--classes", "words.csv")
    if not all(word.offer for word in words):
        answer = ("--classes", "words.csv")
    lacking = [name for name in CLASSES if name not in {*known, *(word.offer for word in words)}]
    if lacking and any(word.offer == "ignore" for word in words):
        hints.append(f"no word is known or seems to mean {' or '.join(lacking)}: fill it in there")
        answer = ("--classes", "words.csv")
    return answer, hints


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
    many = bool(_others(words))
    told = [word for word in words if word.kind != "doubt" and (word.kind != "other" or not many)]
    pairs = [f"{word.word}={word.offer}" for word in told]
    if any(word.kind == "doubt" for word in words):
        pairs.append("uncertain=ignore")
    if many:
        pairs.append("other=ignore")
    return tuple(part for pair in pairs for part in _option(pair))


def _others(words: Sequence[Unknown]) -> list[Unknown]:
    """The words that one answer for all others is offered for, the most frequent first."""
    others = [word for word in words if word.kind == "other"]
    return sorted(others, key=lambda word: -word.films) if len(others) > 1 else []


def _frequent(others: Sequence[Unknown]) -> int:
    """How many of the words to name: a few, and all that many films have."""
    films = sum(word.films for word in others)
    many = sum(word.films >= _FREQUENT * films for word in others)
    return max(_MOST_DROPPED, min(many, _MOST_FREQUENT))


def _told(words: Sequence[Unknown], most: int) -> str:
    named = ", ".join(f"{word.word!r} × {word.films:,}" for word in words[:most])
    return named + (f" and {len(words) - most:,} more" if len(words) > most else "")


def _option(pair: str) -> tuple[str, ...]:
    # A word that begins with a minus would be read as an option of its own.
    return (f"--classes={pair}",) if pair.startswith("-") else ("--classes", pair)


def unsure(cell: str, question: Question) -> bool:
    """Whether a cell says that it is not sure: by its words, or by CheXpert's sign for that."""
    return doubtful(cell) or (bool(question.about) and fold(cell) in ("-1", "u"))


def asked_words(
    unknown: Counter[str], question: Question, labels: Collection[str | None]
) -> list[Unknown]:
    """The words that are asked about, with what to offer; ``labels`` are those known already."""
    numbers = sorted(
        (word for word in unknown if fold(word).isdecimal()), key=lambda word: int(fold(word))
    )
    if len(numbers) == len(unknown) > 1:
        # Numbers do not say which is which: of 0 and 1 the usual meaning is offered as a guess.
        offer = dict.fromkeys(map(fold, numbers), "")
        if set(offer) == {"0", "1"}:
            offer |= offers(question.name)
        return [Unknown(word, unknown[word], "number", offer[fold(word)]) for word in numbers]
    # A word that names pneumonia goes before those of what may show one: "other infiltrate".
    shows = not question.findings or "pneumonia" not in labels
    shows = shows and not any(misspelt(word) == "pneumonia" for word in unknown)
    return [
        _unknown(word, n, question, shows=shows, normal="normal" in labels)
        for word, n in unknown.most_common()
    ]


def _unknown(word: str, films: int, question: Question, *, shows: bool, normal: bool) -> Unknown:
    """A word that is asked about: of which kind it is, and what to offer for it. ``shows`` says
    whether what shows a pneumonia may be meant for one, ``normal`` whether another word is."""
    if word == NOTHING_MARKED:
        return Unknown(word, films, "nothing", "ignore" if normal else "normal")
    if unsure(word, question) and not is_grade(word):
        return Unknown(word, films, "doubt", "ignore")
    if word == NO_BOX:
        return Unknown(word, films, "unmarked", "ignore" if normal else "normal")
    if (code := coded(word)) and code != "other":
        return _coded(word, films, code)
    if bare := vague(word):
        if question.about == "normal":  # what is not normal there
            return Unknown(word, films, "rest", "pneumonia")
        if fold(word) in _BARE:  # what "yes" means, the name of its column may tell
            bare = offers(question.name)["1" if bare == "pneumonia" else "0"]
        return Unknown(word, films, "vague", bare)
    if is_kind(word) and kindred(word) == "normal":
        # "Non-COVID" beside "Normal" is most often another pneumonia.
        return Unknown(word, films, "denied", "pneumonia" if normal else "normal")
    # Where nothing else is pneumonia, what shows one may be meant; denied, it is normal.
    kin = kindred(word)
    kin = kin if kin == "normal" or is_kind(word) or shows else None
    offer = misspelt(word) or short_normal(word) or kin
    if offer == "pneumonia" and (earlier(word) or (misspelt(word) and not plain(word))):
        return Unknown(word, films, "earlier" if earlier(word) else "qualified", "ignore")
    return Unknown(word, films, "near" if offer else "other", offer or "ignore")


def _coded(word: str, films: int, code: Coded) -> Unknown:
    """A code of pneumonia, an earlier one, or a visit without findings; a text behind it must be
    as plain."""
    if code == "earlier" or earlier(word):
        return Unknown(word, films, "earlier", "ignore")
    text = without_code(word)
    said = (known(text) or misspelt(text) or short_normal(text)) if text else code
    fine = said == code and (code == "normal" or plain(text))
    return Unknown(word, films, "code" if fine else "qualified", code if fine else "ignore")
