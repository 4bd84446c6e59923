"""Predictor: stored films to logits by torch, of one network or the mean of several."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from pneumoscope.inference.model import BATCH, Engine, film_batches
from pneumoscope.listener import Advance
from pneumoscope.metrics.scores import Floats
from pneumoscope.models.bundle import Bundle
from pneumoscope.records import Grey


class Predictor(Engine):
    """One network, or the mean of several, on ``device``, to which they are moved and where they
    stay; without gradients.

    ``calibrated`` divides the logits of each network by its temperature, which gives the model's
    own scale. The mean of several needs that, for without it their scales differ; a table of
    predictions keeps the raw logits of one network, and divides when it is read.
    """

    def __init__(
        self, bundles: Sequence[Bundle], device: str = "cpu", *, calibrated: bool = False
    ) -> None:
        self.bundles = tuple(bundles)
        self.device = device
        self._temperatures = [b.temperature if calibrated else 1.0 for b in bundles]
        for bundle in bundles:
            bundle.network.to(device)

    def batch(self, films: Grey) -> Floats:
        """Logits, float64 (B,), of one batch uint8 (B, S, S)."""
        pairs = zip(self.bundles, self._temperatures, strict=True)
        each = [_network_logits(bundle, films, self.device) / heat for bundle, heat in pairs]
        return np.asarray(np.mean(each, axis=0), dtype=np.float64)


def pooled_features(
    bundle: Bundle,
    images: Grey,
    rows: NDArray[np.int64],
    device: str,
    *,
    advance: Advance | None = None,
) -> Floats:
    """What the head of ``bundle`` is given of ``rows`` of ``images`` uint8 (N, S, S), float64
    (n, features): the mean over the views that its logit is the mean of, so that a linear head on
    them is one within the network."""
    bundle.network.to(device)
    parts = [
        _computed(bundle, bundle.network.pooled, films, device)
        for _, films in film_batches(images, rows, advance)
    ]
    return np.concatenate(parts)


def _network_logits(bundle: Bundle, films: Grey, device: str) -> Floats:
    return _computed(bundle, bundle.network, films, device)


def _computed(
    bundle: Bundle, compute: Callable[[Tensor], Tensor], films: Grey, device: str
) -> Floats:
    """The mean of ``compute`` over the views of each film, float64, in the bundle's precision."""
    dtype = torch.bfloat16 if bundle.precision == "bf16" else torch.float32
    autocast = torch.autocast(device.split(":")[0], dtype, enabled=dtype is torch.bfloat16)
    with torch.inference_mode(), autocast:
        views = views_of(bundle, torch.from_numpy(films).to(device))
        mean = _of_each(compute, views).mean(0)
    return np.asarray(mean.double().cpu().numpy(), dtype=np.float64)


def _of_each(compute: Callable[[Tensor], Tensor], views: Sequence[Tensor]) -> Tensor:
    """What ``compute`` gives of each of the views (B, S, S), (views, B, …)."""
    if len(views) * len(views[0]) > BATCH:
        return torch.stack([compute(view) for view in views])
    # A pass lays out all weights anew, which for few films takes longer than their arithmetic.
    found = compute(torch.cat([view.float() for view in views]))
    return found.reshape(len(views), -1, *found.shape[1:])


def views_of(bundle: Bundle, films: Tensor) -> list[Tensor]:
    """All that the bundle reads of films (B, S, S): as they are, turned, mirrored."""
    views = [films]
    if bundle.turn_average:
        views += [turned(films, degrees) for degrees in (bundle.turn_average, -bundle.turn_average)]
    if bundle.flip_average:
        views += [view.flip(-1) for view in views]
    return views


def turned(films: Tensor, degrees: float) -> Tensor:
    """Films (B, S, S) turned to the left about their centre, float32 (B, S, S); the pixels of the
    edge continue. As ``data.augment.resample`` by one matrix, to the bit."""
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    # From a place in the turned film to that in the film itself, the second axis downwards.
    matrix = torch.tensor([[[cos, -sin, 0.0], [sin, cos, 0.0]]], device=films.device)
    with torch.autocast(films.device.type, enabled=False):  # places need more than bf16's 8 bits
        side = films.shape[-1]
        grid = F.affine_grid(matrix, [1, 1, side, side], align_corners=False)
        # Films as the channels of one picture: all are read at the same places, found once.
        return F.grid_sample(
            films.float().unsqueeze(0),
            grid,
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        ).squeeze(0)
