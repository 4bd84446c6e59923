"""Losses against hand-worked values and torch's own weighting."""

import math

import pytest
import torch
import torch.nn.functional as F

from pneumoscope.recipe import LossChoices
from pneumoscope.training.losses import Loss

LABELS = torch.tensor([0.0, 1.0, 1.0, 1.0])


def choices(name: str, weighting: str = "none", smoothing: float = 0.0) -> LossChoices:
    return LossChoices(name=name, weighting=weighting, label_smoothing=smoothing)


def test_bce_by_hand() -> None:
    loss = Loss(choices("bce"), 3, 4)(torch.tensor([[0.0], [0.0], [2.0], [-2.0]]), LABELS)
    by_hand = (2 * math.log(2) + math.log1p(math.exp(-2)) + math.log1p(math.exp(2))) / 4
    assert float(loss) == pytest.approx(by_hand, abs=1e-6)


def test_balanced_classes_pull_equally() -> None:
    loss = Loss(choices("bce", "balanced"), positives=3, total=4)
    zeros = torch.zeros(4, 1, requires_grad=True)
    loss(zeros, LABELS).backward()
    pull = zeros.grad[:, 0]
    assert float(pull[0]) == pytest.approx(-float(pull[1:].sum()), abs=1e-6)
    assert float(loss.weights @ torch.tensor([0.25, 0.75])) == pytest.approx(1.0)


def test_cross_entropy_is_torchs_without_weights() -> None:
    scores = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    got = Loss(choices("cross_entropy", smoothing=0.1), 3, 4)(scores, LABELS)
    torch.testing.assert_close(got, F.cross_entropy(scores, LABELS.long(), label_smoothing=0.1))


@pytest.mark.parametrize("name", ["bce", "cross_entropy"])
def test_the_optimum_lies_at_the_smoothed_targets_also_when_balanced(name: str) -> None:
    loss = Loss(choices(name, "balanced", smoothing=0.1), 3, 4)
    logits = torch.logit(torch.tensor([0.05, 0.95, 0.95, 0.95]))
    scores = torch.stack([torch.zeros(4), logits], 1) if loss.outputs == 2 else logits[:, None]
    scores = scores.clone().requires_grad_()
    loss(scores, LABELS).backward()
    assert float(scores.grad.abs().max()) < 1e-6


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_bce_on_the_difference_is_cross_entropy_on_two_outputs(smoothing: float) -> None:
    scores = torch.randn(4, 2, generator=torch.Generator().manual_seed(1))
    two = Loss(choices("cross_entropy", "balanced", smoothing), 3, 4)(scores, LABELS)
    one = Loss(choices("bce", "balanced", smoothing), 3, 4)(
        (scores[:, 1] - scores[:, 0])[:, None], LABELS
    )
    torch.testing.assert_close(one, two)


def test_outputs_follow_the_loss() -> None:
    assert Loss(choices("bce"), 1, 2).outputs == 1
    assert Loss(choices("cross_entropy"), 1, 2).outputs == 2
