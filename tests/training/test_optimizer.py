"""Schedule and optimiser groups."""

import copy

import pytest
import torch
from torch import nn

from pneumoscope.models.freeze import frozen_count
from pneumoscope.models.network import Network
from pneumoscope.models.zoo import build_backbone
from pneumoscope.recipe import load_recipe
from pneumoscope.records import InputSpec
from pneumoscope.sections import OptimChoices
from pneumoscope.training.optimizer import clip_gradients, make_optimizer, rate


def optim(**changed: object) -> OptimChoices:
    return load_recipe("default").optim.model_copy(update=changed)


def test_rate_rises_linearly_then_falls_as_a_cosine() -> None:
    choices = optim(warmup=0.1, schedule="cosine")
    rates = [rate(step, 100, choices) for step in range(100)]
    assert rates[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert rates[10] == 1.0 and rates[55] == pytest.approx(0.5) and 0 < rates[99] < 0.001
    assert rates[9:] == sorted(rates[9:], reverse=True)


def test_constant_rate_stays() -> None:
    assert {rate(s, 50, optim(warmup=0, schedule="constant")) for s in range(50)} == {1.0}


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_decay_spares_biases_and_norms(name: str) -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    heavy, light = make_optimizer(network, optim(name=name, weight_decay=0.1)).param_groups
    assert heavy["weight_decay"] == 0.1 and light["weight_decay"] == 0.0
    assert [p.ndim for p in heavy["params"]] == [4]
    assert len(light["params"]) == 3


def test_linear_rate_falls_evenly() -> None:
    rates = [rate(s, 10, optim(warmup=0, schedule="linear")) for s in range(10)]
    assert rates == pytest.approx([1 - s / 10 for s in range(10)])


def test_layer_decay_lowers_the_rate_from_the_head_down() -> None:
    network = Network(build_backbone("resnet18"), InputSpec(32, 32), normalisation=(0.5, 0.25))
    groups = make_optimizer(network, optim(learning_rate=1.0, layer_decay=0.5)).param_groups
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert len(rates) == len(list(network.parameters()))
    assert rates[id(network.head.weight)] == 1.0
    layers = network.backbone
    # Eight residual blocks below the head, the stem below them.
    assert rates[id(layers.layer4[1].conv1.weight)] == 0.5
    assert rates[id(layers.layer1[0].conv1.weight)] == 0.5**8
    assert rates[id(layers.conv1.weight)] == 0.5**9


def test_frozen_parameters_are_left_out() -> None:
    network = Network(build_backbone("resnet18"), InputSpec(32, 32), normalisation=(0.5, 0.25))
    network.freeze(frozen_count(network.backbone, "layer3"))
    groups = make_optimizer(network, optim()).param_groups
    assert sum(len(group["params"]) for group in groups) == 2 + len(
        list(network.backbone.layer4.parameters())
    )


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("most", [0.01, 0.5, 1.0, 100.0])
def test_gradients_are_clipped_as_torch_clips_them(most: float, broken: bool) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 1), nn.Linear(3, 3))
    network[:2](torch.randn(7, 5)).square().mean().backward()  # the third has no gradients
    if broken:
        next(network.parameters()).grad[0, 0] = torch.nan  # type: ignore[index]
    theirs = copy.deepcopy(network)
    for mine, other in zip(network.parameters(), theirs.parameters(), strict=True):
        other.grad = None if mine.grad is None else mine.grad.clone()
    clip_gradients(network, most)
    nn.utils.clip_grad_norm_(theirs.parameters(), most)
    for mine, other in zip(network.parameters(), theirs.parameters(), strict=True):
        assert (mine.grad is None) == (other.grad is None)
        if mine.grad is not None:
            torch.testing.assert_close(mine.grad, other.grad, rtol=0, atol=0, equal_nan=True)
