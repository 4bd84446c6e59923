"""Class activation maps: the features of a layer, weighted by what the logit gains from them.

``features`` are float32 (B, C, n, n) as they leave the layer, ``slopes`` the gradient of each
film's logit with regard to them. Tests hold the maps to those of the package grad-cam.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from pneumoscope.explain.stages import Stage
from pneumoscope.models.network import Network

Planes = NDArray[np.float32]

SMOOTH = 1.5
"""Standard deviation in cells by which HiResCAM is smoothed; chosen on validation phantoms."""
_NOT_ZERO = 1e-6


def activation_maps(network: Network, method: str, stage: Stage, batch: Tensor) -> Planes:
    """Maps float32 (B, n, n), 0 or more, of films float32 (B, 1, S, S) by gradcam, gradcam++,
    hirescam or eigencam. The network is in evaluation mode."""
    if method == "eigencam":
        maps = _eigen_cam(_features(network, stage, batch))
    else:
        maps = _BY_GRADIENT[method](*_features_and_slopes(network, stage, batch))
    # What is below 0 speaks against pneumonia. Then the least value of a map is taken off it, as
    # is the custom: heat compares places, and a map that is the same all over shows none.
    maps = np.maximum(maps, 0)
    return np.asarray(maps - maps.min(axis=(1, 2), keepdims=True), np.float32)


def _features(network: Network, stage: Stage, batch: Tensor) -> Planes:
    """What ``stage`` makes of the films, float32 (B, C, n, n)."""
    with _watched(stage) as seen, torch.inference_mode():
        network(batch)
    return _planes(stage, seen["features"])


def _features_and_slopes(network: Network, stage: Stage, batch: Tensor) -> tuple[Planes, Planes]:
    """As ``_features``, and the gradient of each film's logit there."""
    # Where all weights are frozen, only the film itself makes gradients flow.
    films = batch.detach().requires_grad_()
    with _watched(stage) as seen, torch.enable_grad():
        # In evaluation mode films do not meet: of the sum each gets the gradient of its own logit.
        torch.autograd.grad(network(films).sum(), films)
    return _planes(stage, seen["features"]), _planes(stage, seen["slopes"])


@contextmanager
def _watched(stage: Stage) -> Iterator[dict[str, Tensor]]:
    """The ``features`` that leave the stage, and the ``slopes`` that come back to it."""
    seen: dict[str, Tensor] = {}

    def keep(module: nn.Module, given: Any, output: Tensor) -> None:
        found = seen["features"] = output.detach()

        def back(slope: Tensor) -> None:
            if seen["features"] is found:  # of a layer that is passed twice, the last time
                seen["slopes"] = slope

        if output.requires_grad:
            # A hook and not an input of autograd.grad, for the next layer may write over its input.
            output.register_hook(back)  # type: ignore[no-untyped-call]  # torch gives it no types

    handle = stage.module.register_forward_hook(keep)
    try:
        yield seen
    finally:
        handle.remove()


def _planes(stage: Stage, output: Tensor) -> Planes:
    planes = stage.to_planes(output) if stage.to_planes else output
    return np.asarray(planes.float().cpu().numpy())


def _grad_cam(features: Planes, slopes: Planes) -> Planes:
    return _weighted(features, slopes.mean(axis=(2, 3)))


def _grad_cam_plus_plus(features: Planes, slopes: Planes) -> Planes:
    """Equation 19 of Chattopadhay 2018; where there is no gradient there is no weight."""
    square = slopes**2
    total = features.sum(axis=(2, 3), keepdims=True)
    alpha = square / (2 * square + total * (square * slopes) + _NOT_ZERO)
    alpha = np.where(slopes != 0, alpha, 0)
    return _weighted(features, (np.maximum(slopes, 0) * alpha).sum(axis=(2, 3)))


def _hires_cam(features: Planes, slopes: Planes) -> Planes:
    """Smoothed before what is below 0 is cut off, so that evidence for and against pneumonia at
    neighbouring places cancels; unsmoothed it is a scatter of single points."""
    maps = (slopes * features).sum(axis=1)
    return np.stack([gaussian_filter(each, SMOOTH) for each in maps])


def _eigen_cam(features: Planes) -> Planes:
    """The first principal component with its sign settled, for a singular vector has none of its
    own: its largest value counts as heat (eq. 13 of Chung & Ying, Appl. Sci. 2025, 15, 7562)."""
    rows = features.reshape(*features.shape[:2], -1).transpose(0, 2, 1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    _, _, axes = np.linalg.svd(rows, full_matrices=False)
    maps = np.einsum("bpc,bc->bp", rows, axes[:, 0])
    flip = np.abs(maps.min(axis=1)) > np.abs(maps.max(axis=1))
    maps = np.where(flip[:, None], -maps, maps)
    return np.asarray(maps.reshape(len(maps), *features.shape[2:]), np.float32)


def _weighted(features: Planes, weights: Planes) -> Planes:
    """The sum (B, n, n) of the planes, each by its weight (B, C)."""
    return np.asarray((weights[:, :, None, None] * features).sum(axis=1), np.float32)


_BY_GRADIENT: Mapping[str, Callable[[Planes, Planes], Planes]] = {
    "gradcam": _grad_cam,
    "gradcam++": _grad_cam_plus_plus,
    "hirescam": _hires_cam,
}
"""Features and slopes (B, C, n, n) to maps (B, n, n)."""
