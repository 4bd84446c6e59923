"""What a training step sees, and the weight average."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pneumoscope.listener import Silent
from pneumoscope.models.network import Network
from pneumoscope.models.zoo import build_backbone
from pneumoscope.recipe import load_recipe
from pneumoscope.records import InputSpec
from pneumoscope.run import Run
from pneumoscope.training.checkpoint import CheckpointCallback
from pneumoscope.training.losses import Loss
from pneumoscope.training.module import ClassifierModule, _average

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
    module = ClassifierModule(network, recipe, Loss(recipe.loss, 3, 6), steps=1, seed=0)
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


def test_a_resumed_run_averages_no_step_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """With accumulation the first batch after a resume makes no step of its own."""
    module = classifier("train.accumulate=2")
    monkeypatch.setattr(ClassifierModule, "global_step", 8)
    module.on_train_start()
    module.on_train_batch_end()
    assert module.average is not None and int(module.average.n_averaged) == 0
    monkeypatch.setattr(ClassifierModule, "global_step", 12)
    module.on_train_batch_end()
    assert int(module.average.n_averaged) == 1


def test_progress_shows_the_loss_and_counts_the_films(tmp_path: Path) -> None:
    notes: list[str] = []

    class Ear(Silent):
        def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
            notes.append(note)

    module = classifier("train.accumulate=2")
    films = torch.zeros((6, 32, 32), dtype=torch.uint8), torch.tensor([0, 1] * 3).float()
    loss = module.training_step(films, 0)
    trainer: Any = SimpleNamespace(
        num_training_batches=1, current_epoch=0, max_epochs=1, accumulate_grad_batches=2
    )
    keeper = CheckpointCallback(Run(tmp_path), "last", 0, Ear())
    # Lightning hands on the loss as it is added to the gradient.
    keeper.on_train_batch_end(trainer, module, {"loss": loss.detach() / 2}, films, 0)
    assert notes == [f"epoch 1/1 loss {loss.item():.2f}"]
    assert module.trained_films == 6  # where a batch of 64 was asked for


def classifier(*changes: str) -> ClassifierModule:
    network = Network(build_backbone("test_resnet"), InputSpec(32, 32), normalisation=(0.5, 0.25))
    recipe = load_recipe("default", [*STILL, "train.ema=0.9", *changes])
    return ClassifierModule(network, recipe, Loss(recipe.loss, 3, 6), steps=1, seed=0)


def test_no_average_when_off() -> None:
    assert _average(nn.Linear(1, 1), 0.0) is None
