"""Weights in torchvision's and timm's layout, into a grey stem; hostile and foreign files."""

import contextlib
import io
import pickle
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from tests.helpers.networks import BACKBONES

from pneumoscope.errors import BadWeights, WeightsNotFound
from pneumoscope.models.weights import load_weights, published, read_state
from pneumoscope.models.zoo import build_backbone

NAMES = [each for each in BACKBONES if each.values[0] in torchvision.models.list_models()]


def grey_films() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 1, 64, 64, generator=generator, dtype=torch.float64)


def features_of_grey(name: str, weights: Path) -> torch.Tensor:
    """The features that our one-channel backbone makes of the grey films."""
    backbone = build_backbone(name).eval()
    load_weights(backbone, name, str(weights))
    backbone.double()  # so that the comparison is of layers, not of rounding
    with torch.inference_mode():
        return backbone(grey_films())


def torchvision_features(name: str, model: torch.nn.Module, films: torch.Tensor) -> torch.Tensor:
    if name.startswith("resnet"):
        model.fc = torch.nn.Identity()
    elif name == "convnext_tiny":
        model.classifier[2] = torch.nn.Identity()
    else:
        model.classifier = torch.nn.Identity()
    with torch.inference_mode():
        return model(films)


def shaken(model: torch.nn.Module) -> torch.nn.Module:
    """Batch norms with statistics of their own, so that swapped layers would show."""
    torch.manual_seed(7)
    for key, value in model.state_dict().items():
        if value.is_floating_point():
            spread = 0.2 if "running_var" in key or value.ndim == 1 else 0.0
            value += spread * torch.rand_like(value)
    return model.eval()


@dataclass(frozen=True)
class Theirs:
    """A network of torchvision's: its weights, and the features that it makes of a grey batch."""

    name: str
    state: dict[str, torch.Tensor]
    features: torch.Tensor


@pytest.fixture(scope="module", params=NAMES)
def theirs(request: pytest.FixtureRequest) -> Theirs:
    torch.manual_seed(0)
    model = shaken(torchvision.models.get_model(request.param, weights=None))
    state = {key: value.clone() for key, value in model.state_dict().items()}
    films = grey_films().repeat(1, 3, 1, 1)
    return Theirs(request.param, state, torchvision_features(request.param, model.double(), films))


# Both alone are in the line: this layout, and safetensors in timm's.
SAFETENSORS = pytest.param(".safetensors", marks=pytest.mark.slow)


@pytest.mark.parametrize("suffix", [".pth", SAFETENSORS, ".old.pth"])
def test_torchvision_layout_gives_torchvisions_features(
    theirs: Theirs, suffix: str, tmp_path: Path
) -> None:
    state, file = theirs.state, tmp_path / f"w{suffix}"
    if suffix == ".safetensors":
        save_file({key: value.contiguous() for key, value in state.items()}, file)
    else:
        if suffix == ".old.pth":  # as published before batch norms counted their batches
            state = {k: v for k, v in state.items() if "num_batches_tracked" not in k}
            state = {re.sub(r"(denselayer\d+\.\w{4})([12])", r"\1.\2", k): state[k] for k in state}
        torch.save(state, file)
    got = features_of_grey(theirs.name, file)
    torch.testing.assert_close(got, theirs.features, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_timm_layout_gives_timms_features(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = shaken(timm.create_model(name, pretrained=False))
    save_file(
        {k: v.contiguous() for k, v in model.state_dict().items()}, tmp_path / "w.safetensors"
    )
    got = features_of_grey(name, tmp_path / "w.safetensors")
    with torch.inference_mode():
        model.double()
        expected = model.forward_head(
            model.forward_features(grey_films().repeat(1, 3, 1, 1)), pre_logits=True
        )
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("wrap", ["state_dict", "model", "prefix"])
def test_wrapped_state_dicts_are_unwrapped(wrap: str, tmp_path: Path) -> None:
    state = timm.create_model("resnet18", pretrained=False).state_dict()
    if wrap == "prefix":
        torch.save({f"module.{k}": v for k, v in state.items()}, tmp_path / "w.pth")
    else:
        torch.save({wrap: state}, tmp_path / "w.pth")
    assert set(read_state(tmp_path / "w.pth")) == set(state)


def test_another_backbones_weights_are_refused(tmp_path: Path) -> None:
    torch.save(timm.create_model("resnet34", pretrained=False).state_dict(), tmp_path / "w.pth")
    with pytest.raises(BadWeights, match="model.backbone"):
        load_weights(build_backbone("resnet50"), "resnet50", str(tmp_path / "w.pth"))


def test_equal_shapes_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save(torchvision.models.efficientnet_b0(weights=None).state_dict(), tmp_path / "w.pth")
    with pytest.raises(BadWeights, match="timm's layout"):
        load_weights(
            build_backbone("tf_efficientnet_b0"), "tf_efficientnet_b0", str(tmp_path / "w.pth")
        )


@given(st.data())
def test_damaged_pth_files_always_say_so(data: st.DataObject) -> None:
    buffer = io.BytesIO()
    torch.save({"w": torch.arange(40.0)}, buffer)
    raw = bytearray(buffer.getvalue())
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=6)):
        raw[place] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "w.pth"
        file.write_bytes(raw)
        with contextlib.suppress(BadWeights):
            read_state(file)


class Bomb:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.marker,)


def test_a_pickle_that_runs_code_is_refused_and_never_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    torch.save({"x": Bomb(marker)}, tmp_path / "w.pth")
    (tmp_path / "raw.pth").write_bytes(pickle.dumps(Bomb(marker)))
    for name in ("w.pth", "raw.pth"):
        with pytest.raises(BadWeights):
            read_state(tmp_path / name)
    assert not marker.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x00" * 100])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_damaged_files_say_so(content: bytes, suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"w{suffix}"
    file.write_bytes(content)
    with pytest.raises(BadWeights):
        read_state(file)


def test_a_missing_file_says_what_is_accepted(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFound, match="imagenet, none"):
        read_state(tmp_path / "none.pth")


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        *(("resnet18", "resnet18.tv_in1k"), ("resnet50", "resnet50.tv_in1k")),
        *(("resnet18d", "resnet18d"), ("resnet18.a1_in1k", "resnet18.a1_in1k")),
    ],
)
def test_imagenet_means_torchvisions_weights_where_there_are_such(name: str, asked: str) -> None:
    assert published(name) == asked


def test_imagenet_offline_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> object:
        raise OSError("no network")

    monkeypatch.setattr("timm.create_model", refused)
    with pytest.raises(WeightsNotFound, match=r"model\.weights=none"):
        load_weights(torch.nn.Identity(), "resnet18", "imagenet")
