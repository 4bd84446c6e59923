"""What a training step sees, and the weight average."""

import pytest
import torch
from torch import Tensor, nn

from pneumoscope.models.network import Network
from pneumoscope.models.zoo import build_backbone
from pneumoscope.recipe import load_recipe
from pneumoscope.records import InputSpec
from pneumoscope.training.losses import Loss
from pneumoscope.training.module import Classifier, _average

STILL = [f"augment.{k}=0" for k in (
    "rotation", "translation", "scale", "stretch", "brightness", "contrast", "gamma", "detail",
    "field", "noise", "erase",
)]  # fmt: skip


@pytest.mark.parametrize("margin", [0.0, 0.25])
@pytest.mark.parametrize(("stored", "side"), [(28, 64), (64, 28), (32, 32)])
def test_unchanged_films_are_trained_as_they_are_judged(
    stored: int, side: int, margin: float
) -> None:
    """Films stored smaller than the network sees were once cropped to their middle, only here."""
    spec = InputSpec(stored, side, margin=margin)
    network = Network(build_backbone("test_resnet"), spec, normalisation=(0.5, 0.25))
    recipe = load_recipe("default", [*STILL, "train.ema=0"])
    module = Classifier(network, recipe, Loss(recipe.loss, 3, 6), steps=1, seed=0)
    inputs: list[Tensor] = []
    network.backbone.register_forward_pre_hook(lambda _, given: inputs.append(given[0].detach()))
    films = torch.randint(0, 256, (6, stored, stored), dtype=torch.uint8)
    labels = torch.tensor([0, 1] * 3).float()
    module.training_step((films, labels), 0)
    module.validation_step((films, labels), 0)
    network(films)
    trained, validated, judged = inputs
    assert trained.shape == (6, 1, side, side)
    # At the edge of what is shown, augmentation still knows what lies beyond.
    inner = (..., slice(2, -2), slice(2, -2))
    torch.testing.assert_close(trained[inner], judged[inner], atol=1e-4, rtol=0)
    torch.testing.assert_close(validated, judged, atol=0, rtol=0)


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
