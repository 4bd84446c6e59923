"""The network: what it takes, where it resizes and normalises, and what one or two outputs mean."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pneumoscope.errors import UnknownBackbone
from pneumoscope.models.network import Network, even_out, local_means, logit_of
from pneumoscope.models.zoo import ZOO, build_backbone
from pneumoscope.records import InputSpec


class Mean(nn.Module):
    """A backbone whose single feature is the mean of its input."""

    num_features = 1

    def forward(self, films: torch.Tensor) -> torch.Tensor:
        return films.mean(dim=(1, 2, 3))[:, None]


def identity_network(stored: int = 8, side: int = 8, outputs: int = 1) -> Network:
    network = Network(Mean(), InputSpec(stored, side), normalisation=(0.5, 0.25), outputs=outputs)
    nn.init.ones_(network.head.weight)
    nn.init.zeros_(network.head.bias)
    return network


@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 1, 8, 8)])
def test_normalisation_is_inside(shape: tuple[int, ...]) -> None:
    films = torch.full(shape, 255, dtype=torch.uint8)
    torch.testing.assert_close(identity_network()(films), torch.full((3,), (1 - 0.5) / 0.25))


def test_stored_films_are_enlarged_inside() -> None:
    network = identity_network(8, 24)
    assert network.seen(torch.zeros(2, 8, 8, dtype=torch.uint8)).shape == (2, 1, 24, 24)


@pytest.mark.parametrize(("side", "cells"), [(64, 4), (64, 1), (30, 4), (224, 16)])
def test_local_means_are_those_of_two_interpolations(side: int, cells: int) -> None:
    films = torch.rand(2, 1, side, side, generator=torch.Generator().manual_seed(0))
    down, up = local_means(side, cells)
    coarse = F.interpolate(films, (cells, cells), mode="area")
    want = F.interpolate(coarse, (side, side), mode="bicubic", align_corners=False)
    torch.testing.assert_close(up @ down @ films @ down.T @ up.T, want, atol=1e-5, rtol=0)


def test_evened_out_films_tell_neither_brightness_nor_contrast() -> None:
    torch.manual_seed(0)
    local, smooth = local_means(64, 4), local_means(64, 2)[1]
    films = 0.5 + 0.1 * torch.randn(3, 1, 64, 64)
    plain = even_out(films, *local)
    assert plain.mean().abs() < 0.01 and 0.6 < float(plain.std()) < 1
    field = 0.1 * (smooth @ torch.randn(3, 1, 2, 2) @ smooth.T)
    torch.testing.assert_close(even_out(films + 0.3, *local), plain, atol=1e-4, rtol=0)
    # Twice the contrast differs only by what keeps an empty border quiet; a field hardly at all.
    assert (even_out(2 * films, *local) - plain).std() < 0.15
    assert (even_out(films + field, *local) - plain).std() < 0.05
    assert even_out(torch.full((1, 1, 64, 64), 0.7), *local).abs().max() < 1e-3


def test_evening_out_is_inside_and_exact_under_bf16() -> None:
    network = Network(Mean(), InputSpec(8, 64, local_contrast=4), normalisation=(0.5, 0.25))
    films = torch.randint(0, 256, (3, 8, 8), dtype=torch.uint8)
    want = even_out(network.seen(films) / 255, *local_means(64, 4))
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(network._normalise(network.seen(films)), want, atol=0, rtol=0)
    assert not {"up", "down"} & set(network.state_dict())


def test_two_outputs_give_the_difference_as_logit() -> None:
    scores = torch.tensor([[1.0, 3.0], [2.0, -1.0]])
    assert logit_of(scores).tolist() == [2.0, -3.0]
    assert logit_of(scores[:, :1]).tolist() == [1.0, 2.0]
    softmax = torch.softmax(scores, 1)[:, 1]
    torch.testing.assert_close(torch.sigmoid(logit_of(scores)), softmax)


def test_logits_are_float32_even_under_bf16() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        got = identity_network()(torch.randint(0, 255, (64, 8, 8), dtype=torch.uint8))
    assert got.dtype == torch.float32 and len(got.unique()) > 50


@pytest.mark.parametrize("name", [backbone.name for backbone in ZOO])
def test_every_backbone_of_the_zoo_reads_grey_films(name: str) -> None:
    torch.manual_seed(0)
    network = Network(build_backbone(name), InputSpec(28, 64), normalisation=(0.5, 0.25)).eval()
    with torch.inference_mode():
        got = network(torch.randint(0, 255, (2, 28, 28), dtype=torch.uint8))
    assert got.shape == (2,) and torch.isfinite(got).all()
    stated = next(b.parameters for b in ZOO if b.name == name)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(stated, abs=0.06)


def test_unknown_backbone_names_the_nearest() -> None:
    with pytest.raises(UnknownBackbone, match="resnet50"):
        build_backbone("resnet5O")
