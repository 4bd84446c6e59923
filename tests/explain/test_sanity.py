"""Similarity against scipy and hand-worked numbers; the check on maps that do and do not learn."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from pneumoscope.explain.cam import heatmaps, stage_for
from pneumoscope.explain.sanity import (
    LEVELS,
    Likeness,
    SanityCheck,
    check_sanity,
    mean_check,
    rank_correlation,
    shuffled,
    similarity,
)
from pneumoscope.models.network import Network
from pneumoscope.models.zoo import build_backbone
from pneumoscope.plain import to_plain
from pneumoscope.records import InputSpec


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    return Network(
        build_backbone("test_resnet"), InputSpec(32, 32), normalisation=(0.5, 0.25)
    ).eval()


def test_rank_correlation_is_scipys() -> None:
    a, b = np.random.default_rng(0).integers(0, 5, (2, 9, 9)).astype(float)
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic)
    assert rank_correlation(a, -a) == pytest.approx(-1)
    assert rank_correlation(a, np.ones((9, 9))) == 0
    assert rank_correlation(np.zeros((9, 9)), np.ones((9, 9))) == 1


def test_similarity_by_the_formula_on_one_window() -> None:
    """On 7 × 7 pixels there is one window, and Wang 2004's formula is the whole of it."""
    x, y = np.random.default_rng(1).random((2, 7, 7))
    c1, c2 = 0.01**2, 0.03**2
    both = np.cov(x.ravel(), y.ravel())
    top = (2 * x.mean() * y.mean() + c1) * (2 * both[0, 1] + c2)
    bottom = (x.mean() ** 2 + y.mean() ** 2 + c1) * (both[0, 0] + both[1, 1] + c2)
    assert similarity(x, y) == pytest.approx(top / bottom)
    assert similarity(x, x) == pytest.approx(1)


def test_shuffling_moves_what_its_level_says(network: Network) -> None:
    moved = {}
    for level in LEVELS:
        other = shuffled(network, level, 0)
        moved[level] = {
            name
            for (name, a), (_, b) in zip(
                network.named_parameters(), other.named_parameters(), strict=True
            )
            if not torch.equal(a, b)
        }
        for name, a in network.named_parameters():
            b = other.get_parameter(name)
            assert torch.equal(a.flatten().sort().values, b.flatten().sort().values)
    assert moved["head"] == {"head.weight"}
    assert {name.split(".")[1] for name in moved["last stage"] - moved["head"]} == {"layer4"}
    assert moved["last stage"] < moved["all weights"]
    assert "backbone.conv1.0.weight" in moved["all weights"]


def test_a_map_of_the_film_alone_fails(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    films = np.random.default_rng(2).integers(0, 256, (2, 32, 32), dtype=np.uint8)
    trained = films.astype(np.float32) / 255
    monkeypatch.setattr("pneumoscope.explain.sanity.heatmaps", lambda *given, **named: trained)
    check = check_sanity(network, films, "gradcam", trained)
    assert not check.passed and all(level.rank == pytest.approx(1) for level in check.levels)
    assert to_plain(check)["levels"][0]["level"] == "head"


def test_a_map_that_changes_passes(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    films = np.random.default_rng(3).integers(0, 256, (2, 32, 32), dtype=np.uint8)
    other = np.random.default_rng(4).random((2, 32, 32)).astype(np.float32)
    trained = films.astype(np.float32) / 255
    monkeypatch.setattr("pneumoscope.explain.sanity.heatmaps", lambda *given, **named: other)
    assert check_sanity(network, films, "gradcam", trained).passed


def test_eigencam_does_not_look_at_the_head(network: Network) -> None:
    films = np.random.default_rng(5).integers(0, 256, (1, 32, 32), dtype=np.uint8)
    check = check_sanity(network, films, "eigencam", heatmaps(network, films, "eigencam"))
    assert check.levels[0].rank == pytest.approx(1) and check.levels[2].rank < 0.99


@pytest.mark.parametrize("method", ["hirescam", "gradcam"])
def test_weights_that_stay_give_the_same_map(
    network: Network, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """The copy's maps are laid where the network's are, so only weights can make them differ."""
    films = np.random.default_rng(2).integers(0, 256, (2, 32, 32), dtype=np.uint8)
    stage = stage_for(network, method)
    trained = heatmaps(network, films, method, stage=stage)
    monkeypatch.setattr("pneumoscope.explain.sanity.shuffled", lambda net, *_: deepcopy(net))
    check = check_sanity(network, films, method, trained, stage=stage)
    assert not check.passed
    assert [level.rank for level in check.levels] == pytest.approx([1, 1, 1])


def test_the_check_of_several_networks_is_the_mean() -> None:
    def check(rank: float) -> SanityCheck:
        return SanityCheck("m", rank < 0.5, tuple(Likeness(n, rank, rank / 2) for n in LEVELS), 3)

    found = mean_check([check(0.2), check(0.6)])
    assert found.passed and found.films == 3
    assert [(level.rank, level.structure) for level in found.levels] == [(0.4, 0.2)] * 3
    assert not mean_check([check(0.4), check(0.8)]).passed
