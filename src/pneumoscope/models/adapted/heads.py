"""Heads of a network, changed without training: its logit rescaled, or a new linear head.

The answers of a network are moved within its last layer, so that whatever reads the bundle gets
them and no second step can be forgotten.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from pneumoscope.metrics.scores import Floats
from pneumoscope.models.network import Network


def rescaled(network: Network, slope: float, offset: float) -> Network:
    """A copy whose logit is ``slope`` times that of ``network`` plus ``offset``."""
    new = copy.deepcopy(network)
    with torch.no_grad():
        new.head.weight.mul_(slope)
        new.head.bias.mul_(slope)
        new.head.bias[-1] += offset  # of two outputs the logit is the second less the first
    return new


def with_head(network: Network, weights: Floats, bias: float) -> Network:
    """A copy whose logit is ``weights`` (D,) times its pooled features plus ``bias``."""
    new = copy.deepcopy(network)
    head: nn.Linear = new.head
    with torch.no_grad():
        head.weight.zero_()
        head.bias.zero_()
        head.weight[-1] = torch.from_numpy(weights).to(head.weight)
        head.bias[-1] = bias
    return new
