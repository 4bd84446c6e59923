"""Plain network: a copy in the layers of torch and timm alone, for whatever traces a network.

Our own layers differ by their class alone (``conv``, ``efficientnet``): they branch on sizes and
call functions of their own, which an exporter either refuses or writes down for one size of batch.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from pneumoscope.models.conv import Conv2d
from pneumoscope.models.network import Network
from pneumoscope.models.resnet import is_plain_resnet


def plain_copy(network: Network, backbone: str) -> Network:
    """A copy of ``network``, whose backbone is called so: the same weights in float32 and in
    evaluation mode, without gradients."""
    plain = copy.deepcopy(network).float().eval().requires_grad_(False)
    for part in plain.modules():
        part.__class__ = nn.Conv2d if type(part) is Conv2d else type(part)
    if not is_plain_resnet(backbone):
        # timm takes more than a second to import; who has such layers has it already.
        from pneumoscope.models.efficientnet.blocks import as_timm

        as_timm(plain)
    return plain.to(memory_format=torch.contiguous_format)
