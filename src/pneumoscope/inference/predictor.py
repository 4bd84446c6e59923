"""Predictor: stored films to logits in fixed batches, by one network or the mean of several."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pneumoscope.data.augment import resample
from pneumoscope.metrics.scores import Floats
from pneumoscope.models.bundle import Bundle
from pneumoscope.records import Advance, Grey

# Sums in a matrix product depend on the size of the batch, so another size is another last digit.
BATCH = 64


class Predictor:
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

    def logits(
        self, images: Grey, rows: NDArray[np.int64], *, advance: Advance | None = None
    ) -> Floats:
        """Logits of pneumonia, float64 (n,), for ``rows`` of ``images`` uint8 (N, S, S), air dark.

        Films are handled in fixed batches, so the same rows always give the same logits.
        """
        logits = np.empty(len(rows))
        for part, films in film_batches(images, rows, advance):
            logits[part] = self.batch(films)
        return logits

    def batch(self, films: Grey) -> Floats:
        """Logits, float64 (B,), of one batch uint8 (B, S, S)."""
        pairs = zip(self.bundles, self._temperatures, strict=True)
        each = [_network_logits(bundle, films, self.device) / heat for bundle, heat in pairs]
        return np.asarray(np.mean(each, axis=0), dtype=np.float64)


def film_batches(
    images: Grey, rows: NDArray[np.int64], advance: Advance | None = None
) -> Iterator[tuple[slice, Grey]]:
    """``rows`` of ``images`` in batches of BATCH films, each with its part of the rows; ``advance``
    hears of a batch when the next one is asked for."""
    for start in range(0, len(rows), BATCH):
        films = np.asarray(images[rows[start : start + BATCH]])
        yield slice(start, start + len(films)), films
        if advance:
            advance(start + len(films), len(rows))


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
        mean = torch.stack([compute(view) for view in views]).mean(0)
    return np.asarray(mean.double().cpu().numpy(), dtype=np.float64)


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
    edge continue."""
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    # From a place in the turned film to that in the film itself, the second axis downwards.
    matrix = torch.tensor([[cos, -sin, 0.0], [sin, cos, 0.0]])
    return resample(films, matrix.expand(len(films), 2, 3), films.shape[-1])
