"""Columns of 0 and 1: what their names say of a 1, and several of them read as one label.

A column named ``No finding``, ``NORMAL`` or ``is_healthy`` says 1 of normal films. Read as if it
were named pneumonia, it turns every label round.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from pneumoscope.sources.meaning.asking import NOTHING_MARKED
from pneumoscope.sources.meaning.cells import is_missing
from pneumoscope.sources.meaning.words import fold, is_finding, known, misspelt, vague, words_of

_VALUES: Mapping[str, int] = {
    **dict.fromkeys(("0", "false", "no", "n", "f", "negative", "absent"), 0),
    **dict.fromkeys(("1", "true", "yes", "y", "t", "positive", "present"), 1),
    **dict.fromkeys(("-1", "u", "uncertain"), -1),
}
"""What a cell says of its column's name; -1 is CheXpert's sign for uncertain."""

_SAYING = frozenset(("0", "1", "true", "false", "yes", "no", "y", "n"))
_ABOUT = frozenset(("has", "is", "label", "labels", "class", "target", "finding", "status", "flag"))
_NO_FINDING = "no finding"
_LABEL_WORDS = frozenset(("label", "class", "target", "diagnosis", "finding", "disease"))


@dataclass(frozen=True, slots=True)
class Flags:
    """Columns that each say of a film whether it has what they are named for.

    ``pneumonia`` and ``normal`` are those whose names mean it, ``others`` other findings.
    """

    pneumonia: tuple[str, ...]
    normal: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.pneumonia, *self.normal, *self.others)

    @property
    def several(self) -> bool:
        """Whether more is known than 0 and 1 of one column."""
        return len(self.names) > 1 and bool(self.pneumonia or self.normal)


def about(name: str) -> Literal["pneumonia", "normal", ""]:
    """What a bare 1 means in the column ``name``, by the name; empty where that does not say."""
    words = words_of(name)
    bare = [word for word in words if word not in _ABOUT]
    verdict = known(name) or known(" ".join(bare)) if bare else None
    return verdict if verdict in ("normal", "pneumonia") else ""


def find_flags(columns: Mapping[str, Sequence[str]]) -> Flags:
    """The columns of 0 and 1 that say what a film shows, out of distinct cells by column."""
    flags = [name for name, cells in columns.items() if is_flag(cells)]
    by = {name: about(name) for name in flags}
    return Flags(
        tuple(name for name in flags if by[name] == "pneumonia"),
        tuple(name for name in flags if by[name] == "normal"),
        # "Brocho-pneumonia": a near miss is asked about, and never a fact beside the label.
        tuple(n for n in flags if not by[n] and (is_finding(n) or misspelt(n) == "pneumonia")),
    )


def is_flag(cells: Iterable[str]) -> bool:
    """Whether all cells that hold something say yes, no or uncertain, and some say yes or no."""
    there = {fold(cell) for cell in cells if not is_missing(cell)}
    return bool(there & _SAYING) and there <= set(_VALUES)


def joined(frame: pd.DataFrame, flags: Flags) -> pd.Series[str]:
    """One label a row: the names of the columns that say yes, joined by ``|``.

    A row without any is normal where no column is named for normal films, for then that is how
    they are written; else it shows none of the columns. A row that is empty throughout is empty.
    """
    label = np.full(len(frame), "", dtype=object)
    any_cell = np.zeros(len(frame), dtype=bool)
    for name in flags.names:
        values = _values(frame[name])
        any_cell |= ~np.isnan(values)
        for value, word in ((1, name.strip()), (-1, f"uncertain {name.strip()}")):
            here = values == value
            label[here] = np.where(label[here] == "", word, label[here] + "|" + word)
    label[(label == "") & any_cell] = NOTHING_MARKED if flags.normal else _NO_FINDING
    return pd.Series(label, index=frame.index, dtype="str")


def _values(cells: pd.Series[str]) -> np.ndarray:
    codes, words = pd.factorize(cells)
    meaning = [np.nan if is_missing(w) else float(_VALUES.get(fold(w), np.nan)) for w in words]
    return np.array([*meaning, np.nan])[codes]


def speaks(name: str) -> bool:
    """Whether the name of a column of 0 and 1 seems to say what films show."""
    words = [word for word in words_of(name) if len(word) > 2]
    named = any(known(w) or vague(w) or w in _LABEL_WORDS for w in words)
    return named or bool(misspelt(name)) and "pneumon" in fold(name)
