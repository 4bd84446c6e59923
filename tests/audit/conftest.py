"""Small prepared sets made by hand, and drawn films to fill them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.records import InputSpec

SIDE = 64
MakeSet = Callable[..., PreparedSet]


def square(image: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.uint8]:
    resized = Image.fromarray(np.ascontiguousarray(image)).resize(
        (side, side), Image.Resampling.BILINEAR
    )
    return np.asarray(resized)


@pytest.fixture(scope="session")
def drawn() -> NDArray[np.uint8]:
    """300 phantoms of different patients, uint8 (300, 64, 64), sick ones at odd places."""
    return np.stack([square(draw_phantom(5, i, label=i % 2, size=96).image) for i in range(300)])


@pytest.fixture(scope="session")
def make_set() -> MakeSet:
    def make(images: NDArray[np.uint8], **columns: Any) -> PreparedSet:
        n = len(images)
        plain = {
            "image_id": [f"film-{i}" for i in range(n)],
            "patient_id": [f"p{i}" for i in range(n)],
            "split": [("train", "train", "val", "test")[i % 4] for i in range(n)],
            "label": [(i // 4) % 2 for i in range(n)],
            "height": 300,
            "width": 300,
        }
        about = {"notes": (), "dropped": [], "name": "handmade"}
        about |= {key: columns.pop(key) for key in list(columns) if key in about}
        table = pd.DataFrame({**plain, **columns})
        kinds = dict.fromkeys(("image_id", "patient_id", "split"), "string") | {"label": "Int8"}
        source = {"name": about["name"], "form": "folder", "why": "", "notes": about["notes"]}
        flow = {"found": n + sum(d["count"] for d in about["dropped"]), "dropped": about["dropped"]}
        return PreparedSet(
            Path("handmade"),
            InputSpec(images.shape[-1], images.shape[-1]),
            images,
            None,
            table.astype(kinds),
            {"source": source, "flow": flow, "fingerprint": "f"},
        )

    return make
