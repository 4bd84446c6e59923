"""One film has one probability and one threshold, wherever the tool speaks of it."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.helpers import networks  # noqa: F401 - registers the network of the golden runs
from tests.helpers.commands import Made, run
from tests.helpers.golden import lay_out, words_of

from pneumoscope import Classifier
from pneumoscope.evaluation import choices
from pneumoscope.formatting import number
from pneumoscope.inference.members import load_members
from pneumoscope.readings import Calibration
from pneumoscope.report.evaluated import read_evaluated
from pneumoscope.run import Run
from pneumoscope.workflows import pipeline
from pneumoscope.workflows.compare import compare
from pneumoscope.workflows.evaluate.evaluate import evaluate_run
from pneumoscope.workflows.evaluate.request import EvaluateRequest
from pneumoscope.workflows.explain.explain import ExplainRequest, explain_run

HEAT = Calibration(0.4, "val")


@pytest.fixture
def calibrated(
    finished: Path, trained: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Run:
    """A run that keeps a temperature, as it is judged anew."""
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(trained.cache))
    monkeypatch.setattr(choices, "_calibrated", lambda rows, split: (HEAT, ""))
    for name in ("metrics.json", "report.html"):
        (finished / name).unlink()
    return pipeline.resume(finished)


def rows_of(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text("utf-8").splitlines()))


def test_one_film_has_one_probability_and_one_threshold(
    calibrated: Run, tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = calibrated.folder
    with np.load(tiny_npz) as arrays:
        Image.fromarray(arrays["test_images"][0]).save("film.png")
    row = next(row for row in rows_of(calibrated.predictions_file) if row["split"] == "test")
    logit, heat = float(row["raw_logit"]), float(row["temperature"])
    probability = 1 / (1 + np.exp(-logit / heat))
    assert heat == HEAT.temperature
    assert float(row["calibrated_probability"]) == pytest.approx(probability, rel=1e-5)

    found = json.loads(calibrated.metrics_file.read_text())
    assert (found["schema"], found["scale"]) == (2, "calibrated")
    model = json.loads(calibrated.model_file.read_text())
    assert (model["schema"], model["scale"]) == (2, "calibrated")
    points = {point["name"]: point["threshold"] for point in found["operating_points"]}
    assert points == {point["name"]: point["threshold"] for point in model["operating_points"]}

    reading = Classifier.load(place, device="cpu").read("film.png", point="sensitivity")[0]
    asked = ("--csv", "out.csv", "--json", "out.json", "--point", "sensitivity")
    assert run(monkeypatch, "predict", str(place), "film.png", *asked) == 0
    line = rows_of(Path("out.csv"))[0]
    entry = json.loads(Path("out.json").read_text())[0]
    folder, explained = explain_run(ExplainRequest(place, ("film.png",), methods=("gradcam",)))
    film = explained.films[0]
    got = (reading.probability, line["probability"], entry["probability"], film.probability)
    # bf16, where the run computes in it: a network that only reads rounds otherwise.
    np.testing.assert_allclose(np.array(got, float), probability, atol=2e-3)
    assert abs(probability - 1 / (1 + np.exp(-logit))) > 0.02
    assert reading.scale == line["scale"] == entry["scale"] == explained.scale == "calibrated"
    assert len(line["probability"]) <= len("0.123456")
    thresholds = {entry["operating_point"]["threshold"], float(line["threshold"])}
    assert thresholds == {points["sensitivity"]}
    assert film.threshold == found["operating_point"]["threshold"]

    page, card = words_of(calibrated.report_file), calibrated.model_card_file.read_text()
    for text in (page, card):
        assert number(points["sensitivity"]) in text
        assert "calibrated, each logit divided by the temperature 0.400" in text
    shown = f"called pneumonia from a probability of {number(film.threshold)} on"
    assert shown in words_of(folder / "explain.html")


def test_a_run_judged_before_is_put_on_the_scale_of_its_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(tmp_path)
    old = tmp_path / "run"
    before = json.loads((old / "metrics.json").read_text())
    heat = before["calibration"]["temperature"]
    judged = evaluate_run(EvaluateRequest(old))
    found = json.loads((judged / "metrics.json").read_text())
    assert before["schema"] == 1 and found["scale"] == "calibrated"
    assert found["confusion"] == before["confusion"]  # no decision changes
    point = load_members(old).operating_points[0]
    threshold = before["operating_point"]["threshold"]
    assert point.threshold == found["operating_point"]["threshold"] != threshold
    assert math.log(threshold / (1 - threshold)) / heat == pytest.approx(
        math.log(point.threshold / (1 - point.threshold))
    )
    one, other = read_evaluated(old), read_evaluated(judged)
    assert (one.threshold, one.scale) == (other.threshold, other.scale)
    np.testing.assert_allclose(one.predictions["probability"], other.predictions["probability"])
    for key in ("brier", "log_loss", "ece"):
        assert one.results.metrics[key].value == pytest.approx(other.results.metrics[key].value)

    comparison = compare([old, judged])
    told = json.loads((comparison / "comparison.json").read_text())
    assert "A: judged by an earlier version" in " ".join(told["notes"])
    assert {each["scale"] for each in told["runs"]} == {"calibrated"}
    assert len({round(each["metrics"]["brier"]["value"], 9) for each in told["runs"]}) == 1
