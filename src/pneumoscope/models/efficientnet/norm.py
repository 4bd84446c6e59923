"""Batch norm and ReLU6 as one operation on a CPU, alone and with the 1 x 1 convolution before them.

Separately they pass over the largest maps of an EfficientNet-Lite a dozen times a step, which takes
longer than its arithmetic. Scale, shift and clipping are one pass here. Behind a 1 x 1 convolution
there is none at all: its outputs are linear in few inputs, so their mean and variance follow from
the inputs' covariance before anything is computed, the norm goes into the weights, and on the way
back its terms are products of the small maps. The same statistics, to rounding, in float32.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

TOP = 6.0
"""Where ReLU6 clips."""

Pads = tuple[int, int, int, int]
_Gradients = tuple[Tensor | None, ...]


def norm_clip(maps: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    """Float (B, C, H, W) through ``norm`` in training mode, then clipped to 0–6; the running
    statistics of ``norm`` follow."""
    clipped, mean, var = _NormClip.apply(maps, norm.weight, norm.bias, norm.eps)
    _follow(norm, mean, var, maps.numel() // maps.shape[1])
    found: Tensor = clipped
    return found


def pointwise_norm_clip(films: Tensor, weight: Tensor, norm: nn.BatchNorm2d, pads: Pads) -> Tensor:
    """Float (B, c, H, W) through a 1 x 1 convolution, weights (C, c, 1, 1), and ``norm_clip``, with
    ``pads`` cells of zeros around: left, right, top, bottom."""
    if torch.is_autocast_enabled("cpu"):
        films = films.to(torch.get_autocast_dtype("cpu"))
    films = films.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", enabled=False):
        clipped, mean, var = _PointwiseNormClip.apply(
            films, weight, norm.weight, norm.bias, norm.eps, pads
        )
    _follow(norm, mean, var, films.numel() // films.shape[1])
    found: Tensor = clipped
    return found


def conv_clip(
    films: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    groups: int = 1,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
) -> Tensor:
    """A convolution, clipped to 0–6 in the same pass where the library can. No gradient.
    ``weight`` is of the precision of ``films``, ``bias`` may be of a finer one."""
    if films.device.type == "cpu" and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        clipped: Tensor = torch.ops.mkldnn._convolution_pointwise(
            films, weight, bias, padding, stride, [1, 1], groups, "hardtanh", [0.0, TOP], ""
        )
        return clipped
    bias = bias if bias is None else bias.to(films.dtype)
    return F.conv2d(films, weight, bias, stride, padding, groups=groups).clamp_(0, TOP)


def clear(maps: Tensor, pads: Pads) -> None:
    """Make the outermost cells of (B, C, H, W) zeros, in place."""
    left, right, top, bottom = pads
    height, width = maps.shape[2:]
    maps[:, :, :top] = 0
    maps[:, :, height - bottom :] = 0
    maps[:, :, :, :left] = 0
    maps[:, :, :, width - right :] = 0


def _follow(norm: nn.BatchNorm2d, mean: Tensor, var: Tensor, count: int) -> None:
    """As ``nn.BatchNorm2d`` in training: running statistics, the variance without bias."""
    if norm.running_mean is None or norm.running_var is None:
        return
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    part = norm.momentum
    if part is None:
        part = 1.0 / float(norm.num_batches_tracked)
    norm.running_mean.lerp_(mean, part)
    norm.running_var.lerp_(var * (count / (count - 1)), part)


class _NormClip(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, maps: Tensor, gain: Tensor, shift: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        maps = maps.contiguous(memory_format=torch.channels_last)
        nothing = torch.zeros_like(gain)  # given in float32, they keep those of bf16 maps so too
        mean, var = torch.batch_norm_update_stats(maps, nothing, nothing, 0.0)
        scale = (gain * (var + eps).rsqrt()).to(maps.dtype)
        # The shift is that of the rounded scale, or rounding would move all films alike.
        clipped = conv_clip(maps, scale[:, None, None, None], shift - scale * mean, len(scale))
        ctx.save_for_backward(maps, clipped, gain, mean, var)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, var)
        return clipped, mean, var

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, pull: Tensor, *_: Tensor) -> _Gradients:
        maps, clipped, gain, mean, var = ctx.saved_tensors
        pull = _through_clip(pull, clipped)
        deviation = (var + ctx.eps).rsqrt()
        of_maps, of_gain, of_shift = torch.ops.aten.native_batch_norm_backward(
            pull, maps, gain, None, None, mean, deviation, True, ctx.eps, [True, True, True]
        )
        return of_maps, of_gain, of_shift, None


class _PointwiseNormClip(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, films: Tensor, weight: Tensor, gain: Tensor, shift: Tensor, eps: float, pads: Pads
    ) -> tuple[Tensor, Tensor, Tensor]:
        matrix = weight.flatten(1)
        rows = _rows(films)
        rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
        centre = rows.mean(0)
        # Less their mean, the films lose least where they are rounded; the norm is blind to it.
        around = rows - centre
        spread = matrix @ (around.T @ around / len(around))
        mean, var = matrix @ centre, (spread * matrix).sum(1)
        scale = gain * (var + eps).rsqrt()
        folded = (scale[:, None, None, None] * weight).to(films.dtype)
        given = F.pad(_maps(around, films).to(films.dtype), pads)
        clipped = conv_clip(given, folded, shift)
        clear(clipped, pads)
        ctx.save_for_backward(given, clipped, weight, gain, var, spread)
        ctx.form = eps, pads
        ctx.mark_non_differentiable(mean, var)
        return clipped, mean, var

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, pull: Tensor, *_: Tensor) -> _Gradients:
        given, clipped, weight, gain, var, spread = ctx.saved_tensors
        with torch.autocast("cpu", enabled=False):
            pull = _through_clip(pull, clipped)  # zero where zeros were laid around
            deviation = (var + ctx.form[0]).rsqrt()
            matrix, scale = weight.flatten(1), gain * deviation
            folded = (scale[:, None, None, None] * weight).to(given.dtype)
            back, product, of_shift = torch.ops.aten.convolution_backward(
                pull, given, folded, [len(folded)], [1, 1], [0, 0], [1, 1], False, [0, 0], 1,
                [ctx.needs_input_grad[0], True, True],
            )  # fmt: skip
            product, of_shift = product.flatten(1).to(matrix), of_shift.to(matrix)
            of_gain = deviation * (product * matrix).sum(1)
            turn = of_gain * deviation
            of_weight = (scale[:, None] * (product - turn[:, None] * spread)).view_as(weight)
            of_films = None
            if back is not None:
                back, given = _inside(back, ctx.form[1]), _inside(given, ctx.form[1])
                rows, around = _rows(back).to(matrix), _rows(given).to(matrix)
                rows -= rows.mean(0)  # what a norm hands back adds up to nothing
                rows -= around @ (matrix.T @ (matrix * (scale * turn / len(rows))[:, None]))
                of_films = _maps(rows, back).to(given.dtype)
        return of_films, of_weight, of_gain, of_shift, None, None


def _through_clip(pull: Tensor, clipped: Tensor) -> Tensor:
    """The gradient before ReLU6, channels last: nothing where it clipped."""
    pull = pull.contiguous(memory_format=torch.channels_last)
    found: Tensor = torch.ops.aten.hardtanh_backward(pull, clipped, 0, TOP)
    return found


def _rows(maps: Tensor) -> Tensor:
    """(B, C, H, W) as (B H W, C)."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


def _maps(rows: Tensor, like: Tensor) -> Tensor:
    """(B H W, C) as (B, C, H, W), the size of ``like``."""
    batch, _, height, width = like.shape
    return rows.view(batch, height, width, -1).permute(0, 3, 1, 2)


def _inside(maps: Tensor, pads: Pads) -> Tensor:
    """``maps`` without the cells around."""
    left, right, top, bottom = pads
    return maps[:, :, top : maps.shape[2] - bottom, left : maps.shape[3] - right]
