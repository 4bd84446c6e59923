"""Heatmaps: where on a film the evidence for pneumonia lies, as one network sees it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from pneumoscope.explain.activation import activation_maps
from pneumoscope.explain.heat import Heat, find_method, scaled, within_margin
from pneumoscope.explain.occlusion import spread, squares
from pneumoscope.explain.stages import Stage, choose_stage
from pneumoscope.listener import Advance
from pneumoscope.models.network import Network
from pneumoscope.records import Grey

MAP_BATCH = 32


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
        heat[start : start + len(batch)] = within_margin(drawn, films.shape[-1])
        if advance:
            advance(start + len(batch), len(films))
    return heat


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


def _occlude(network: Network, batch: Tensor) -> Heat:
    """By how much the logit falls where a square of the film's mean grey lies, the mean over the
    squares that cover a pixel; (B, v, v), scaled."""
    visible = _visible(network, batch)
    patch, starts = squares(visible)
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
    return scaled(spread(drops, visible))


def _covered(film: Tensor, places: list[tuple[int, int]], patch: int) -> Tensor:
    """Copies of a film (1, S, S), one for each place (top, left), a square of each covered."""
    copies = film.expand(len(places), *film.shape).clone()
    grey = film.mean()
    for copy, (top, left) in zip(copies, places, strict=True):
        copy[:, top : top + patch, left : left + patch] = grey
    return copies
