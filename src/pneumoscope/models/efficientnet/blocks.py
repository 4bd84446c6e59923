"""EfficientNets that train fast on a CPU: timm's layers under their names, in fewer passes.

Layers become ours by their class alone, so parameters, weights files and everything in evaluation
mode or on a GPU stay timm's. ``benchmarks/efficientnet.py`` measures what it brings.
"""

from __future__ import annotations

from typing import Any, cast

from timm.layers.conv2d_same import Conv2dSame
from timm.layers.norm_act import BatchNormAct2d
from timm.layers.padding import pad_same_arg
from timm.models._efficientnet_blocks import InvertedResidual
from torch import Tensor, nn

from pneumoscope.models.efficientnet.depthwise import depthwise, is_depthwise, learns_on_cpu
from pneumoscope.models.efficientnet.norm import (
    Pads,
    clear,
    conv_clip,
    norm_clip,
    pointwise_norm_clip,
)


def efficient_on_cpu(network: nn.Module) -> nn.Module:
    """The same network, the same weights and names: timm's layers become ours where they can."""
    for part in network.modules():
        if type(part) is BatchNormAct2d and type(part.act) is nn.ReLU6 and part.affine:
            part.__class__ = NormClip
        elif type(part) is Conv2dSame and is_depthwise(part):
            part.__class__ = SameDepthwise
    for part in network.modules():
        if type(part) is InvertedResidual and _expands(part):
            part.__class__ = Inverted
    return network


def as_timm(network: nn.Module) -> nn.Module:
    """The same network with what ``efficient_on_cpu`` changed put back."""
    ours = {NormClip: BatchNormAct2d, SameDepthwise: Conv2dSame, Inverted: InvertedResidual}
    for part in network.modules():
        part.__class__ = ours.get(type(part), type(part))
    return network


class NormClip(BatchNormAct2d):
    """timm's batch norm with ReLU6: one operation while it trains on a CPU."""

    def forward(self, films: Tensor) -> Tensor:
        """Float (B, C, H, W), 0–6."""
        if self.training and learns_on_cpu(films, self.weight) and _several(films):
            return norm_clip(films, self)
        return cast(Tensor, super().forward(films))  # type: ignore[no-untyped-call]


class SameDepthwise(Conv2dSame):
    """timm's depthwise convolution with as many zeros around as TensorFlow lays there."""

    def forward(self, films: Tensor) -> Tensor:
        """Float (B, C, H, W) to (B, C, ceil(H / stride), ceil(W / stride))."""
        if not learns_on_cpu(films, self.weight):
            return cast(Tensor, super().forward(films))  # type: ignore[no-untyped-call]
        padded = nn.functional.pad(films, same_pads(self, films))
        return depthwise(padded, self.weight, self.stride[0], 0)


class Inverted(InvertedResidual):
    """timm's inverted residual block, the norm of its widest maps folded into their making."""

    def forward(self, films: Tensor) -> Tensor:
        """Float (B, C, H, W) to (B, O, h, w)."""
        fits = self.training and self.bn1.training and self.bn2.training and _several(films)
        if not fits or not learns_on_cpu(films, self.conv_pw.weight):
            return cast(Tensor, super().forward(films))  # type: ignore[no-untyped-call]
        deep: Any = self.conv_dw
        pads = same_pads(deep, films) if isinstance(deep, SameDepthwise) else (0, 0, 0, 0)
        maps: Any = pointwise_norm_clip(films, self.conv_pw.weight, cast(NormClip, self.bn1), pads)
        maps = depthwise(maps, deep.weight, deep.stride[0], deep.padding[0])
        rest: Any = (self.bn2, self.aa, self.se, self.conv_pwl, self.bn3)
        for part in rest:
            maps = part(maps)
        return cast(Tensor, self.drop_path(maps) + films if self.has_skip else maps)


class ClippedConv(nn.Module):
    """A convolution with its bias and the ReLU6 behind it, for networks that only read.

    Zeros that TensorFlow lays around belong to the layer before where that is ours, which lays
    fewer channels around: ``after`` is the layer that wants them.
    """

    def __init__(self, conv: nn.Conv2d, after: nn.Conv2d | None = None) -> None:
        super().__init__()
        self.conv = conv
        self.pads_itself = isinstance(conv, Conv2dSame)
        self._after = (after,)  # no part of this one

    def forward(self, films: Tensor) -> Tensor:
        """Float (B, C, H, W) to (B, O, h, w), 0–6, in the precision of the weights."""
        conv, (after,) = self.conv, self._after
        films = films.to(conv.weight.dtype)
        if self.pads_itself:
            films = nn.functional.pad(films, same_pads(conv, films))
        pads = (0, 0, 0, 0) if after is None else same_pads(after, films)
        if any(pads):
            films = nn.functional.pad(films, pads)
        padding, stride = cast(Any, conv.padding), cast(Any, conv.stride)
        maps = conv_clip(films, conv.weight, conv.bias, conv.groups, stride, padding)
        clear(maps, pads)
        return maps


def clip_with_convolutions(network: nn.Module) -> None:
    """Let each convolution clip by itself where just ReLU6 comes behind it, in place: batch norms
    are folded already."""
    parts = list(network.named_children())
    for (name, part), (next_name, after) in zip(parts, parts[1:], strict=False):
        if isinstance(after, nn.ReLU6) and isinstance(part, nn.Conv2d) and part.dilation == (1, 1):
            network.register_module(name, ClippedConv(part))
            network.register_module(next_name, nn.Identity())
        clip_with_convolutions(part)
    if parts:
        clip_with_convolutions(parts[-1][1])
    wide, deep = getattr(network, "conv_pw", None), getattr(network, "conv_dw", None)
    if isinstance(network, Inverted) and isinstance(deep, ClippedConv) and deep.pads_itself:
        network.conv_pw = ClippedConv(cast(ClippedConv, wide).conv, deep.conv)
        deep.pads_itself = False


def _expands(block: InvertedResidual) -> bool:
    wide = block.conv_pw
    return (
        block.conv_s2d is None
        and isinstance(block.bn1, NormClip)
        and isinstance(wide, nn.Conv2d)
        and (wide.kernel_size, wide.stride, wide.groups) == ((1, 1), (1, 1), 1)
        and wide.bias is None
        and (isinstance(block.conv_dw, SameDepthwise) or is_depthwise(block.conv_dw))
    )


def same_pads(layer: nn.Conv2d, films: Tensor) -> Pads:
    """Zeros to the left, right, top and bottom, as TensorFlow lays them around its films."""
    size, kernel, stride = list(films.shape[2:]), list(layer.kernel_size), list(layer.stride)
    return cast(Pads, tuple(pad_same_arg(size, kernel, stride)))


def _several(films: Tensor) -> bool:
    """Whether a variance can be had: torch refuses a single cell in its own words."""
    return films.numel() > films.shape[1]
