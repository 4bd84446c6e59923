"""Codes of diagnoses, ICD-10: what they would mean of a film, to be offered and never taken, since
a code is given for a stay or a bill, not for a film."""

from __future__ import annotations

import re
from typing import Literal

_CODE = re.compile(r"\s*([A-TV-Z][0-9][0-9AB]\.[0-9A-Z]{1,4}|[A-TV-Z][0-9][0-9AB])(?![0-9A-Z.])")
_BARE = re.compile(r"\s*([A-TV-Z][0-9][0-9AB][0-9]{0,2})\s*")
_PNEUMONIA = re.compile(r"J1[2-8]")
_EARLIER = re.compile(r"Z8701")
_NORMAL = re.compile(r"Z000{0,2}")

Coded = Literal["pneumonia", "normal", "earlier", "other"]


def coded(word: str) -> Coded | None:
    """What the code of ICD-10 at the start of ``word`` says; None where there is none."""
    text = word.upper()
    found = _CODE.match(text) or _BARE.fullmatch(text)
    if found is None:
        return None
    code = found[1].replace(".", "")
    if _PNEUMONIA.match(code):
        return "pneumonia"
    if _EARLIER.fullmatch(code):
        return "earlier"
    return "normal" if _NORMAL.fullmatch(code) else "other"


def without_code(word: str) -> str:
    """``word`` without a code at its start: ``"J18.9 Pneumonia"`` is ``"Pneumonia"``."""
    text = word.upper()
    found = _BARE.fullmatch(text) or _CODE.match(text)
    return word[found.end() :].strip(" -:") if found else word
