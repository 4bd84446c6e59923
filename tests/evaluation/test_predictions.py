"""``predictions.csv``: what is written comes back, and what is no table is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pneumoscope.errors import BadLabels, NotARun
from pneumoscope.evaluation.predictions import predictions_text, read_predictions, rows_of

HEAD = "image_id,patient_id,split,label,logit,probability\n"


def test_ids_stay_text_and_every_digit_comes_back(tmp_path: Path) -> None:
    """An image may be called "NA" and a patient "007"; only an empty cell is no patient."""
    logits = np.random.default_rng(0).normal(size=3)
    table = pd.DataFrame(
        {
            "image_id": ["NA", "null", "1.0"],
            "patient_id": ["007", None, "NA"],
            "split": ["val", "test", "test"],
            "label": [0, 1, 1],
            "logit": logits,
            "probability": 1 / (1 + np.exp(-logits)),
        }
    )
    file = tmp_path / "predictions.csv"
    file.write_text(predictions_text(table), "utf-8")
    found = read_predictions(file)
    assert found["image_id"].tolist() == ["NA", "null", "1.0"]
    assert found["patient_id"].isna().tolist() == [False, True, False]
    assert found["patient_id"][0] == "007" and found["patient_id"][2] == "NA"
    assert found["logit"].tolist() == logits.tolist()
    assert predictions_text(found) == predictions_text(table)
    assert rows_of(found, "test").patient_count is None


def test_labels_are_looked_at_where_they_are_judged(tmp_path: Path) -> None:
    file = tmp_path / "predictions.csv"
    file.write_text(HEAD + "a,,val,,0,0.5\nb,,test,1,0,0.5\n")
    found = read_predictions(file)
    assert rows_of(found, "test").labels.tolist() == [1]
    with pytest.raises(BadLabels):
        rows_of(found, "val")


@pytest.mark.parametrize(
    "content",
    [None, b"", b"image_id,label\n", b"\xff\xfe\x00", HEAD.encode() + b"a,,test,1,much,0.5\n"],
)
def test_what_is_no_table_is_no_run(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "predictions.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(NotARun, match="predictions.csv") as caught:
        read_predictions(file)
    assert "train --resume" in str(caught.value.remedy)
