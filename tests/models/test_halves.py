"""A backbone that reads films at half their side too: held to timm's network at both sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from tests.helpers.networks import make_bundle

from pneumoscope.errors import BadRecipe, UnknownBackbone
from pneumoscope.explain.activation import activation_maps
from pneumoscope.explain.cam import stage_for
from pneumoscope.models.adapted.statistics import batch_norms
from pneumoscope.models.bundle import load_bundle, save_bundle
from pneumoscope.models.freeze import check_chain, frozen_count, parts_of, run_parts
from pneumoscope.models.network import Network
from pneumoscope.models.packaged import package_of
from pneumoscope.models.resnet import is_plain_resnet
from pneumoscope.models.weights import check_model, load_weights
from pneumoscope.models.zoo import build_backbone
from pneumoscope.records import InputSpec

NAME = "tf_efficientnet_lite0+half"


@pytest.fixture(scope="module")
def backbone() -> torch.nn.Module:
    found = build_backbone(NAME).eval()
    load_weights(found, NAME, "imagenet")
    return found


@pytest.mark.parametrize("side", [96, 97, 128, 224])
def test_features_are_those_of_both_sizes(backbone: torch.nn.Module, side: int) -> None:
    theirs = timm.create_model("tf_efficientnet_lite0", in_chans=1, num_classes=0).eval()
    load_weights(theirs, "tf_efficientnet_lite0", "imagenet")
    films = torch.randn(2, 1, side, side, generator=torch.Generator().manual_seed(0))
    even = side // 2 * 2
    half = F.interpolate(films[..., :even, :even], scale_factor=0.5, mode="area")
    with torch.inference_mode():
        expected = torch.cat([theirs(films), theirs(half)], dim=1)
        torch.testing.assert_close(backbone(films), expected, rtol=1e-4, atol=1e-5)


def test_it_can_be_cut_behind_its_maps(backbone: torch.nn.Module) -> None:
    check_chain(backbone, 96, NAME)
    assert [name for name, _ in parts_of(backbone)] == ["maps", "pool"]
    assert frozen_count(backbone, "all") == 2
    films = torch.randn(1, 1, 96, 96)
    with torch.inference_mode():
        kept = run_parts(parts_of(backbone)[:1], films)
    assert kept.shape == (1, 2560, 3, 3)


def test_names_lead_to_the_weights_of_one_size() -> None:
    assert package_of(NAME) is package_of("tf_efficientnet_lite0")
    assert not is_plain_resnet("resnet18+half") and not is_plain_resnet("resnet18.tv_in1k+half")
    with pytest.raises(UnknownBackbone, match="no backbone 'resnet81'"):
        build_backbone("resnet81+half")


def test_what_it_cannot_read_at_two_sizes_is_refused() -> None:
    check_model(NAME, "imagenet", 128, "all", 1)
    # Patches of a transformer; maps that pass a norm behind their mean.
    for name in ("xcit_nano_12_p16_224", "convnext_atto"):
        with pytest.raises(UnknownBackbone, match="at two sizes") as caught:
            check_model(f"{name}+half", "none", 224, "all")
        assert str(caught.value.remedy).endswith(f"--set model.backbone={name}")
    with pytest.raises(BadRecipe, match="weights that stay") as refused:
        check_model(NAME, "none", 128)
    assert "model.freeze=none" in str(refused.value.got)


def test_it_has_no_statistics_of_one_site(backbone: torch.nn.Module) -> None:
    network = Network(backbone, InputSpec(64, 128), normalisation=(0.5, 0.5))
    assert batch_norms(network) == []


@pytest.mark.parametrize(("method", "cells"), [("gradcam", 8), ("hirescam", 16)])
def test_heatmaps_look_at_the_whole_side(
    backbone: torch.nn.Module, method: str, cells: int
) -> None:
    network = Network(backbone, InputSpec(64, 128), normalisation=(0.5, 0.5)).eval()
    stage = stage_for(network, method)
    assert stage is not None and stage.cells == cells
    films = torch.randint(0, 256, (2, 1, 64, 64)).float()
    assert activation_maps(network, method, stage, films).shape == (2, cells, cells)


def test_it_comes_back_from_its_folder(backbone: torch.nn.Module, tmp_path: Path) -> None:
    network = Network(backbone, InputSpec(64, 128), normalisation=(0.5, 0.5)).eval()
    save_bundle(make_bundle(network=network, backbone=NAME, normalisation=(0.5, 0.5)), tmp_path)
    films = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 64, 64), np.uint8))
    with torch.inference_mode():
        torch.testing.assert_close(load_bundle(tmp_path).network(films), network(films))
