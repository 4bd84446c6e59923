"""A run that begins from a local weights file: what is shared names it, run.json alone finds it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tests.helpers.commands import QUICK, run

from pneumoscope.errors import BadWeights, InputError, WeightsNotFound
from pneumoscope.models.zoo import build_backbone
from pneumoscope.recipe import load_recipe
from pneumoscope.records import DataRequest
from pneumoscope.sources.known_sets import NIH
from pneumoscope.workflows import pipeline
from pneumoscope.workflows.groups.crossval import crossval, resume_crossval

CHANGES = [*QUICK, "train.epochs=1"]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A weights file in a folder whose name nobody else needs to know."""
    file = tmp_path / "home of somebody" / "begin.pth"
    file.parent.mkdir()
    torch.manual_seed(8)
    torch.save(build_backbone("test_resnet").state_dict(), file)
    return file


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def unbegun(folder: Path, copy: Path) -> Path:
    """The run as a kill before its first epoch leaves it."""
    copy.mkdir()
    for name in ("recipe.yaml", "run.json"):
        shutil.copy(folder / name, copy)
    return copy


def with_place(folder: Path, weights: Path) -> Path:
    """The run as 0.1.0 began it: the weights file in the recipe as typed, and no digest."""
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text("utf-8"))
    recipe["model"]["weights"] = str(weights)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    manifest = json.loads((folder / "run.json").read_text("utf-8"))
    del manifest["weights"]
    (folder / "run.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.slow
def test_name_and_digest_are_shared_and_the_place_is_not(
    tiny_npz: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = [word for change in CHANGES for word in ("--set", change)]
    changes += ["--set", f"model.weights={weights}"]
    assert run(monkeypatch, "train", str(tiny_npz), *changes, "--out", "begun") == 0
    folder = tmp_path / "begun"
    shared = [file for file in folder.rglob("*") if file.is_file() and file.name != "run.json"]
    assert {"recipe.yaml", "model.json", "model_card.md", "report.html", "metrics.json"} <= {
        file.name for file in shared
    }
    for file in shared:
        assert weights.parent.name.encode() not in file.read_bytes(), file
    model = json.loads((folder / "model.json").read_text("utf-8"))
    assert model["weights"] == "begin.pth"
    assert model["lineage"]["weights_sha256"] == digest(weights)
    for page in ("model_card.md", "report.html"):
        text = (folder / page).read_text("utf-8")
        assert "begin.pth" in text and digest(weights) in text
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text("utf-8"))
    assert recipe["model"]["weights"] == "begin.pth"
    manifest = json.loads((folder / "run.json").read_text("utf-8"))
    assert manifest["weights"] == {"file": str(weights), "sha256": digest(weights)}
    assert weights.parent.name not in manifest["command"]
    assert "model.weights=begin.pth" in manifest["command"]

    # What a stopped run begins from is found again, and is the same.
    resumed = pipeline.resume(unbegun(folder, tmp_path / "stopped"))
    assert resumed.predictions_file.read_bytes() == (folder / "predictions.csv").read_bytes()
    older = with_place(unbegun(folder, tmp_path / "older"), weights)
    assert (
        pipeline.resume(older).predictions_file.read_bytes()
        == (folder / "predictions.csv").read_bytes()
    )

    stopped = unbegun(folder, tmp_path / "changed")
    kept = weights.read_bytes()
    torch.save({}, weights)
    with pytest.raises(BadWeights, match="has changed since the run was started"):
        pipeline.resume(stopped)
    weights.unlink()
    with pytest.raises(WeightsNotFound, match="cannot be read any more"):
        pipeline.resume(stopped)

    # One that has begun reads its checkpoint: it needs the file no more.
    begun = shutil.copytree(folder, tmp_path / "underway")
    for name in ("model.json", "model.safetensors", "metrics.json", "report.html"):
        (begun / name).unlink()
    assert pipeline.resume(begun).report_file.is_file()
    weights.write_bytes(kept)
    assert pipeline.resume(stopped).report_file.is_file()


@pytest.mark.slow
def test_the_plan_of_several_runs_finds_the_file_and_names_it(
    tiny_npz: Path, weights: Path, tmp_path: Path
) -> None:
    recipe = load_recipe("default", [*CHANGES, f"model.weights={weights}"])
    command = f"pneumoscope crossval DATA --set 'model.weights={weights}'"
    folder = crossval(DataRequest(str(tiny_npz)), recipe, 2, out=tmp_path / "cv", command=command)
    about = json.loads((folder / "crossval.json").read_text("utf-8"))
    assert about["recipes"][0]["model"]["weights"] == "begin.pth"
    entry = {"file": str(weights), "sha256": digest(weights)}
    assert about["weights"] == {recipe.name: entry}
    for name in ("metrics.json", "report.html", "fold-1/recipe.yaml"):
        assert weights.parent.name not in (folder / name).read_text("utf-8")

    shutil.rmtree(folder / "fold-1")
    kept = weights.read_bytes()
    torch.save({}, weights)
    with pytest.raises(InputError, match="has changed since the run was started"):
        resume_crossval(folder)
    weights.write_bytes(kept)
    before = (folder / "predictions.csv").read_bytes()
    # A plan of 0.1.0 has the file as typed, in itself and in the folds that it made.
    about["recipes"][0]["model"]["weights"] = str(weights)
    del about["weights"]
    (folder / "crossval.json").write_text(json.dumps(about))
    with_place(folder / "fold-0", weights)
    resume_crossval(folder)
    assert (folder / "predictions.csv").read_bytes() == before


def test_a_file_called_like_a_word_of_the_recipe_stays_a_file() -> None:
    recipe = load_recipe("default", ["model.weights=somewhere/none"])
    assert recipe.shareable().model.weights == "./none"
    assert recipe.shareable().weights_file == Path("none")
    assert load_recipe("default").shareable().weights_file is None


def test_weights_that_may_have_seen_the_films_are_named(
    tiny_npz: Path,
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = weights.rename(weights.with_name("nih-densenet121-d121-seed0-best.pt"))
    for place in ("workflows.stages", "workflows.evaluate.rows"):
        monkeypatch.setattr(f"pneumoscope.{place}.recognise", lambda *_: NIH)
    changes = [word for change in [*CHANGES, f"model.weights={seen}"] for word in ("--set", change)]
    assert run(monkeypatch, "train", str(tiny_npz), *changes, "--out", "begun") == 0
    said = f"The weights in {seen.name} were trained on films of NIH ChestX-ray14"
    assert said in " ".join(capsys.readouterr().out.split())
    for page in ("report.html", "model_card.md"):
        assert said[1:] in " ".join((tmp_path / "begun" / page).read_text("utf-8").split())

    # Judged again, and on other films of that set, it is said again.
    assert run(monkeypatch, "evaluate", "begun", "--out", "again") == 0
    assert said in " ".join(capsys.readouterr().out.split())
    other = tmp_path / "other pneumonia.npz"
    with np.load(tiny_npz) as arrays:
        np.savez(other, **{key: arrays[key][1:] for key in arrays.files})
    words = ("evaluate", "begun", "--data", str(other), "--split", "test", "--keep-shared")
    assert run(monkeypatch, *words, "--out", "abroad") == 0
    assert said in " ".join(capsys.readouterr().out.split())
