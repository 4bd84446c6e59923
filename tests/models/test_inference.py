"""A network made quick for reading gives the answers of the network that was trained."""

import copy

import pytest
import torch
from tests.helpers.networks import BACKBONES, shaken
from torch import nn

from pneumoscope.models import inference
from pneumoscope.models.inference import QuickReLU, optimize_for_inference
from pneumoscope.models.network import Network
from pneumoscope.models.resnet import plain_resnet
from pneumoscope.models.zoo import build_backbone
from pneumoscope.records import InputSpec

LEFT = {"densenet121": 62}
"""Batch norms that no convolution comes just before: in DenseNet they come first."""


def trained(backbone: nn.Module, films: torch.Tensor) -> Network:
    """As after training: batch norms that do something, logits of up to 10."""
    spec = InputSpec(64, 64)
    network = Network(shaken(backbone), spec, normalisation=(0.5, 0.25)).eval()
    network = network.to(memory_format=torch.channels_last)
    with torch.no_grad():
        network.head.weight.mul_(10 / network(films).abs().max())
    return network


@pytest.fixture(autouse=True)
def films() -> torch.Tensor:
    """From dark to bright, so that features differ as those of real films do."""
    torch.manual_seed(0)
    levels = torch.linspace(0.1, 1, 6)[:, None, None]
    return (torch.randint(0, 256, (6, 64, 64)) * levels).to(torch.uint8)


@pytest.mark.parametrize("name", BACKBONES)
def test_logits_stay(name: str, films: torch.Tensor) -> None:
    network = trained(build_backbone(name), films)
    before = copy.deepcopy(network.state_dict())
    quick = optimize_for_inference(network, "float32")
    with torch.inference_mode():
        wanted = network(films)
        torch.testing.assert_close(quick(films), wanted, atol=1e-4, rtol=0)
        grey = torch.randn(2, 1, 64, 64)
        features, same = network.backbone(grey), quick.backbone(grey)
    assert (same - features).norm() <= 1e-5 * features.norm()
    norms = sum(isinstance(part, nn.BatchNorm2d) for part in quick.modules())
    assert norms == LEFT.get(name, 0)
    # What is saved is the network itself, which was not touched.
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key])


@pytest.mark.parametrize(
    "name",
    ["resnet18", "densenet121", "efficientnet_b0", "tf_efficientnet_lite0", "convnext_tiny"],
)
def test_bf16_is_no_coarser_than_it_was(name: str, films: torch.Tensor) -> None:
    network = trained(build_backbone(name), films)
    quick = optimize_for_inference(network, "bf16")
    with torch.inference_mode():
        fine = network(films)
        with torch.autocast("cpu", torch.bfloat16):
            plain = (network(films) - fine).abs().max()
            gap = (quick(films) - fine).abs().max()
    assert 0 < gap <= 2 * plain


def test_the_plain_resnet_too(films: torch.Tensor) -> None:
    network = trained(plain_resnet("resnet50"), films)
    with torch.inference_mode():
        torch.testing.assert_close(
            optimize_for_inference(network, "float32")(films), network(films), atol=1e-4, rtol=0
        )


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("form", [torch.channels_last, torch.contiguous_format])
def test_relu_by_the_sign_bit(kind: torch.dtype, form: torch.memory_format) -> None:
    films = torch.randn(2, 3, 5, 4).to(kind).to(memory_format=form)
    films[0, 0, 0] = torch.tensor([-0.0, 0.0, -1e-39, float("inf")], dtype=kind)
    wanted = films.relu()
    got = QuickReLU()(films)
    assert got is films and torch.equal(got, wanted)


@pytest.mark.parametrize("side", [48, 65, 75])
def test_convolutions_clip_by_themselves_at_every_size(side: int) -> None:
    """Sizes at which strides leave other cells over; without the library's fused pass too."""
    plain = shaken(build_backbone("tf_efficientnet_lite0")).eval()
    quick = copy.deepcopy(plain).requires_grad_(False)
    inference._fold(quick)
    inference._clip_early(quick)
    assert not any(isinstance(part, nn.ReLU6) for part in quick.modules())
    films = torch.randn(2, 1, side, side)
    with torch.inference_mode():
        wanted = plain(films)
        for has_library in (True, False):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(torch.backends.mkldnn, "is_available", lambda: has_library)  # noqa: B023
                got = quick(films)
            assert (got - wanted).norm() <= 1e-5 * wanted.norm()
