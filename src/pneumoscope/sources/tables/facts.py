"""Which columns of a table may travel as facts: scalars that name no person, place or day.

What is not certainly harmless is left out: a fact ends in tables, figures and reports.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.sources.meaning.cells import MISSING

Cells = pd.Series  # of text: str in pandas 3, object in pandas 2

MOST_VALUES = 20
"""Distinct words in a fact column; more are free text or names."""

_ROWS_A_WORD = 5  # a word that stands for fewer rows than this may be somebody's name
_LONGEST_WORD = 40
_LARGEST_WHOLE = 1_000_000  # larger whole numbers are ids, telephone numbers or dates
_PRIVATE_WORDS = """
    name names surname firstname lastname id ids uid uuid guid date datetime time timestamp day
    birth birthday born dob address street city town zip zipcode postcode phone telephone mobile fax
    email mail mrn ssn nhs accession number no nr physician doctor radiologist reader operator
    hospital institution clinic ward station device serial ip url uri link path file filename folder
    directory index unnamed comment comments note notes report text description history indication
comparison impression
"""
_PRIVATE = frozenset(_PRIVATE_WORDS.split())
_PRIVATE_END = re.compile(
    r"(name|uid|uuid|date|birth|address|phone|mail|"
    r"(patient|person|subject|study|series|image|img|instance|case|record|exam|dicom)(id|no|number))$"
)
_DAY = re.compile(r"(19|20)\d{2}([-/.]?)\d{2}\2\d{2}.*|\d{1,2}[-/.]\d{1,2}[-/.](19|20)?\d{2}.*")
_VIEW = re.compile(
    r"(?:ap|pa|ll|rl|llat|rlat|lat|l|r|(?:left |right )?lateral|frontal|antero ?posterior|"
    r"postero ?anterior)(?: (?:view|supine|horizontal|erect|upright|portable|axial|decubitus))*"
)
_SURELY = frozenset(("ap", "pa", "frontal", "lateral", "anteroposterior", "posteroanterior"))
"""Words that are of views alone: a column of L and R may say the side of a body."""
_SAME = {
    **dict.fromkeys(("modality_dicom", "imaging_modality", "image_modality"), "modality"),
    **dict.fromkeys(
        ("body_part_examined", "bodypartexamined", "bodypart", "body_part", "anatomy"), "body_part"
    ),
    **dict.fromkeys(("gender", "patient_sex", "patient_gender", "patientsex"), "sex"),
    **dict.fromkeys(("patient_age", "age_years", "patientage"), "age"),
    **dict.fromkeys(
        (
            "view_position",
            "viewposition",
            "projection",
            "frontal_lateral",
            "ap_pa",
            "pa_ap",
            "orientation",
            "position",
            "view_position_dicom",
            "viewposition_dicom",
            "viewcodesequence_codemeaning",
        ),
        "view",
    ),
}


ABOUT_FILMS = frozenset(("age", "sex", "view", "modality", "body_part"))
"""Facts of how, and of whom, a film was taken."""


def fact_name(column: str) -> str:
    """The name of a fact: ``"View Position"`` and ``"viewPosition"`` become ``"view"``."""
    slug = "_".join(_words(column))
    return _SAME.get(slug, slug)


def fact_of(frame: pd.DataFrame, column: str) -> str:
    """The name of the fact in a column of ``frame``: that of views by their cells, or its own."""
    return "view" if is_view(frame[column]) else fact_name(column)


def is_view(cells: Cells) -> bool:
    """Whether all cells that hold something are views: ``AP`` and ``PA``, ``Frontal``."""
    words = [" ".join(_words(word)) for word in cells[_present(cells)].unique()[:MOST_VALUES]]
    surely = any(word.partition(" ")[0] in _SURELY for word in words)
    return surely and all(_VIEW.fullmatch(word) for word in words)


def fact_columns(frame: pd.DataFrame, taken: Collection[str]) -> tuple[tuple[str, ...], list[str]]:
    """The columns of text that may travel as facts, and those left out, ``taken`` being neither.
    Several may be of the view, which one alone seldom tells: ``Frontal/Lateral`` and ``AP/PA``."""
    kept: dict[str, str] = {}
    left_out = []
    for column in frame.columns:
        if column in taken:
            continue
        name = fact_of(frame, column)
        new = name == "view" or name not in kept.values()
        if name and new and not is_private(column) and _is_scalar(frame[column]):
            kept[column] = name
        else:
            left_out.append(column)
    return tuple(kept), left_out


def as_numbers(cells: Cells) -> Cells | None:
    """The cells as float64, NaN where missing; None unless all that is there are finite numbers."""
    present = _present(cells)
    numbers = pd.to_numeric(cells.where(present), errors="coerce").astype("float64")
    return numbers if np.isfinite(numbers[present]).all() else None


def is_private(column: str) -> bool:
    words = _words(column)
    return any(w in _PRIVATE for w in words) or bool(_PRIVATE_END.search("".join(words)))


def _is_scalar(cells: Cells) -> bool:
    there = cells[_present(cells)]
    distinct = there.unique()
    if len(distinct) < 2 or any(_DAY.fullmatch(word) for word in distinct[:MOST_VALUES]):
        return False
    numbers = as_numbers(there)
    if numbers is not None:
        return not _looks_like_ids(numbers.to_numpy())
    longest = max(len(word) for word in distinct)
    few = len(distinct) <= min(MOST_VALUES, len(there) // _ROWS_A_WORD)
    return (few and longest <= _LONGEST_WORD) or is_view(there)


def _looks_like_ids(numbers: NDArray[np.float64]) -> bool:
    """Whole numbers that are large, or all different in a table of some length."""
    if (numbers % 1 != 0).any():
        return False
    all_different = len(numbers) > MOST_VALUES and len(np.unique(numbers)) == len(numbers)
    return bool(all_different or np.abs(numbers).max() >= _LARGEST_WHOLE)


def missing(cells: Cells) -> NDArray[np.bool_]:
    """Bool (rows,): cells that hold nothing, or a program's word for that."""
    return np.asarray(cells.str.lower().isin(list(MISSING)), dtype=np.bool_)


def _present(cells: Cells) -> Cells:
    return ~cells.str.lower().isin(list(MISSING))


def _words(column: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", column)
    return [word for word in re.split(r"[\W_]+", spaced.lower()) if word]
