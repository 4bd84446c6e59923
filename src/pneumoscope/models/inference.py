"""Network optimised for inference: the same answers, less work, and no way back to training.

Batch norms become part of the convolutions before them, and so does ReLU6; convolutions in bf16 are
rounded once and not in each batch; ReLU of bf16 looks at the sign bit; a max pool comes before the
ReLU that it follows. Only float rounding differs. Nothing of this is ever saved.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pneumoscope.models.network import Network


def optimize_for_inference(network: Network, precision: str) -> Network:
    """A copy of ``network`` (backbones of the zoo) for inference alone, in evaluation mode;
    ``precision`` float32 or bf16 is the one that it will be computed in."""
    quick = copy.deepcopy(network).eval().requires_grad_(False)
    _fold(quick.backbone)
    _pool_first(quick.backbone)
    _swap_relu(quick.backbone)
    _clip_early(quick.backbone)
    if precision == "bf16":
        for part in quick.backbone.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                part.to(torch.bfloat16)
    return quick.to(memory_format=torch.channels_last)


class QuickReLU(nn.Module):
    """ReLU in place, without gradients. Numbers of bf16 below 0 are, as int16, below 0 too, and
    integers are compared eight times as fast. A NaN may become 0."""

    def forward(self, films: Tensor) -> Tensor:
        if films.dtype == torch.bfloat16 and films.device.type == "cpu":
            films.view(torch.int16).clamp_min_(0)
            return films
        return films.relu_()


def _fold(module: nn.Module) -> None:
    """Fold each batch norm into the convolution just before it among the parts of ``module``,
    which in every backbone of the zoo is the one that feeds it and nothing else."""
    parent, place, before = module, "", module
    for name, part in list(module.named_children()):
        if isinstance(part, nn.BatchNorm2d) and isinstance(before, nn.Conv2d):
            parent.register_module(place, fuse_conv_bn_eval(before, part))
            # timm's norms may carry their activation with them.
            after: Any = getattr(part, "act", None)
            module.register_module(name, after if after is not None else nn.Identity())
        else:
            _fold(part)
        parent, place, before = module, name, part
        if type(part) is nn.Sequential and len(part):  # what leaves it is what its last one gives
            parent, (place, before) = part, list(part.named_children())[-1]


def _pool_first(module: nn.Module) -> None:
    """ReLU and a max over places may change places, exactly: the first is then a quarter of the
    work."""
    parts = list(module.named_children())
    for (name, part), (pool_name, pool) in zip(parts, parts[1:], strict=False):
        if isinstance(part, nn.ReLU) and isinstance(pool, nn.MaxPool2d):
            module.register_module(name, pool)
            module.register_module(pool_name, part)


def _clip_early(backbone: nn.Module) -> None:
    if any(isinstance(part, nn.ReLU6) for part in backbone.modules()):
        # timm takes more than a second to import; who has a ReLU6 has it already.
        from pneumoscope.models.efficientnet.blocks import clip_with_convolutions

        clip_with_convolutions(backbone)


def _swap_relu(module: nn.Module) -> None:
    for name, part in list(module.named_children()):
        if isinstance(part, nn.ReLU):
            module.register_module(name, QuickReLU())
        else:
            _swap_relu(part)
