"""A bundle comes back as it was saved, and a damaged one says so."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pneumoscope.errors import BadWeights, NotARun
from pneumoscope.models.bundle import Bundle, load_bundle, save_bundle
from pneumoscope.models.network import Network
from pneumoscope.models.zoo import build_backbone
from pneumoscope.readings import Calibration, Conformal, OperatingPoint
from pneumoscope.records import InputSpec


def make(local_contrast: int = 0) -> Bundle:
    torch.manual_seed(0)
    spec = InputSpec(28, 32, local_contrast=local_contrast)
    network = Network(build_backbone("resnet18"), spec, normalisation=(0.4, 0.2), outputs=2)
    point = OperatingPoint("youden", 0.25, "maximum youden", "val")
    return Bundle(
        network.eval(), "resnet18", "none", (0.4, 0.2), True, "float32", (point,), {"epochs": 3}
    )


def test_round_trip(tmp_path: Path) -> None:
    fitted = Calibration(1.7, "val"), Conformal(0.1, 0.2, 0.6, 40, 30, "val")
    bundle = replace(make(4).with_calibration(*fitted), turn_average=6.0)
    save_bundle(bundle, tmp_path)
    again = load_bundle(tmp_path)
    assert (again.calibration, again.conformal) == fitted
    films = torch.randint(0, 255, (3, 28, 28), dtype=torch.uint8)
    with torch.inference_mode():
        torch.testing.assert_close(again.network(films), bundle.network(films))
    assert again.operating_points == bundle.operating_points
    assert again.to_json() == bundle.to_json()


def test_a_cut_file_says_so(tmp_path: Path) -> None:
    save_bundle(make(), tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(BadWeights):
        load_bundle(tmp_path)


def test_no_bundle_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotARun, match=r"model\.json"):
        load_bundle(tmp_path)


def test_a_bundle_of_before_loads_and_answers_as_it_did(tmp_path: Path) -> None:
    save_bundle(make(), tmp_path)
    file = tmp_path / "model.json"
    about = json.loads(file.read_text())
    assert about.pop("calibration") is None and about.pop("conformal") is None
    assert about.pop("turn_average") == 0.0
    assert about["input"].pop("local_contrast") == 0
    file.write_text(json.dumps(about))
    again = load_bundle(tmp_path)
    assert again.calibration is None and again.conformal is None and again.turn_average == 0.0


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    bundle = make()
    with torch.no_grad():
        bundle.network.get_parameter("backbone.layer3.0.conv1.weight")[0, 0, 0, 0] = torch.nan
    save_bundle(bundle, tmp_path)
    with pytest.raises(BadWeights, match="layer3.*not finite"):
        load_bundle(tmp_path)
