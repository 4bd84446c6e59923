"""Image warnings: what is odd about a film that a model is about to read. They are no proofs.

From the pixels, against drawn chests and against the training films, where the model keeps a
reference of them (``imaging.known.frontal``); from a DICOM header, where there is one: the view,
the modality, and an age that is not that of the training films.

Some of them withhold the decision (``WITHHOLDING``): the gate of every command that reads new
films. A turned or inverted film is withheld too, and not mended: what the model says of a film that
was put right by a guess was measured nowhere, and the person at hand can turn it for certain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pneumoscope.imaging.appearance import FLAT
from pneumoscope.imaging.known.frontal import judge
from pneumoscope.imaging.known.reference import Reference
from pneumoscope.imaging.thumbnails import spreads, thumbnails
from pneumoscope.imaging.views import aside_of
from pneumoscope.manifest import Population
from pneumoscope.records import Facts, Grey

WARNINGS: Mapping[str, tuple[str, str]] = {
    "CONSTANT": ("one grey level", "one grey level all over: there is nothing to read"),
    "NOT-CHEST-LIKE": ("not chest-like", "unlike a frontal chest film, or framed unlike one"),
    "MASK": ("no film", "a mask or drawing of a few grey levels, not a film"),
    "OTHER-PART": ("no chest", "of another part of the body, by its DICOM header"),
    "CUT-OUT": ("blackened", "a film whose background was blackened"),
    "OTHER-MODALITY": ("no radiograph", "not a radiograph, by its DICOM header"),
    "LATERAL": ("lateral view", "a lateral view by its DICOM header; the model reads frontal ones"),
    "FAR-FROM-TRAINING": ("far from training", "far beyond the training films"),
    "INVERTED": ("seems inverted", "seems inverted, air bright and bone dark"),
    "ROTATED": ("seems turned", "seems turned by a quarter or half"),
    "ADULT": ("adult", "of an adult by its DICOM header; the model was trained on children"),
    "CHILD": ("child", "of a child by its DICOM header; the model was trained on adults"),
    "UNLIKE-TRAINING": (
        "unlike training",
        "unlike the training films: the model may know it little",
    ),
    "UNUSUAL": ("unusual", "a little unlike a frontal chest film, or framed unlike one"),
    "SMALL": ("small", "smaller than what the model was trained on: fine structure is missing"),
}
"""Code: in two words for a table, and in a sentence; the gravest first."""

WITHHOLDING = frozenset(
    (
        *("CONSTANT", "NOT-CHEST-LIKE", "MASK", "OTHER-PART", "OTHER-MODALITY", "LATERAL"),
        *("FAR-FROM-TRAINING", "INVERTED", "ROTATED"),
    )
)
"""The codes of what is no upright frontal chest film with air dark: nothing is decided of it."""

ADULT_FROM = 18.0
"""Age in years from which a person is an adult."""


def withholding(codes: Iterable[str]) -> str | None:
    """The gravest of ``codes`` for which nothing is decided, None where there is none."""
    found = set(codes) & WITHHOLDING
    return next((code for code in WARNINGS if code in found), None)


def of_pixels(
    films: Grey, reference: Reference | None = None, stored: Grey | None = None
) -> list[tuple[str, ...]]:
    """For each of uint8 (N, S, S), squashed to squares, the codes of what is odd about it:
    CONSTANT, NOT-CHEST-LIKE, INVERTED, ROTATED, FAR-FROM-TRAINING, UNLIKE-TRAINING, UNUSUAL.

    ``reference`` is the model's, where there is one; ``stored`` the films as it takes them, where
    its fit is another. A warning, not a proof: knees and abdomens can pass.
    """
    thumbs = thumbnails(films)
    flat = spreads(thumbs) < FLAT
    seen = judge(thumbs, reference, thumbs if stored is None else thumbnails(stored))
    found: list[tuple[str, ...]] = []
    for i in range(len(films)):
        if flat[i] or not seen.chest[i]:
            found.append(("CONSTANT" if flat[i] else "NOT-CHEST-LIKE",))
            continue
        pairs = [("INVERTED", seen.inverted[i]), ("ROTATED", seen.turned[i])]
        if not (seen.inverted[i] or seen.turned[i]):
            pairs += [
                ("FAR-FROM-TRAINING", seen.far[i]),
                ("UNLIKE-TRAINING", seen.unlike[i] and not seen.far[i]),
                ("UNUSUAL", seen.doubtful[i]),
            ]
        found.append(tuple(code for code, odd in pairs if odd))
    return found


def of_header(facts: Facts, population: Population) -> tuple[str, ...]:
    """Codes from a film's facts: view, modality, part of the body, age in years.

    ``population`` is the model's ``lineage["population"]``: the ages in years of the training
    films' patients, ``youngest`` and ``oldest``; without them no age is odd.
    """
    found: list[str] = [*aside_of(facts)]
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
