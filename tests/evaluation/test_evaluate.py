"""The table of predictions becomes metrics.json, honestly or not at all."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from pneumoscope.errors import BadLabels, ChosenOnTest, UnreadableData
from pneumoscope.evaluation.evaluate import core_metrics, operating_point_from
from pneumoscope.metrics.intervals import delong, wilson
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.plain import to_plain
from pneumoscope.readings import OperatingPoint

QUICK = IntervalSettings(resamples=200)
POINT = OperatingPoint("youden", 0.5, "maximum youden", "val")
NAMES = (
    *("auroc", "average_precision", "accuracy", "sensitivity", "specificity", "precision"),
    *("recall", "npv", "f1", "balanced_accuracy", "mcc", "brier", "ece", "log_loss"),
)


def table(n: int = 300, films: int = 1, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    labels = rng.permutation((np.arange(n) < 0.6 * n).astype(int))
    logits = rng.normal(size=n) * 1.5 + 3 * labels - 1.5
    return pd.DataFrame(
        {
            "image_id": [f"i{i}" for i in range(n)],
            "patient_id": [f"p{i // films}" for i in range(n)],
            "split": np.where(np.arange(n) % 3 == 0, "val", "test"),
            "label": labels,
            "logit": logits,
            "probability": 1 / (1 + np.exp(-logits)),
        }
    )


def evaluated(frame: pd.DataFrame, **more: Any) -> dict[str, Any]:
    return to_plain(
        core_metrics(frame, **{"split": "test", "operating_point": POINT, "settings": QUICK} | more)
    )


def test_the_whole_of_metrics_json() -> None:
    frame = table()
    ticks = iter([10.0, 12.5])
    found = evaluated(frame, clock=lambda: next(ticks))
    rows = frame[frame.split == "test"]
    called = (rows.probability >= 0.5).astype(int)
    assert set(found) == {
        *("schema", "split", "n", "positives", "patients", "operating_point"),
        *("metrics", "confusion", "per_class", "timing"),
    }
    assert (found["schema"], found["split"], found["n"], found["patients"]) == (2, "test", 200, 200)
    assert found["positives"] == rows.label.sum() and found["timing"] == {"evaluate_seconds": 2.5}
    assert found["operating_point"] == to_plain(POINT)
    assert tuple(sorted(found["metrics"])) == tuple(sorted(NAMES))
    for e in found["metrics"].values():
        assert set(e) == {"value", "low", "high", "level", "method", "n"}
        assert e["low"] <= e["value"] <= e["high"]
    assert (
        list(found["confusion"].values())
        == sk.confusion_matrix(rows.label, called).ravel().tolist()
    )
    reference = sk.classification_report(rows.label, called, output_dict=True)
    for key, name in (("0", "normal"), ("1", "pneumonia")):
        ours = found["per_class"][name]
        assert ours["support"] == reference[key]["support"]
        for ours_name, theirs in (
            ("precision", "precision"),
            ("recall", "recall"),
            ("f1", "f1-score"),
        ):
            assert ours[ours_name]["value"] == pytest.approx(reference[key][theirs], abs=1e-12)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_independent_films_get_wilson_and_delong() -> None:
    found = evaluated(table())
    c, e = found["confusion"], found["metrics"]
    assert e["sensitivity"] == to_plain(wilson(c["tp"], c["tp"] + c["fn"])) == e["recall"]
    assert e["precision"]["n"] == c["tp"] + c["fp"]
    rows = table()[lambda frame: frame.split == "test"]
    area = delong(rows.label.to_numpy(), rows.probability.to_numpy())
    assert e["auroc"] == to_plain(area)
    assert e["f1"]["method"].startswith("stratified bootstrap")


def test_several_films_a_patient_get_the_clustered_bootstrap() -> None:
    found = evaluated(table(films=6))
    assert found["patients"] == 50
    assert {e["method"].split(",")[0] for e in found["metrics"].values()} == {
        "patient-clustered bootstrap"
    }
    assert found["metrics"]["specificity"]["n"] == found["n"] - found["positives"]
    assert {k: e["value"] for k, e in found["metrics"].items()} == {
        k: e["value"] for k, e in evaluated(table())["metrics"].items()
    }


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_unknown_patients(missing: Any) -> None:
    nobody = table().assign(patient_id=missing)
    assert evaluated(nobody)["patients"] is None
    assert evaluated(nobody)["metrics"]["accuracy"]["method"] == "Wilson score"
    partly = table(films=6)
    partly["patient_id"] = partly["patient_id"].where(partly.index > 9)
    assert evaluated(partly)["patients"] is None
    assert "clustered" in evaluated(partly)["metrics"]["accuracy"]["method"]


@pytest.mark.parametrize("label", [0, 1])
def test_one_class(label: int) -> None:
    frame = table()
    found = evaluated(frame[frame.label == label])["metrics"]
    for name in ("auroc", "average_precision", "balanced_accuracy", "mcc"):
        assert found[name]["value"] is None and found[name]["low"] is None
        assert found[name]["method"] == "undefined: one class only"
    lost, kept = ("sensitivity", "specificity")[:: 1 if label == 0 else -1]
    assert found[lost]["value"] is None and found[kept]["value"] is not None
    assert found["brier"]["low"] <= found["brier"]["value"] <= found["brier"]["high"]


def test_empty_split_and_single_film() -> None:
    found = evaluated(table(), split="train")
    assert found["n"] == 0 and found["patients"] == 0
    assert {e["method"] for e in found["metrics"].values()} == {"undefined: no films"}
    assert evaluated(table()[:2])["n"] == 1
    assert json.dumps(found, allow_nan=False)


def test_a_point_that_calls_nothing() -> None:
    point = OperatingPoint("fixed", 1.0, "fixed at 1", "val")
    found = evaluated(table(), operating_point=point)
    assert found["metrics"]["precision"]["method"] == "undefined: 0/0"
    assert found["metrics"]["f1"]["value"] == 0.0
    assert found["per_class"]["pneumonia"]["precision"]["value"] is None


def test_row_order_input_and_seed() -> None:
    frame = table(films=2)
    before = frame.copy()
    here, there = evaluated(frame), evaluated(frame.sample(frac=1.0, random_state=1))
    pd.testing.assert_frame_equal(frame, before)
    for name, e in here["metrics"].items():
        assert e["low"] == pytest.approx(there["metrics"][name]["low"], abs=1e-9), name
    assert (
        evaluated(frame)["metrics"]
        == here["metrics"]
        != evaluated(frame, settings=IntervalSettings(resamples=200, seed=1))["metrics"]
    )


def test_operating_point_from_looks_at_val_only() -> None:
    frame = table()
    point = operating_point_from(frame, "sensitivity", 0.9)
    assert (point.chosen_on, point.rule) == ("val", "sensitivity >= 0.9")
    spoilt = frame.copy()
    spoilt.loc[spoilt.split == "test", "label"] = 7
    assert operating_point_from(spoilt, "sensitivity", 0.9) == point


def test_choosing_on_test_is_refused() -> None:
    frame = table()
    with pytest.raises(ChosenOnTest):
        operating_point_from(frame[frame.split == "test"], "youden")
    with pytest.raises(UnreadableData, match="no validation rows"):
        operating_point_from(frame[:0], "youden")
    assert operating_point_from(frame[:0], "fixed").threshold == 0.5
    with pytest.raises(ChosenOnTest):
        evaluated(frame, operating_point=OperatingPoint("f1", 0.4, "maximum f1", "test"))


def test_bad_tables_say_what_is_wrong() -> None:
    frame = table()
    with pytest.raises(UnreadableData, match="logit"):
        evaluated(frame.drop(columns="logit"))
    with pytest.raises(UnreadableData, match="repeat an image id"):
        evaluated(pd.concat([frame, frame]))
    for wrong in (2, None, 0.5, "pneumonia"):
        bad = frame.astype({"label": object})
        bad.loc[1, "label"] = wrong
        with pytest.raises(BadLabels, match="1 of 200 test labels"):
            evaluated(bad)
    for wrong in (1.5, -0.1, np.nan, np.inf):
        bad = frame.copy()
        bad.loc[1, "probability"] = wrong
        with pytest.raises(UnreadableData, match="1 of 200 test probabilities"):
            evaluated(bad)


def test_labels_of_any_kind_of_number() -> None:
    plain = evaluated(table())
    for kind in ("int8", "float32", "Int64", "bool", "object"):
        assert evaluated(table().astype({"label": kind}))["metrics"] == plain["metrics"], kind
