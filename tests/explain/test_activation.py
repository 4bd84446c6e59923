"""Class activation maps against the package grad-cam, which has them from their authors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pytorch_grad_cam import EigenCAM, GradCAM, GradCAMPlusPlus, HiResCAM
from scipy.ndimage import gaussian_filter

from pneumoscope.explain.activation import SMOOTH, activation_maps
from pneumoscope.explain.cam import heatmaps, stage_for
from pneumoscope.explain.heat import scaled
from pneumoscope.models.network import Network
from pneumoscope.models.zoo import build_backbone
from pneumoscope.records import InputSpec


class Smoothed(HiResCAM):
    def get_cam_image(self, *given: Any, **named: Any) -> np.ndarray:
        return np.stack([gaussian_filter(each, SMOOTH) for each in super().get_cam_image(*given)])


KINDS = {"gradcam": GradCAM, "gradcam++": GradCAMPlusPlus, "hirescam": Smoothed}


def networks(backbone: str, **choices: Any) -> tuple[Network, torch.Tensor]:
    """A network whose logits speak for pneumonia, and films."""
    torch.manual_seed(2)
    spec = InputSpec(64, 64)
    network = Network(build_backbone(backbone), spec, normalisation=(0.5, 0.25), **choices).eval()
    films = torch.randint(0, 256, (3, 1, 64, 64), dtype=torch.uint8).float()
    with torch.no_grad():
        features = network.backbone(films / 64)
        network.head.weight.copy_(features.mean(0, keepdim=True).expand_as(network.head.weight))
    return network, films


def theirs(kind: Any, network: Network, stage: Any, films: torch.Tensor) -> np.ndarray:
    cam = kind(network, [stage.module], stage.to_planes)
    cam.get_target_width_height = lambda _: (stage.cells, stage.cells)
    try:
        with torch.enable_grad():
            maps = cam(films.clone().requires_grad_(), [lambda logit: logit] * len(films))
    finally:
        cam.activations_and_grads.release()
    return scaled(maps)


@pytest.mark.parametrize("method", KINDS)
@pytest.mark.parametrize(
    "backbone",
    [
        "test_resnet",
        "resnet18",
        "densenet121",
        "mobilenetv3_small_100",
        "test_convnext",
        "test_vit",
    ],
)
def test_maps_are_those_of_the_package(backbone: str, method: str) -> None:
    network, films = networks(backbone)
    stage = stage_for(network, method)
    assert stage is not None
    ours = activation_maps(network, method, stage, films)
    assert ours.shape == (3, stage.cells, stage.cells) and ours.dtype == np.float32
    assert ours.min() == 0 and ours.std() > 0
    np.testing.assert_allclose(
        scaled(ours), theirs(KINDS[method], network, stage, films), atol=1e-6
    )


@pytest.mark.parametrize("backbone", ["test_resnet", "resnet18"])
def test_eigencam_is_the_packages_but_for_the_sign(backbone: str) -> None:
    network, films = networks(backbone)
    stage = stage_for(network, "eigencam")
    assert stage is not None
    ours = scaled(activation_maps(network, "eigencam", stage, films))
    found = theirs(EigenCAM, network, stage, films)
    features: list[torch.Tensor] = []
    hook = stage.module.register_forward_hook(lambda *given: features.append(given[2]))
    with torch.no_grad():
        network(films)
    hook.remove()
    for one, other, planes in zip(ours, found, features[0].numpy(), strict=True):
        rows = planes.reshape(len(planes), -1).T
        rows = rows - rows.mean(0)
        signed = (rows @ np.linalg.svd(rows, full_matrices=False)[2][0]).reshape(one.shape)
        both = [scaled(np.maximum(sign * signed, 0)[None])[0] for sign in (1, -1)]
        assert min(np.abs(one - each).max() for each in both) < 1e-5
        assert min(np.abs(other - each).max() for each in both) < 1e-5
        assert one.max() == 1


@pytest.mark.parametrize("method", ["gradcam", "gradcam++", "hirescam"])
def test_by_hand_on_two_planes(method: str) -> None:
    """One layer of two planes, whose mean the head weighs: the slopes are the weights / cells."""

    class TwoPlanes(torch.nn.Module):
        num_features = 2

        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Conv2d(1, 2, 8, stride=8, bias=False)
            self.feature_info = [{"module": "layer", "num_chs": 2, "reduction": 8}]
            torch.nn.init.constant_(self.layer.weight[0], 1 / 64)
            torch.nn.init.constant_(self.layer.weight[1], -1 / 64)

        def forward(self, films: torch.Tensor) -> torch.Tensor:
            return self.layer(films).mean((2, 3))

    spec = InputSpec(64, 64)
    network = Network(TwoPlanes(), spec, normalisation=(0.0, 1.0)).eval()
    with torch.no_grad():
        network.head.weight.copy_(torch.tensor([[4.0, -1.0]]))
    films = np.random.default_rng(3).integers(0, 256, (1, 64, 64), dtype=np.uint8)
    grey = films[0].reshape(8, 8, 8, 8).mean((1, 3)) / 255
    slopes = np.array([4.0, -1.0]) / 64
    if method == "gradcam++":  # alpha, where the slope is the same all over
        totals = np.array([grey.sum(), -grey.sum()])
        alpha = slopes**2 / (2 * slopes**2 + totals * slopes**3 + 1e-6)
        weights = 64 * np.maximum(slopes, 0) * alpha
    else:
        weights = slopes
    hand = np.maximum(weights[0] * grey - weights[1] * grey, 0)
    if method == "hirescam":
        hand = gaussian_filter((slopes[0] - slopes[1]) * grey, SMOOTH)
    stage = stage_for(network, method)
    assert stage is not None
    ours = activation_maps(network, method, stage, torch.from_numpy(films[:, None]).float())
    np.testing.assert_allclose(scaled(ours)[0], scaled((hand - hand.min())[None])[0], atol=1e-5)
    assert heatmaps(network, films, method).max() == 1
