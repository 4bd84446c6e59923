"""Statistics of batch norms, re-estimated on films of another site: no label, no gradient.

AdaBN (Li et al. 2016, arXiv 1603.04779): the weights stay, the means and variances that a network
normalises by become those of the films that it is to read. They hold the films' exposure, framing
and noise, and the share of pneumonia too, the more the later the layer.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from pneumoscope.models.halves import BothSides
from pneumoscope.models.network import Network

Norm = nn.modules.batchnorm._BatchNorm

EARLY = 0.5
"""The part of a network's batch norms, in the order of its modules, that counts as early."""


def batch_norms(network: Network) -> list[Norm]:
    """The batch norms with statistics of their own, in the order of the network's modules; none
    where they see films at two sizes, whose statistics differ."""
    if any(isinstance(part, BothSides) for part in network.modules()):
        return []
    norms = [part for part in network.modules() if isinstance(part, Norm)]
    return [norm for norm in norms if norm.running_mean is not None]


def estimated(
    network: Network, batches: Iterable[Tensor], views: Callable[[Tensor], Iterable[Tensor]]
) -> Network:
    """A copy of ``network`` whose batch norms hold the statistics of all ``batches``.

    ``batches`` are films as ``Network`` takes them, on its device, ``views`` what is read of each
    batch. Every batch weighs the same, so they should be of one size. Evaluation mode.
    """
    new = copy.deepcopy(network).eval()
    for norm in batch_norms(new):
        norm.reset_running_stats()
        norm.momentum = None  # the mean over batches, whatever their order
        norm.train()
    with torch.no_grad():
        for films in batches:
            for view in views(films):
                new(view)
    return new.eval()


def with_statistics(network: Network, estimated: Network, part: float) -> Network:
    """A copy of ``network`` whose first ``part`` of batch norms, 0–1, has the statistics of
    ``estimated``, a copy of it; all other numbers are its own."""
    new = copy.deepcopy(network)
    mine, theirs = batch_norms(new), batch_norms(estimated)
    for norm, other in list(zip(mine, theirs, strict=True))[: round(part * len(mine))]:
        norm.running_mean, norm.running_var = other.running_mean, other.running_var
    return new.eval()
