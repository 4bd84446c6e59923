"""Depthwise layers and folded norms learn what float64 says, whatever their shape."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from timm.layers import BatchNormAct2d, Conv2dSame
from timm.models._efficientnet_blocks import InvertedResidual
from torch import Tensor, nn

from pneumoscope.models.conv import fast_on_cpu
from pneumoscope.models.efficientnet import norm
from pneumoscope.models.efficientnet.blocks import (
    Inverted,
    NormClip,
    SameDepthwise,
    efficient_on_cpu,
)
from pneumoscope.models.zoo import build_backbone


def learn(layer: nn.Module, films: Tensor, *, bf16: bool = False) -> dict[str, Tensor]:
    """What comes out, the gradients of the films and of each parameter, and the buffers after."""
    films = films.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        maps = layer(films)
    pull = torch.randn(maps.shape, generator=torch.Generator().manual_seed(1))
    maps.backward(pull.to(maps.dtype))
    found = {"maps": maps.detach(), "films": films.grad}
    found |= {name: p.grad for name, p in layer.named_parameters() if p.grad is not None}
    return found | dict(layer.named_buffers())


def check(ours: nn.Module, plain: nn.Module, films: Tensor, *, bf16: bool) -> None:
    """Ours is as near to float64 as rounding allows, in float32 and in bf16."""
    # What bf16 rounds on the way in is no fault of the layer.
    films = films.bfloat16().float() if bf16 else films
    exact = learn(copy.deepcopy(plain).double(), films.double())
    for name, value in learn(ours, films, bf16=bf16).items():
        truth = exact[name]
        far = (value.double() - truth.double()).norm() / (truth.double().norm() + 1e-9)
        assert far < (0.03 if bf16 else 1e-4), (name, float(far))


@given(
    kernel=st.sampled_from([3, 5]),
    stride=st.integers(1, 2),
    high=st.integers(1, 12),
    wide=st.integers(1, 12),
    channels=st.sampled_from([2, 16, 21]),
    same=st.booleans(),
    bf16=st.booleans(),
)
def test_depthwise_gradients_are_those_of_float64(
    kernel: int, stride: int, high: int, wide: int, channels: int, same: bool, bf16: bool
) -> None:
    torch.manual_seed(0)
    kind: Any = Conv2dSame if same else nn.Conv2d
    plain = kind(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)
    ours = efficient_on_cpu(fast_on_cpu(copy.deepcopy(plain)))
    assert not same or type(ours) is SameDepthwise
    check(ours, plain, torch.randn(3, channels, high, wide), bf16=bf16)


@pytest.mark.parametrize("padding", [0, 1, 2])
def test_other_paddings_learn_likewise(padding: int) -> None:
    for stride in (1, 2):
        plain = nn.Conv2d(4, 4, 5, stride, padding, groups=4, bias=False)
        check(fast_on_cpu(copy.deepcopy(plain)), plain, torch.randn(2, 4, 9, 8), bf16=False)


def block(kernel: int, stride: int, pad_type: str, given: int = 6) -> InvertedResidual:
    """A block whose norms are no identity and whose ReLU6 clips on both sides."""
    torch.manual_seed(0)
    made = InvertedResidual(
        given, 6, kernel, stride, pad_type=pad_type, exp_ratio=3.5, act_layer=nn.ReLU6
    )
    for part in made.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight, 2)
            nn.init.normal_(part.bias, 1)
    return made


SHAPES = [(kernel, *rest) for kernel in (3, 5) for rest in ((1, ""), (2, ""), (2, "same"))]


def uneven(seed: int = 0) -> Tensor:
    """Films of another mean and deviation in each channel."""
    torch.manual_seed(seed)
    return torch.randn(5, 6, 11, 8) * torch.linspace(0.2, 3, 6)[:, None, None] + 2


@pytest.mark.parametrize(("kernel", "stride", "pad_type"), SHAPES)
def test_a_block_learns_what_float64_learns(kernel: int, stride: int, pad_type: str) -> None:
    """Outputs, every gradient, and the running statistics."""
    plain = block(kernel, stride, pad_type)
    ours = efficient_on_cpu(fast_on_cpu(copy.deepcopy(plain)))
    assert type(ours) is Inverted and list(ours.state_dict()) == list(plain.state_dict())
    check(ours, plain, uneven(), bf16=False)


def test_in_bf16_a_block_is_no_farther_from_float64_than_timm_s() -> None:
    """Over all shapes: a single cell that rounds over the edge of ReLU6 moves a gradient by more
    than all other rounding."""
    squares = torch.zeros(2, dtype=torch.float64)
    for seed, shape in enumerate(SHAPES * 2):
        plain, films = block(*shape), uneven(seed)
        ours = efficient_on_cpu(fast_on_cpu(copy.deepcopy(plain)))
        exact = learn(copy.deepcopy(plain).double(), films.double())
        for place, layer in enumerate((ours, plain)):
            for name, value in learn(layer, films, bf16=True).items():
                truth = exact[name].double()
                squares[place] += float((value - truth).norm() / (truth.norm() + 1e-9)) ** 2
    assert squares[0] <= 1.5 * squares[1]


@pytest.mark.parametrize("bf16", [False, True])
def test_norm_and_clip_learn_what_float64_learns(bf16: bool) -> None:
    plain = nn.Sequential(BatchNormAct2d(21, act_layer=nn.ReLU6))
    nn.init.normal_(plain[0].weight, 2)
    ours = efficient_on_cpu(copy.deepcopy(plain))
    assert type(ours[0]) is NormClip
    films = torch.randn(3, 21, 7, 5) + 1
    if bf16:  # the maps come from a convolution, in bf16
        films = films.bfloat16()
        check(ours, plain, films, bf16=True)
    else:
        check(ours, plain, films, bf16=False)


def test_used_twice_a_layer_adds_its_gradients_and_follows_twice() -> None:
    plain = block(5, 1, "")
    twice = nn.Sequential(plain, plain)
    ours = efficient_on_cpu(fast_on_cpu(copy.deepcopy(twice)))
    check(ours, twice, torch.randn(3, 6, 8, 8), bf16=False)
    assert ours[0].bn1.num_batches_tracked == 2  # type: ignore[union-attr]


@pytest.mark.parametrize("frozen", ["", "conv_pw", "conv_dw", "bn1"])
def test_what_is_frozen_learns_nothing_and_the_rest_as_before(frozen: str) -> None:
    plain = block(5, 2, "same")
    for name, parameter in plain.named_parameters():
        parameter.requires_grad_(not frozen or not name.startswith(frozen))
    ours = efficient_on_cpu(fast_on_cpu(copy.deepcopy(plain)))
    for mode in (True, False):
        films = torch.randn(2, 6, 8, 8)
        mine, theirs = (copy.deepcopy(one).train(mode) for one in (ours, plain))
        assert (
            learn(copy.deepcopy(mine), films).keys() == learn(copy.deepcopy(theirs), films).keys()
        )
        check(mine, theirs, films, bf16=False)


def test_a_gpu_an_exporter_and_evaluation_have_timm_s_own_layers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = efficient_on_cpu(fast_on_cpu(block(3, 1, "")))
    films = torch.randn(2, 6, 8, 8)
    for part in ("norm_clip", "pointwise_norm_clip", "depthwise"):
        monkeypatch.setattr(f"pneumoscope.models.efficientnet.blocks.{part}", None)
    with pytest.raises(TypeError):
        ours(films)
    with torch.no_grad():
        ours(films)
    ours.eval().requires_grad_(False)(films)
    ours.train().to("meta")(films.to("meta"))


def test_without_the_library_s_fused_pass_the_answers_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    films, weight, bias = torch.randn(2, 4, 3, 3), torch.randn(8, 4, 1, 1), torch.randn(8)
    fused = norm.conv_clip(films, weight, bias)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    torch.testing.assert_close(norm.conv_clip(films, weight, bias), fused)


def test_weights_and_optimiser_of_timm_s_network_go_on_training_ours() -> None:
    """Names, order and shapes are timm's, so old runs go on; the first losses are theirs."""
    torch.manual_seed(0)
    name = "tf_efficientnet_lite0"
    theirs = timm.create_model(name, pretrained=False, in_chans=1, num_classes=0)
    ours = build_backbone(name)
    assert sum(type(part) is Inverted for part in ours.modules()) == 15
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    ours.load_state_dict(theirs.state_dict())
    films = torch.randn(8, 1, 64, 64)
    values = []
    for network in (theirs.train(), ours.train()):
        optimizer = torch.optim.SGD(network.parameters(), 1e-3)
        for _ in range(2):
            loss = network(films).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        values.append(loss.detach())
    torch.testing.assert_close(values[0], values[1], rtol=1e-3, atol=1e-5)
