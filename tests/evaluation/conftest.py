"""A table of simulated predictions, with validation and test rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def table() -> Callable[..., pd.DataFrame]:
    """``table(n, films, seed)``: n rows, a third of them validation, ``films`` a patient."""

    def make(n: int = 300, films: int = 1, seed: int = 0) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        labels = rng.permutation((np.arange(n) < 0.6 * n).astype(int))
        logits = 3 * (rng.normal(size=n) * 1.5 + 3 * labels - 1.5)  # too sure: a temperature gains
        return pd.DataFrame(
            {
                "image_id": [f"i{i:05d}" for i in range(n)],
                "patient_id": [f"p{i // films}" for i in range(n)],
                "split": np.where(np.arange(n) // films % 3 == 0, "val", "test"),
                "label": labels,
                "logit": logits,
                "probability": 1 / (1 + np.exp(-logits)),
            }
        )

    return make
