"""Small untrained bundles, and films that are chests."""

from pathlib import Path

import numpy as np
import pytest
from tests.helpers.networks import make_bundle

from pneumoscope.imaging.geometry import fit_square
from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.models.bundle import save_bundle
from pneumoscope.records import InputSpec


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
