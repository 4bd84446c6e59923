"""Cross-validation from the command line, on tiny phantoms."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score, roc_auc_score
from tests.flow.conftest import QUICK
from tests.flow.test_train import run

from pneumoscope.inference.members import load_members
from pneumoscope.metrics.calibration import ece


def test_folds_are_pooled_resumed_and_predict_together(
    tiny_npz: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = [
        w for c in (*QUICK, "train.epochs=1", "decide.rule=youden_smooth") for w in ("--set", c)
    ]
    assert run(monkeypatch, "crossval", str(tiny_npz), "--folds", "2", *changes) == 0
    printed = capsys.readouterr().out
    folder = Path("runs/001-crossval-resnet18-tiny")
    assert "120 films" in printed and "left out" in printed
    pooled = pd.read_csv(folder / "predictions.csv")
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    # 160 films, of which the 40 of the official test split are in no fold
    assert len(pooled) == metrics["n"] == 120 and pooled["image_id"].is_unique
    own = [json.loads((folder / f"fold-{k}/metrics.json").read_text("utf-8")) for k in (0, 1)]
    for number, fold in enumerate(own):
        threshold = fold["operating_point"]["threshold"]
        part = pooled[pooled["fold"] == number]
        assert fold["n"] == len(part) and fold["operating_point"]["chosen_on"] == "val"
        assert (part["decision"] == (part["probability"] >= threshold)).all()
        trained = pd.read_csv(folder / f"fold-{number}/predictions.csv")
        val = trained.loc[trained["split"] == "val", "image_id"]
        assert len(val) and not set(val) & set(part["image_id"])
    found = metrics["metrics"]
    label, decision = pooled["label"], pooled["decision"]
    assert found["auroc"]["value"] == pytest.approx(roc_auc_score(label, pooled["probability"]))
    assert found["sensitivity"]["value"] == pytest.approx(recall_score(label, decision))
    assert found["specificity"]["value"] == pytest.approx(1 - decision[label == 0].mean())
    assert len(set(metrics["operating_point"]["thresholds"])) == 2
    brier = np.mean((label - pooled["probability"]) ** 2)
    assert found["brier"]["value"] == pytest.approx(brier)
    gap = ece(label.to_numpy(), pooled["probability"].to_numpy())
    assert found["ece"]["value"] == pytest.approx(gap)
    aurocs = [fold["metrics"]["auroc"]["value"] for fold in own]
    assert metrics["over_folds"]["auroc"]["mean"] == pytest.approx(np.mean(aurocs))
    assert metrics["over_folds"]["auroc"]["sd"] == pytest.approx(np.std(aurocs, ddof=1))
    members = load_members(folder)
    assert len(members.bundles) == 2 and members.operating_points

    kept = (folder / "fold-0/model.safetensors").stat().st_mtime_ns
    before = (folder / "predictions.csv").read_bytes()
    shutil.rmtree(folder / "fold-1")
    (folder / "metrics.json").unlink()
    assert run(monkeypatch, "train", "--resume", str(folder)) == 0
    assert (folder / "fold-0/model.safetensors").stat().st_mtime_ns == kept
    assert (folder / "predictions.csv").read_bytes() == before
    assert "fold-1/report.html" in (folder / "report.html").read_text("utf-8")
