"""Which column of a table holds the ids of patients: one that is overlooked puts a patient into
train and test, so a column of ids that repeat is taken, or asked about."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection

import pandas as pd

from pneumoscope.errors import InputError
from pneumoscope.sources.meaning.cells import is_missing
from pneumoscope.sources.meaning.words import words_of
from pneumoscope.sources.tables.bounds import Table
from pneumoscope.sources.tables.roles import few, has_a_role, named

_ID_WORDS_TEXT = """
id ids uid uuid number no nr code mrn key name anon hash identifier patient subject case person
study accession exam subj pat pt client participant individual proband paciente paziente anon
"""
_ID_WORDS = frozenset(_ID_WORDS_TEXT.split())
_OTHER_WORDS_TEXT = """
age sex date time year birth class label finding view width height size model device
manufacturer station institution hospital site location city country license url doi source
reader image file path frame rows columns bits slice series follow split fold
scanner serial operator technician technologist physician doctor referrer department ward clinic
centre center room zip postcode batch
"""
_OTHER_WORDS = frozenset(_OTHER_WORDS_TEXT.split())
_CODE = re.compile(r"(?=.*[0-9])[A-Za-z0-9][A-Za-z0-9._:-]{3,}")
_DATE = re.compile(r"[0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4}(?:[ T].*)?")
OF_STUDIES = "Films of one study"
"""How the note begins where ids are those of studies."""

_FEWEST, _SPREAD = 5, 0.02
_MOSTLY, _MANY = 0.9, 0.2


def patient_column(
    table: Table, asked: str | None, besides: Collection[str], image: str | None
) -> tuple[str | None, list[str]]:
    """The column of patients, and what to say of it; ``""`` as ``asked`` says that there is none.
    The column ``image`` may be that of patients too.

    A column whose name says patient is taken; else one of studies whose ids repeat, since a study
    shows one patient; else one that looks like ids and repeats is asked about. Raises InputError
    for that, and where two differ.
    """
    if asked is not None:
        return asked or None, []
    if by_name := named(table, "patient", besides):
        return _agreed(table, by_name), []
    # Several rows of one film are no repeats.
    frame = table.frame if image is None else table.frame.drop_duplicates(subset=[image])
    others = [*besides, *([image] if image else [])]
    rest = [name for name in frame.columns if name not in others]
    likely = [name for name in rest if _like_ids(name, frame[name], nameless=table.headless)]
    for name in named(table, "study", others):
        wider = [one for one in likely if _holds(frame[one], frame[name])]
        if _repeats(frame[name]) and not wider:
            return name, [
                f"{OF_STUDIES}, by the column {name!r}, stay together as one patient's; a "
                "patient who has several studies may still lie in two splits."
            ]
        likely = wider or likely
    if likely:
        answer = ("--column", f"patient={likely[0]}")
        raise InputError(
            f"the column {likely[0]!r} holds ids that repeat: are they of patients?",
            got=f"{few(likely)} in {table.where}",
            expected="the column of patients, so that none lies in two splits",
            remedy=f"say so with {shlex.join(answer)}, or, if they are not: --column patient=none",
            answer=answer,
        )
    return None, []


def one_spelling(ids: pd.Series[str]) -> pd.Series[str]:
    """Ids as they are written, but where both ``12`` and ``12.0`` occur, as programs write numbers
    of a column with gaps: they are one patient's."""
    whole: pd.Series[str] = ids.str.replace(r"^([0-9]+)\.0+$", r"\1", regex=True)
    return whole if whole.nunique() < ids.nunique() else ids


def _agreed(table: Table, names: list[str]) -> str:
    for other in names[1:]:
        one, two = (pd.factorize(table.frame[name])[0] for name in (names[0], other))
        if (one != two).any():
            raise InputError(
                f"two columns could be the patient and differ: {names[0]!r} and {other!r}",
                got=table.where,
                remedy=f"name the right one: --column patient={names[0]}",
                answer=("--column", f"patient={names[0]}"),
            )
    return names[0]


def _repeats(cells: pd.Series[str]) -> bool:
    there = cells[[not is_missing(cell) for cell in cells]]
    return 1 < there.nunique() < len(there)


def _holds(wide: pd.Series[str], narrow: pd.Series[str]) -> bool:
    """Whether each id of ``narrow`` belongs to one of ``wide``, which are fewer: as studies to
    patients."""
    pairs = pd.DataFrame({"wide": wide, "narrow": narrow}).drop_duplicates()
    return bool(pairs["narrow"].is_unique) and wide.nunique() < narrow.nunique()


def _like_ids(name: str, cells: pd.Series[str], *, nameless: bool) -> bool:
    """Whether a column of an unknown name holds many ids, some more than once; where no column has
    a name, whole numbers may be ids too."""
    words = set(words_of(name))
    if has_a_role(name, "patient", "study") or words & _OTHER_WORDS:
        return False
    there = cells[[not is_missing(cell) for cell in cells]]
    distinct = there.unique()
    if len(there) < _MOSTLY * len(cells) or len(distinct) == len(there):
        return False
    if sum(bool(_DATE.fullmatch(cell)) for cell in distinct) > len(distinct) / 2:
        return False
    if len(distinct) < max(_FEWEST, _SPREAD * len(there)):
        return False
    coded = sum(bool(_CODE.fullmatch(cell)) for cell in distinct) >= _MOSTLY * len(distinct)
    numbers = all(cell.replace(".", "", 1).lstrip("-").isdecimal() for cell in distinct[:1000])
    decimals = any("." in cell for cell in distinct[:1000])
    if numbers and nameless:
        return not decimals and len(distinct) >= _MANY * len(there)
    if numbers and not words & _ID_WORDS:
        # Ages and sizes repeat too; only long whole numbers look like ids.
        return not decimals and min(len(cell) for cell in distinct) >= 5
    return coded or bool(words & _ID_WORDS and not decimals)
