"""Small untrained networks and bundles."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from timm.models import generate_default_cfgs, register_model
from timm.models.resnet import BasicBlock, ResNet, _cfg, _create_resnet

from pneumoscope.models.adapted.heads import rescaled
from pneumoscope.models.adapted.statistics import estimated
from pneumoscope.models.bundle import Bundle
from pneumoscope.models.network import Network
from pneumoscope.models.packaged import HALF
from pneumoscope.models.zoo import ZOO, build_backbone
from pneumoscope.readings import OperatingPoint
from pneumoscope.records import InputSpec

POINTS = (
    OperatingPoint("youden", 0.5, "maximum youden", "val"),
    OperatingPoint("sensitivity", 0.2, "sensitivity >= 0.95", "val"),
)


# ResNet-34 is more of ResNet-18's blocks.
BACKBONES = [
    pytest.param(each.name, marks=[pytest.mark.slow] if each.name == "resnet34" else [])
    for each in ZOO
]
"""The names of all backbones of the zoo, to be parameters of a test."""
TIMM_BACKBONES = [each for each in BACKBONES if HALF not in str(each.values[0])]
"""Those that timm knows by the same name."""


def make_bundle(seed: int = 0, spec: InputSpec | None = None, **changes: object) -> Bundle:
    """A tiny ResNet of random weights whose logits spread over films as a trained one's do."""
    torch.manual_seed(seed)
    network = Network(
        build_backbone("test_resnet"), spec or InputSpec(40, 40), normalisation=(0.5, 0.25)
    )
    with torch.no_grad():
        network.head.weight.mul_(20)
    bundle = Bundle(
        network.eval(), "test_resnet", "none", (0.5, 0.25), False, "float32", POINTS, {"data": "x"}
    )
    return replace(bundle, **changes)


def settled(network: Network, films: np.ndarray) -> Network:
    """With batch statistics of ``films`` and logits that spread over them around 0, about as
    those of a trained network."""
    given = torch.from_numpy(films)
    network = estimated(network, [given], lambda each: [each])
    with torch.inference_mode():
        logits = network(given)
    # Not more: what rounding does to features that hardly vary would be taken for an answer.
    slope = min(1 / float(logits.std()), 20.0)
    return rescaled(network, slope, -slope * float(logits.mean()))


def shaken(backbone: torch.nn.Module) -> torch.nn.Module:
    """With batch statistics and weights of norms as after training, which are 0 and 1 before."""
    for part in backbone.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(part.weight, 0.5, 1.0)
            torch.nn.init.normal_(part.bias, 0, 0.1)
    return backbone


default_cfgs = generate_default_cfgs({"test_tiny.none": _cfg()})


@register_model
def test_tiny(pretrained: bool = False, **kwargs: Any) -> ResNet:
    """A ResNet of 7,000 weights, for what is committed; timm's own smallest has 100,000."""
    shape = {"block": BasicBlock, "layers": (1, 1, 1, 1), "channels": (8, 8, 8, 16)}
    return _create_resnet(
        "test_tiny", pretrained, stem_width=8, stem_type="deep", **shape, **kwargs
    )
