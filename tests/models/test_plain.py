"""A plain copy has the layers of torch and timm alone, and gives the same."""

import pytest
import torch
from tests.helpers.networks import shaken

from pneumoscope.models.bundle import _backbone
from pneumoscope.models.network import Network
from pneumoscope.models.plain import plain_copy
from pneumoscope.records import InputSpec


@pytest.mark.parametrize("name", ["resnet18d", "tf_efficientnet_lite0"])
def test_layers_of_ours_are_put_back(name: str) -> None:
    torch.manual_seed(0)
    network = Network(shaken(_backbone(name)), InputSpec(64, 64), normalisation=(0.5, 0.25)).eval()
    ours = {type(part) for part in network.backbone.modules()}
    plain = plain_copy(network, name)
    kinds = {type(part) for part in plain.backbone.modules()}
    left = {kind.__name__ for kind in kinds if kind.__module__.startswith("pneumoscope")}
    assert left <= {"ResNet", "_Block"}
    assert {type(part) for part in network.backbone.modules()} == ours  # it itself is not altered
    films = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        torch.testing.assert_close(plain(films), network(films), atol=1e-4, rtol=1e-5)
