"""Small untrained bundles, and films that are chests."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pneumoscope.imaging.geometry import fit_square
from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.models.bundle import Bundle, save_bundle
from pneumoscope.models.network import Network
from pneumoscope.models.zoo import build_backbone
from pneumoscope.records import InputSpec, OperatingPoint

POINTS = (
    OperatingPoint("youden", 0.5, "maximum youden", "val"),
    OperatingPoint("sensitivity", 0.2, "sensitivity >= 0.95", "val"),
)


def make_bundle(seed: int = 0, spec: InputSpec | None = None, **changes: object) -> Bundle:
    """A tiny ResNet of random weights whose logits spread over films as a trained one's do."""
    torch.manual_seed(seed)
    network = Network(
        build_backbone("test_resnet"), spec or InputSpec(40, 40), normalisation=(0.5, 0.25)
    )
    with torch.no_grad():
        network.head.weight.mul_(20)
    bundle = Bundle(
        network.eval(), "test_resnet", "none", (0.5, 0.25), False, "float32", POINTS, {"data": "x"}
    )
    return replace(bundle, **changes)


@pytest.fixture(scope="session")
def chests() -> np.ndarray:
    """Twelve phantoms, uint8 (12, 64, 64)."""
    drawn = [draw_phantom(3, i, label=i % 2, size=64).image for i in range(12)]
    return np.stack([fit_square(film, InputSpec(64, 64)) for film in drawn])


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A saved bundle."""
    folder = tmp_path / "model"
    folder.mkdir()
    save_bundle(make_bundle(), folder)
    return folder
