"""Lateral films, other modalities and other parts of the body, by what header or column says."""

from __future__ import annotations

import re
from typing import Literal

from pneumoscope.records import Facts

Aside = Literal["LATERAL", "OTHER-MODALITY", "OTHER-PART"]

# Digital and computed radiography, and what their films are called when sent on (PS3.3 C.7.3.1),
# or in tables.
_RADIOGRAPHS = frozenset(
    ("CR", "DX", "RG", "RF", "XA", "OT", "SC", "DR", "XRAY", "XR", "CXR", "RX", "PX", "RADIOGRAPHY")
)
# Left and right lateral, as View Position (0018,5101) and tables of public sets write them.
_LATERAL = re.compile(
    r"(l|r)?(lat|lateral)( ?view)?|(left|right) ?(lateral)?|ll|rl|l|r|llat|rlat|lateral.*|profile",
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
