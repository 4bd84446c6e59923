"""Our convolution gives what torch's gives, forwards and backwards, at every size."""

from __future__ import annotations

import copy

import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers.networks import TIMM_BACKBONES
from torch import Tensor, nn

from pneumoscope.models import conv
from pneumoscope.models.conv import fast_on_cpu
from pneumoscope.models.zoo import build_backbone


def passes(layer: nn.Module, films: Tensor, *, bf16: bool) -> list[Tensor]:
    """What comes out, and the gradients of the films, the weights and the bias."""
    films = films.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        maps = layer(films)
    assert maps.dtype == (torch.bfloat16 if bf16 else torch.float32)
    pull = torch.linspace(-1, 1, maps.numel()).view_as(maps)
    maps.float().backward(pull)  # type: ignore[no-untyped-call]
    gradients = (t.grad for t in (films, *layer.parameters()) if t.grad is not None)
    return [maps.detach().float(), *gradients]


def pair(**shape: int | bool | tuple[int, int]) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    plain = nn.Conv2d(**shape).to(memory_format=torch.channels_last)  # type: ignore[arg-type]
    return plain, fast_on_cpu(copy.deepcopy(plain))


@given(
    batch=st.integers(1, 5),
    high=st.integers(1, 7),
    wide=st.integers(1, 7),
    kernel=st.sampled_from([(1, 1), (3, 3), (2, 3)]),
    padding=st.integers(0, 1),
    stride=st.integers(1, 2),
    bias=st.booleans(),
    bf16=st.booleans(),
)
def test_it_is_torch_s_convolution(
    batch: int,
    high: int,
    wide: int,
    kernel: tuple[int, int],
    padding: int,
    stride: int,
    bias: bool,
    bf16: bool,
) -> None:
    """Torch's in float32: its own bf16 gradient of a padded single cell is partly unwritten."""
    if kernel[0] > high + 2 * padding or kernel[1] > wide + 2 * padding:
        return
    plain, ours = pair(
        in_channels=256,
        out_channels=8,
        kernel_size=kernel,
        padding=padding,
        stride=stride,
        bias=bias,
    )
    films = torch.randn(batch, 256, high, wide).to(memory_format=torch.channels_last)
    for mine, theirs in zip(
        passes(ours, films, bf16=bf16), passes(plain, films, bf16=False), strict=True
    ):
        assert mine.dtype == theirs.dtype and mine.shape == theirs.shape
        scale = float(theirs.float().abs().max()) or 1.0
        torch.testing.assert_close(mine, theirs, rtol=0, atol=scale * (0.02 if bf16 else 1e-5))


@pytest.mark.parametrize("channels", [8, 256])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_gradient_of_a_single_cell_is_written_whole(channels: int, stride: int) -> None:
    plain, ours = pair(
        in_channels=channels, out_channels=8, kernel_size=3, padding=1, stride=stride, bias=False
    )
    film = torch.randn(2, channels, 1, 1)
    (_, _, mine), (_, _, theirs) = passes(ours, film, bf16=True), passes(plain, film, bf16=False)
    assert not mine[:, :, ::2].any() and not mine[:, :, :, ::2].any()
    torch.testing.assert_close(mine, theirs, rtol=0.02, atol=0.02 * float(theirs.abs().max()))


@pytest.mark.parametrize(
    ("channels", "side", "product"), [(256, 4, 1), (256, 5, 0), (128, 4, 0), (8, 1, 1)]
)
def test_only_small_maps_of_many_channels_become_a_product(
    monkeypatch: pytest.MonkeyPatch, channels: int, side: int, product: int
) -> None:
    _, ours = pair(in_channels=channels, out_channels=2, kernel_size=3, padding=1)
    seen: list[int] = []
    apply = conv._Patches.apply
    monkeypatch.setattr(conv._Patches, "apply", lambda *a: seen.append(1) or apply(*a))
    ours(torch.randn(1, channels, side, side))
    assert len(seen) == product


def test_other_convolutions_are_left_to_torch() -> None:
    for shape in ({"groups": 256}, {"dilation": 2}, {"padding": "same"}):
        settings_ = {"in_channels": 256, "out_channels": 256, "kernel_size": 3, **shape}
        plain, ours = pair(**settings_)  # type: ignore[arg-type]
        films = torch.randn(2, 256, 6, 6)
        torch.testing.assert_close(ours(films), plain(films), rtol=0, atol=1e-5)
    reflecting = nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect")
    assert type(fast_on_cpu(reflecting)) is nn.Conv2d


def test_an_empty_batch_passes() -> None:
    _, ours = pair(in_channels=256, out_channels=2, kernel_size=3, padding=1)
    assert ours(torch.zeros(0, 256, 2, 2)).shape == (0, 2, 2, 2)


@pytest.mark.parametrize("name", TIMM_BACKBONES)
def test_backbones_keep_their_names_and_their_features(name: str) -> None:
    torch.manual_seed(0)
    theirs = timm.create_model(name, pretrained=False, in_chans=1, num_classes=0).eval()
    ours = build_backbone(name).eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    films = torch.randn(2, 1, 64, 64)
    with torch.inference_mode():
        expected = theirs(films)
        torch.testing.assert_close(ours(films), expected, rtol=1e-4, atol=1e-5)
