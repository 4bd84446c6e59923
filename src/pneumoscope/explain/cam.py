"""Heatmaps: where on a film the evidence for pneumonia lies, as one network sees it.

A heatmap is float32 (S, S), 0–1, at the stored size; 1 is the hottest pixel of that film, so
heat compares places of one film and never two films. What is explained is the logit of pneumonia.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pneumoscope.errors import InputError, nearest
from pneumoscope.explain.activation import activation_maps
from pneumoscope.explain.stages import Stage, choose_stage
from pneumoscope.listener import Advance
from pneumoscope.models.network import Network
from pneumoscope.records import Grey

Heat = NDArray[np.float32]
"""Heatmaps float32 (N, S, S), 0–1; all zero where nothing speaks for pneumonia."""

MAP_BATCH = 32
PATCH = 0.25
"""Side of the grey square of occlusion, as part of the visible side."""


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


def heatmaps(
    network: Network,
    films: Grey,
    method: str,
    *,
    mirror: bool = False,
    stage: Stage | None = None,
    advance: Advance | None = None,
) -> Heat:
    """Heatmaps float32 (N, S, S), 0–1, of films uint8 (N, S, S), air dark, in batches.

    ``mirror`` takes the mean with the map of the mirrored film, for a model that reads both.
    ``stage`` is the layer that class activation maps look at, else ``stage_for`` says. The
    network is computed where it lies, in float32 and evaluation mode, and is left as it was.
    Raises InputError for an unknown method or a backbone without a spatial layer.
    """
    if find_method(method).name == "combined":
        both = (heatmaps(network, films, m, mirror=mirror, advance=advance) for m in _COMBINED)
        return scaled(sum(both, np.zeros(films.shape, np.float32)))
    seen = stage or stage_for(network, method)
    draw: Callable[[Tensor], Heat] = partial(_occlude, network)
    if seen is not None:
        draw = partial(_cam, network, method, seen)
    training = network.training
    network.eval()
    try:
        return _in_batches(draw, network, films, mirror, advance)
    finally:
        network.train(training)


def stage_for(network: Network, method: str) -> Stage | None:
    """The layer that ``method`` looks at; None for one that looks at the film itself."""
    cells = find_method(method).cells
    return choose_stage(network, cells) if cells else None


def _in_batches(
    draw: Callable[[Tensor], Heat],
    network: Network,
    films: Grey,
    mirror: bool,
    advance: Advance | None,
) -> Heat:
    device = network.mean.device
    heat = np.zeros(films.shape, np.float32)
    for start in range(0, len(films), MAP_BATCH):
        batch = torch.from_numpy(np.array(films[start : start + MAP_BATCH])).to(device)
        batch = batch.unsqueeze(1).float()
        drawn = draw(batch)
        if mirror:
            drawn = scaled(drawn + draw(batch.flip(-1))[..., ::-1])
        heat[start : start + len(batch)] = _within_margin(drawn, films.shape[-1])
        if advance:
            advance(start + len(batch), len(films))
    return heat


def _within_margin(visible: Heat, side: int) -> Heat:
    """Maps of the visible centre (B, v, v) laid into squares (B, side, side), cold around."""
    start = (side - visible.shape[-1]) // 2
    square = np.zeros((len(visible), side, side), np.float32)
    square[:, start : start + visible.shape[-1], start : start + visible.shape[-1]] = visible
    return square


def scaled(heat: NDArray[Any]) -> Heat:
    """Maps (B, H, W) without what is below 0, each divided by its maximum; a map that is nowhere
    above 0 is all zero."""
    heat = np.maximum(heat, 0)
    most = heat.max(axis=(-2, -1), keepdims=True)
    return np.asarray(np.divide(heat, most, where=most > 0, out=np.zeros_like(heat)), np.float32)


def _cam(network: Network, method: str, stage: Stage, batch: Tensor) -> Heat:
    maps = activation_maps(network, method, stage, batch)
    return enlarged(scaled(maps), _visible(network, batch), stage.first)


def enlarged(maps: Heat, side: int, first: float = 0.5) -> Heat:
    """Maps (B, n, n) to (B, side, side), bilinear, 0–1; cell 0 has its centre ``first`` cells
    from the edge.

    Beyond the outermost centres heat falls off, so that the hottest pixel is always the centre of
    a cell; a picture's enlargement would spread it to the very border.
    """
    cells = maps.shape[-1]
    at = (np.arange(side) + 0.5) * cells / side - first
    weights = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(cells)))
    return scaled(np.einsum("pi,bij,qj->bpq", weights, maps, weights, optimize=True))


def _visible(network: Network, batch: Tensor) -> int:
    return min(network.spec.visible, batch.shape[-1])


_COMBINED = ("hirescam", "gradcam")


def _occlude(network: Network, batch: Tensor, part: float = PATCH) -> Heat:
    """By how much the logit falls where a square of the film's mean grey lies, the mean over the
    squares that cover a pixel; (B, v, v), scaled."""
    visible = _visible(network, batch)
    patch, starts = squares(visible, part)
    edge = (batch.shape[-1] - visible) // 2
    places = [(edge + top, edge + left) for top in starts for left in starts]
    drops = np.empty((len(batch), len(places)))
    with torch.inference_mode():
        whole = network(batch).double()
        for index, film in enumerate(batch):
            found = [
                network(_covered(film, places[at : at + 2 * MAP_BATCH], patch)).double()
                for at in range(0, len(places), 2 * MAP_BATCH)
            ]
            drops[index] = (whole[index] - torch.cat(found)).cpu().numpy()
    heat = np.zeros((len(batch), visible, visible))
    covers = np.zeros((visible, visible))
    for place, (top, left) in enumerate(places):
        here = np.s_[..., top - edge : top - edge + patch, left - edge : left - edge + patch]
        heat[here] += drops[:, place, None, None]
        covers[here] += 1
    return scaled(heat / covers)


def squares(side: int, part: float = PATCH) -> tuple[int, list[int]]:
    """(side of the square, its first pixels along an axis): half a square apart, the last one at
    the edge, so that every pixel is covered."""
    patch = min(side, max(2, round(part * side)))
    stride = max(1, patch // 2)
    return patch, sorted({*range(0, side - patch + 1, stride), side - patch})


def _covered(film: Tensor, places: list[tuple[int, int]], patch: int) -> Tensor:
    """Copies of a film (1, S, S), one for each place (top, left), a square of each covered."""
    copies = film.expand(len(places), *film.shape).clone()
    grey = film.mean()
    for copy, (top, left) in zip(copies, places, strict=True):
        copy[:, top : top + patch, left : left + patch] = grey
    return copies
