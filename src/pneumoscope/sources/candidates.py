"""Columns of unknown names that could hold the label, by what is in their cells, the best first."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import pandas as pd

from pneumoscope.errors import BadLabels, printable
from pneumoscope.sources.meaning.cells import is_missing, parts_of
from pneumoscope.sources.meaning.codes import coded
from pneumoscope.sources.meaning.flags import about, is_flag
from pneumoscope.sources.meaning.qualified import short_normal
from pneumoscope.sources.meaning.words import (
    fold,
    is_finding,
    kindred,
    known,
    misspelt,
    vague,
    words_of,
)
from pneumoscope.sources.tables.bounds import Table
from pneumoscope.sources.tables.facts import fact_name, is_private
from pneumoscope.sources.tables.roles import has_a_role, named

_MOST_WORDS, _MOST_SHOWN, _MOST_COLUMNS, _LONGEST = 20, 6, 8, 40
_MOST_LOOKED_AT = 500
_MOST_CELLS, _SAMPLE, _COORDINATES, _NEARLY = 2000, 64, 4, 0.9
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_MOST_IN_A_CLASS = 6  # words
_LONGEST_LABEL = 120  # longer cells are reports
_DAY = re.compile(r"[0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4}.*|(?:19|20)[0-9]{2}(?:[01][0-9]){0,2}")
_DECIMAL = re.compile(r"[-+]?[0-9]*[.,][0-9]*[1-9][0-9]*")
_FACTS_TEXT = """
place ort lieu lugar luogo region city
sex age view modality body_part age_months age_group visit site hospital center centre country
manufacturer model device scanner vendor year month rows columns width height bits kvp ward
geschlecht smoker smoking male female ap pa lat portable icu intubated died death dead survival
fever cough vaccinated diabetes hypertension weight height alter sexe sexo edad
idade eta sesso ansicht
"""
_FACTS = frozenset(_FACTS_TEXT.split())
_FINAL_TEXT = """
final consensus agreed adjudicated adjudication gold truth reference majority overall confirmed
konsens endgultig definitivo definitif finale
"""
_FINAL = frozenset(_FINAL_TEXT.split())
_NAMED_TEXT = """
dx diagnosis diagnose diagnostic diagnostico diagnosi diagnoses befund beurteilung outcome result
resultado resultat risultato ergebnis label class status finding findings impression conclusion
choice annotation reading interpretation pneumonia hallazgo hallazgos clase classe klasse y
"""
_NAMED = frozenset(_NAMED_TEXT.split())
_SPOKEN = re.compile("pneu|diag|label|finding|befund")
_CHOICE = re.compile(r".+___\w+")
"""One choice of a checkbox, as REDCap names its columns: ``finding___3``."""

_READERS_TEXT = """
reader readers rad radiologist radiologists rater annotator observer expert arbiter physician doctor
befunder lecteur lector leser medecin medico
"""
_READERS = frozenset(_READERS_TEXT.split())


class NoLabelColumn(BadLabels):
    """No column is known to hold the label, though some could; ``answer`` names the best, which is
    ``likely`` where its cells have words for classes."""

    likely = False


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A column, how many rows have each of its cells, and what its name and cells say of it."""

    name: str
    cells: Mapping[str, int]
    likely: bool
    words: frozenset[str]

    @property
    def of_reader(self) -> bool:
        return bool(self.words & _READERS) and not self.words & _FINAL

    @property
    def of_sentences(self) -> bool:
        """Whether most rows hold a report, of which single words say little: "no pneumonia"."""
        long = sum(n for cell, n in self.cells.items() if any(map(_is_sentence, parts_of(cell))))
        return 2 * long > sum(self.cells.values())

    @property
    def rank(self) -> tuple[bool, bool, bool, int, bool, int, int]:
        """The lower, the likelier: not of one reader, with words for classes, no report, by name,
        of words rather than of 0 and 1, with the most rows of known words, and the most at all."""
        spoken = self.words & _NAMED or _SPOKEN.search(self.name.casefold())
        named = 0 if self.words & _FINAL else 1 if spoken else 2
        return (
            self.of_reader,
            not self.likely,
            self.of_sentences,
            named,
            is_flag(self.cells),
            -sum(n for cell, n in self.cells.items() if any(map(known, parts_of(cell)))),
            -sum(self.cells.values()),
        )


def ask_column(table: Table, names: Sequence[str], what: str) -> NoLabelColumn | None:
    """The question which of the columns ``names`` holds the label, each with its values and how
    many rows have them; None where none of them could."""
    read = [_candidate(table, name) for name in names]
    found = sorted((one for one in read if one), key=lambda one: one.rank)
    if not (found and found[0].likely) and (choice := _ask_choice(table, names)):
        return choice
    if not found:
        return None
    shown = [one for place, one in enumerate(found) if one.likely or place < _MOST_COLUMNS]
    more = len(found) - len(shown)
    answer = ("--column", f"label={found[0].name}")
    readers = [repr(one.name) for one in found if one.of_reader]
    error = NoLabelColumn(
        what,
        got=(
            *map(_told, shown),
            *([f"and {more} more"] if more else []),
            f"(rows) in {table.where}",
        ),
        expected="the column that says what films show",
        remedy=f"name it: {shlex.join(answer)}, or another of them",
        answer=answer,
        hints=(f"{', '.join(readers)} seem to be of one reader each",) if readers else (),
    )
    error.likely = found[0].likely
    return error


def _ask_choice(table: Table, names: Sequence[str]) -> NoLabelColumn | None:
    """The question which of the columns ``names`` of 0 and 1, choices of REDCap's checkboxes, is
    pneumonia, where no data dictionary says it; None where none is such a choice."""
    choices = [name for name in names if _CHOICE.fullmatch(name)]
    choices.sort(key=lambda name: not _NAMED & frozenset(words_of(name)))
    if not choices:
        return None
    answer = ("--column", f"label={choices[0]}")
    ticked = [f"{name!r}: ticked × {int((table.frame[name] == '1').sum()):,}" for name in choices]
    more = len(ticked) - _MOST_COLUMNS
    error = NoLabelColumn(
        "choices of REDCap's checkboxes do not say what they stand for",
        got=(
            *ticked[:_MOST_COLUMNS],
            *([f"and {more} more"] if more > 0 else []),
            f"in {table.where}",
        ),
        expected="the choice that stands for pneumonia",
        remedy="lay the project's data dictionary beside the table, as CSV, or look it up there "
        f"and name the column: {shlex.join(answer)}, or another of them",
        answer=answer,
    )
    error.likely = True
    return error


def _is_sentence(text: str) -> bool:
    return len(text.split()) > _MOST_IN_A_CLASS or text.endswith(".")


def likely_label(cell: str) -> bool:
    """Whether a cell holds a word that means, or could mean, normal or pneumonia."""
    return len(cell) <= _LONGEST_LABEL and any(
        known(part) or misspelt(part) or kindred(part) or short_normal(part)
        or coded(part) == "pneumonia"
        or (vague(part) and len(fold(part)) > 1)
        for part in parts_of(cell)
    )  # fmt: skip


def like_class(cell: str) -> bool:
    """Whether a cell holds a word for pneumonia, or one that says positive or sick of anything."""
    return any(
        known(part) == "pneumonia" or (vague(part) and len(fold(part)) > 1)
        for part in parts_of(cell)
    )


def is_measured(cells: pd.Series[str]) -> bool:
    """Whether a column is none of classes: cells of coordinates, or nearly as many as rows."""
    there = [cell for cell in cells.unique() if not is_missing(cell)]
    boxes = sum(len(_NUMBER.findall(cell)) >= _COORDINATES for cell in there[:_MOST_CELLS])
    if there and 2 * boxes > min(len(there), _MOST_CELLS):
        return True
    return len(there) > max(_SAMPLE, _NEARLY * len(cells))


def _are_decimals(cells: pd.Series[str]) -> bool:
    """Whether most cells of a column are decimal numbers, and many differ: shares or measures."""
    there = [cell for cell in cells.unique() if not is_missing(cell)]
    few = there[:_MOST_CELLS]
    return len(few) > _SAMPLE // 8 and 2 * sum(map(bool, map(_DECIMAL.fullmatch, few))) > len(few)


def label_columns(table: Table, besides: Collection[str]) -> list[str]:
    """The columns that are named for labels, or for pneumonia in another language."""
    names = [str(name) for name in table.frame.columns if name not in besides]
    said = [name for name in names if about(name) == "pneumonia"]
    return list(dict.fromkeys((*named(table, "label", besides), *said)))


def measures(table: Table, besides: Collection[str]) -> list[str]:
    """The columns of measures that are named for labels or pneumonia: they are refused as such."""
    names = [str(name) for name in table.frame.columns if name not in besides]
    said = (n for n in names if n in label_columns(table, besides) or misspelt(n) == "pneumonia")
    return [name for name in said if _are_decimals(table.frame[name])]


def divides(cells: pd.Series[str]) -> bool:
    """Whether a column may tell films apart: what is said of all, as ``2-Abnormal``, is no class,
    unless it says itself what for."""
    found = cells.unique()
    return len(found) > 1 or any(map(known, found))


def _candidate(table: Table, name: str) -> _Candidate | None:
    counts = table.frame[name].value_counts()
    cells = {str(cell): int(n) for cell, n in counts.items() if not is_missing(str(cell))}
    likely = any(map(likely_label, islice(cells, _MOST_LOOKED_AT))) and not is_flag(cells)
    if not divides(table.frame[name]) or not likely and not _could_be_label(name, cells):
        return None
    return _Candidate(name, cells, likely, frozenset(words_of(name)))


def _could_be_label(name: str, cells: Mapping[str, int]) -> bool:
    """Whether a column without class words may be one of classes: few values, none of another
    use."""
    if not 2 <= len(cells) <= min(_MOST_WORDS, sum(cells.values()) // 2):
        return False
    words = {fact_name(name), *words_of(name)}
    if has_a_role(name, "label") or words & _FACTS or is_finding(name) or is_private(name):
        return False
    return not any(_DAY.fullmatch(cell) or _DECIMAL.fullmatch(cell) for cell in cells)


def _told(one: _Candidate) -> str:
    pairs = [f"{_short(cell)!r} × {n:,}" for cell, n in list(one.cells.items())[:_MOST_SHOWN]]
    more = len(one.cells) - _MOST_SHOWN
    return f"{one.name!r}: {', '.join(pairs)}" + (f" and {more:,} more" if more > 0 else "")


def _short(cell: str) -> str:
    text = printable(cell)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
