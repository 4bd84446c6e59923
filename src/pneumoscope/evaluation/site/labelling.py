"""Films to label first: those that the model is least sure of, and some at random.

The uncertain ones teach a model most, the random ones alone tell how good it is here: a figure of
films that were picked for being difficult is of no film that comes tomorrow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.metrics.scores import Floats, probability

EACH = 25
"""Films of each kind."""
RANDOM, UNCERTAIN = "random", "uncertain"


def films_to_label(
    image_ids: NDArray[Any],
    logits: Floats,
    patients: NDArray[np.int64],
    threshold: float,
    seed: int = 0,
) -> pd.DataFrame:
    """``image``, an empty ``label`` to fill in, ``why`` and ``probability`` of the films to look at
    first, one of each patient; ``threshold`` is a logit. The random ones come first."""
    first = np.sort(np.unique(patients, return_index=True)[1])
    drawn = np.random.default_rng(seed).permutation(first)[:EACH]
    rest = np.setdiff1d(first, drawn)
    near = rest[np.argsort(np.abs(logits[rest] - threshold), kind="stable")][:EACH]
    rows = np.concatenate([drawn, near])
    return pd.DataFrame(
        {
            "image": image_ids[rows],
            "label": "",
            "why": [RANDOM] * len(drawn) + [UNCERTAIN] * len(near),
            "probability": np.round(probability(logits[rows]), 4),
        }
    )
