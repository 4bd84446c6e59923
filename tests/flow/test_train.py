"""The command line from data to report, on tiny phantoms."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import load_file
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from tests.helpers.commands import Made, run, train

from pneumoscope.evaluation.evaluate import operating_point_from
from pneumoscope.evaluation.predictions import read_predictions


def test_the_run_folder_is_complete(trained: Made) -> None:
    folder, _, printed = trained
    files = {path.name for path in folder.iterdir()}
    assert files >= {
        "recipe.yaml", "run.json", "history.csv", "checkpoints", "model.safetensors",
        "model.json", "predictions.csv", "metrics.json", "figures", "report.html",
        "model_card.md", "tensorboard",
    }  # fmt: skip
    assert not [name for name in files if name.endswith(".tmp")]
    for figure in ("roc", "precision_recall", "confusion", "loss", "scores", "misclassified"):
        assert any(figure in path.name for path in (folder / "figures").iterdir()), figure
    assert "Everything is in runs/001-test_resnet-pneumonia" in printed
    assert (
        "Next: " in printed
        and "precision:" in printed
        and "measured" in printed
        and "threads:" in printed
    )
    assert len(pd.read_csv(folder / "history.csv")) == 2
    assert load_file(folder / "model.safetensors")
    shifts = json.loads((folder / "run.json").read_text())["shifts"]
    assert {(s["split"], s["films"], s["why_not"]) for s in shifts} == {
        ("val", 20, "fewer than 25 films on one side"),
        ("test", 20, "fewer than 25 films on one side"),
    }


def test_the_cards_own_lines_read_a_film(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = (finished / "model_card.md").read_text("utf-8").split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(finished)
    Image.fromarray(np.full((50, 40), 90, np.uint8)).save("film.png")
    exec(compile(code, "model_card.md", "exec"), {})
    assert 0 <= float(capsys.readouterr().out.strip(" []\n")) <= 1


def test_metrics_are_those_of_the_predictions(trained: Made) -> None:
    rows = read_predictions(trained.folder / "predictions.csv")
    metrics = json.loads((trained.folder / "metrics.json").read_text())
    assert rows["split"].value_counts().to_dict() == {"val": 40, "test": 40}
    test = rows[rows["split"] == "test"]
    point = metrics["operating_point"]
    assert point["chosen_on"] == "val"
    got = metrics["metrics"]
    assert got["auroc"]["value"] == pytest.approx(
        roc_auc_score(test["label"], test["logit"]), abs=1e-9
    )
    called = test["probability"] >= point["threshold"]
    assert got["balanced_accuracy"]["value"] == pytest.approx(
        balanced_accuracy_score(test["label"], called), abs=1e-9
    )
    for name, estimate in got.items():
        if estimate["value"] is not None:
            assert estimate["low"] <= estimate["value"] <= estimate["high"], name
    np.testing.assert_allclose(
        test["probability"], [1 / (1 + math.exp(-z)) for z in test["logit"]], rtol=1e-12
    )


def test_the_threshold_does_not_see_the_test_split(trained: Made) -> None:
    rows = read_predictions(trained.folder / "predictions.csv")
    rows.loc[rows["split"] == "test", "label"] = 1 - rows.loc[rows["split"] == "test", "label"]
    point = operating_point_from(rows, "youden_smooth")
    points = json.loads((trained.folder / "metrics.json").read_text())["operating_points"]
    assert point.threshold in [p["threshold"] for p in points if p["name"] == "youden_smooth"]


def test_same_seed_same_predictions_another_seed_others(
    tiny_npz: Path, trained: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One cache: it holds the precision that was found to be the faster one here.
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(trained.cache))
    first = (trained.folder / "predictions.csv").read_bytes()
    same = ("--set", "train.precision=auto")
    assert train(monkeypatch, tiny_npz, *same, "--out", "again") == 0
    assert Path("again/predictions.csv").read_bytes() == first
    assert train(monkeypatch, tiny_npz, *same, "--seed", "1", "--out", "other") == 0
    assert Path("other/predictions.csv").read_bytes() != first


def test_a_finished_run_is_left_alone(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {p: p.stat().st_mtime_ns for p in finished.rglob("*") if p.is_file()}
    assert run(monkeypatch, "train", "--resume", str(finished)) == 0
    after = {p: p.stat().st_mtime_ns for p in finished.rglob("*") if p.is_file()}
    assert before == after


def test_early_stopping_stops(tiny_npz: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = ["--set", "train.epochs=30", "--set", "train.patience=2", "--set", "train.ema=0"]
    more += ["--set", "optim.learning_rate=0.0000001", "--set", "train.monitor=auroc"]
    more += ["--out", "short"]
    assert train(monkeypatch, tiny_npz, *more) == 0
    history = pd.read_csv("short/history.csv")
    best = history["val_auroc"].idxmax() + 1
    assert len(history) == best + 2 < 30
    assert json.loads(Path("short/model.json").read_text())["lineage"]["best_epoch"] == best


def test_two_outputs_and_sgd_train_too(tiny_npz: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = ["--set", "loss.name=cross_entropy", "--set", "optim.name=sgd", "--out", "two"]
    more += ["--set", "optim.schedule=constant", "--set", "train.epochs=1"]
    assert train(monkeypatch, tiny_npz, *more) == 0
    assert json.loads(Path("two/model.json").read_text())["outputs"] == 2
