"""Where the abnormality is, from masks or from boxes in native pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.explain.truth import (
    boxes_of,
    located_rows,
    masks_of,
    mean_mask,
    patients_of,
    truth_known,
)
from pneumoscope.records import InputSpec


def make_set(**columns: object) -> PreparedSet:
    table = pd.DataFrame(
        {
            "image_id": ["a", "b", "c"],
            "patient_id": ["p", "p", None],
            "split": "test",
            "label": [1, 1, 0],
            "height": 80,
            "width": 160,
        }
    ).assign(**columns)
    films = np.zeros((3, 16, 16), np.uint8)
    return PreparedSet(Path("unused"), InputSpec(16, 16), films, None, table, {})


def test_boxes_become_masks_of_the_stored_square() -> None:
    prepared = make_set(boxes=[[[20.0, 10.0, 40.0, 20.0]], None, None])
    assert truth_known(prepared) == "boxes"
    assert boxes_of(prepared, 0) == ((2.0, 2.0, 4.0, 4.0),) and boxes_of(prepared, 1) == ()
    masks = masks_of(prepared, np.arange(3))
    assert masks[0].sum() == 16 and masks[0, 2:6, 2:6].all() and not masks[1:].any()
    assert located_rows(prepared, np.arange(3), 9).tolist() == [0]


def test_many_masks_are_looked_at_in_pieces() -> None:
    rng = np.random.default_rng(0)
    masks = rng.random((200, 16, 16)) < 0.005
    table = pd.DataFrame({"image_id": range(200), "height": 16, "width": 16})
    films = np.zeros_like(masks, np.uint8)
    marks = masks.astype(np.uint8)
    prepared = PreparedSet(Path("unused"), InputSpec(16, 16), films, marks, table, {})
    rows = np.arange(3, 200)
    marked = rows[masks[rows].any(axis=(1, 2))]
    assert located_rows(prepared, rows, 500).tolist() == marked.tolist()
    assert len(located_rows(prepared, rows, 20)) == 20
    assert located_rows(prepared, rows[:0], 20).tolist() == []
    np.testing.assert_allclose(mean_mask(prepared, rows), masks[rows].mean(axis=0), atol=1e-7)


def test_nothing_known() -> None:
    prepared = make_set()
    assert truth_known(prepared) == "" and boxes_of(prepared, 0) == ()
    assert not masks_of(prepared, np.arange(3)).any()
    assert patients_of(prepared, np.arange(3)) is None
    assert patients_of(prepared, np.arange(2)).tolist() == ["p", "p"]
