"""Depthwise convolutions that learn fast on a CPU: their gradients, composed of what is fast there.

oneDNN has quick loops for all of the forward pass, and for the gradients of kernels of up to three
columns; where it has none it takes ten to fifty times as long. So, to the same result: the gradient
of films at a stride of 1 is a forward convolution with the kernel turned round, in bf16 at a stride
of 2 it is computed in float32, and a 5 x 5 kernel's is that of three columns and of two.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def is_depthwise(layer: nn.Conv2d) -> bool:
    """Whether ``depthwise`` computes this layer: one square kernel of 3 or 5 for each channel."""
    return (
        layer.groups == layer.in_channels == layer.out_channels > 1
        and layer.kernel_size in ((3, 3), (5, 5))
        and layer.stride in ((1, 1), (2, 2))
        and layer.dilation == (1, 1)
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
        and layer.padding[0] == layer.padding[1] < layer.kernel_size[0]
        and layer.bias is None
    )


def learns_on_cpu(films: Tensor, weight: Tensor) -> bool:
    """Whether gradients will be asked for, on a CPU and by torch itself (no compiler, exporter)."""
    asked = torch.is_grad_enabled() and (films.requires_grad or weight.requires_grad)
    return asked and films.device.type == "cpu" and not torch.compiler.is_compiling()


def depthwise(films: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """Float (B, C, H, W) and weights (C, 1, K, K), K 3 or 5, to (B, C, h, w), in the precision of
    autocast where that is on; the gradient of the weights has their own precision."""
    if torch.is_autocast_enabled("cpu"):
        films = films.to(torch.get_autocast_dtype("cpu"))
    maps: Tensor = _Depthwise.apply(films, weight, stride, padding)
    return maps


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, films: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(films, weight)
        ctx.form = stride, padding
        return F.conv2d(films, weight.to(films.dtype), None, stride, padding, 1, len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, pull: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        films, weight = ctx.saved_tensors
        pull = pull.contiguous(memory_format=torch.channels_last)
        to_films, to_weight, *_ = ctx.needs_input_grad
        return (
            _of_films(pull, films, weight, *ctx.form) if to_films else None,
            _of_weight(pull, films, weight, *ctx.form).to(weight.dtype) if to_weight else None,
            None,
            None,
        )


def _of_films(pull: Tensor, films: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    if stride == 1:
        turned = weight.to(pull.dtype).flip(2, 3)
        back = weight.shape[-1] - 1 - padding
        return F.conv2d(pull, turned, None, 1, back, 1, len(weight))
    like = torch.empty(films.shape, memory_format=torch.channels_last)
    found = _backward(pull.float(), like, weight.float(), stride, padding, of_films=True)
    return found.to(films.dtype)


def _of_weight(pull: Tensor, films: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    size = weight.shape[-1]
    if size == 3:
        return _backward(pull, films, weight.to(films.dtype), stride, padding)
    height, width = ((side - 1) * stride for side in pull.shape[2:])
    below = height + size - padding - films.shape[2]
    found = []
    for first, columns in ((0, 3), (3, size - 3)):
        right = first + width + columns - padding - films.shape[3]
        seen = F.pad(films, (padding - first, right, padding, below))  # below 0 cells are cut off
        seen = seen.contiguous(memory_format=torch.channels_last)
        like = weight.new_empty((len(weight), 1, size, columns), dtype=films.dtype)
        found.append(_backward(pull, seen, like, stride, 0))
    return torch.cat(found, -1)


def _backward(
    pull: Tensor, films: Tensor, weight: Tensor, stride: int, padding: int, of_films: bool = False
) -> Tensor:
    """torch's own gradient of the weights, or of the films."""
    of_both: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
        pull, films, weight, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0],
        len(weight), [of_films, not of_films, False],
    )  # fmt: skip
    return of_both[0 if of_films else 1]
