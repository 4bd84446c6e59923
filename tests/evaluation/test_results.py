"""``metrics.json``: what is written is read back, older files open, damaged ones are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pneumoscope.errors import NotARun
from pneumoscope.evaluation.calibrate import read_evaluation
from pneumoscope.evaluation.choices import choose_all
from pneumoscope.evaluation.evaluate import (
    evaluate_split,
    evaluate_withheld,
    operating_point_from,
)
from pneumoscope.evaluation.results import (
    Evaluation,
    evaluation_json,
    write_evaluation,
)
from pneumoscope.evaluation.shortcuts import evaluate_shortcuts
from pneumoscope.metrics.resample import IntervalSettings

Table = Callable[..., pd.DataFrame]
QUICK = IntervalSettings(resamples=50)


def evaluated(frame: pd.DataFrame, **more: Any) -> Evaluation:
    choices = choose_all(frame, operating_point_from(frame, "youden"))
    asked: dict[str, Any] = {"split": "test", "choices": choices, "settings": QUICK} | more
    return evaluate_split(frame, **asked)


@pytest.fixture
def file(tmp_path: Path, table: Table) -> Path:
    write_evaluation(tmp_path / "metrics.json", evaluated(table()))
    return tmp_path / "metrics.json"


def test_all_parts_come_back(tmp_path: Path, table: Table) -> None:
    frame = table()
    ages = pd.DataFrame({"image_id": frame.image_id, "age": np.arange(len(frame)) % 80})
    hidden = frame[["image_id"]].assign(border=0.0, centre=frame.logit, thumbnail=0.0)
    gate = frame[["image_id"]].assign(code=np.where(np.arange(len(frame)) < 30, "ROTATED", None))
    whole = evaluated(frame, facts=ages, prevalence=0.05, re_choose=True)
    found = replace(
        whole,
        shortcuts=evaluate_shortcuts(frame, hidden, split="test", settings=QUICK),
        withheld=evaluate_withheld(frame, gate, whole, QUICK),
    )
    write_evaluation(tmp_path / "metrics.json", found)
    again = read_evaluation(tmp_path / "metrics.json")
    assert evaluation_json(again) == evaluation_json(found)
    assert again.re_chosen == found.re_chosen and again.operating_points == found.operating_points
    assert again.withheld == found.withheld and again.withheld is not None
    assert again.withheld.reasons == {"ROTATED": 20}
    assert again.shortcuts == found.shortcuts and again.metrics == found.metrics


def test_keys_stand_where_they_always_stood(file: Path) -> None:
    """What reads the file elsewhere may go by its order, and by what is absent and what null."""
    assert list(json.loads(file.read_text())) == [
        *("schema", "split", "n", "positives", "patients", "operating_point", "metrics"),
        *("confusion", "per_class", "timing", "operating_points", "calibration", "prevalence"),
        *("decision_curve", "abstention", "notes", "subgroups", "scale"),
    ]


def test_a_file_of_a_version_without_some_parts_opens(file: Path) -> None:
    known = json.loads(file.read_text())
    for key in ("calibration", "subgroups", "abstention", "operating_points", "notes"):
        del known[key]
    known["of a later version"] = {"x": 1}
    file.write_text(json.dumps(known))
    found = read_evaluation(file)
    assert (found.calibration, found.subgroups, found.abstention) == (None, None, None)
    assert found.operating_points == () and found.n == known["n"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 7}, "schema 7"),
        ({"split": None}, "split: None"),
        ({"metrics": [1]}, "metrics: [1]"),
        ({"metrics": {"auroc": 0.9}}, "metrics: 0.9"),
        ({"confusion": {"tn": 1, "fp": 2}}, "confusion: no 'fn'"),
        ({"operating_point": {"name": "f1"}}, "operating_point: no 'threshold'"),
    ],
)
def test_damage_is_named(file: Path, change: dict[str, Any], said: str) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(NotARun, match=r"metrics\.json") as caught:
        read_evaluation(file)
    assert said in str(caught.value)


def test_what_is_missing_is_named(file: Path) -> None:
    known = json.loads(file.read_text())
    del known["split"]
    file.write_text(json.dumps(known))
    with pytest.raises(NotARun, match="no 'split'") as caught:
        read_evaluation(file)
    assert "train --resume" in str(caught.value.remedy)
