"""One quantity has one value, wherever in the files of a run it stands, and one text where it is
shown. That every number of pages, card and terminal is one of these, ``test_pins`` asks."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from tests.helpers.figures_shown import faults
from tests.helpers.golden import PINS, differences
from tests.helpers.keyed import keyed, marking, unmarked

from pneumoscope.evaluation.predictions import read_predictions

EVALUATIONS = sorted(
    file.parent.name
    for file in PINS.glob("*/metrics.json")
    if "operating_points" in json.loads(file.read_text("utf-8"))
)

SAME = (
    ("operating_point.threshold", "operating_points[0].threshold"),
    ("operating_point.name", "operating_points[0].name"),
    ("confusion", "operating_points[0].confusion"),
    ("metrics.sensitivity", "operating_points[0].sensitivity"),
    ("metrics.specificity", "operating_points[0].specificity"),
    ("metrics.precision", "operating_points[0].precision"),
    ("metrics.npv", "operating_points[0].npv"),
    ("metrics.sensitivity", "per_class.pneumonia.recall"),
    ("metrics.specificity", "per_class.normal.recall"),
    ("metrics.precision", "per_class.pneumonia.precision"),
    ("metrics.npv", "per_class.normal.precision"),
    ("metrics.f1", "per_class.pneumonia.f1"),
    ("metrics.brier", "calibration.kept.brier"),
    ("metrics.log_loss", "calibration.kept.log_loss"),
    ("metrics.ece", "calibration.kept.ece"),
    ("metrics.precision", "prevalence.at.own.ppv"),
    ("metrics.npv", "prevalence.at.own.npv"),
    ("metrics.auroc", "shortcuts[0].auroc"),
    ("abstention.conformal.wrong_without.value", "abstention.risk_coverage.risk[-1]"),
)
"""Places in ``metrics.json`` that hold one quantity."""

_DIGITS = 1e-6
"""Curves are kept with six digits."""


def _at(found: Any, path: str) -> Any:
    """What stands at a path, None where there is no such part."""
    for name in re.findall(r"[\w-]+", path):
        if found is None:
            return None
        if name == "own":
            found = next((each for each in found if each["own"]), None)
        elif name == "kept":  # at the model's temperature, where it carries one
            found = found["after"] or found["before"]
        else:
            found = found[int(name)] if isinstance(found, list) else found.get(name)
    return found


def _numbers(found: Any) -> Any:
    """An estimate without how it was made."""
    if isinstance(found, dict) and "method" in found:
        return [found["value"], found["low"], found["high"]]
    return found


@pytest.mark.parametrize("name", EVALUATIONS)
def test_one_quantity_has_one_value(name: str) -> None:
    found = json.loads((PINS / name / "metrics.json").read_text("utf-8"))
    pairs = {pair: tuple(_numbers(_at(found, path)) for path in pair) for pair in SAME}
    other = {
        pair: values
        for pair, values in pairs.items()
        if None not in values and values[0] != pytest.approx(values[1], abs=_DIGITS, nan_ok=True)
    }
    assert not other


def _held(name: str) -> Any:
    return json.loads((PINS / name).read_text("utf-8"))


def test_a_model_decides_by_the_thresholds_that_are_judged() -> None:
    carried, judged = (
        {(point["name"], point["threshold"]) for point in _held(file)["operating_points"]}
        for file in ("judge/model.json", "judge/metrics.json")
    )
    assert carried == judged


def test_counts_are_those_of_the_predictions() -> None:
    found = _held("evaluate/metrics.json")
    table = read_predictions(PINS / "evaluate/predictions.csv")
    called = table["probability"] >= found["operating_point"]["threshold"]
    ill = table["label"] == 1
    counts = {"tn": ~called & ~ill, "fp": called & ~ill, "fn": ~called & ill, "tp": called & ill}
    assert {name: int(films.sum()) for name, films in counts.items()} == found["confusion"]


def test_a_comparison_has_the_figures_of_the_runs() -> None:
    own = _held("evaluate/metrics.json")
    (compared,) = (run for run in _held("compare/comparison.json")["runs"] if run["name"] == "run")
    for part in ("confusion", "operating_point"):
        assert compared[part] == own[part]
    for part in ("metrics", "per_class"):  # a run of before is brought to its scale when it is read
        assert not list(differences(compared[part], own[part], _DIGITS))


def test_predict_has_the_probabilities_that_were_judged() -> None:
    judged = read_predictions(PINS / "evaluate/predictions.csv").set_index("image_id")
    point = _held("evaluate/metrics.json")["operating_point"]
    read = {each["name"]: each for each in _held("predict-run/run.json")}
    both = sorted(set(read) & set(judged.index))
    assert both
    for name in both:
        assert read[name]["probability"] == pytest.approx(judged["probability"][name], abs=1e-4)
        assert read[name]["operating_point"]["threshold"] == pytest.approx(point["threshold"])


def test_a_summary_has_the_figures_of_its_seeds() -> None:
    runs = {run["seed"]: run for run in _held("compare-three/comparison.json")["runs"]}
    for name, over in _held("seeds/summary.json")["metrics"].items():
        for each in over["values"]:
            own = runs[each["seed"]]["metrics"][name]
            assert (each["value"], each["low"], each["high"]) == tuple(_numbers(own))


def test_splits_are_counted_once() -> None:
    found = _held("judge/run.json")
    door = {split["name"]: split for split in found["door"]["splits"]}
    for name, split in found["flow"]["splits"].items():
        films = door[name]["normal"] + door[name]["pneumonia"]
        assert (films, door[name]["pneumonia"]) == (split["n"], split["positives"])


def test_a_number_without_a_key_is_found() -> None:
    with marking():
        auroc = keyed(0.96512, "metrics.json:metrics.auroc.value")
        assert not list(faults({"card": f"AUROC {auroc:.3f}, misread {1 - auroc:.1%} on test"}))
        assert "0.97 carries no key" in next(faults({"card": "AUROC 0.97 on test"}))
        cut = f"AUROC {str(f'{auroc:.3f}')[:-3]} on test"  # what was written by other means
        assert unmarked(cut) == "AUROC 0.965 on test"
        assert "0.965 carries no key" in next(faults({"card": cut}))


def test_a_number_that_is_rounded_in_two_ways_is_found() -> None:
    with marking():
        auroc = keyed(0.96512, "metrics.json:metrics.auroc.value")
        texts = {"card": f"AUROC {auroc:.3f}", "page": f"AUROC {auroc:.2f}"}
        two = "metrics.json:metrics.auroc.value is rounded in two ways: 0.965 (card), 0.97 (page)"
        assert two in list(faults(texts))
        assert "page: 0.97 has not three places: metrics.json:metrics.auroc.value" in faults(texts)
