"""Convolutions that are fast where a CPU's library is slow: on maps of few cells.

oneDNN packs the weights anew in each call, which for maps of 2 x 2 cells takes several times as
long as the arithmetic; there a convolution is one matrix product over the patches. The weights of
such layers are cast to bf16 in the order in which they lie. ``benchmarks/small_maps.py`` measures
both. Films of one cell are always computed so: with padding and a stride of 2, oneDNN 3.13 leaves
part of their bf16 weight gradient unwritten, and what lay in memory there becomes a step.
Depthwise layers learn by ``depthwise``.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from pneumoscope.models.efficientnet.depthwise import depthwise, is_depthwise, learns_on_cpu

# Below this many cells, and from this many channels, the product was faster in bf16 and in float32.
_CELLS = 16
_CHANNELS = 256


def fast_on_cpu(network: nn.Module) -> nn.Module:
    """The same network, the same weights and names: its plain convolutions become ours."""
    for part in network.modules():
        if type(part) is nn.Conv2d and part.padding_mode == "zeros":
            part.__class__ = Conv2d
    return network


class Conv2d(nn.Conv2d):
    """``nn.Conv2d`` with the same result to the rounding of its precision."""

    def forward(self, films: Tensor) -> Tensor:
        """Float (B, C, H, W) to (B, O, h, w), channels last where the map is small."""
        if is_depthwise(self) and learns_on_cpu(films, self.weight):
            return depthwise(films, self.weight, self.stride[0], self._pads()[0])
        if not self._is_small(films):
            return super().forward(films)
        weight = self.weight
        if torch.is_autocast_enabled("cpu"):
            kind = torch.get_autocast_dtype("cpu")
            films, weight = films.to(kind), _cast(weight, kind)
        return self._as_product(films, weight)

    def _is_small(self, films: Tensor) -> bool:
        plain = self.groups == 1 and self.dilation == (1, 1) and not isinstance(self.padding, str)
        if films.device.type != "cpu" or not plain or len(films) == 0:
            return False
        if self.in_channels < _CHANNELS and films.shape[2:].numel() > 1:
            return False
        height, width = self._cells(films)
        return 0 < height * width <= _CELLS

    def _cells(self, films: Tensor) -> list[int]:
        """Height and width of the map that comes out."""
        sizes = zip(films.shape[2:], self._pads(), self.kernel_size, self.stride, strict=True)
        return [(side + 2 * pad - kernel) // step + 1 for side, pad, kernel, step in sizes]

    def _pads(self) -> tuple[int, int]:
        """Cells of zeros above and to the left; ``padding`` may be a word in torch's layer."""
        return cast(tuple[int, int], self.padding)

    def _as_product(self, films: Tensor, weight: Tensor) -> Tensor:
        height, width = self._cells(films)
        top, left = self._pads()
        padded = F.pad(films.permute(0, 2, 3, 1), (0, 0, left, left, top, top))
        patches: Tensor = _Patches.apply(padded, self.kernel_size, self.stride)
        columns = weight.permute(0, 2, 3, 1).flatten(1)
        bias = self.bias if self.bias is None else self.bias.to(weight.dtype)
        cells = F.linear(patches, columns, bias)
        return cells.view(len(films), height, width, -1).permute(0, 3, 1, 2)


class _Patches(torch.autograd.Function):
    """Every patch of (B, H, W, C) as a row: (B h w, kernel kernel C)."""

    @staticmethod
    def forward(
        ctx: Any, films: Tensor, kernel: tuple[int, int], stride: tuple[int, int]
    ) -> Tensor:
        ctx.form = films.shape, kernel, stride
        windows = films.unfold(1, kernel[0], stride[0]).unfold(2, kernel[1], stride[1])
        return windows.permute(0, 1, 2, 4, 5, 3).flatten(0, 2).flatten(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, rows: Tensor) -> tuple[Tensor, None, None]:
        shape, kernel, (down, across) = ctx.form
        height, width = (
            (side - k) // step + 1
            for side, k, step in zip(shape[1:3], kernel, (down, across), strict=True)
        )
        patches = rows.reshape(shape[0], height, width, *kernel, shape[3])
        films = rows.new_zeros(shape)
        for y in range(kernel[0]):
            for x in range(kernel[1]):
                place = films[:, y : y + down * height : down, x : x + across * width : across]
                place += patches[:, :, :, y, x]
        return films, None, None


def _cast(weight: Tensor, kind: torch.dtype) -> Tensor:
    """Cast in the order in which channels-last weights lie in memory: seven times as fast."""
    return weight.permute(0, 2, 3, 1).to(kind).permute(0, 3, 1, 2)
