"""Network: takes uint8 grey films as they are stored and holds everything after that.

Resize to the network size and normalisation are its first layers, so they are inside whatever is
saved or exported, and no caller can get them wrong.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pneumoscope.models.freeze import Parts, freeze_parts, parts_of, run_parts
from pneumoscope.records import InputSpec


def pretrained_grey(backbone: nn.Module) -> tuple[float, float]:
    """Mean and standard deviation that the backbone was pretrained with, averaged over its three
    channels, of full scale: (0.449, 0.226) for ImageNet's, timm's default."""
    about: Any = backbone.pretrained_cfg
    return round(sum(about["mean"]) / 3, 4), round(sum(about["std"]) / 3, 4)


def feature_width(backbone: nn.Module) -> int:
    """How many features come out; ``num_features`` is another number where a head remains."""
    found: Any = getattr(backbone, "head_hidden_size", None) or backbone.num_features
    return int(found)


_QUIET = 0.03
"""Standard deviation, of full scale, at which what is evened out is halved."""


class Network(nn.Module):
    """Uint8 or float (B, S, S) or (B, 1, S, S), 0–255, air dark, to logits float32 (B,).

    ``backbone`` maps (B, 1, s, s) to (B, features). One output is the logit itself; with two
    the logit is their difference, which is what softmax sees.
    """

    mean: Tensor
    std: Tensor
    down: Tensor
    up: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        spec: InputSpec,
        *,
        normalisation: tuple[float, float],
        outputs: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.outputs = outputs
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(feature_width(backbone), outputs)
        self._frozen = 0
        self.register_buffer("mean", torch.tensor(255.0 * normalisation[0]))
        self.register_buffer("std", torch.tensor(255.0 * normalisation[1]))
        down, up = local_means(spec.network, max(1, spec.local_contrast))
        self.register_buffer("down", down, persistent=False)
        self.register_buffer("up", up, persistent=False)

    def freeze(self, count: int) -> None:
        """Keep the weights and batch statistics of the backbone's first ``count`` parts."""
        self._frozen = count
        freeze_parts(self.backbone, count)

    @property
    def frozen_parts(self) -> Parts:
        """The frozen parts with their names, in the order in which a film passes them."""
        return parts_of(self.backbone)[: self._frozen]

    def train(self, mode: bool = True) -> Network:
        """Training mode, in which frozen parts stay in evaluation mode."""
        super().train(mode)
        for _, part in self.frozen_parts if mode else ():
            part.eval()
        return self

    def forward(self, films: Tensor) -> Tensor:
        """Logits of pneumonia, float32 (B,)."""
        return logit_of(self.scores(films))

    def frozen_features(self, films: Tensor) -> Tensor:
        """What leaves the frozen parts, for a backbone that is a chain of its parts, of films that
        ``seen`` or ``augment`` has cropped and resized."""
        return run_parts(self.frozen_parts, self._normalise(_planes(films)))

    def scores_of(self, features: Tensor) -> Tensor:
        """The raw outputs of what ``frozen_features`` gave, float32 (B, outputs)."""
        return self._judge(run_parts(parts_of(self.backbone)[self._frozen :], features))

    def scores(self, films: Tensor) -> Tensor:
        """The raw outputs, float32 (B, outputs), of films as they are stored."""
        return self.scores_seen(self.seen(films))

    def scores_seen(self, films: Tensor) -> Tensor:
        """The same of films that ``augment`` has cropped and resized: float (B, n, n). Their side
        does not tell them from stored ones: given as such they would be cropped once more."""
        return self._judge(self.backbone(self._normalise(_planes(films))))

    def pooled(self, films: Tensor) -> Tensor:
        """What the head is given of stored films, (B, features): what the backbone leaves of each
        film, all places together."""
        found: Tensor = self.backbone(self._normalise(self.seen(films)))
        return found

    def _judge(self, features: Tensor) -> Tensor:
        # The last product in float32: in bf16 the logits would have 256 steps and many ties.
        with torch.autocast(features.device.type, enabled=False):
            scores: Tensor = self.head(self.dropout(features.float()))
        return scores

    def seen(self, films: Tensor) -> Tensor:
        """Stored films as the network sees them, without their margin: float32 (B, 1, n, n)."""
        films = _planes(films).float()
        side, visible = self.spec.network, self.spec.visible
        if visible < films.shape[-1]:
            start = (films.shape[-1] - visible) // 2
            films = films[..., start : start + visible, start : start + visible]
        if films.shape[-1] == side:
            return films
        return F.interpolate(films, (side, side), mode="bilinear", align_corners=False)

    def _normalise(self, films: Tensor) -> Tensor:
        if self.spec.local_contrast:
            return even_out(films / 255, self.down, self.up)
        return (films - self.mean) / self.std


def even_out(films: Tensor, down: Tensor, up: Tensor) -> Tensor:
    """Films float32 (B, 1, n, n), 0–1, less their local mean, over their local standard deviation.

    Local contrast normalisation (Jarrett 2009); ``down`` and ``up`` are of ``local_means``.
    ``_QUIET`` keeps the noise of an empty border from becoming texture.
    """

    def local(values: Tensor) -> Tensor:
        return up @ (down @ values @ down.T) @ up.T

    with torch.autocast(films.device.type, enabled=False):  # differences of near numbers
        detail = films - local(films)
        return detail / (local(detail.square()).clamp(min=0).sqrt() + _QUIET)


def local_means(side: int, cells: int) -> tuple[Tensor, Tensor]:
    """Float32 (cells, side) and (side, cells): what the columns of a film are multiplied by for
    means over a grid, and those for bicubic interpolation between them; rows likewise. As products
    both take a fraction of the time of two interpolations."""
    pixels, means = torch.eye(side)[None, None], torch.eye(cells)[None, None]
    down = F.interpolate(pixels, (cells, side), mode="area")[0, 0]
    up = F.interpolate(means, (side, cells), mode="bicubic", align_corners=False)[0, 0]
    return down, up


def _planes(films: Tensor) -> Tensor:
    """(B, s, s) as (B, 1, s, s), which may come as such."""
    return films.unsqueeze(1) if films.ndim == 3 else films


def logit_of(scores: Tensor) -> Tensor:
    """Raw outputs (B, 1) or (B, 2) to the logit of pneumonia (B,)."""
    return scores[:, 0] if scores.shape[1] == 1 else scores[:, 1] - scores[:, 0]
