"""The whole of metrics.json: what was there before stays, what is new agrees with its oracles."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from pneumoscope.errors import ChosenOnTest, InputError, UnreadableData
from pneumoscope.evaluation.choices import Choices, choose_all
from pneumoscope.evaluation.evaluate import core_metrics, evaluate_split, operating_point_from
from pneumoscope.evaluation.predictions import at_temperature
from pneumoscope.evaluation.results import evaluation_json
from pneumoscope.metrics.intervals import wilson
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.plain import to_plain
from pneumoscope.readings import OperatingPoint

Table = Callable[..., pd.DataFrame]
QUICK = IntervalSettings(resamples=200)


def evaluated(frame: pd.DataFrame, **more: Any) -> dict[str, Any]:
    choices = choose_all(frame, operating_point_from(frame, "youden"))
    asked = {"split": "test", "choices": choices, "settings": QUICK} | more
    return evaluation_json(evaluate_split(frame, **asked))


def test_the_core_metrics_are_part_of_it(table: Table) -> None:
    frame = table()
    found = evaluated(frame, prevalence=0.07)
    choices = choose_all(frame, operating_point_from(frame, "youden"))
    point, scaled = choices.points[0], at_temperature(frame, choices.temperature)
    before = to_plain(core_metrics(scaled, split="test", operating_point=point, settings=QUICK))
    for key in set(before) - {"timing"}:
        assert found[key] == before[key], key
    added = set(found) - set(before)
    assert added == {
        *("operating_points", "calibration", "prevalence", "decision_curve", "subgroups"),
        *("abstention", "notes", "scale"),
    }
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert {"evaluate_seconds", "judge_seconds"} == set(found["timing"])


def test_points_calibration_and_prevalence_agree_with_their_oracles(table: Table) -> None:
    frame = table()
    found = evaluated(frame, prevalence=0.07)
    t = found["calibration"]["temperature"]
    rows = at_temperature(frame[frame.split == "test"], t)
    for point in found["operating_points"]:
        called = rows.probability >= point["threshold"]
        tn, fp, fn, tp = sk.confusion_matrix(rows.label, called).ravel()
        assert point["confusion"] == {"tn": tn, "fp": fp, "fn": fn, "tp": tp}
        assert point["sensitivity"] == to_plain(wilson(int(tp), int(tp + fn)))
        assert point["npv"] == to_plain(wilson(int(tn), int(tn + fn)))
    first = found["operating_points"][0]
    assert first["specificity"] == found["metrics"]["specificity"]
    after, scaled = found["calibration"]["after"], 1 / (1 + np.exp(-rows.raw_logit / t))
    assert found["scale"] == "calibrated"
    assert after["brier"]["value"] == pytest.approx(sk.brier_score_loss(rows.label, scaled))
    assert after["log_loss"]["value"] == pytest.approx(sk.log_loss(rows.label, scaled))
    before = found["calibration"]["before"]
    assert after["slope"]["value"] == pytest.approx(before["slope"]["value"] * t)
    assert after["intercept"]["value"] == pytest.approx(before["intercept"]["value"])
    for key in ("brier", "log_loss", "ece"):
        assert after[key] == found["metrics"][key] != before[key]
    asked = [row for row in found["prevalence"]["at"] if row["asked"]]
    own = [row for row in found["prevalence"]["at"] if row["own"]]
    assert len(asked) == len(own) == 1 and asked[0]["prevalence"] == 0.07
    assert own[0]["ppv"] == found["metrics"]["precision"] == first["precision"]
    assert own[0]["npv"] == found["metrics"]["npv"] == first["npv"]


def test_abstention_counts(table: Table) -> None:
    frame = table(900)
    choices = choose_all(frame, operating_point_from(frame, "youden"), miss_rate=0.02)
    found = evaluated(frame, choices=choices)["abstention"]
    said = found["conformal"]
    rows = at_temperature(frame[frame.split == "test"], choices.temperature)
    p, y = rows.probability, rows.label
    withheld = (p >= said["pneumonia_from"]) & (p <= said["normal_to"])
    assert said["withheld"] == withheld.sum() > 0 and said["read"] == (~withheld).sum()
    wrong = ((p < said["pneumonia_from"]) & (y == 1)) | ((p > said["normal_to"]) & (y == 0))
    assert said["errors"] == (wrong & ~withheld).sum()
    assert said["wrong"]["value"] == pytest.approx(said["errors"] / said["read"])
    assert said["missed"]["n"] == (y == 1).sum()
    rates = [rung["withheld"] for rung in found["ladder"]]
    assert rates == sorted(rates, reverse=True)
    whole = said["wrong_without"]["value"]
    assert found["risk_coverage"]["risk"][-1] == pytest.approx(whole, abs=1e-6)


def test_the_order_of_rows_changes_nothing(table: Table) -> None:
    frame = table(films=2)
    here, there = evaluated(frame), evaluated(frame.sample(frac=1.0, random_state=1))
    for key in ("operating_points", "prevalence", "decision_curve", "subgroups", "abstention"):
        assert here[key] == there[key], key


def test_clusters_are_seen_everywhere(table: Table) -> None:
    found = evaluated(table(600, films=6))
    methods = [found["operating_points"][0]["sensitivity"]["method"]]
    methods += [found["abstention"]["conformal"]["coverage"]["method"]]
    methods += [found["decision_curve"]["method"]]
    methods += [found["calibration"]["before"]["slope"]["method"]]
    methods += [found["calibration"]["after"]["brier"]["method"]]
    assert all("patient" in method for method in methods), methods


def test_re_choosing_is_named_and_only_on_request(table: Table) -> None:
    frame = table()
    assert "re_chosen" not in evaluated(frame)
    choices = choose_all(frame, operating_point_from(frame, "youden"))
    other = table(seed=5).assign(split="external")
    asked = {"split": "external", "choices": choices, "settings": QUICK}
    found = evaluation_json(evaluate_split(other, re_choose=True, **asked))
    again = found["re_chosen"]
    assert again["chosen_on"] == "external" and "optimistic" in again["rule"]
    assert found["operating_point"]["chosen_on"] == "val"
    assert again["threshold"] not in [point["threshold"] for point in found["operating_points"]]


def test_refusals(table: Table) -> None:
    frame = table()
    point = OperatingPoint("f1", 0.4, "maximum f1", "test")
    with pytest.raises(ChosenOnTest):
        evaluate_split(frame, split="test", choices=Choices((point,)))
    with pytest.raises(InputError, match="prevalence"):
        evaluated(frame, prevalence=10)
    with pytest.raises(UnreadableData, match="logits do not belong"):
        evaluated(frame.assign(logit=frame.logit.where(frame.index != 1, 99.0)))


@pytest.mark.parametrize("kept", ["nothing", "one class", "one film"])
def test_splits_that_say_little(table: Table, kept: str) -> None:
    frame = table()
    test = frame[frame.split == "test"]
    parts = {"nothing": test[:0], "one class": test[test.label == 1], "one film": test[:1]}
    small = pd.concat([frame[frame.split == "val"], parts[kept]])
    facts = pd.DataFrame({"image_id": small.image_id, "sex": "F"})
    found = evaluated(small, facts=facts)
    assert found["prevalence"] is None and found["decision_curve"] is None
    assert json.dumps(found, allow_nan=False)


def test_without_anything_fitted(table: Table) -> None:
    point = OperatingPoint("fixed", 0.5, "fixed at 0.5", "val")
    found = evaluated(table(), choices=Choices((point,), notes=("why",)))
    assert found["calibration"]["after"] is None and found["abstention"]["conformal"] is None
    assert found["decision_curve"]["probabilities"] == "as given"
    assert found["notes"] == ["why"]
