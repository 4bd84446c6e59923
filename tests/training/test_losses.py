"""Losses against hand-worked values and torch's own weighting."""

import math

import pytest
import torch
import torch.nn.functional as F
from torchvision.ops import sigmoid_focal_loss

from pneumoscope.sections import LossChoices
from pneumoscope.training.losses import Loss

LABELS = torch.tensor([0.0, 1.0, 1.0, 1.0])


def choices(
    name: str, weighting: str | float = "none", smoothing: float = 0.0, gamma: float = 2.0
) -> LossChoices:
    return LossChoices(name=name, weighting=weighting, label_smoothing=smoothing, focal_gamma=gamma)


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


def test_a_number_is_torchs_pos_weight() -> None:
    scores = torch.randn(4, 1, generator=torch.Generator().manual_seed(2))
    got = Loss(choices("bce", 3.0), 3, 4)(scores, LABELS)
    expected = F.binary_cross_entropy_with_logits(
        scores[:, 0], LABELS, pos_weight=torch.tensor(3.0)
    )
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_focal_is_torchvisions(gamma: float) -> None:
    scores = torch.randn(4, 1, generator=torch.Generator().manual_seed(3))
    got = Loss(choices("focal", gamma=gamma), 3, 4)(scores, LABELS)
    expected = sigmoid_focal_loss(scores[:, 0], LABELS, alpha=-1, gamma=gamma, reduction="mean")
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("gamma", [0.1, 0.5, 1.0, 2.0])
def test_focal_has_a_slope_also_where_a_film_is_certain(gamma: float) -> None:
    scores = torch.tensor([[120.0], [17.0], [-17.0], [-120.0]], requires_grad=True)
    Loss(choices("focal", gamma=gamma), 1, 2)(scores, torch.tensor([1.0, 1, 0, 0])).backward()
    assert scores.grad is not None and bool(scores.grad.isfinite().all())


@pytest.mark.parametrize("name", ["bce", "cross_entropy"])
def test_a_blend_costs_what_its_parts_cost(name: str) -> None:
    outputs = 2 if name == "cross_entropy" else 1
    scores = torch.randn(4, outputs, generator=torch.Generator().manual_seed(4))
    loss = Loss(choices(name), 1, 2)
    zeros, ones = torch.zeros(4), torch.ones(4)
    blend = 0.3 * loss(scores, ones) + 0.7 * loss(scores, zeros)
    torch.testing.assert_close(loss(scores, torch.full((4,), 0.3)), blend)
