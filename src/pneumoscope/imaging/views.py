"""Lateral films, other modalities and other parts of the body, by what header or column says."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Literal

from pneumoscope.records import Facts

Aside = Literal["LATERAL", "OTHER-MODALITY", "OTHER-PART"]

# Digital and computed radiography, and what their films are called when sent on (PS3.3 C.7.3.1),
# or in tables.
_RADIOGRAPHS = frozenset(
    ("CR", "DX", "RG", "RF", "XA", "OT", "SC", "DR", "XRAY", "XR", "CXR", "RX", "PX", "RADIOGRAPHY")
)
# Left and right lateral, as View Position (0018,5101) and tables of public sets write them; with
# them obliques, such as PadChest's COSTAL of ribs: no frontal films either.
_LATERAL = re.compile(
    r"(l|r)?(lat|lateral)( ?view)?|(left|right) ?(lateral)?|ll|rl|l|r|llat|rlat|lateral.*|profile|"
    r"lao|rao|lpo|rpo|obl|oblique.*|costal",
    re.IGNORECASE,
)
# Slices of CT and MR are told by their planes where no modality is named.
_SLICES = re.compile(r"axial.*|coronal.*|sagittal.*|transvers.*", re.IGNORECASE)
_CHEST = re.compile(r"chest|thora|lung|rib|cardi|heart|trunk|whole|body|port|unknown|sternum", re.I)
# Parts of the body that are no chest, out of PS3.16 CID 4 and CID 4031.
_PARTS = re.compile(
    r"ankle|abdom|arm|brain|breast|calcan|clavicle|coccyx|cspine|c ?spine|elbow|extremity|face|"
    r"femur|finger|foot|forearm|hand|head|hip|humerus|jaw|knee|kub|leg|lspine|l ?spine|mandible|"
    r"neck|nose|orbit|pelvis|radius|sacrum|scapula|shoulder|sinus|skull|spine|thumb|tibia|toe|ulna|"
    r"wrist|zygoma",
    re.IGNORECASE,
)

_OTHERS_TEXT = """
oct ct cts cbct mri mris fmri ultrasound ultrasounds ultrasonography sonography mammography
mammogram mammograms mammo fundus tomography ctscan ctscans endoscopy colonoscopy dermoscopy
histology histopathology microscopy echocardiography
"""
_OTHERS = frozenset(_OTHERS_TEXT.split())
_PLAIN_TEXT = """
knee knees brain breast breasts abdomen abdominal retina retinal skin spine skull pelvis wrist elbow
shoulder ankle femur humerus forearm finger tibia dental teeth tooth
"""
_PLAIN = frozenset(_PLAIN_TEXT.split())
_ALONE = frozenset(("hand", "hands", "head", "hip", "hips", "foot", "feet", "leg", "legs", "neck"))
"""Words of folders that name a part of the body where they stand alone."""

_MONTHS = frozenset(["jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "nov", "dec"])

TOLD = {
    "LATERAL": "lateral views",
    "OTHER-MODALITY": "pictures of another modality",
    "OTHER-PART": "films of another part of the body",
}
"""What each of the reasons is called of several films."""


def aside_of(facts: Facts) -> tuple[Aside, ...]:
    """Why a film is no frontal radiograph of a chest, by its facts view, modality and body_part;
    empty where they say nothing against it."""
    found: list[Aside] = []
    view = str(facts.get("view", "")).strip()
    modality = re.sub(r"[\W_]", "", str(facts.get("modality", "OT"))).upper()
    if modality not in _RADIOGRAPHS or _SLICES.fullmatch(view):
        found.append("OTHER-MODALITY")
    if _LATERAL.fullmatch(view):
        found.append("LATERAL")
    part = str(facts.get("body_part", ""))
    if _PARTS.search(part) and not _CHEST.search(part):
        found.append("OTHER-PART")
    return tuple(found)


def aside_of_folder(words: Sequence[str], beside: Collection[str] = ()) -> Aside | None:
    """Why a folder whose name has these ``words``, in lower case, holds no radiographs of chests;
    None where they do not say so. ``beside`` are words of the other folders: OCT may be October."""
    said = [word for word in words if not word.isdecimal()]
    if any(map(_CHEST.match, said)) and _OTHERS.isdisjoint(said):
        return None
    month = len(said) < len(words) or not _MONTHS.isdisjoint(beside)
    others = _OTHERS.intersection(said) - ({"oct"} if month else set())
    if others and not any(word.upper() in _RADIOGRAPHS or word == "ray" for word in said):
        return "OTHER-MODALITY"
    if not _PLAIN.isdisjoint(said) or (len(said) == 1 and said[0] in _ALONE):
        return "OTHER-PART"
    return None
