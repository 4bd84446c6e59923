"""The network: what it takes, where it resizes and normalises, and what one or two outputs mean."""

import pytest
import torch
from torch import nn

from pneumoscope.errors import UnknownBackbone
from pneumoscope.models.network import Network, logit_of
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
