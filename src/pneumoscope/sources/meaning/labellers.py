"""Labellers: columns of 0 and 1 told apart by what their names have in common, ``__chx``, ``nb_``.

Sets hold the findings of one film as several readers or programs saw them. They differ, so the
label is made of the columns of one of them, and never of a mixture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pneumoscope.sources.meaning.flags import Flags, about, find_named, zeros_of
from pneumoscope.sources.meaning.qualified import earlier
from pneumoscope.sources.meaning.words import doubtful, is_finding, words_of

_FINAL = frozenset(["consensus", "final", "adjudicated", "gold", "majority", "agreed", "truth"])
_WHO_TEXT = """
reader rad radiologist rater annotator observer expert physician doctor befunder lecteur lector
leser medico manual human
chexpert chexbert negbio chx cxp nb cx visualchexbert nlp auto automatic machine model ai llm gpt
"""
_WHO = _FINAL.union(_WHO_TEXT.split())
"""Words for who or what read the films, of whom each may have one column alone."""

_DIGITS, _MARKS, _LONGEST = "0123456789", " _-:;=?()[]{}.,/|", 100


@dataclass(frozen=True, slots=True)
class Labeller:
    """The columns of one labeller; ``pattern`` names them on the command line. ``affix`` is what
    their names have in common, empty for those that are named for their finding alone."""

    affix: str
    pattern: str
    flags: Flags

    @property
    def final(self) -> bool:
        """Whether it is what readers agreed on, rather than one of them."""
        return not self.affix or not _FINAL.isdisjoint(words_of(self.affix))


@dataclass(frozen=True, slots=True)
class _Cut:
    """A column's name taken apart: ``affix`` in its words, before or behind the ``finding``."""

    name: str
    before: bool
    affix: tuple[str, ...]
    text: str
    finding: str

    @property
    def key(self) -> tuple[bool, tuple[str, ...]]:
        return self.before, self.affix


def labellers(bits: Sequence[str]) -> list[Labeller]:
    """Whose columns the label could be made of, of all columns of 0 and 1 in the order of the
    table: one where that is clear.

    Columns that are named for pneumonia and normal without more go before those with an affix,
    which count where two columns have it, or where it says who read the films.
    """
    cuts = [cut for name in bits if (cut := _cut(name))]
    groups: dict[tuple[bool, tuple[str, ...]], list[_Cut]] = {}
    for cut in cuts:
        groups.setdefault(cut.key, []).append(cut)
    found = [_labeller(group, bits) for group in groups.values() if _counts(group)]
    theirs = {name for one in found for name in one.flags.names}
    bare = find_named([name for name in bits if name not in theirs])
    single = [one for one in found if len(one.flags.names) == 1]
    if len(found) == 1 and (single or bare.normal) and not bare.pneumonia:
        found = []
    if not found:
        flags = find_named(bits)
        return [Labeller("", ",".join(flags.names), flags)]
    if bare.pneumonia:
        mine = Labeller("", ",".join((*bare.pneumonia, *bare.normal, *bare.others)), bare)
        return [mine] if bare.normal else [mine, *found]
    return found


def finding_of(name: str) -> str:
    """What a column is named for without who saw it: ``Pneumonia`` of ``Pneumonia_reader1``."""
    cut = _cut(name)
    return cut.finding if cut and _says_who(cut.affix) else name


def tells(name: str) -> bool:
    """Whether a column of 0 and 1 speaks of normal or pneumonia, whoever saw it."""
    cut = _cut(name)
    return bool(about(name) or (cut and about(cut.finding)))


def _counts(group: Sequence[_Cut]) -> bool:
    named = any(about(cut.finding) == "pneumonia" for cut in group)
    return named and (len(group) > 1 or _says_who(group[0].affix))


def _says_who(affix: Sequence[str]) -> bool:
    return any(word.rstrip(_DIGITS) in _WHO for word in affix)


def _labeller(group: Sequence[_Cut], bits: Sequence[str]) -> Labeller:
    """The columns of ``group`` with all others of its affix, whatever they are named for."""
    first = min(group, key=lambda cut: len(cut.text))
    called = {cut.name: cut.finding for cut in group}
    for name in bits:
        if name not in called and (rest := _without(name, first)):
            called[name] = rest
    names = [name for name in bits if name in called]
    by = {name: about(called[name]) for name in names}
    flags = Flags(
        tuple(name for name in names if by[name] == "pneumonia"),
        tuple(name for name in names if by[name] == "normal"),
        tuple(name for name in names if not by[name]),
        called,
    )
    pattern = f"{first.text}*" if first.before else f"*{first.text}"
    return Labeller(first.text, names[0] if len(names) == 1 else pattern, flags)


def _without(name: str, cut: _Cut) -> str:
    """What is left of ``name`` without the affix of ``cut``, empty where it has another."""
    if about(name) or not (name.startswith if cut.before else name.endswith)(cut.text):
        return ""
    rest = name[len(cut.text) :] if cut.before else name[: -len(cut.text)]
    return rest.strip(_MARKS)


def _cut(name: str) -> _Cut | None:
    """``name`` taken apart with the shortest affix that leaves a finding; None where it is named
    for one as it stands, or says that it is doubtful or of an earlier time."""
    words = words_of(name)
    asked = " ".join(words)  # "history_of" is no word for those that look for whole ones
    whole = about(name) or is_finding(name) or doubtful(asked) or earlier(asked)
    if whole or len(name) > _LONGEST:
        return None
    for count in range(1, len(words)):
        for before in (False, True):
            rest = words[count:] if before else words[:-count]
            if about(" ".join(rest)) or is_finding(" ".join(rest)):
                affix = words[:count] if before else words[-count:]
                return _taken_apart(name, before, tuple(affix), rest)
    return None


def _taken_apart(name: str, before: bool, affix: tuple[str, ...], rest: list[str]) -> _Cut | None:
    for at in range(len(name) - 1, 0, -1) if before else range(1, len(name)):
        one, two = name[:at], name[at:]
        mine, other = (one, two) if before else (two, one)
        if tuple(words_of(mine)) == affix and words_of(other) == rest:
            return _Cut(name, before, affix, mine, other.strip(_MARKS))
    return None


def unlike_normal(
    frame: pd.DataFrame, name: str, bits: Sequence[str], way: str = ""
) -> tuple[str, ...]:
    """What to say where the label is a column of pneumonia alone, ``name``, and others of 0 and 1
    find something in films that are 0 there; ``way`` is what else could be done."""
    found = labellers(bits) if about(finding_of(name)) == "pneumonia" else []
    notes = zeros_of(frame, name, found[0].flags.others) if found else ()
    return tuple(note + way for note in notes)
