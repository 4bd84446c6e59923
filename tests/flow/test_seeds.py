"""Several seeds and several recipes from the command line, on tiny phantoms."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.commands import run, train
from tests.helpers.runs import write_runs

from pneumoscope.recipe import load_recipe
from pneumoscope.records import DataRequest
from pneumoscope.workflows.compare import compare
from pneumoscope.workflows.groups.plan import GroupPlan

ONE_EPOCH = ["--set", "train.epochs=1"]
COMPLETE = {"recipe.yaml", "history.csv", "model.safetensors", "metrics.json", "report.html"}


def files_of(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """Each file's time of change and bytes; the lock is taken and let go without being written."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def recipe_file(name: str, weights: str = "none") -> str:
    file = Path(f"{name}-{len(list(Path().glob('*.yaml')))}.yaml")
    file.write_text(f"name: {name}\nmodel:\n  weights: {weights}\n")
    return str(file)


def check_summary(group: Path, seeds: list[int]) -> None:
    """Mean and sd are numpy's, of what each run's own metrics.json says."""
    summary = json.loads((group / "summary.json").read_text("utf-8"))
    runs = [json.loads((group / f"seed-{s}/metrics.json").read_text("utf-8")) for s in seeds]
    assert [each["seed"] for each in summary["runs"]] == seeds
    assert summary["metrics"].keys() == runs[0]["metrics"].keys() > {"auroc", "sensitivity"}
    for name, found in summary["metrics"].items():
        values = [each["metrics"][name]["value"] for each in runs]
        assert [each["value"] for each in found["values"]] == values
        if None not in values:
            assert found["mean"] == pytest.approx(np.mean(values), abs=1e-12), name
            assert found["sd"] == pytest.approx(np.std(values, ddof=1), abs=1e-12), name


@pytest.mark.slow
def test_seeds_make_complete_runs_and_a_stopped_one_is_finished(
    tiny_npz: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(monkeypatch, tiny_npz, *ONE_EPOCH, "--seeds", "2", "--seed", "3") == 0
    printed = capsys.readouterr().out
    folder = Path("runs/001-seeds-test_resnet-pneumonia")
    assert "mean ± sd over 2 seeds" in printed
    assert "seed 3" in printed and "seed 4" in printed
    assert printed.count("What is learnt from what") == 1  # of both, for their splits are the same
    for seed in (3, 4):
        assert {path.name for path in (folder / f"seed-{seed}").iterdir()} >= COMPLETE
        card = json.loads((folder / f"seed-{seed}/run.json").read_text("utf-8"))
        assert card["seed"] == seed
    first, second = ((folder / f"seed-{s}/predictions.csv").read_bytes() for s in (3, 4))
    assert first != second
    check_summary(folder, [3, 4])
    page = (folder / "report.html").read_text("utf-8")
    assert "Validation AUROC of all seeds" in page and "seed-4/report.html" in page
    assert "What was learnt from what" in page and "official test 40 (" in page

    before = files_of(folder / "seed-3")
    lost = folder / "seed-4"
    for name in ("model.json", "metrics.json", "report.html"):
        (lost / name).unlink()
    shutil.rmtree(lost / "figures")
    for name in ("summary.json", "report.html"):
        (folder / name).unlink()
    assert run(monkeypatch, "train", "--resume", str(folder)) == 0
    assert files_of(folder / "seed-3") == before
    assert {path.name for path in lost.iterdir()} >= COMPLETE | {"model.json", "figures"}
    assert (lost / "predictions.csv").read_bytes() == second
    assert (folder / "report.html").is_file()
    check_summary(folder, [3, 4])

    shutil.rmtree(lost)  # killed before the second run began
    assert run(monkeypatch, "train", "--resume", str(folder)) == 0
    assert files_of(folder / "seed-3") == before
    assert (lost / "predictions.csv").read_bytes() == second


def test_two_recipes_are_made_and_compared(
    tiny_npz: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipes = ["--recipe", recipe_file("north"), "--recipe", recipe_file("south")]
    changes = [*ONE_EPOCH, "--set", "optim.learning_rate=0.001"]
    assert train(monkeypatch, tiny_npz, *recipes, *changes, "--out", "both") == 0
    assert "comparison.html in a browser" in capsys.readouterr().out
    folder = Path("both")
    for name in ("north", "south"):
        assert {path.name for path in (folder / name).iterdir()} >= COMPLETE
    found = json.loads((folder / "comparison/comparison.json").read_text("utf-8"))
    assert [each["name"] for each in found["runs"]] == ["north", "south"]
    assert (folder / "comparison/comparison.html").is_file()
    assert not (folder / "summary.json").exists()


def test_runs_of_one_name_are_told_apart_in_the_comparison(tmp_path: Path) -> None:
    names = [f"{recipe} seed-{seed}" for recipe in ("north", "south") for seed in (0, 1)]
    places = []
    for made, name in zip(write_runs(tmp_path, (1.0, 1.4, 1.8, 2.2)), names, strict=True):
        places.append(tmp_path.joinpath(*name.split()))
        shutil.copytree(made, places[-1])
        card = json.loads((made / "run.json").read_text("utf-8"))
        (places[-1] / "run.json").write_text(json.dumps({**card, "name": places[-1].name}))
    folder = compare(places, out=tmp_path / "comparison")
    found = json.loads((folder / "comparison.json").read_text("utf-8"))
    assert [each["name"] for each in found["runs"]] == names
    page = (folder / "comparison.html").read_text("utf-8")
    assert all(name in page for name in names)


def test_each_recipe_has_its_seeds_in_a_folder_of_its_own() -> None:
    default = load_recipe("default")
    recipes = tuple(default.model_copy(update={"name": name}) for name in ("north", "south"))
    plan = GroupPlan(DataRequest("phantom"), recipes, (0, 1), repeated=True)
    runs = plan.runs(Path("both"))
    assert [(str(run.folder), run.recipe.name, run.seed) for run in runs] == [
        (f"both/{name}/seed-{seed}", name, seed) for name in ("north", "south") for seed in (0, 1)
    ]
    assert GroupPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_two_recipes_of_one_name_are_refused(
    tiny_npz: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipes = ["--recipe", recipe_file("north"), "--recipe", recipe_file("North")]
    assert train(monkeypatch, tiny_npz, *recipes) == 2
    assert "the same name" in "".join(capsys.readouterr())
    assert not Path("runs").exists()


def test_recipes_that_divide_the_data_otherwise_are_refused_before_training(
    tiny_npz: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("south.yaml").write_text("name: south\ndata:\n  test: new\n")
    recipes = ["--recipe", recipe_file("north"), "--recipe", "south.yaml"]
    assert train(monkeypatch, tiny_npz, *recipes, "--out", "both") == 2
    said = "".join(capsys.readouterr())
    assert "NotComparable" in said and "40 test films of north, 32 test films of south" in said
    assert "Run 1" not in said and not Path("both").exists()


def test_missing_weights_are_found_before_anything_is_trained(
    tiny_npz: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipes = ["--recipe", recipe_file("north"), "--recipe", recipe_file("south", "gone.pth")]
    assert train(monkeypatch, tiny_npz, *recipes, "--out", "both") == 2
    said = "".join(capsys.readouterr())
    assert "gone.pth" in said and "Run 1" not in said
    assert not Path("both").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--seeds", "1"],
        ["--seeds", "2", "--overfit-one-batch"],
        ["--seeds", "2", "--profile"],
        ["--minutes", "1", "--profile"],
        ["--minutes", "0"],
        ["--recipe", "default", "--recipe", "demo", "--overfit-one-batch"],
        ["--recipe", "default", "--recipe", "demo", "--profile"],
        ["--overfit-one-batch", "--profile"],
        ["--overfit-one-batch", "--out", "here"],
        ["--seeds", "2", "--devices", "2"],
        ["--recipe", "default", "--recipe", "demo", "--accelerator", "gpu"],
        ["--profile", "--devices", "2"],
        ["--seeds", "2", "--seed", str(2**32 - 1)],
    ],
)
def test_nonsense_is_refused(
    tiny_npz: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    assert run(monkeypatch, "train", str(tiny_npz), *words) == 2
    told = capsys.readouterr().err
    assert "InputError: " in told and "got: " in told
    assert not Path("runs").exists() and not Path("here").exists()


@pytest.mark.parametrize("word", ["--seeds=2", "--minutes=1", "--profile", "--overfit-one-batch"])
def test_resume_takes_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    assert run(monkeypatch, "train", "--resume", "runs/001", word) == 2
    assert "give --resume RUN alone" in " ".join("".join(capsys.readouterr()).split())


def test_hardware_beside_several_runs_says_what_to_do(
    tiny_npz: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "train", str(tiny_npz), "--seeds", "3", "--devices", "2") == 2
    told = " ".join(capsys.readouterr().err.split())
    for words in (
        "got: --devices 2 beside --seeds 3",
        "expected: one recipe",
        "remedy: train each",
    ):
        assert words in told
