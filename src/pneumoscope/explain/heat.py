"""Heat: what a heatmap is, and the ways to make one. No torch.

A heatmap is float32 (S, S), 0–1, at the stored size; 1 is the hottest pixel of that film, so
heat compares places of one film and never two films. What is explained is the logit of pneumonia.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope.errors import InputError, nearest

Heat = NDArray[np.float32]
"""Heatmaps float32 (N, S, S), 0–1; all zero where nothing speaks for pneumonia."""


@dataclass(frozen=True, slots=True)
class Method:
    """A way to make heatmaps: its name on the command line, its title, what it shows, and how
    many cells a side the layer that it looks at should have; 0 where it looks at no layer.

    The cells were chosen on validation phantoms (docs/log.md): of Grad-CAM's mean gradient a fine
    layer makes little, HiResCAM, which weighs each place by itself, gains by it.
    """

    name: str
    title: str
    about: str
    cells: int = 7


METHODS = (
    Method(
        "combined", "Combined", "the mean of HiResCAM and Grad-CAM, from a fine and a deep layer", 0
    ),
    Method(
        "hirescam",
        "HiResCAM",
        "features times gradient, place by place (Draelos 2020), summed over near places",
        cells=14,
    ),
    Method("gradcam", "Grad-CAM", "features weighted by their mean gradient (Selvaraju 2017)"),
    Method(
        "gradcam++", "Grad-CAM++", "weights that favour several small places (Chattopadhay 2018)"
    ),
    Method(
        "eigencam",
        "Eigen-CAM",
        "the main pattern of the features, whatever the answer (Muhammad 2020)",
    ),
    Method(
        "occlusion",
        "Occlusion",
        "by how much a grey square there lowers the logit (Zeiler 2014)",
        0,
    ),
)
DEFAULT = ("combined", "hirescam", "gradcam", "gradcam++", "eigencam")
"""Those that cost one pass forward and one back; occlusion costs some two hundred."""


def find_method(name: str) -> Method:
    """The method called ``name``. Raises InputError with the nearest names."""
    by_name = {method.name: method for method in METHODS}
    if name not in by_name:
        raise InputError(
            f"there is no heatmap method {name!r}", expected=nearest(name, list(by_name))
        )
    return by_name[name]


def scaled(heat: NDArray[Any]) -> Heat:
    """Maps (B, H, W) without what is below 0, each divided by its maximum; a map that is nowhere
    above 0 is all zero."""
    heat = np.maximum(heat, 0)
    most = heat.max(axis=(-2, -1), keepdims=True)
    return np.asarray(np.divide(heat, most, where=most > 0, out=np.zeros_like(heat)), np.float32)


def within_margin(visible: Heat, side: int) -> Heat:
    """Maps of the visible centre (B, v, v) laid into squares (B, side, side), cold around."""
    start = (side - visible.shape[-1]) // 2
    square = np.zeros((len(visible), side, side), np.float32)
    square[:, start : start + visible.shape[-1], start : start + visible.shape[-1]] = visible
    return square
