"""``pneumoscope compare``: from run folders to a page, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.commands import run
from tests.helpers.processes import python
from tests.helpers.runs import write_runs

from pneumoscope.errors import InputError, NotARun, NotComparable, UnreadableData
from pneumoscope.workflows.compare import compare


def change(file: Path, **values: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **values}))


def test_a_real_run_and_its_copy(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(finished, "runs/002-copy")
    assert run(monkeypatch, "compare", "runs/001-test_resnet-pneumonia", "runs/002-copy") == 0
    printed = capsys.readouterr().out
    assert "They read all 40 films alike" in " ".join(printed.split())
    assert "comparison.html in a browser" in printed
    assert max(map(len, printed.splitlines()[3:-2])) <= 80
    (folder,) = Path("runs").glob("003-compare-*")
    assert {path.name for path in folder.iterdir()} == {"comparison.json", "comparison.html"}
    (pair,) = json.loads((folder / "comparison.json").read_text("utf-8"))["pairs"]
    assert pair["differences"]["auroc"]["value"] == 0.0
    assert pair["differences"]["auroc"]["p"] == 1.0


def test_the_difference_is_that_of_the_two_metrics(tmp_path: Path) -> None:
    runs = write_runs(tmp_path, (1.2, 2.4))
    found = json.loads((compare(runs, out=tmp_path / "out") / "comparison.json").read_text("utf-8"))
    judged = [json.loads((each / "metrics.json").read_text("utf-8"))["metrics"] for each in runs]
    for name, each in found["pairs"][0]["differences"].items():
        assert each["value"] == pytest.approx(judged[1][name]["value"] - judged[0][name]["value"])
        assert each["low"] < each["value"] < each["high"]
    assert found["pairs"][0]["verdict"].startswith("B ranks better than A")
    assert [each["seed"] for each in found["runs"]] == [0, 1]
    assert found["recipe_differences"] == [
        {"key": "optim.learning_rate", "values": [0.001, 0.002], "absent": [False, False]}
    ]
    again = compare(runs, out=tmp_path / "again") / "comparison.json"
    same = json.loads(again.read_text("utf-8"))
    assert same["pairs"] == found["pairs"]


def test_weights_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    runs = write_runs(tmp_path / "runs", (1.2, 2.4, 1.3))
    for folder, digest in zip(runs, ("ab" * 32, "ab" * 32, "cd" * 32), strict=True):
        recipe = folder / "recipe.yaml"
        recipe.write_text("name: default\nmodel:\n  weights: begin.pth\n")
        lineage = json.loads((folder / "model.json").read_text("utf-8"))["lineage"]
        change(folder / "model.json", lineage={**lineage, "weights_sha256": digest})
    found = json.loads((compare(runs, out=tmp_path / "out") / "comparison.json").read_text("utf-8"))
    assert [each["runs"] for each in found["seeds"]] == [["A", "B"]]
    (differs,) = found["recipe_differences"]
    assert differs["values"] == [f"begin.pth, SHA-256 {d * 8}" for d in ("ab", "ab", "cd")]


def test_recipes_are_compared_over_their_seeds(tmp_path: Path) -> None:
    runs = write_runs(tmp_path / "runs", (1.2, 2.6, 1.3, 2.4, 1.1, 2.5))  # two recipes in turn
    folder = compare(runs, out=tmp_path / "out")
    found = json.loads((folder / "comparison.json").read_text("utf-8"))
    assert [group["runs"] for group in found["seeds"]] == [["A", "C", "E"], ["B", "D", "F"]]
    (pair,) = found["recipes"]
    means = [group["metrics"]["auroc"]["mean"] for group in found["seeds"]]
    auroc = pair["differences"]["auroc"]
    assert auroc["value"] == pytest.approx(means[1] - means[0]) and auroc["p_holm"] < 0.05
    assert auroc["method"] == "variance over seeds and films" and auroc["n"] == 120
    wanted = "Over their seeds default (B, D and F) has a higher mean AUROC than default (A, C and"
    assert pair["verdict"].startswith(wanted)
    page = (folder / "comparison.html").read_text("utf-8")
    assert wanted in page and "the summary compares them over theirs" in page
    assert "default (B, D and F) less default (A, C and E), over seeds" in page
    assert page.index(wanted) < page.index("has the highest AUROC") < page.index("Run beside run")
    # One recipe alone, or one run of each, is no comparison of recipes.
    for some in (runs[:1] + runs[2:3], runs[:2]):
        other = compare(some, out=tmp_path / f"out-{some[1].name}")
        assert json.loads((other / "comparison.json").read_text("utf-8"))["recipes"] == []


def test_order_of_rows_changes_nothing(tmp_path: Path) -> None:
    runs = write_runs(tmp_path / "runs", (1.2, 2.4))
    first = compare(runs, out=tmp_path / "one")
    head, *lines = (runs[1] / "predictions.csv").read_text().splitlines()
    (runs[1] / "predictions.csv").write_text("\n".join([head, *lines[::-1]]) + "\n")
    second = compare(runs, out=tmp_path / "two")
    found = [json.loads((f / "comparison.json").read_text("utf-8")) for f in (first, second)]
    assert found[0]["pairs"] == found[1]["pairs"]


def test_several_films_a_patient_go_by_patients(tmp_path: Path) -> None:
    runs = write_runs(tmp_path / "runs", (1.2, 2.4), each=3)
    folder = compare(runs, out=tmp_path / "out")
    page = (folder / "comparison.html").read_text("utf-8")
    assert "patient-clustered paired bootstrap" in page
    assert "McNemar by patients" in page
    assert "DeLong" not in page


def test_fewer_than_two_and_one_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (only,) = write_runs(tmp_path, (2.0,))
    with pytest.raises(InputError, match="at least two"):
        compare([only])
    monkeypatch.chdir(only)
    with pytest.raises(InputError, match="compared with itself"):
        compare([only, Path()])
    assert not Path("runs").exists()


@pytest.mark.parametrize("missing", ["metrics.json", "predictions.csv"])
def test_unfinished_runs_are_refused(tmp_path: Path, missing: str) -> None:
    runs = write_runs(tmp_path)
    (runs[1] / missing).unlink()
    with pytest.raises(NotARun, match="not finished") as caught:
        compare(runs)
    assert f"--resume {runs[1]}" in str(caught.value.remedy)


def test_a_folder_of_runs_names_those_in_it(tmp_path: Path) -> None:
    for name in ("fold-0", "fold-1"):
        (tmp_path / "folds" / name).mkdir(parents=True)
        (tmp_path / "folds" / name / "run.json").write_text("{}")
    folds = tmp_path / "folds"
    (folds / ".new-run-1").mkdir()
    (folds / ".new-run-1" / "run.json").write_text("{}")
    with pytest.raises(NotARun, match="holds runs, and is none itself") as caught:
        compare([folds, tmp_path])
    said = f"compare runs in it, such as {folds / 'fold-0'} and {folds / 'fold-1'}"
    assert caught.value.remedy == said


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    runs = write_runs(tmp_path / "runs")
    (tmp_path / "empty").mkdir()
    for folder, words in ((tmp_path / "none", "no such run"), (tmp_path / "empty", "is no run")):
        with pytest.raises(NotARun, match=words):
            compare([runs[0], folder])
    (runs[1] / "predictions.csv").write_text("image_id,label\n")
    with pytest.raises((NotARun, UnreadableData)):
        compare(runs)


def test_predictions_of_another_judgement_are_refused(tmp_path: Path) -> None:
    runs = write_runs(tmp_path)
    lines = (runs[1] / "predictions.csv").read_text().splitlines()
    (runs[1] / "predictions.csv").write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(NotARun, match="not those that were judged"):
        compare(runs)


def test_other_films_end_with_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, _ = write_runs(tmp_path / "one")
    other, _ = write_runs(tmp_path / "other", films=125)
    assert run(monkeypatch, "compare", str(one), str(other), "--out", "here") == 2
    shown = capsys.readouterr().err
    assert "NotComparable" in shown and "120 films in common" in shown and "remedy:" in shown
    assert not Path("here").exists()


def test_other_pixels_under_the_same_ids(tmp_path: Path) -> None:
    """Refused where the stored size is the same; else pixels may differ by decoding alone."""
    runs = write_runs(tmp_path / "runs")
    source = json.loads((runs[1] / "run.json").read_text("utf-8"))["source"]
    change(runs[1] / "run.json", content="0ther", source={**source, "fingerprint": "another"})
    with pytest.raises(NotComparable, match="the same image ids, but other data"):
        compare(runs)
    model = json.loads((runs[1] / "model.json").read_text("utf-8"))
    change(runs[1] / "model.json", input={**model["input"], "stored": 64})
    folder = compare(runs, out=tmp_path / "noted")
    assert "whether the pixels are the same too is not recorded" in (
        folder / "comparison.html"
    ).read_text("utf-8")
    change(runs[1] / "run.json", source=source)  # the same files, decoded at another size
    folder = compare(runs, out=tmp_path / "same")
    assert json.loads((folder / "comparison.json").read_text("utf-8"))["notes"] == []


def test_other_splits_are_refused(tmp_path: Path) -> None:
    runs = write_runs(tmp_path)
    text = (runs[1] / "predictions.csv").read_text().replace(",test,", ",val,")
    (runs[1] / "predictions.csv").write_text(text)
    change(runs[1] / "metrics.json", split="val")
    with pytest.raises(NotComparable, match="different splits"):
        compare(runs)


def test_judging_and_comparing_load_no_torch() -> None:
    """Nor scipy.stats, whose import takes longer than a comparison, nor what only masks need."""
    code = (
        "import sys, pneumoscope.workflows.compare, pneumoscope.workflows.evaluate.evaluate; "
        "sys.exit(not {'torch', 'scipy.stats', 'scipy.ndimage'}.isdisjoint(sys.modules))"
    )
    assert python(code).returncode == 0
