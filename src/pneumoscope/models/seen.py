"""Chest films that published weights were trained on, told by the file's name and its tensors.

Weights that have seen the films on which a model is judged make its figures too good, and no split
of the data shows it. TorchXRayVision's weights (Cohen 2022) are the ones that people have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # evaluating a run needs no torch
    from torch import Tensor

NIH, RSNA, UNKNOWN = "NIH ChestX-ray14", "RSNA Pneumonia Detection", "chest films of some sets"

# The words by which TorchXRayVision's files name the sets, and that each name holds films of NIH:
# RSNA's and SIIM's challenges and Google's labels are of NIH's films.
_SETS = {
    "nih": (NIH, RSNA), "rsna": (RSNA, NIH), "google": (NIH, RSNA), "siim": (NIH, RSNA),
    "pc": ("PadChest",), "padchest": ("PadChest",), "chex": ("CheXpert",), "mimic": ("MIMIC-CXR",),
    "openi": ("Open-i",), "vin": ("VinDr-CXR",),
}  # fmt: skip
_THEIRS = {"kaggle": (RSNA, NIH), "all": (NIH, RSNA, "PadChest", "CheXpert", "MIMIC-CXR")}
"""Words that mean this in the names of TorchXRayVision's own files alone."""
_NETWORKS = re.compile(r"^(densenet|resnet)\d+$")
_MARKS = {"d121", "res224", "res512", "test512", "xrv", "torchxrayvision"}
_FINDINGS = range(14, 19)
"""How many findings the classifiers of such weights tell."""


def films_behind(name: str, state: Mapping[str, Tensor]) -> tuple[str, ...]:
    """The sets of chest films that a weights file was trained on, by its ``name`` and its tensors;
    ``UNKNOWN`` where those are of a network for chest films and the name says no more, and none
    where neither tells of chest films."""
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    theirs = bool(_MARKS & set(words)) or _tells_findings(state)
    known = _SETS | (_THEIRS if theirs else {})
    named = [each for word in words for each in known.get(word, ())]
    if named and (theirs or any(_NETWORKS.match(word) for word in words)):
        return tuple(dict.fromkeys(named))
    return (UNKNOWN,) if theirs else ()


def overlap_words(name: str, films: Sequence[str], judged: str) -> str:
    """The warning that a model begun from ``name``, which saw ``films``, is judged on films of the
    set with the title ``judged``; empty where none of them can be among those."""
    shared = [each for each in (NIH, RSNA) if judged.startswith(each)]
    if not shared or not films:
        return ""
    remedy = "Begin from weights that saw no chest film: --set model.weights=imagenet."
    if shared[0] in films:
        return (
            f"The weights in {name} were trained on films of {shared[0]}, which these films are "
            f"of: films that are judged may be among them, and then the figures are too good. "
            f"{remedy}"
        )
    if UNKNOWN in films:
        return (
            f"The weights in {name} were trained on chest films, and the file does not say of "
            f"which set: films of {shared[0]} that are judged may be among them. {remedy}"
        )
    return ""


def _tells_findings(state: Mapping[str, Tensor]) -> bool:
    """Whether the tensors are of a network for one-channel films that tells chest findings."""
    grey = any(t.ndim == 4 and t.shape[1] == 1 and t.shape[-1] == 7 for t in state.values())
    last = [t for key, t in state.items() if re.search(r"(classifier|fc)\.weight$", key)]
    return "op_threshs" in state or (grey and any(t.shape[0] in _FINDINGS for t in last))
