"""The graph holds all that the run does with a film."""

import numpy as np
import onnx
import pytest
import torch
from tests.helpers.networks import BACKBONES, make_bundle, shaken
from torch import nn

from pneumoscope.errors import NotExportable
from pneumoscope.export.certificate import Asked, compare, phantoms
from pneumoscope.export.graph import finished, to_onnx
from pneumoscope.inference.exported import EACH, OnnxEngine
from pneumoscope.inference.predictor import Predictor
from pneumoscope.models.bundle import _backbone
from pneumoscope.models.network import Network
from pneumoscope.readings import Calibration
from pneumoscope.records import InputSpec


@pytest.fixture(scope="session")
def everything() -> tuple[list, onnx.ModelProto]:
    """Two models with a margin, an enlargement, turned and mirrored views and a temperature, one
    of them with local contrast; and their graph."""
    heat = Calibration(0.7, "val")
    spec, other = InputSpec(36, 40, margin=0.125), InputSpec(36, 32, local_contrast=4)
    bundles = [
        make_bundle(0, spec, turn_average=6.0, flip_average=True, calibration=heat),
        make_bundle(1, other, turn_average=0.0, flip_average=True),
    ]
    return bundles, to_onnx(bundles)


@pytest.mark.slow
def test_views_temperature_and_the_mean_are_in_it(everything: tuple) -> None:
    bundles, model = everything
    graph, drawn = OnnxEngine(model.SerializeToString()), phantoms(bundles[0].network.spec)
    points = bundles[0].operating_points
    mean = compare(
        Asked("mean", Predictor(bundles, calibrated=True), None, points), graph, "phantoms", drawn
    )
    assert mean.largest_difference > 0  # two ways of computing it
    for place, bundle in enumerate(bundles):
        one = Asked("member", Predictor([bundle], calibrated=True), place, points)
        compare(one, graph, "phantoms", drawn)
    apart = graph.run(drawn, EACH)
    assert np.abs(apart[:, 0] - apart[:, 1]).max() > 0.1


@pytest.mark.slow
def test_the_file_has_one_output(everything: tuple) -> None:
    bundles, model = everything
    file = onnx.load_from_string(finished(model))
    assert [each.name for each in file.graph.output] == ["logit"]
    assert [each.name for each in model.graph.output] == ["logit", EACH]


@pytest.mark.slow
def test_a_network_that_torch_cannot_write_is_refused_with_the_reason() -> None:
    class Sorted(nn.Module):
        num_features = 4

        def forward(self, films: torch.Tensor) -> torch.Tensor:
            return films.flatten(1).unique()[:4].expand(len(films), 4)

    network = Network(Sorted(), InputSpec(40, 40), normalisation=(0.5, 0.25)).eval()
    with pytest.raises(NotExportable) as error:
        to_onnx([make_bundle(network=network, backbone="strange")])
    assert "strange cannot be exported" in str(error.value) and error.value.got


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_of_the_zoo_answers_alike(name: str) -> None:
    torch.manual_seed(0)
    spec = InputSpec(64, 64)
    network = Network(shaken(_backbone(name)), spec, normalisation=(0.5, 0.25)).eval()
    bundle = make_bundle(network=network, backbone=name)
    graph = OnnxEngine(finished(to_onnx([bundle])))
    asked = Asked("model", Predictor([bundle], calibrated=True), None, bundle.operating_points)
    compare(asked, graph, "phantoms", phantoms(spec))
