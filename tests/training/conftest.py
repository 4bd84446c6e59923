"""Films to train on in memory."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.records import InputSpec


@pytest.fixture(scope="session")
def prepared() -> PreparedSet:
    """70 films of 36 px to train on and 20 to validate on, brighter where there is pneumonia."""
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 2
    films = rng.integers(0, 128, (90, 36, 36)) + 60 * labels[:, None, None]
    table = pd.DataFrame({"label": pd.array(labels, dtype="Int8")})
    table["split"] = np.where(np.arange(len(table)) % 9 < 7, "train", "val")
    about = {"content": "c", "fingerprint": "f", "source": {"name": "noise"}}
    return PreparedSet(Path(), InputSpec(36, 36), films.astype(np.uint8), None, table, about)
