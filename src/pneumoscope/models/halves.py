"""Backbone at two sizes: each film as it is and at half its side, by the same weights.

Weights from everyday pictures know things by their size in pixels, and a film has a size by custom
alone. What they see at one side and at half of it is not the same, and together tells more: on the
NIH sample .02 of AUROC for a head alone (docs/log.md).
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class BothSides(nn.Module):
    """Float (B, 1, S, S) to features (B, 2 F): the mean over places of ``trunk``'s deepest maps of
    the film, and of those at half its side. Its parts are a chain.

    ``trunk`` is one of timm's backbones whose ``forward_features`` gives maps (B, F, h, w).
    """

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        theirs: Any = trunk
        self.maps = _Maps(trunk)
        self.pool = _Mean()
        self.num_features = 2 * int(theirs.num_features)
        self.pretrained_cfg = theirs.pretrained_cfg
        info = getattr(theirs.feature_info, "info", theirs.feature_info)
        # Of layers within, which see each film twice, heatmaps look at the last: the whole side.
        self.feature_info = [{**i, "module": f"maps.trunk.{i['module']}"} for i in info]

    def forward(self, films: Tensor) -> Tensor:
        """Features (B, 2 F)."""
        return cast(Tensor, self.pool(self.maps(films)))


class _Maps(nn.Module):
    """Float (B, 1, S, S) to maps (B, 2 F, h, w), those of half the side repeated over places."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, films: Tensor) -> Tensor:
        deepest = cast(Any, self.trunk).forward_features
        half = deepest(F.avg_pool2d(films, 2))
        whole = deepest(films)
        if whole.ndim != 4:
            raise ValueError("its deepest layer gives no maps: it cannot read films at two sizes")
        return torch.cat([whole, F.interpolate(half, whole.shape[2:])], dim=1)


class _Mean(nn.Module):
    def forward(self, maps: Tensor) -> Tensor:
        return maps.mean((2, 3))
