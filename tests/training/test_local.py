"""Few films of another site: a head trained anew, and a network trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.helpers.networks import make_bundle

from pneumoscope.metrics.scores import auroc, log_loss, probability
from pneumoscope.sections import AugmentChoices
from pneumoscope.training.local.finetune import fine_tuned
from pneumoscope.training.local.head import RIDGE, fit_head


def test_a_head_learns_what_the_features_tell_and_keeps_what_was_known() -> None:
    draw = np.random.default_rng(0)
    truth = draw.normal(size=40)
    features = draw.normal(size=(400, 40)) * 3 + 5
    labels = (features @ truth - 5 * truth.sum() + draw.normal(size=400) > 0).astype(np.int64)
    blind = draw.normal(size=40)
    for carried, least in ((blind, 0.8), (truth, 0.95)):
        weights, bias = fit_head(features[:60], labels[:60], carried)
        assert auroc(labels[60:], features[60:] @ weights + bias) > least
    assert abs(float((features @ weights + bias).mean())) < 1.5  # the means are taken off


def test_fine_tuning_lowers_the_loss_and_leaves_the_parent_and_its_statistics() -> None:
    draw = np.random.default_rng(1)
    labels = np.arange(32) % 2
    films = draw.integers(60, 90, (32, 40, 40)).astype(np.uint8)
    films[labels == 1] += 90
    network = make_bundle().network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    told: list[tuple[int, int]] = []
    nothing: dict[str, Any] = dict.fromkeys(AugmentChoices.model_fields, 0.0)
    plain = AugmentChoices(**{**nothing, "crop": 1.0})
    new = fine_tuned(
        network, films, labels, plain, "cpu", advance=lambda done, all_: told.append((done, all_))
    )
    with torch.no_grad():
        losses = [
            log_loss(labels, probability(each(torch.from_numpy(films)).double().numpy()))
            for each in (network, new)
        ]
    assert losses[1] < losses[0] and told[-1] == (20, 20)
    after = network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    tuned = new.state_dict()
    assert all(torch.equal(before[name], tuned[name]) for name in before if "running" in name)


@pytest.mark.parametrize("films", [60, 200])
def test_a_head_is_the_ridge_of_all_features(films: int) -> None:
    draw = np.random.default_rng(2)
    features = draw.normal(size=(films, 80)) * draw.uniform(0.5, 4, 80) + 3
    labels = (features[:, 0] + draw.normal(size=films) > 3).astype(np.int64)
    weights, bias = fit_head(features, labels)

    # Where the gradient of loss and penalty is 0 there is the one optimum.
    scale = (features.std(axis=0) + 1e-3) * np.sqrt(80)
    design = (features - features.mean(axis=0)) / scale
    wrong = probability(features @ weights + bias) - labels
    np.testing.assert_allclose(design.T @ wrong + RIDGE * weights * scale, 0, atol=1e-3)
    assert abs(wrong.sum()) < 1e-3
