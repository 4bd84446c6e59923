"""The weight average."""

import pytest
import torch
from torch import nn

from pneumoscope.training.module import _average


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
