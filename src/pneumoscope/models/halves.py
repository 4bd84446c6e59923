"""Backbone at two sizes: each film as it is and at half its side, by the same weights.

Weights from everyday pictures know things by their size in pixels, and a film has a size by custom
alone. What they see at one side and at half of it is not the same, and together tells more: on the
NIH sample .014 of AUROC for a head alone (docs/log.md).
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class BothSides(nn.Module):
    """Float (B, 1, S, S) to features (B, 2 F): the mean over places of ``trunk``'s deepest maps of
    the film, and of those at half its side. Its parts are a chain.

    ``trunk`` is one of timm's backbones that ``reads_both`` holds of. Batch norms of both sizes are
    one, so it is for weights that stay as they are.
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
    """Float (B, 1, S, S) to maps (B, 2 F, h, w); those of half the side are their mean at every
    place, so that a mean over places is that of both, whatever their sizes."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, films: Tensor) -> Tensor:
        deepest = cast(Any, self.trunk).forward_features
        half = deepest(F.avg_pool2d(films, 2))
        whole = deepest(films)
        half = half.mean((2, 3), keepdim=True).expand(-1, -1, *whole.shape[2:])
        return torch.cat([whole, half], dim=1)


class _Mean(nn.Module):
    def forward(self, maps: Tensor) -> Tensor:
        return maps.mean((2, 3))


def reads_both(trunk: nn.Module, side: int) -> bool:
    """Whether the features of ``trunk``, in evaluation mode, are the mean of its deepest maps: no
    transformer's are, nor those that pass a layer behind their mean."""
    theirs: Any = trunk
    films = torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        maps = theirs.forward_features(films)
        if maps.ndim != 4 or maps.shape[1] != theirs.num_features:
            return False
        return torch.allclose(maps.mean((2, 3)), trunk(films), rtol=1e-3, atol=1e-4)
