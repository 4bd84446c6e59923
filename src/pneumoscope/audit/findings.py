"""What an audit can say of a data set, one record a statement, and the table of all its codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pneumoscope.plain import to_plain

Severity = Literal["info", "warning", "severe"]
Status = Literal["found", "not provable"]

SEVERITIES: tuple[Severity, ...] = ("severe", "warning", "info")
"""The gravest first."""

MOST_EXAMPLES = 12

CODES = {
    "UNREADABLE": "Files that could not be read",
    "DUP-EXACT": "The same pixels twice",
    "DUP-NEAR": "The same film stored in two ways",
    "DUP-ACROSS-SPLITS": "The same film in two splits",
    "DUP-LABELS-DISAGREE": "The same film with two labels",
    "DUP-OTHER-EXPOSURE": "Another exposure of the same chest",
    "DUP-NO-HASH": "Exact duplicates without pixel hashes",
    "PATIENT-ACROSS-SPLITS": "A patient in two splits",
    "PATIENTS-UNKNOWN": "No patient ids",
    "PATIENT-EACH-FILM": "A patient id for each film",
    "ONE-CLASS": "A split without both classes",
    "LABELS-UNKNOWN": "Films without a label",
    "FEW-VALIDATION": "Too few films to choose anything on",
    "CONSTANT": "Films without content",
    "TINY": "Films of few pixels",
    "INVERTED": "Films with air bright",
    "ROTATED": "Films turned by a quarter or half",
    "NOT-CHEST-LIKE": "Images that do not look like a frontal chest film",
    "SHORTCUT-METADATA": "File facts that predict the label",
    "SHORTCUT-THUMBNAIL": "Thumbnails that predict the label",
    "SHORTCUT-BORDER": "Borders that predict the label",
    "SPLITS-DIFFER": "A split unlike the training films",
    "SITE-TELLS-LABEL": "Sites that predict the label",
    "FILM-TELLS-SITE": "Films that tell their site",
    "SAME-FAMILY": "Films shared with another set",
    "TEST-WITHIN-TRAIN": "Test films that are training films of another set",
}
"""Every code that an audit may use and what it stands for; codes never change their meaning."""


UNITS = {
    "DUP-NEAR": "pair",
    "DUP-OTHER-EXPOSURE": "pair",
    "PATIENT-ACROSS-SPLITS": "patient",
}
"""What the count of a finding counts, where that is not films."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement of an audit.

    ``count`` films (pairs, patients) are concerned; ``examples`` are image ids, at most 12.
    ``title`` is one sentence, ``remedy`` what the user should do. ``status`` "not provable" says
    that the data cannot answer the question: it is never the same as clean.
    """

    code: str
    severity: Severity
    title: str
    count: int
    remedy: str
    examples: tuple[str, ...] = ()
    status: Status = "found"

    def to_json(self) -> dict[str, Any]:
        return to_plain(self) | {"about": CODES[self.code]}


def by_severity(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What was found before what cannot be known, then severe before warning before info."""
    return tuple(
        sorted(findings, key=lambda f: (f.status != "found", SEVERITIES.index(f.severity)))
    )


def few(image_ids: Iterable[object]) -> tuple[str, ...]:
    """The first examples of many image ids, as strings, none twice."""
    return tuple(dict.fromkeys(str(i) for i in image_ids))[:MOST_EXAMPLES]
