"""Heads that were changed without training, and batch norms that took other films' statistics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.helpers.networks import make_bundle, shaken
from torch import nn

from pneumoscope.inference.predictor import Predictor, pooled_features
from pneumoscope.models.adapted.heads import rescaled, with_head
from pneumoscope.models.adapted.statistics import batch_norms, estimated, with_statistics
from pneumoscope.models.bundle import Bundle
from pneumoscope.models.network import Network
from pneumoscope.models.zoo import build_backbone
from pneumoscope.records import InputSpec


@pytest.fixture
def films() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 40, 40), dtype=np.uint8)


def logits(bundle: Bundle, films: np.ndarray) -> np.ndarray:
    return Predictor([bundle]).logits(films, np.arange(len(films)))


@pytest.fixture(params=[1, 2], ids=["one output", "two outputs"])
def bundle(request: pytest.FixtureRequest) -> Bundle:
    torch.manual_seed(1)
    network = Network(
        build_backbone("test_resnet"),
        InputSpec(40, 40),
        normalisation=(0.5, 0.25),
        outputs=request.param,
    )
    shaken(network.backbone)
    return make_bundle(network=network.eval(), turn_average=6.0)


def test_a_rescaled_head_moves_the_logit(bundle: Bundle, films: np.ndarray) -> None:
    before = logits(bundle, films)
    after = logits(replace(bundle, network=rescaled(bundle.network, 0.5, 2.0)), films)
    np.testing.assert_allclose(after, 0.5 * before + 2.0, atol=1e-5)
    np.testing.assert_array_equal(logits(bundle, films), before)


def test_a_new_head_is_linear_in_the_pooled_features(bundle: Bundle, films: np.ndarray) -> None:
    features = pooled_features(bundle, films, np.arange(12), "cpu")
    weights = np.random.default_rng(2).normal(size=features.shape[1])
    after = logits(replace(bundle, network=with_head(bundle.network, weights, -0.3)), films)
    np.testing.assert_allclose(after, features @ weights - 0.3, atol=1e-4)


def test_statistics_are_those_of_the_films(films: np.ndarray) -> None:
    bundle = make_bundle()
    batches = [torch.from_numpy(films[:6]), torch.from_numpy(films[6:])]
    new = estimated(bundle.network, batches, lambda each: [each])
    first = batch_norms(new)[0]
    seen: list[torch.Tensor] = []
    handle = batch_norms(bundle.network)[0].register_forward_hook(
        lambda _module, given, _out: seen.append(given[0])
    )
    with torch.no_grad():
        for each in batches:
            bundle.network(each)
    handle.remove()
    wanted = torch.stack([each.mean(dim=(0, 2, 3)) for each in seen]).mean(0)
    torch.testing.assert_close(first.running_mean, wanted, atol=1e-5, rtol=1e-4)
    assert not new.training and all(not norm.training for norm in batch_norms(new))


def test_the_early_part_alone_can_take_them(films: np.ndarray) -> None:
    bundle = make_bundle()
    shaken(bundle.network.backbone)
    new = estimated(bundle.network, [torch.from_numpy(films)], lambda each: [each])
    half = batch_norms(with_statistics(bundle.network, new, 0.5))
    old, now = batch_norms(bundle.network), batch_norms(new)
    same = [torch.equal(a.running_mean, b.running_mean) for a, b in zip(half, old, strict=True)]
    taken = [torch.equal(a.running_mean, b.running_mean) for a, b in zip(half, now, strict=True)]
    count = round(len(old) / 2)
    assert taken[:count] == [True] * count and same[count:] == [True] * (len(old) - count)


def test_a_network_without_batch_norm_has_none() -> None:
    network = make_bundle().network
    network.backbone = nn.Sequential(nn.Conv2d(1, 4, 3), nn.LayerNorm([4, 38, 38]))
    assert batch_norms(network) == []
