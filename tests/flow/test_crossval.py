"""Cross-validation from the command line, on tiny phantoms."""

import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score, roc_auc_score
from tests.helpers.commands import FOLDS, Made, run
from tests.helpers.processes import python

from pneumoscope.errors import NotARun
from pneumoscope.evaluation.predictions import read_predictions
from pneumoscope.inference.members import load_members
from pneumoscope.metrics.calibration import ece
from pneumoscope.report.evaluated import read_evaluated
from pneumoscope.run import Run
from pneumoscope.workflows.groups.crossval import resume_crossval
from pneumoscope.workflows.groups.pooled import evaluate_pooled, pool_folds


@pytest.fixture
def folds(two_folds: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the two folds, and their cache."""
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(two_folds.cache))
    return Path(shutil.copytree(two_folds.folder, tmp_path / "runs" / "cv"))


def test_folds_are_pooled_resumed_and_predict_together(
    two_folds: Made, folds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, printed = folds, two_folds.printed
    assert "120 films" in printed and "left out" in printed
    assert "What is learnt from what" in printed
    assert "left out: 40 films of the official test split (" in printed
    top = (folder / "report.html").read_text("utf-8").partition("<nav")[0]
    assert "40 films of the official test split" in top and "<dt>splits" not in top
    pooled = read_predictions(folder / "predictions.csv")
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
    assert metrics["official_test"]["left_out"] == 40
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


def figures(folder: Path) -> dict[str, object]:
    """``metrics.json`` without its name and what takes time."""
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    for key in ("name", "command", "timing"):
        metrics.pop(key)
    for fold in metrics["folds"]:
        fold.pop("seconds")
    return dict(metrics)


KILLED = """
import os, signal, sys
from pathlib import Path
from pneumoscope.recipe import load_recipe
from pneumoscope.listener import Silent
from pneumoscope.records import DataRequest
from pneumoscope.workflows.groups.crossval import crossval

class Fuse(Silent):
    def progress(self, done, total, unit, note=""):
        if unit == "step" and (Path(sys.argv[2]) / "fold-1").is_dir() and done > 1:
            os.kill(os.getpid(), signal.SIGKILL)

recipe = load_recipe("default", sys.argv[3:])
crossval(DataRequest(sys.argv[1]), recipe, 2, seed=4, out=Path(sys.argv[2]), listener=Fuse())
"""


@pytest.mark.slow
@pytest.mark.drawn
def test_folds_killed_in_the_second_end_with_the_same_figures(
    two_folds: Made, tiny_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = two_folds.folder
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(two_folds.cache))
    folder = tmp_path / "killed"
    done = python(KILLED, tiny_npz, folder, *FOLDS)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (folder / "fold-0/report.html").is_file()
    assert (folder / "fold-1").is_dir() and not (folder / "fold-1/model.json").exists()
    resume_crossval(folder)
    assert figures(folder) == figures(whole)
    for file in ("predictions.csv", "fold-1/model.safetensors"):
        assert (folder / file).read_bytes() == (whole / file).read_bytes()


def test_several_films_of_a_patient_widen_the_pooled_intervals(
    two_folds: Made,
) -> None:
    """Each film four times is no more than once: the interval must not shrink by half."""
    runs = [read_evaluated(two_folds.folder / f"fold-{number}") for number in (0, 1)]
    pooled = pool_folds(runs)
    # Hardly trained networks answer alike; these are right about three times in four.
    logit = pooled["label"] * 2 - 1 + np.random.default_rng(0).normal(0, 1.5, len(pooled))
    chance = 1 / (1 + np.exp(-logit))
    pooled = pooled.assign(logit=logit, probability=chance, decision=(logit > 0).astype(int))
    patients = [f"p{row}" for row in range(len(pooled))]
    once = evaluate_pooled(pooled.assign(patient_id=patients), runs, 0)
    copies = [
        pooled.assign(patient_id=patients, image_id=pooled["image_id"] + f"-{copy}")
        for copy in range(4)
    ]
    many = evaluate_pooled(pd.concat(copies, ignore_index=True), runs, 0)
    assert many.n == 4 * once.n and many.patients == once.patients
    for name in ("auroc", "accuracy", "brier"):
        one, four = once.metrics[name], many.metrics[name]
        assert four.value == pytest.approx(one.value)
        assert four.method.startswith("patient-clustered")
        assert four.high - four.low > 0.8 * (one.high - one.low)


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("fold-1/run.json", {"seed": 5}, "another seed"),
        ("fold-1/run.json", {"content": "other films"}, "another films"),
        ("crossval.json", {"folds": 3}, "another recipe"),
        ("crossval.json", {"schema": 9}, "schema 9"),
    ],
)
def test_folds_made_otherwise_are_not_pooled(
    folds: Path, file: str, change: dict[str, object], said: str
) -> None:
    about = json.loads((folds / file).read_text("utf-8"))
    (folds / file).write_text(json.dumps(about | change), "utf-8")
    before = (folds / "metrics.json").read_bytes()
    with pytest.raises(NotARun) as error:
        resume_crossval(folds)
    assert said in str(error.value)
    assert (folds / "metrics.json").read_bytes() == before


def test_two_processes_do_not_finish_the_same_folds(folds: Path) -> None:
    with Run(folds).locked(), pytest.raises(NotARun, match="another process"):
        resume_crossval(folds)


def test_what_cannot_be_dealt_is_refused_and_leaves_no_folder(
    tiny_npz: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(tiny_npz)
    assert run(monkeypatch, "crossval", data, "--set", "data.fold=1 of 3", "--out", "made") == 2
    assert "names a fold already" in capsys.readouterr().err
    assert run(monkeypatch, "crossval", data, "--folds", "100", "--out", "made") == 2
    told = capsys.readouterr().err
    assert "100 folds cannot be dealt" in told and "60 patients with normal films" in told
    assert "--folds" in told and not Path("made").exists()
