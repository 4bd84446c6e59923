"""The plain ResNets are timm's: same names, same features to the bit, and no timm to load them."""

from pathlib import Path

import pytest
import torch
from tests.helpers.networks import make_bundle, shaken
from tests.helpers.processes import python

from pneumoscope.models.bundle import Bundle, load_bundle, save_bundle
from pneumoscope.models.network import Network
from pneumoscope.models.resnet import is_plain_resnet, plain_resnet
from pneumoscope.models.zoo import build_backbone
from pneumoscope.records import InputSpec

RESNETS = ("resnet18", "resnet18d", "resnet34", "resnet50")


@pytest.mark.parametrize("name", RESNETS)
@pytest.mark.parametrize("bf16", [False, True])
def test_timms_names_and_timms_features(name: str, bf16: bool) -> None:
    torch.manual_seed(0)
    timms, ours = shaken(build_backbone(name)).eval(), plain_resnet(name).eval()
    assert list(ours.state_dict()) == list(timms.state_dict())
    ours.load_state_dict(timms.state_dict())
    assert (ours.num_features, ours.feature_info) == (timms.num_features, timms.feature_info)
    assert [n for n, _ in ours.named_children()] == [n for n, _ in timms.named_children()][:-1]
    films = torch.randn(2, 1, 60, 76)  # maps of odd sizes, too
    for network in (timms, ours):
        network.to(memory_format=torch.channels_last)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        assert torch.equal(ours(films), timms(films))


def test_no_other_name_is_taken_for_one_of_them() -> None:
    assert all(is_plain_resnet(name) for name in (*RESNETS, "resnet18.a1_in1k"))
    assert not any(is_plain_resnet(n) for n in ("resnet34d", "resnet101", "seresnet18", "resnet"))


def test_a_resnet_is_used_without_timm(tmp_path: Path) -> None:
    network = Network(build_backbone("resnet18"), InputSpec(32, 32), normalisation=(0.5, 0.25))
    parts = (network.eval(), "resnet18", "none", (0.5, 0.25), False, "float32", (), {})
    save_bundle(Bundle(*parts), tmp_path)
    code = (
        "import sys, numpy; from pneumoscope import Classifier; "
        "read = Classifier.load(sys.argv[1]).read(numpy.zeros((40, 40), numpy.uint8)); "
        "print(read[0].error, [m for m in ('timm', 'torchvision', 'sympy') if m in sys.modules])"
    )
    assert python(code, tmp_path).stdout.strip() == "None []"


def test_other_backbones_are_timms_still(tmp_path: Path) -> None:
    save_bundle(make_bundle(), tmp_path)
    assert type(load_bundle(tmp_path).network.backbone).__module__.startswith("timm.")
