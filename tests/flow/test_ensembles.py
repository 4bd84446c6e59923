"""Folds and seeds that answer together: judged and explained on films that no member has seen."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.helpers.commands import Made

from pneumoscope.errors import InputError, NotARun
from pneumoscope.evaluation.predictions import read_predictions
from pneumoscope.explain.cam import heatmaps
from pneumoscope.explain.explanation import Peak
from pneumoscope.explain.heat import scaled
from pneumoscope.inference.classifier import Classifier
from pneumoscope.inference.members import load_members
from pneumoscope.inference.predictor import Predictor
from pneumoscope.records import DataRequest
from pneumoscope.workflows.evaluate.evaluate import evaluate_run
from pneumoscope.workflows.evaluate.request import EvaluateRequest
from pneumoscope.workflows.explain.explain import ExplainRequest, explain_run


@pytest.fixture
def folds(two_folds: Made, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(two_folds.cache))
    return two_folds.folder


@pytest.fixture
def all_dealt(folds: Path, tmp_path: Path) -> Path:
    """A copy whose folds hold the official test films too, so that every film made a member."""
    copy = tmp_path / "dealt"
    shutil.copytree(folds, copy)
    for number in (0, 1):
        file = copy / f"fold-{number}/recipe.yaml"
        file.write_text(file.read_text("utf-8").replace("test: official", "test: new"), "utf-8")
    return copy


def official_test(tiny: Path) -> np.ndarray:
    with np.load(tiny) as arrays:
        return np.asarray(arrays["test_images"])


def test_folds_are_judged_on_the_official_test_split(folds: Path, tiny_npz: Path) -> None:
    judged = evaluate_run(EvaluateRequest(folds))
    metrics = json.loads((judged / "metrics.json").read_text("utf-8"))
    assert metrics["split"] == "test" and metrics["n"] == 40
    table = read_predictions(judged / "predictions.csv")
    known = pd.read_csv(folds / "predictions.csv")
    assert not set(table["image_id"]) & set(known["image_id"])
    members = load_members(folds)
    assert metrics["operating_point"]["threshold"] == members.operating_points[0].threshold
    films = official_test(tiny_npz)
    logits = []
    for bundle in members.bundles:
        logits.append(Predictor([bundle]).batch(films) / bundle.temperature)
    np.testing.assert_allclose(table["logit"], np.mean(logits, axis=0), atol=1e-6)
    card = json.loads((judged / "run.json").read_text("utf-8"))
    assert card["members"] == 2 and card["judges"] == "cv"
    names = ["metadata", "thumbnail", "border"]
    assert [each["name"] for each in card["baselines"]] == names
    assert "One training seed" not in (judged / "report.html").read_text("utf-8")
    assert "One training seed" in (folds / "fold-0/report.html").read_text("utf-8")
    page = (judged / "report.html").read_text("utf-8")
    assert page.count('class="heat"') > 8 and "averaged over 2 models" in page


def test_an_ensemble_is_judged_on_other_films_and_names_those_it_has_seen(
    folds: Path, tiny_npz: Path, tmp_path: Path
) -> None:
    with np.load(tiny_npz) as whole:
        films = np.concatenate([whole["train_images"][:6], 255 - whole["train_images"][:30]])
    labels = np.arange(36)[:, None] % 2
    splits = {"train": slice(0, 8), "val": slice(8, 12), "test": slice(12, 36)}
    arrays = {f"{name}_images": films[part] for name, part in splits.items()}
    arrays |= {f"{name}_labels": labels[part] for name, part in splits.items()}
    np.savez(tmp_path / "other-pneumonia.npz", **arrays)
    judged = evaluate_run(
        EvaluateRequest(folds, DataRequest(str(tmp_path / "other-pneumonia.npz")))
    )
    card = json.loads((judged / "run.json").read_text("utf-8"))
    assert json.loads((judged / "metrics.json").read_text("utf-8"))["n"] == 30
    assert "36 films, of which 6 are films of this model's training set" in card["warnings"][0]


@pytest.mark.parametrize("asked", [{"cost": 5.0}, {"miss_rate": 0.1}, {"split": "val"}])
def test_what_needs_common_films_is_refused(folds: Path, asked: dict[str, object]) -> None:
    with pytest.raises(InputError, match="no validation films in common"):
        evaluate_run(EvaluateRequest(folds, **asked))  # type: ignore[arg-type]


def judge(folder: Path) -> object:
    return evaluate_run(EvaluateRequest(folder))


def explain(folder: Path) -> object:
    return explain_run(ExplainRequest(folder, methods=("gradcam",)))


@pytest.mark.parametrize("ask", [judge, explain])
def test_films_that_made_a_member_are_refused(
    all_dealt: Path, ask: Callable[[Path], object]
) -> None:
    with pytest.raises(InputError, match="every film of its data") as error:
        ask(all_dealt)
    assert "metrics.json" in str(error.value.remedy)


@pytest.mark.parametrize("ask", [judge, explain, Classifier.load])
def test_folds_that_are_not_all_trained_are_no_ensemble(
    folds: Path, tmp_path: Path, ask: Callable[[Path], object]
) -> None:
    copy = tmp_path / "stopped"
    shutil.copytree(folds, copy)
    shutil.rmtree(copy / "fold-1")
    (copy / "ensemble.json").unlink()
    with pytest.raises(NotARun, match="not all finished") as error:
        ask(copy)
    assert f"train --resume {copy}" in str(error.value.remedy)


def test_the_map_of_an_ensemble_is_the_mean_of_its_members(
    folds: Path, tiny_npz: Path, tmp_path: Path
) -> None:
    folder, about = explain_run(ExplainRequest(folds, methods=("gradcam",), count=4))
    known = set(pd.read_csv(folds / "predictions.csv")["image_id"])
    assert len(about.films) == 4 and not {film.image_id for film in about.films} & known
    assert about.members == 2
    assert "mean of the maps of 2 models" in (folder / "explain.html").read_text("utf-8")
    film = official_test(tiny_npz)[0]
    Image.fromarray(film).save(tmp_path / "one.png")
    _, given = explain_run(ExplainRequest(folds, (str(tmp_path / "one.png"),), ("gradcam",)))
    each = [
        heatmaps(b.network, film[None], "gradcam", mirror=b.flip_average)
        for b in load_members(folds).bundles
    ]
    mean = scaled(each[0] + each[1])[0]
    y, x = np.unravel_index(mean.argmax(), mean.shape)
    assert given.films[0].peaks["gradcam"] == Peak(x, y, None)
    bundles = load_members(folds).bundles
    logits = [Predictor([b]).batch(film[None])[0] / b.temperature for b in bundles]
    chance = 1 / (1 + np.exp(-np.mean(logits)))
    assert given.films[0].probability == pytest.approx(chance, abs=1e-6)
    said = Classifier.load(folds).read(film)[0]
    assert given.films[0].called == (said.decision == "pneumonia")
