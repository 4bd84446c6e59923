"""Sanity of heatmaps: do they depend on what the network learnt? Its weights are shuffled to see.

The weight randomisation test of Adebayo 2018 ("Sanity checks for saliency maps"): a map that
stays the same when the weights are no longer the trained ones shows the film, not the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from scipy.stats import spearmanr
from torch import nn

from pneumoscope.explain.cam import heatmaps
from pneumoscope.explain.explanation import Likeness, SanityCheck
from pneumoscope.explain.stages import Stage
from pneumoscope.models.freeze import parts_of
from pneumoscope.models.network import Network
from pneumoscope.records import Grey

LEVELS = ("head", "last stage", "all weights")
"""What is shuffled: the last layer; that and the last stage; every weight."""

ALIKE = 0.5
"""Mean rank correlation from which shuffled maps count as the same as the trained ones."""

_WINDOW = 7


def check_sanity(
    network: Network,
    films: Grey,
    method: str,
    trained: NDArray[np.float32],
    *,
    seed: int = 0,
    stage: Stage | None = None,
    mirror: bool = False,
) -> SanityCheck:
    """Compare the maps ``trained`` (N, S, S) of ``films`` with those of shuffled networks.

    Passed where the maps change both with the last stage and with all weights shuffled. A stage
    is found again by its name in the copy of the network.
    """
    levels = []
    for level in LEVELS:
        other = shuffled(network, level, seed)
        where = _same_stage(other, stage)
        maps = heatmaps(other, films, method, mirror=mirror, stage=where)
        pairs = list(zip(trained, maps, strict=True))
        rank = float(np.mean([rank_correlation(a, b) for a, b in pairs]))
        structure = float(np.mean([similarity(a, b) for a, b in pairs]))
        levels.append(Likeness(level, rank, structure))
    return SanityCheck(method, _passed(levels), tuple(levels), len(films))


def mean_check(checks: Sequence[SanityCheck]) -> SanityCheck:
    """The checks of one method on several networks as one: the mean likeness at each level."""
    levels = [
        Likeness(
            each[0].level,
            float(np.mean([found.rank for found in each])),
            float(np.mean([found.structure for found in each])),
        )
        for each in zip(*(check.levels for check in checks), strict=True)
    ]
    return SanityCheck(checks[0].method, _passed(levels), tuple(levels), checks[0].films)


def _passed(levels: Sequence[Likeness]) -> bool:
    return all(each.rank < ALIKE for each in levels[1:])


def _same_stage(network: Network, stage: Stage | None) -> Stage | None:
    if stage is None:
        return None
    return replace(stage, module=network.backbone.get_submodule(stage.name))


def shuffled(network: Network, level: str, seed: int) -> Network:
    """A copy whose weights of ``level`` are permuted within each tensor.

    Permuting keeps their mean and spread, so that what comes out is of the size it was. Vectors
    (biases, scales and statistics of norms) stay: with these permuted too, batch norm would blow
    single channels up and leave one bright spot in every map.
    """
    other = deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    parts: list[nn.Module] = [other.head]
    if level == "last stage":
        parts += _from_last_stage(other.backbone)
    elif level == "all weights":
        parts.append(other.backbone)
    with torch.no_grad():
        for part in parts:
            for weights in part.parameters():
                if weights.ndim > 1:
                    order = torch.randperm(weights.numel(), generator=generator)
                    mixed = weights.reshape(-1)[order.to(weights.device)]
                    weights.copy_(mixed.reshape(weights.shape))
    return other


def _from_last_stage(backbone: nn.Module) -> list[nn.Module]:
    """The backbone's end: from the last part of several layers on."""
    end: list[nn.Module] = []
    for _, part in reversed(parts_of(backbone)):
        end.append(part)
        if sum(weights.ndim > 1 for weights in part.parameters()) > 1:
            break
    return end


def rank_correlation(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Spearman's correlation of two maps, ties by midranks; 0 where one of them is flat, 1 where
    both are: that is the same map."""
    flat = [bool(np.ptp(each) == 0) for each in (a, b)]
    return float(all(flat)) if any(flat) else float(spearmanr(a, b, axis=None).statistic)


def similarity(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Mean structural similarity of two maps (H, W), 0–1 (Wang 2004), over windows of 7 × 7
    pixels that lie wholly inside, with C1 = .01² and C2 = .03²."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    size = min(_WINDOW, *x.shape)
    mean_x, mean_y = uniform_filter(x, size), uniform_filter(y, size)
    unbiased = size**2 / (size**2 - 1)
    var_x = unbiased * (uniform_filter(x * x, size) - mean_x**2)
    var_y = unbiased * (uniform_filter(y * y, size) - mean_y**2)
    both = unbiased * (uniform_filter(x * y, size) - mean_x * mean_y)
    c1, c2 = 0.01**2, 0.03**2
    ratio = (2 * mean_x * mean_y + c1) * (2 * both + c2)
    ratio /= (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    edge = (size - 1) // 2
    inner = ratio[edge : ratio.shape[0] - edge, edge : ratio.shape[1] - edge]
    return float(inner.mean())
