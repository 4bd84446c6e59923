"""What version 0.1.0 left half-trained is finished by this one, to the predictions of that version.

Its checkpoints hold the state of a callback under the name that its class had then; a callback that
did not read it would forget the best epoch and begin its history anew.
"""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.helpers import networks  # noqa: F401 - registers the network of the golden runs
from tests.helpers.commands import run
from tests.helpers.golden import lay_out

from pneumoscope.evaluation.predictions import read_predictions

TRAINED = 1e-3
"""Of logits: processors add in different orders, and the last epochs are trained anew here."""


@pytest.mark.parametrize(("group", "half"), [("seeds", "seed-2"), ("folds", "fold-1")])
def test_what_was_half_trained_is_finished(
    group: str, half: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(tmp_path / "cache"))
    place = tmp_path.resolve()
    lay_out(place)
    monkeypatch.chdir(place)
    stopped = place / "stopped"
    shutil.copytree(place / group, stopped)
    shutil.rmtree(stopped / half)
    shutil.copytree(place / f"half-{group}" / half, stopped / half)
    before = pd.read_csv(stopped / half / "history.csv")
    assert run(monkeypatch, "train", "--resume", "stopped") == 0
    after = pd.read_csv(stopped / half / "history.csv")
    assert len(after) > len(before)
    pd.testing.assert_frame_equal(after.iloc[: len(before)], before)  # not trained anew
    got, expected = (
        read_predictions(folder / half / "predictions.csv") for folder in (stopped, place / group)
    )
    assert got["image_id"].tolist() == expected["image_id"].tolist()
    np.testing.assert_allclose(got["raw_logit"], expected["logit"], atol=TRAINED)
