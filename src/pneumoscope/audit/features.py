"""Features of a film that are not its lungs: facts of the file, 8 × 8 greys, and its border."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.imaging.thumbnails import SIDE, cell_means
from pneumoscope.metrics.scores import Floats

TRUTH = ("subtype", "class", "detail", "finding", "diagnos", "label", "target", "box", "opacity")
"""Facts whose name holds one of these words say what the label says; they are no shortcut."""

_RING = 3
_WORDS = 12


def metadata_features(table: pd.DataFrame) -> pd.DataFrame:
    """Numbers that are known of a film beside its pixels; NaN where missing.

    Facts of few words become one column a word. Facts that restate the label are left out.
    """
    height, width = (table[c].astype("float64") for c in ("height", "width"))
    columns: dict[str, Any] = {"height": height, "width": width, "aspect": width / height}
    for name in (c for c in table.columns if c.startswith("fact_")):
        short = name.removeprefix("fact_")
        if any(word in short.lower() for word in TRUTH):
            continue
        values = pd.to_numeric(table[name], errors="coerce").astype("float64")
        if (values.notna() == table[name].notna()).all():
            columns[short] = values
            if short == "bytes":
                columns["bytes per pixel"] = values / (height * width)
        else:
            columns |= _one_hot(short, table[name].astype("string"))
    features = pd.DataFrame(columns, index=table.index)
    return features.loc[:, features.nunique(dropna=False) > 1]


def _one_hot(name: str, words: pd.Series[Any]) -> dict[str, Any]:
    """A column of 0 and 1 for each of the commonest words; NaN where none is known."""
    common = words.value_counts().index[:_WORDS]
    hot = {f"{name} is {w}": (words == w).astype("Float64").astype("float64") for w in common}
    # Two words are one question: the second column would say the same again.
    return dict(list(hot.items())[:1]) if words.nunique() == 2 else hot


def coarse_greys(thumbs: NDArray[np.uint8]) -> Floats:
    """What an 8 × 8 thumbnail shows, float64 (N, 64)."""
    coarse = thumbs.reshape(-1, 8, SIDE // 8, 8, SIDE // 8).mean(axis=(2, 4), dtype=np.float64)
    return np.asarray(coarse.reshape(len(thumbs), -1))


def border_segments(thumbs: NDArray[np.uint8]) -> Floats:
    """The outer 9 % of each film, float64 (N, 64): 16 means along each of the four sides."""
    along = cell_means(16, SIDE).astype(np.float64)
    rows = (thumbs[:, :_RING].mean(axis=1), thumbs[:, -_RING:].mean(axis=1))
    columns = (thumbs[:, :, :_RING].mean(axis=2), thumbs[:, :, -_RING:].mean(axis=2))
    strips = [side @ along.T for side in (*rows, *columns)]
    return np.concatenate(strips, axis=1)
