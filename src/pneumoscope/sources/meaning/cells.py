"""What the cells of a label mean: one word, a list, a path, a bare 0 or 1, a doubt, or nothing.

Everything is worked out once for each distinct cell. What is not certain is gathered and asked for
in one message; see ``asking``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import cast

from pneumoscope.records import Word
from pneumoscope.sources.meaning.answers import said_of
from pneumoscope.sources.meaning.asking import (
    NO_BOX,
    Question,
    asked_words,
    measured,
    unknown_words,
    unsure,
)
from pneumoscope.sources.meaning.codes import coded
from pneumoscope.sources.meaning.qualified import earlier, is_filling, is_qualifier, short_normal
from pneumoscope.sources.meaning.words import (
    LABEL_OF,
    VERDICTS,
    Verdict,
    doubtful,
    fold,
    is_device,
    is_finding,
    is_kind,
    kindred,
    known,
    misspelt,
    subtype_of,
    vague,
)

UNSAID, IGNORED = -1, 2
"""Codes beside the labels 0 and 1: the cell says nothing; its films are to be left out."""

MISSING = frozenset(("", "nan", "null", "none", "<na>", "na", "n/a", "[]", "()", "{}", "set()"))
"""Cells that hold nothing, in lower case: what programs write for a missing value."""

REST, DOUBT = "other", "uncertain"
"""What --classes calls all words that it does not name, and all that say they are not sure."""

_BRACKETS = {"[": "]", "(": ")", "{": "}"}
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
_LIST = re.compile(r"[|;,]")
_TAKEN_BACK = re.compile(r"(?:ruled? out|excluded|negative|absent|not|unlikely)\b", re.IGNORECASE)
_MOST_SHOWN = 40
_TELLING = ("pneumonia", "normal")  # codes that an answer for all others does not cover
_MEASURE, _MOST_MEASURED = re.compile(r"\s*[-+]?[0-9]*[.,][0-9]*[1-9][0-9]*\s*"), 8


@dataclass(frozen=True, slots=True)
class Meaning:
    """``code`` of each distinct cell: 0, 1, IGNORED or UNSAID. ``words`` are what each word was
    taken for, the most frequent first; ``subtypes`` of each cell that names one."""

    code: Mapping[str, int]
    words: tuple[Word, ...]
    subtypes: Mapping[str, str]

    @property
    def labels(self) -> set[int]:
        """The labels that occur, of 0 and 1."""
        return {code for code in self.code.values() if code in (0, 1)}


@dataclass(frozen=True, slots=True)
class _Read:
    """What one cell says: a verdict, None for nothing, or the words that are not understood."""

    verdict: Verdict | None
    deciding: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    said: bool = False


def is_missing(cell: str) -> bool:
    """Whether ``cell`` holds nothing, be it empty, an empty list or a program's word for that."""
    return cell.strip().lower() in MISSING


def parts_of(cell: str) -> tuple[str, ...]:
    """The words of a cell that is a list: ``a|b``, ``a; b``, ``['a', 'b']``, ``["a", "b"]``; of
    any other the cell itself. Empty parts are left out."""
    text = cell.strip()
    if len(text) > 1 and _BRACKETS.get(text[0]) == text[-1]:
        inner = text[1:-1]
        quoted = [one or two for one, two in _QUOTED.findall(inner)]
        bare = _LIST.split(_QUOTED.sub("", inner))
        return tuple(word for part in (*quoted, *bare) if (word := part.strip()))
    for mark in ("|", ";"):
        if mark in text:
            return tuple(word for part in text.split(mark) if (word := part.strip()))
    return (text,)


def read_cells(cells: Mapping[str, int], question: Question, said: Mapping[str, str]) -> Meaning:
    """What each of the distinct ``cells`` means, given how many films have it.

    ``said`` is what the user said (keys as ``fold`` gives them, see ``answers``) and wins. Raises
    BadLabels that names every word that cannot be known, with the command that answers it.
    """
    question, said = _several(cells, question), said_of(question.name, said)
    read = {cell: _read(cell, question, said) for cell in cells}
    unknown: Counter[str] = Counter()
    spelt: dict[str, str] = {}  # "1" and "1.0" are one word, which may be answered once
    for cell, found in read.items():
        words = {spelt.setdefault(fold(word), word) for word in found.unknown}
        unknown.update(dict.fromkeys(sorted(words), cells[cell]))
    if sum(bool(_MEASURE.fullmatch(word)) for word in unknown) > _MOST_MEASURED:
        raise measured(list(unknown), question.where)
    if unknown:
        labels = {one.verdict for one in read.values()} & {"normal", "pneumonia"}
        raise unknown_words(asked_words(unknown, question, labels), question, labels)
    code = {}
    for cell, found in read.items():
        label = LABEL_OF[found.verdict] if found.verdict else UNSAID
        code[cell] = IGNORED if label is None else label
    subtypes = {cell: sub for cell in cells if (sub := _subtype(read[cell]))}
    return Meaning(code, _told(cells, read), subtypes)


def understood(
    cells: Iterable[str], question: Question, said: Mapping[str, str]
) -> tuple[float, float]:
    """The shares, 0–1, of distinct cells that mean normal or pneumonia, and of those that are
    understood at all; empty ones do not count."""
    there = [cell for cell in cells if not is_missing(cell)]
    question, said = _several(there, question), said_of(question.name, said)
    read = [_read(cell, question, said) for cell in there]
    count = max(len(read), 1)
    return (
        sum(one.verdict in ("normal", "pneumonia") for one in read) / count,
        sum(one.verdict is not None for one in read) / count,
    )


def verdicts(
    cells: Iterable[str], question: Question, said: Mapping[str, str]
) -> dict[str, Verdict | None]:
    """What each of the distinct ``cells`` means as far as that is known; nothing is asked."""
    cells = list(cells)
    question, said = _several(cells, question), said_of(question.name, said)
    return {cell: _read(cell, question, said).verdict for cell in cells}


def _several(cells: Iterable[str], question: Question) -> Question:
    """``question`` with what lists among the cells say: that a film may have several words, and
    which pieces between commas are words of their own."""
    cells = list(cells)
    pieces = Counter(
        piece for cell in cells if "," in cell for piece in {fold(one) for one in cell.split(",")}
    )
    if pieces:
        pieces.update({fold(cell) for cell in cells} & pieces.keys())
        own = frozenset(piece for piece, n in pieces.items() if n > 1)
        question = replace(question, pieces=own)
    findings = question.findings or any(len(parts_of(cell)) > 1 for cell in cells)
    return replace(question, findings=findings)


def _read(cell: str, question: Question, said: Mapping[str, str]) -> _Read:
    if fold(cell) in said:
        return _word(cell, question, said)
    if is_missing(cell):
        return _Read(None)
    parts = parts_of(cell)
    if len(parts) == 1:
        whole = _word(parts[0], question, said)
        if whole.verdict or not re.search("[,/]", parts[0]) or earlier(cell) or doubtful(cell):
            return whole  # "Pneumonia, resolved" is no list
        if not _is_list(parts[0], question, said):
            return whole  # nor is "Heart failure, unspecified"
        parts = tuple(word for part in parts[0].split(",") if (word := part.strip()))
        parts = tuple(part for part in parts if not is_filling(part)) or parts
        if any(map(_TAKEN_BACK.match, parts)):
            return whole  # nor is "Pneumonia, ruled out"
        if len(parts) < 2:
            return _path(parts[0], question, said) if parts else whole
    # "No Finding|Support Devices": CheXpert's normal films may show devices.
    parts = tuple(part for part in parts if not is_device(part)) or parts
    return _together([_read(part, question, said) for part in parts], cell)


def _is_list(cell: str, question: Question, said: Mapping[str, str]) -> bool:
    """Whether the pieces between commas are words of their own: one of them is known, or each is a
    finding or stands in other cells too, and none is a qualifier, ``Heart failure, acute``."""
    pieces = [word for part in cell.split(",") if (word := part.strip())]
    if len(pieces) < 2 or any(known(one) or fold(one) in said for one in pieces):
        return True
    return not any(
        is_filling(one)
        or is_qualifier(one)
        or not (
            fold(one) in question.pieces
            or is_finding(one) or misspelt(one) or kindred(one) or vague(one) or short_normal(one)
        )
        for one in pieces
    )  # fmt: skip


def _word(cell: str, question: Question, said: Mapping[str, str]) -> _Read:
    """What one word says by the user's word, its own, or the name of its column."""
    folded = fold(cell)
    if folded in said:
        return _Read(cast(Verdict, said[folded]), (cell.strip(),), said=True)
    if unsure(cell, question):
        verdict = said.get(DOUBT)
        return _Read(cast(Verdict, verdict), (cell,), said=True) if verdict else _lost(cell)
    verdict = known(cell)
    if verdict == "pneumonia" and question.findings and "opacit" in folded:
        # RSNA's class; beside pneumonia itself, in a list, it is a finding of its own.
        verdict = None
    if verdict:
        return _Read(verdict, (cell,))
    bare_verdict = vague(cell)
    if bare_verdict and question.about == "pneumonia":
        return _Read(bare_verdict, (f"{question.name} {cell}".strip(),))
    if bare_verdict == "pneumonia" and question.about == "normal":
        return _Read("normal", (f"{question.name} {cell}".strip(),))
    rest = said.get(REST)
    sure = not kindred(cell) or (question.findings and not is_kind(cell))
    if (
        rest
        and cell != NO_BOX
        and not (bare_verdict or misspelt(cell) or short_normal(cell) or coded(cell) in _TELLING)
        and sure
    ):
        return _Read(cast(Verdict, rest), (cell,), said=True)
    return _lost(cell)


def _lost(cell: str) -> _Read:
    return _Read(None, unknown=(cell,))


def _path(cell: str, question: Question, said: Mapping[str, str]) -> _Read:
    """``Pneumonia/Viral/COVID-19``: what follows a known word only says which kind it is."""
    parts = [part.strip() for part in cell.split("/") if part.strip()]
    found = {known(part) for part in parts} - {None}
    bare = any(vague(part) or doubtful(part) for part in parts)
    if len(found) == 1 and not bare and (known(parts[0]) or "normal" not in found):
        return _Read(found.pop(), (cell,))
    return _word(cell, question, said)


def _together(parts: list[_Read], cell: str) -> _Read:
    """A film with several words: pneumonia where one says so, normal where all that speak do."""
    verdicts = {part.verdict for part in parts}
    unknown = tuple(dict.fromkeys(word for part in parts for word in part.unknown))
    # What the user counts as normal, such as all other findings, may stand beside pneumonia.
    if "pneumonia" in verdicts and any(p.verdict == "normal" and not p.said for p in parts):
        return _lost(cell)
    if unknown and "pneumonia" not in verdicts:
        return _Read(None, unknown=unknown)
    for verdict in ("pneumonia", "ignore", "normal"):
        if verdict in verdicts:
            speaking = [part for part in parts if part.verdict == verdict]
            words = tuple(word for part in speaking for word in part.deciding)
            return _Read(verdict, words, said=any(part.said for part in speaking))
    return _Read(None)


def _told(cells: Mapping[str, int], read: Mapping[str, _Read]) -> tuple[Word, ...]:
    """What each word was taken for, with how many films; of many the most frequent."""
    films: Counter[tuple[str, Verdict, bool]] = Counter()
    for cell, found in read.items():
        if found.verdict:
            for word in dict.fromkeys(found.deciding):
                films[word, found.verdict, found.said] += cells[cell]
    words = [Word(word, meaning, n, said) for (word, meaning, said), n in films.most_common()]
    shown, rest = words[:_MOST_SHOWN], words[_MOST_SHOWN:]
    for meaning in VERDICTS:
        if more := [word for word in rest if word.meaning == meaning]:
            count = sum(word.films for word in more)
            shown.append(Word(f"{len(more):,} other words", meaning, count, True))
    return tuple(shown)


def _subtype(found: _Read) -> str | None:
    """bacterial or viral, where the words that decided for pneumonia say so, and only one."""
    if found.verdict != "pneumonia":
        return None
    named = {subtype_of(part) for word in found.deciding for part in word.split("/")} - {None}
    return named.pop() if len(named) == 1 else None
