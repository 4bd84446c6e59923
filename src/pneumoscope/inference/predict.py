"""The one predictor: stored films to logits, in batches, without gradients."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pneumoscope.data.augment import resample
from pneumoscope.models.bundle import Bundle

Advance = Callable[[int, int], None]
"""Called with (films done, films in all)."""

BATCH = 64


def predict_logits(
    bundle: Bundle,
    images: NDArray[np.uint8],
    rows: NDArray[np.int64],
    *,
    device: str = "cpu",
    advance: Advance | None = None,
) -> NDArray[np.float64]:
    """Logits of pneumonia, float64 (n,), for ``rows`` of ``images`` uint8 (N, S, S), air dark.

    Films are handled in fixed batches, so the same rows always give the same logits.
    """
    network = bundle.network.to(device)
    logits = np.empty(len(rows))
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        logits[start : start + len(part)] = batch_logits(bundle, np.asarray(images[part]), device)
        if advance:
            advance(start + len(part), len(rows))
    network.to("cpu")
    return logits


def batch_logits(bundle: Bundle, films: NDArray[np.uint8], device: str) -> NDArray[np.float64]:
    """Logits, float64 (B,), of one batch uint8 (B, S, S); the network lies on ``device``."""
    dtype = torch.bfloat16 if bundle.precision == "bf16" else torch.float32
    autocast = torch.autocast(device.split(":")[0], dtype, enabled=dtype is torch.bfloat16)
    with torch.inference_mode(), autocast:
        logits = _logits(bundle, torch.from_numpy(films).to(device)).double().cpu().numpy()
    return np.asarray(logits, dtype=np.float64)


def _logits(bundle: Bundle, films: Tensor) -> Tensor:
    views = [films]
    if bundle.turn_average:
        views += [turned(films, degrees) for degrees in (bundle.turn_average, -bundle.turn_average)]
    if bundle.flip_average:
        views += [view.flip(-1) for view in views]
    return torch.stack([bundle.network(view) for view in views]).mean(0)


def turned(films: Tensor, degrees: float) -> Tensor:
    """Films (B, S, S) turned to the left about their centre, float32 (B, S, S); the pixels of the
    edge continue."""
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    # From a place in the turned film to that in the film itself, the second axis downwards.
    matrix = torch.tensor([[cos, -sin, 0.0], [sin, cos, 0.0]])
    return resample(films, matrix.expand(len(films), 2, 3), films.shape[-1])


def probability(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logistic function, without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(logits / 2)), dtype=np.float64)
