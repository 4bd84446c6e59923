"""Heatmaps of networks whose evidence is at a known place, and of every backbone of the zoo."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.helpers.networks import BACKBONES
from torch import Tensor, nn

from pneumoscope.errors import InputError
from pneumoscope.explain import cam
from pneumoscope.explain.cam import enlarged, heatmaps
from pneumoscope.explain.heat import METHODS, scaled
from pneumoscope.explain.occlusion import squares
from pneumoscope.explain.stages import choose_stage, stages_of, with_place
from pneumoscope.models.network import Network
from pneumoscope.models.zoo import build_backbone
from pneumoscope.records import InputSpec

NAMES = [method.name for method in METHODS]


class BrightSquare(nn.Module):
    """One 5 × 5 layer of stride 4 that answers to brightness, then the mean: bright is evidence."""

    def __init__(self, padding: int = 2, kernel: int = 5) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, kernel, stride=4, padding=padding, bias=False)
        self.act = nn.ReLU()
        self.num_features = 2
        self.feature_info = [{"module": "act", "num_chs": 2, "reduction": 4}]
        with torch.no_grad():
            self.conv.weight[0] = 1.0 / kernel**2
            self.conv.weight[1] = -1.0 / kernel**2

    def forward(self, films: Tensor) -> Tensor:
        return self.act(self.conv(films)).mean((2, 3))


def bright_network(margin: float = 0.0, **shape: int) -> Network:
    spec = InputSpec(48, round(48 * (1 - margin)), margin=margin)
    network = Network(BrightSquare(**shape), spec, normalisation=(0.0, 1.0))
    with torch.no_grad():
        network.head.weight[:] = torch.tensor([[4.0, -1.0]])
        network.head.bias.zero_()
    return network.eval()


def films_with(*places: tuple[int, int], side: int = 48, size: int = 9) -> np.ndarray:
    """Dark films, each with one bright square around (row, column)."""
    films = np.full((len(places), side, side), 10, np.uint8)
    half = size // 2
    for film, (row, column) in zip(films, places, strict=True):
        film[row - half : row + half + 1, column - half : column + half + 1] = 240
    return films


@pytest.mark.parametrize("method", NAMES)
@pytest.mark.parametrize("mirror", [False, True])
def test_the_maximum_is_where_the_evidence_is(method: str, mirror: bool) -> None:
    places = [(12, 32), (36, 12), (20, 20), (28, 36)]
    network = bright_network()
    films = films_with(*places)
    heat = heatmaps(network, films, method, mirror=mirror)
    assert heat.shape == films.shape and heat.dtype == np.float32
    for one, place in zip(heat, places, strict=True):
        hottest = np.argwhere(one == one.max()).mean(axis=0)
        assert np.abs(hottest - place).max() <= 3, (hottest, place)
        assert one.min() >= 0 and one.max() == pytest.approx(1.0)


@pytest.mark.parametrize("method", NAMES)
def test_what_the_margin_cuts_off_is_cold(method: str) -> None:
    network = bright_network(margin=1 / 3)
    heat = heatmaps(network, films_with((24, 28)), method)[0]
    assert not heat[:8].any() and not heat[:, 40:].any() and not heat[40:].any()
    hottest = np.argwhere(heat == heat.max()).mean(axis=0)
    assert np.abs(hottest - (24, 28)).max() <= 3


@pytest.mark.parametrize(("kernel", "padding", "first"), [(5, 2, 0.125), (4, 0, 0.5)])
def test_where_cells_look_is_measured(kernel: int, padding: int, first: float) -> None:
    """Cell i of a 5 × 5 layer of stride 4 and padding 2 is centred on pixel 4 i, whose middle is
    half a pixel on; that of 4 × 4 without padding on the middle of its square."""
    network = bright_network(kernel=kernel, padding=padding)
    stage = with_place(network, stages_of(network)[0])
    assert stage.first == pytest.approx(first, abs=0.03)


def test_the_map_is_not_shifted_by_padding() -> None:
    """On the same films the place that a plain enlargement gives lies half a cell too far."""
    network = bright_network()
    films = films_with((20, 28), size=5)
    stage = choose_stage(network)
    right = heatmaps(network, films, "gradcam", stage=stage)[0]
    hottest = np.argwhere(right == right.max()).mean(axis=0)
    assert np.abs(hottest - (20, 28)).max() <= 0.5


def test_enlarged_peaks_at_the_centre_of_the_hottest_cell() -> None:
    small = np.zeros((1, 4, 4), np.float32)
    small[0, 0, 3] = 1.0
    large = enlarged(small, 16)[0]
    row, column = np.argwhere(large == large.max()).mean(axis=0)
    assert (row, column) == (1.5, 13.5)
    # Halfway between two centres, half of the heat.
    assert enlarged(small, 4)[0].tolist() == small[0].tolist()


def test_scaled_by_hand() -> None:
    given = np.array([[[-1.0, 2.0], [4.0, 0.0]], [[-1.0, -2.0], [0.0, 0.0]]])
    assert scaled(given).tolist() == [[[0, 0.5], [1, 0]], [[0, 0], [0, 0]]]


def test_occlusion_is_the_direct_loop() -> None:
    torch.manual_seed(0)
    network = bright_network()
    rng = np.random.default_rng(0)
    films = rng.integers(0, 256, (2, 48, 48), dtype=np.uint8)
    patch, starts = squares(48)
    assert patch == 12 and starts == [0, 6, 12, 18, 24, 30, 36]
    got = heatmaps(network, films, "occlusion")
    for film, heat in zip(films, got, strict=True):
        total, count = np.zeros((48, 48)), np.zeros((48, 48))
        base = torch.from_numpy(film.astype(np.float32))
        with torch.no_grad():
            whole = float(network(base[None])[0])
            for top in starts:
                for left in starts:
                    covered = base.clone()
                    covered[top : top + 12, left : left + 12] = base.mean()
                    fall = whole - float(network(covered[None])[0])
                    total[top : top + 12, left : left + 12] += fall
                    count[top : top + 12, left : left + 12] += 1
        mean = np.maximum(total / count, 0)
        np.testing.assert_allclose(heat, mean / mean.max(), atol=2e-4)


@pytest.mark.parametrize(("side", "part"), [(48, 0.25), (50, 0.25), (7, 0.3), (3, 0.1)])
def test_squares_cover_every_pixel(side: int, part: float) -> None:
    patch, starts = squares(side, part)
    covered = {at for start in starts for at in range(start, start + patch)}
    assert covered == set(range(side))


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_of_the_zoo_gives_maps(backbone: str) -> None:
    torch.manual_seed(0)
    network = Network(build_backbone(backbone), InputSpec(32, 64), normalisation=(0.5, 0.25)).eval()
    films = np.random.default_rng(1).integers(0, 256, (1, 32, 32), dtype=np.uint8)
    with torch.no_grad():  # a head that says pneumonia of these films, so that there is evidence
        features = network.backbone(torch.from_numpy(films).float()[:, None] / 64)
        network.head.weight.copy_(features.mean(0, keepdim=True))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    for method in ("gradcam", "gradcam++", "hirescam", "eigencam"):
        heat = heatmaps(network, films, method)
        assert heat.shape == (1, 32, 32) and heat.dtype == np.float32
        assert heat.min() >= 0 and heat.max() == pytest.approx(1.0), method
        assert heat.std() > 0.01, method
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert all(weights.grad is None for weights in network.parameters())


def test_a_frozen_network_in_training_is_explained_and_left_as_it_was() -> None:
    network = bright_network().train()
    network.requires_grad_(False)
    heat = heatmaps(network, films_with((20, 20)), "gradcam")
    assert heat.max() == 1 and network.training
    assert not any(weights.requires_grad for weights in network.parameters())


class NoMap(nn.Module):
    num_features = 3

    def forward(self, films: Tensor) -> Tensor:
        return films.mean((2, 3)).expand(-1, 3)


def test_what_cannot_be_done_is_said() -> None:
    network = Network(NoMap(), InputSpec(16, 16), normalisation=(0.5, 0.25))
    films = np.zeros((1, 16, 16), np.uint8)
    with pytest.raises(InputError, match="no heatmap can be drawn of NoMap"):
        heatmaps(network, films, "gradcam")
    with pytest.raises(InputError, match="nearest: 'gradcam'"):
        heatmaps(network, films, "gradcamm")
    assert heatmaps(network, films, "occlusion").shape == (1, 16, 16)


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    network = bright_network()
    films = np.random.default_rng(0).integers(0, 256, (5, 48, 48), dtype=np.uint8)
    whole = heatmaps(network, films, "hirescam")
    monkeypatch.setattr(cam, "MAP_BATCH", 2)
    seen: list[tuple[int, int]] = []
    parts = heatmaps(
        network, films, "hirescam", advance=lambda done, total: seen.append((done, total))
    )
    np.testing.assert_allclose(parts, whole, atol=1e-5)
    assert seen == [(2, 5), (4, 5), (5, 5)]
