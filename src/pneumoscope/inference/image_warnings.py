"""Image warnings: what is odd about a film that a model is about to read. They are no proofs.

From the pixels, against the drawn reference of ``imaging.appearance``; from a DICOM header, where
there is one: the view, the modality, and an age that is not that of the training films. How far
a film is from the training films themselves is not judged: bundles keep no reference of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from pneumoscope.imaging.appearance import FLAT, look
from pneumoscope.imaging.thumbnails import spreads, thumbnails
from pneumoscope.manifest import Population
from pneumoscope.records import Facts, Grey

WARNINGS: Mapping[str, tuple[str, str]] = {
    "CONSTANT": ("one grey level", "one grey level all over: there is nothing to read"),
    "NOT-CHEST-LIKE": ("not chest-like", "unlike a frontal chest film, or framed unlike one"),
    "OTHER-MODALITY": ("no radiograph", "not a radiograph, by its DICOM header"),
    "LATERAL": ("lateral view", "a lateral view by its DICOM header; the model reads frontal ones"),
    "INVERTED": ("seems inverted", "seems inverted, air bright and bone dark"),
    "ROTATED": ("seems turned", "seems turned by a quarter or half"),
    "ADULT": ("adult", "of an adult by its DICOM header; the model was trained on children"),
    "CHILD": ("child", "of a child by its DICOM header; the model was trained on adults"),
    "SMALL": ("small", "smaller than what the model was trained on: fine structure is missing"),
}
"""Code: in two words for a table, and in a sentence; the gravest first."""

ADULT_FROM = 18.0
"""Age in years from which a person is an adult."""

# Digital and computed radiography, and what their films are called when sent on (PS3.3 C.7.3.1).
_RADIOGRAPHS = frozenset(("CR", "DX", "RG", "RF", "XA", "OT", "SC"))
# Left and right lateral, as View Position (0018,5101) and RSNA's tables write them.
_LATERAL = frozenset(("LL", "RL", "LATERAL", "LAT", "L", "R", "LLAT", "RLAT"))


def of_pixels(films: Grey) -> list[tuple[str, ...]]:
    """For each of uint8 (N, S, S), squashed to squares, the codes of what is odd about it:
    CONSTANT, NOT-CHEST-LIKE, INVERTED, ROTATED, against the drawn reference alone.

    A warning, not a proof: knees and abdomens can pass.
    """
    thumbs = thumbnails(films)
    flat, looks = spreads(thumbs) < FLAT, look(thumbs)
    turned = looks.turned != 0
    found: list[tuple[str, ...]] = []
    for i in range(len(films)):
        if flat[i] or not looks.chest[i]:
            found.append(("CONSTANT" if flat[i] else "NOT-CHEST-LIKE",))
            continue
        pair = (("INVERTED", looks.inverted[i]), ("ROTATED", turned[i]))
        found.append(tuple(code for code, odd in pair if odd))
    return found


def of_header(facts: Facts, population: Population) -> tuple[str, ...]:
    """Codes from a film's facts: view, modality, age in years.

    ``population`` is the model's ``lineage["population"]``: the ages in years of the training
    films' patients, ``youngest`` and ``oldest``; without them no age is odd.
    """
    found = []
    if str(facts.get("modality", "OT")) not in _RADIOGRAPHS:
        found.append("OTHER-MODALITY")
    if str(facts.get("view", "")) in _LATERAL:
        found.append("LATERAL")
    age = facts.get("age")
    if isinstance(age, int | float):
        found += _of_age(float(age), population)
    return tuple(found)


def _of_age(age: float, population: Population) -> list[str]:
    oldest, youngest = population.get("oldest"), population.get("youngest")
    if isinstance(oldest, int | float) and oldest < ADULT_FROM <= age:
        return ["ADULT"]
    if isinstance(youngest, int | float) and age < ADULT_FROM <= youngest:
        return ["CHILD"]
    return []


def merge_codes(*found: tuple[str, ...]) -> tuple[str, ...]:
    """Codes in the order of ``WARNINGS``, each once."""
    codes = {code for part in found for code in part}
    return tuple(code for code in WARNINGS if code in codes)


def is_small(height: int, width: int, stored: int) -> bool:
    """Whether a film of this native size is enlarged to the ``stored`` side."""
    return min(height, width) < stored
