"""Columns of 0 and 1: what their names say of a 1, and several of them read as one label.

A column named ``No finding``, ``NORMAL`` or ``is_healthy`` says 1 of normal films. Read as if it
were named pneumonia, it turns every label round.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd

from pneumoscope.sources.meaning.asking import NOTHING_MARKED
from pneumoscope.sources.meaning.cells import is_missing
from pneumoscope.sources.meaning.words import fold, is_finding, known, misspelt, vague, words_of

_VALUES: Mapping[str, int] = {
    **dict.fromkeys(("0", "false", "no", "n", "f", "negative", "absent"), 0),
    **dict.fromkeys(("1", "true", "yes", "y", "t", "positive", "present"), 1),
    **dict.fromkeys(("unchecked", "nein", "non", "-", "\N{MINUS SIGN}"), 0),
    **dict.fromkeys(("checked", "ja", "j", "oui", "si", "+", "x", "\N{CHECK MARK}"), 1),
    **dict.fromkeys(("-1", "u", "uncertain"), -1),
}
"""What a cell says of its column's name, folded; -1 is CheXpert's sign for uncertain."""

_SAYING_TEXT = "0 1 true false yes no y n checked unchecked ja nein oui si present absent + x"
_SAYING = frozenset((*_SAYING_TEXT.split(), "\N{CHECK MARK}"))
_MARKS = frozenset(("x", "\N{CHECK MARK}"))
"""What is written for yes where no is left blank."""

_PLAIN = {0: "no", 1: "yes", -1: "-1"}
_ABOUT = frozenset(("has", "is", "label", "labels", "class", "target", "finding", "status", "flag"))
_FEW = 5
NO_FINDING = "no finding"
"""The cell of a row that has no 1 in any of several columns, none of which says normal."""

UNNAMED = "unnamed finding"
"""The cell of a row with a 1 only in a column that says that there is a finding, not which."""

_ANY = frozenset(("abnormal", "abnormality", "abnormalities", "any finding", "any abnormality"))
_REST = frozenset(("other", "others", "other finding", "other findings", "other abnormality"))
_LABEL_WORDS = frozenset(("label", "class", "target", "diagnosis", "finding", "disease"))


@dataclass(frozen=True, slots=True)
class Flags:
    """Columns that each say of a film whether it has what they are named for.

    ``pneumonia`` and ``normal`` are those whose names mean it, ``others`` other findings;
    ``unnamed`` say that there is a finding, not which; ``called`` says what a column is named for
    where its name says more.
    """

    pneumonia: tuple[str, ...]
    normal: tuple[str, ...]
    others: tuple[str, ...]
    called: Mapping[str, str] = field(default_factory=dict)
    unnamed: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.pneumonia, *self.normal, *self.others, *self.unnamed)

    @property
    def several(self) -> bool:
        """Whether more is known than 0 and 1 of one column."""
        return len(self.names) > 1 and bool(self.pneumonia or self.normal)


def about(name: str) -> Literal["pneumonia", "normal", ""]:
    """What a bare 1 means in the column ``name``, by the name; empty where that does not say."""
    bare = _bare(name)
    verdict = known(name) or known(bare) if bare else None
    return verdict if verdict in ("normal", "pneumonia") else ""


def _bare(name: str) -> str:
    """``"pleural effusion"`` of ``has_Pleural_effusion?``: a column asks, and its cells answer."""
    return " ".join(word for word in words_of(name) if word not in _ABOUT)


def find_flags(columns: Mapping[str, Sequence[str]]) -> Flags:
    """The columns of 0 and 1 that say what a film shows, out of distinct cells by column."""
    return find_named([name for name, cells in columns.items() if is_flag(cells)])


def find_named(flags: Sequence[str]) -> Flags:
    """The columns of 0 and 1 ``flags`` that say what a film shows, by their names."""
    by = {name: about(name) for name in flags}
    finding = {n for n in flags if not by[n] and (is_finding(n) or is_finding(_bare(n)))}
    plain = {n for n in flags if (by[n] or n in finding) and not (known(n) or is_finding(n))}
    if finding or any(by.values()):  # by itself "other" or "abnormal" says nothing of findings
        finding |= {n for n in flags if _plain(n) in _REST}
    whole = any(verdict == "pneumonia" for verdict in by.values())
    return Flags(
        tuple(name for name in flags if by[name] == "pneumonia"),
        tuple(name for name in flags if by[name] == "normal"),
        # "Brocho-pneumonia": a near miss is asked about, and never a fact beside the label.
        tuple(n for n in flags if n in finding or (not by[n] and misspelt(n) == "pneumonia")),
        {name: _bare(name) for name in plain},
        tuple(n for n in flags if whole and not by[n] and _plain(n) in _ANY),
    )


def _plain(name: str) -> str:
    return " ".join(words_of(name))


def is_flag(cells: Iterable[str]) -> bool:
    """Whether all cells that hold something say yes, no or uncertain, and some say yes or no."""
    there = {fold(cell) for cell in cells if not is_missing(cell)}
    return bool(there & _SAYING) and there <= set(_VALUES)


def joined(frame: pd.DataFrame, flags: Flags) -> pd.Series[str]:
    """One label a row: the names of the columns that say yes, joined by ``|``.

    A row without any is normal where no column is named for normal films, for then that is how
    they are written; else it shows none of the columns. One that is only said to show something is
    of an unnamed finding. A row that is empty throughout is empty.
    """
    label = np.full(len(frame), "", dtype=object)
    marks = all(is_mark(frame[name].unique()) for name in flags.names)
    any_cell = np.full(len(frame), marks)
    some = np.full(len(frame), False)
    for name in flags.names:
        called = flags.called.get(name, name.strip())
        values = _values(frame[name])
        any_cell |= ~np.isnan(values)
        if name in flags.unnamed:
            some |= np.abs(values) == 1
            continue
        for value, word in ((1, called), (-1, f"uncertain {called}")):
            here = values == value
            label[here] = np.where(label[here] == "", word, label[here] + "|" + word)
    label[(label == "") & any_cell & some] = UNNAMED
    label[(label == "") & any_cell] = NOTHING_MARKED if flags.normal else NO_FINDING
    return pd.Series(label, index=frame.index, dtype="str")


def together(every: Sequence[Flags]) -> Flags:
    """All columns of several."""
    return Flags(
        tuple(name for one in every for name in one.pneumonia),
        tuple(name for one in every for name in one.normal),
        tuple(name for one in every for name in one.others),
        unnamed=tuple(name for one in every for name in one.unnamed),
    )


def with_others(frame: pd.DataFrame, flags: Flags, bits: Sequence[str]) -> Flags:
    """``flags`` with columns of unknown names of which, with those, each row marks exactly one:
    they are classes that exclude each other. Where columns that stand side by side do, from the
    one of normal films to that of pneumonia, they alone are the classes."""
    if flags.pneumonia and flags.normal and (block := _block(frame, flags, bits)):
        classes = (*flags.pneumonia, *flags.normal)
        return replace(flags, others=tuple(name for name in block if name not in classes))
    rest = [name for name in bits if name not in flags.names]
    if len(rest) < 2 or not flags.names:  # two may divide a few films alike by chance
        return flags
    marks = np.sum([says_yes(frame[n]) for n in (*flags.names, *rest)], axis=0)
    return replace(flags, others=(*flags.others, *rest)) if np.all(marks == 1) else flags


def _block(frame: pd.DataFrame, flags: Flags, bits: Sequence[str]) -> list[str]:
    """The columns of 0 and 1 side by side of which each row marks one, with all that are named for
    pneumonia and normal and at least one more; empty where there are none."""
    names = [str(name) for name in frame.columns]
    places = [names.index(name) for name in (*flags.pneumonia, *flags.normal)]
    for first in (min(places), min(places) - 1):
        for last in (max(places), max(places) + 1):
            block = names[max(first, 0) : last + 1]
            if len(block) > len(places) and set(block) <= set(bits):
                marks = np.sum([says_yes(frame[name]) for name in block], axis=0)
                if np.all(marks == 1):
                    return block
    return []


def is_mark(cells: Iterable[str]) -> bool:
    """Whether all cells that hold something are a cross or tick, so that a blank one says no."""
    return {fold(cell) for cell in cells if not is_missing(cell)} <= _MARKS


def says_yes(cells: pd.Series[str]) -> np.ndarray:
    """Bool (N,): which rows of a column of 0 and 1 say yes."""
    found: np.ndarray = _values(cells) == 1
    return found


def zeros_of(frame: pd.DataFrame, name: str, others: Sequence[str]) -> tuple[str, ...]:
    """What to say where 0 in the column ``name`` of pneumonia is said of films that ``others``
    find something in: no pneumonia, but not normal."""
    others = [one for one in others if one != name]
    zero = _values(frame[name]) == 0
    ill = zero & np.any([says_yes(frame[one]) for one in others], axis=0)
    if not ill.any():
        return ()
    shown = ", ".join(map(repr, others[:_FEW])) + (" and others" if len(others) > _FEW else "")
    return (
        f"A 0 in {name!r} says no pneumonia, not normal: {int(ill.sum()):,} of {int(zero.sum()):,} "
        f"such rows say yes in {shown}, and count as normal.",
    )


def plainly(cells: pd.Series[str]) -> pd.Series[str]:
    """A column of 0 and 1 in words that are known: ``Unchecked`` or ``nein`` is ``no``."""
    words = [cell for cell in cells.unique() if not is_missing(cell) and not vague(cell)]
    said = {cell: _PLAIN[_VALUES[fold(cell)]] for cell in words if fold(cell) in _VALUES}
    return cells.replace(said) if said and is_flag(cells.unique()) else cells


def _values(cells: pd.Series[str]) -> np.ndarray:
    codes, words = pd.factorize(cells)
    meaning = [np.nan if is_missing(w) else float(_VALUES.get(fold(w), np.nan)) for w in words]
    return np.array([*meaning, np.nan])[codes]


def speaks(name: str) -> bool:
    """Whether the name of a column of 0 and 1 seems to say what films show."""
    words = [word for word in words_of(name) if len(word) > 2]
    named = any(known(w) or vague(w) or w in _LABEL_WORDS for w in words)
    return named or bool(misspelt(name)) and "pneumon" in fold(name)
