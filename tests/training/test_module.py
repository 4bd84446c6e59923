"""Schedule, optimiser groups and weight average."""

import pytest
import torch
from torch import nn

from pneumoscope.recipe import OptimChoices, load_recipe
from pneumoscope.training.module import _average, make_optimizer, rate


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


def test_average_follows_slowly_and_begins_with_a_short_history() -> None:
    network = nn.Linear(1, 1)
    average = _average(network, 0.99)
    assert average is not None
    with torch.no_grad():
        for _ in range(200):
            network.weight.fill_(1.0)
            average.update_parameters(network)
        assert float(average.module.weight) == pytest.approx(1.0, abs=1e-3)
        network.weight.fill_(0.0)
        average.update_parameters(network)
    assert float(average.module.weight) == pytest.approx(0.99**4, abs=0.01)


def test_no_average_when_off() -> None:
    assert _average(nn.Linear(1, 1), 0.0) is None
