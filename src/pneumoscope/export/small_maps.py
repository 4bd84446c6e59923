"""Small maps: convolutions over few cells as one matrix product, for ONNX Runtime.

On maps of 2 x 2 cells its convolutions also multiply the zeros around them, and use less than half
of the processor: three of ``default``'s twenty took a third of its time. There a convolution is a
matrix from all cells to all cells, less than half the products (docs/log.md).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pneumoscope.models.network import Network

_CELLS = 4
"""Up to so many cells a map is small: of nine the matrix would be nine times the weights."""


def with_products(network: Network) -> Network:
    """``network``, plain and in evaluation mode, itself: its convolutions on small maps become
    products, which hold for films of its stored side alone."""
    for name, shape in _small_maps(network).items():
        parent, _, own = name.rpartition(".")
        conv = network.get_submodule(name)
        assert isinstance(conv, nn.Conv2d)
        setattr(network.get_submodule(parent), own, Product(conv, shape))
    return network


def _small_maps(network: Network) -> dict[str, torch.Size]:
    """The convolutions, by name, that are given maps (C, H, W) of few cells, fewer than those of
    their kernels, and always of the same shape."""
    seen: dict[str, set[torch.Size]] = {}
    handles = [
        part.register_forward_pre_hook(
            lambda _, given, name=name: seen.setdefault(name, set()).add(given[0].shape[1:])
        )
        for name, part in network.named_modules()
        if type(part) is nn.Conv2d and part.groups == 1 and part.padding_mode == "zeros"
    ]
    side = network.spec.stored
    with torch.inference_mode():
        network(torch.zeros(1, side, side))
    for handle in handles:
        handle.remove()
    always = {name: next(iter(shapes)) for name, shapes in seen.items() if len(shapes) == 1}
    return {name: shape for name, shape in always.items() if _pays(network, name, shape)}


def _pays(network: Network, name: str, shape: torch.Size) -> bool:
    kernel = network.get_submodule(name).weight
    assert isinstance(kernel, Tensor)
    return shape[1:].numel() <= _CELLS and shape[1:].numel() < kernel.shape[2:].numel()


class Product(nn.Module):
    """What ``conv`` makes of maps of one ``shape`` (C, H, W), to rounding."""

    def __init__(self, conv: nn.Conv2d, shape: torch.Size) -> None:
        super().__init__()
        inputs = shape.numel()
        each = torch.eye(inputs).view(inputs, *shape)
        with torch.no_grad():
            # What each cell alone becomes is a column of the matrix.
            cells = F.conv2d(each, conv.weight, None, conv.stride, conv.padding, conv.dilation)
            self._shape = cells.shape[1:]
            self.linear = nn.Linear(inputs, self._shape.numel(), bias=conv.bias is not None)
            self.linear.weight.copy_(cells.flatten(1).T)
            if conv.bias is not None:
                self.linear.bias.copy_(conv.bias.repeat_interleave(self._shape[1:].numel()))
        self.requires_grad_(False)

    def forward(self, maps: Tensor) -> Tensor:
        """Float32 (B, C, H, W) to (B, O, h, w)."""
        found: Tensor = self.linear(maps.flatten(1))
        return found.view(-1, *self._shape)
