"""``evaluate`` on a run that was trained here: its own splits, other data, and what is refused."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score
from tests.helpers.commands import Made
from tests.helpers.sources import dicom
from typer.testing import CliRunner

from pneumoscope.cli.main import app
from pneumoscope.cli.verbs.evaluate import share
from pneumoscope.errors import BadLabels, InputError, NotARun, OutputExists, UnreadableData
from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.listener import Silent
from pneumoscope.readings import OperatingPoint
from pneumoscope.records import DataRequest
from pneumoscope.report.evaluated import read_evaluated
from pneumoscope.report.run.card import card_text
from pneumoscope.run import Run
from pneumoscope.workflows import data as data_of
from pneumoscope.workflows.evaluate.evaluate import _why, evaluate_run
from pneumoscope.workflows.evaluate.model import _known_set
from pneumoscope.workflows.evaluate.request import EvaluateRequest


@pytest.fixture
def run(trained: Made) -> Run:
    """No test here changes it."""
    return Run(trained.folder)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty other phantoms, in folders by class."""
    folder = tmp_path_factory.mktemp("other") / "clinic"
    for index in range(40):
        phantom = draw_phantom(11, index, label=index % 2, size=48)
        place = folder / ("PNEUMONIA" if index % 2 else "NORMAL")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(phantom.image).save(place / f"{index}.png")
    return folder


def read(folder: Path, name: str = "metrics.json") -> dict:
    return json.loads((folder / name).read_text())


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(f): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_training_leaves_all_that_was_chosen(run: Run) -> None:
    about, metrics = read(run.folder, "model.json"), read(run.folder)
    points = about["operating_points"]
    assert points[0]["name"] == "fixed" and len(points) == 7
    assert {point["chosen_on"] for point in points} == {"val"}
    assert about["conformal"]["chosen_on"] == "val"
    assert metrics["operating_point"] == points[0]
    assert [p["threshold"] for p in metrics["operating_points"]] == [p["threshold"] for p in points]
    page = (run.folder / "report.html").read_text()
    assert 'id="operating"' in page and 'id="abstention"' in page


@pytest.mark.drawn
def test_its_own_test_split_gives_the_same_figures_and_alters_nothing(
    run: Run, tmp_path: Path
) -> None:
    before = digest(run.folder)
    folder = evaluate_run(EvaluateRequest(run.folder, prevalence=0.05), out=tmp_path / "again")
    assert digest(run.folder) == before
    ours, theirs = read(folder), read(run.folder)
    for key in ("metrics", "operating_points", "calibration", "abstention", "decision_curve"):
        assert ours[key] == theirs[key], key
    assert Run(folder).manifest()["shifts"] == run.manifest()["shifts"] != []
    assert {path.name for path in folder.iterdir()} == {
        *("metrics.json", "predictions.csv", "report.html", "run.json", "figures"),
    }
    assert set(pd.read_csv(folder / "predictions.csv")["split"]) == {"test"}
    with pytest.raises(OutputExists):
        evaluate_run(EvaluateRequest(run.folder), out=folder)


def test_heat_is_made_once_and_other_films_get_their_own(
    run: Run, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (run.folder / "report.html").read_text()
    heats = re.findall(r'class="heat" src="([^"]+)"', page)
    assert len(heats) > 8 and (run.folder / "heatmaps.npz").is_file()
    assert page.count("as the network saw it") == 5
    drawn: list[int] = []

    def draw(models: object, films: np.ndarray, listener: object) -> tuple[str, np.ndarray]:
        drawn.append(len(films))
        return "drawn anew", np.full(films.shape, 255, np.uint8)

    monkeypatch.setattr("pneumoscope.workflows.explain.heatmaps._drawn", draw)
    again = evaluate_run(EvaluateRequest(run.folder), out=tmp_path / "again") / "report.html"
    assert re.findall(r'class="heat" src="([^"]+)"', again.read_text()) == heats and not drawn
    # The model that read the films draws their heat: it is not loaded a second time.
    monkeypatch.setattr("pneumoscope.workflows.explain.heatmaps._load", None)
    # Other films may bear the names of the run's own: what is kept is not even looked at.
    monkeypatch.setattr("pneumoscope.workflows.explain.heatmaps._kept", None)
    other = evaluate_run(
        EvaluateRequest(run.folder, DataRequest(str(films))), out=tmp_path / "other"
    )
    page = (other / "report.html").read_text()
    assert "drawn anew" in page and len(drawn) == 1
    assert "as the network saw it" not in page


def test_other_costs_and_rates_are_found_on_validation_rows(run: Run, tmp_path: Path) -> None:
    question = EvaluateRequest(run.folder, cost=1.0, sensitivity=0.8, miss_rate=0.2)
    found = read(evaluate_run(question, out=tmp_path / "other"))
    cost = next(p for p in found["operating_points"] if p["name"] == "cost")
    assert "counts as 1 false" in cost["rule"] and cost["chosen_on"] == "val"
    assert found["abstention"]["conformal"]["miss_rate"] == 0.2
    held = next(p for p in found["operating_points"] if p["name"] == "sensitivity")
    assert (held["rule"], held["chosen_on"]) == ("sensitivity >= 0.8", "val")
    own, carried = read(run.folder), found["operating_points"][:4]
    assert carried == own["operating_points"][:4]


def test_training_films_are_read_with_the_model(run: Run, tmp_path: Path) -> None:
    folder = evaluate_run(EvaluateRequest(run.folder, split="train"), out=tmp_path / "train")
    assert read(folder)["n"] == 80
    assert "trained on these films" in read(folder, "run.json")["warnings"][0]


def test_as_many_bad_files_are_allowed_as_in_training(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a set with many is refused after hours of training on it."""
    copied = Run(Path(shutil.copytree(run.folder, tmp_path / "copy")))
    text = copied.recipe_file.read_text()
    copied.recipe_file.write_text(text.replace("most_bad: 0.05", "most_bad: 0.4"))
    asked: list[float] = []

    def spy(*_: object, most_bad: float = 0.05, **__: object) -> None:
        asked.append(most_bad)
        raise InputError("enough")

    monkeypatch.setattr(data_of, "prepare_source", spy)
    with pytest.raises(InputError, match="enough"):
        data_of.data_of_run(copied, Silent())
    assert asked == [0.4]


def test_other_data_by_carried_choices(run: Run, films: Path, tmp_path: Path) -> None:
    data = DataRequest(str(films))
    folder = evaluate_run(EvaluateRequest(run.folder, data), out=tmp_path / "external")
    found = read(folder)
    assert (found["split"], found["n"], found["positives"]) == ("external", 40, 20)
    assert found["operating_point"] == read(run.folder)["operating_point"]
    assert "optimistic" in found["re_chosen"]["rule"]
    page = (folder / "report.html").read_text()
    assert "(optimistic)" in page and "data:image" in page
    with pytest.raises(UnreadableData, match="no labelled films of the test split"):
        evaluate_run(EvaluateRequest(run.folder, data, "test"))


def test_what_is_judged_is_shown_and_masks_are_not_judged(
    run: Run, films: Path, tmp_path: Path
) -> None:
    clinic = Path(shutil.copytree(films, tmp_path / "clinic"))
    mask = np.zeros((48, 48), np.uint8)
    mask[8:40, 8:20] = mask[8:40, 28:40] = 255
    for index in range(3):
        Image.fromarray(mask).save(clinic / "NORMAL" / f"plain name {index}.png")
    dicom(clinic / "NORMAL" / "side.dcm", 0, "LL")
    heard: dict[str, dict[str, str]] = {}

    class Ear(Silent):
        def facts(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
            heard[title] = dict(rows)

    request = EvaluateRequest(run.folder, DataRequest(str(clinic)))
    folder = evaluate_run(request, out=tmp_path / "out", listener=Ear())
    said = heard["What is judged"]
    assert said["films"] == "41 used of 44 found; among them 1 lateral views"
    assert said["left out"].startswith("3 masks and drawings") and "splits" not in said
    assert said["normal"].startswith("21 used of 24 films: NORMAL (24)")
    assert len(pd.read_csv(folder / "predictions.csv")) == 41
    assert Run(folder).manifest()["door"]["used"] == 41
    page = (folder / "report.html").read_text()
    assert "What was judged" in page[: page.index("<nav")]


def test_films_that_predict_would_withhold_are_counted_and_stay_in_the_figures(
    run: Run, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic = Path(shutil.copytree(films, tmp_path / "clinic"))
    turned, inverted = clinic / "NORMAL" / "0.png", clinic / "PNEUMONIA" / "1.png"
    Image.fromarray(np.rot90(np.asarray(Image.open(turned)), 2)).save(turned)
    Image.fromarray(255 - np.asarray(Image.open(inverted))).save(inverted)
    dicom(clinic / "NORMAL" / "side.dcm", 0, "LL")
    request = EvaluateRequest(run.folder, DataRequest(str(clinic)))
    folder = evaluate_run(request, out=tmp_path / "with")
    found = read(folder)
    withheld = found["withheld"]
    assert withheld["reasons"]["ROTATED"] == withheld["reasons"]["INVERTED"] == 1
    assert (found["n"], withheld["n"], withheld["positives"]) == (41, 3, 1)

    rows = pd.read_csv(folder / "predictions.csv")
    names = rows["image_id"].str
    rest = rows[names.endswith(".png") & ~names.endswith(("NORMAL/0.png", "PNEUMONIA/1.png"))]
    auroc = roc_auc_score(rest["label"], rest["calibrated_probability"])
    assert len(rest) == 38 and withheld["metrics"]["auroc"]["value"] == pytest.approx(auroc)
    assert [withheld["metrics"][name]["n"] for name in ("sensitivity", "specificity")] == [19, 19]

    card = card_text(read_evaluated(folder))
    said = "3 of 41 films would be withheld by predict ("
    assert said in (folder / "report.html").read_text() and said in card
    assert re.search(rf"without them AUROC (is|stays) {auroc:.3f} \(", card)
    assert "All other figures count them" in card
    # Nothing but this part knows of the gate.
    monkeypatch.setattr("pneumoscope.workflows.evaluate.evaluate.gate_of", lambda *_: None)
    plain = read(evaluate_run(request, out=tmp_path / "without"))
    assert set(found) - set(plain) == {"withheld"}
    assert {key: found[key] for key in plain if key != "timing"} == {
        key: plain[key] for key in plain if key != "timing"
    }


def test_a_run_counts_them_among_its_own_test_films_and_says_so(trained: Made) -> None:
    found = read(trained.folder)["withheld"]
    assert found["n"] == sum(found["reasons"].values()) <= 1
    assert "of 40 films would be withheld by predict" in " ".join(trained.printed.split())


@pytest.fixture
def mixed(tiny_npz: Path, films: Path, tmp_path: Path) -> Path:
    """The forty other phantoms, with three films of training at another size and grey."""
    folder = Path(shutil.copytree(films, tmp_path / "mixed"))
    with np.load(tiny_npz) as arrays:
        pixels, labels = arrays["train_images"], arrays["train_labels"]
    for row in range(3):
        place = folder / ("PNEUMONIA" if labels[row, 0] else "NORMAL")
        changed = Image.fromarray((pixels[row] * 0.9 + 9).astype(np.uint8)).resize((60, 60))
        changed.save(place / f"seen{row}.png")
    return folder


@pytest.mark.parametrize("reference", [True, False])
def test_films_of_training_are_found_in_other_data_and_taken_out(
    run: Run, mixed: Path, tmp_path: Path, reference: bool
) -> None:
    """By what the run keeps of its films, or in older runs by the films themselves."""
    copy = Run(Path(shutil.copytree(run.folder, tmp_path / "copy")))
    assert copy.reference_file.is_file()
    if not reference:
        copy.reference_file.unlink()
    request = EvaluateRequest(copy.folder, DataRequest(str(mixed)))
    folder = evaluate_run(request, out=tmp_path / "out")
    about, found = read(folder, "run.json"), read(folder)
    assert about["warnings"][0].startswith(
        "43 films, of which 3 are films of this model's training set: these are taken out, and the "
        "figures are for the other 40."
    )
    assert (found["split"], found["n"]) == ("external", 40)
    assert {"reason": "films that the model has seen", "films": 3} in [
        {key: each[key] for key in ("reason", "films")} for each in about["door"]["left_out"]
    ]
    assert about["shared"] == {"looked": 43, "found": {"train": 3}, "related": False, "kept": False}
    page = (folder / "report.html").read_text()
    assert "of which 3 are films of this model" in page[: page.index("<nav")]

    kept = evaluate_run(replace(request, keep_shared=True), out=tmp_path / "kept")
    assert read(kept)["n"] == 43
    assert "are kept, as asked: every figure is too good" in read(kept, "run.json")["warnings"][0]


def test_the_models_own_films_in_another_edition_are_no_external_test(
    run: Run, tiny_npz: Path, tmp_path: Path
) -> None:
    with np.load(tiny_npz) as arrays:
        small = dict(arrays.items())
    for split in ("train", "val", "test"):
        films = [Image.fromarray(film).resize((64, 64)) for film in small[f"{split}_images"]]
        small[f"{split}_images"] = np.stack([np.asarray(film) for film in films])
    edition = tmp_path / "edition" / "pneumonia.npz"
    edition.parent.mkdir()
    np.savez(edition, **small)
    folder = evaluate_run(
        EvaluateRequest(run.folder, DataRequest(str(edition))), out=tmp_path / "out"
    )
    found, about = read(folder), read(folder, "run.json")
    assert (found["split"], found["n"]) == ("related", 40)  # its test films
    assert "this is no external test" in about["warnings"][0] and not about["external"]
    assert about["shared"]["found"] == {"train": 80, "val": 40, "test": 40}
    assert len(about["warnings"]) == 1  # all that is left is of one split
    few = EvaluateRequest(run.folder, DataRequest(str(edition)), "val")
    with pytest.raises(InputError, match="too few films are left") as raised:
        evaluate_run(few, out=tmp_path / "none")
    assert "--keep-shared" in str(raised.value)
    seen = evaluate_run(replace(few, keep_shared=True), out=tmp_path / "seen")
    assert read(seen)["n"] == 40
    whole = evaluate_run(replace(few, split=None, keep_shared=True), out=tmp_path / "whole")
    said = "Films of the official splits train, val and test of "
    assert said in read(whole, "run.json")["warnings"][1]
    page = (whole / "report.html").read_text()
    assert said in page[: page.index("<nav")]


def test_where_nothing_is_kept_of_the_films_it_is_not_known(
    run: Run, films: Path, tmp_path: Path
) -> None:
    copy = Run(Path(shutil.copytree(run.folder, tmp_path / "copy")))
    copy.reference_file.unlink()
    card = read(copy.folder, "run.json")
    card["request"]["data"] = str(tmp_path / "nowhere.npz")
    copy.manifest_file.write_text(json.dumps(card))
    request = EvaluateRequest(copy.folder, DataRequest(str(films)))
    about = read(evaluate_run(request, out=tmp_path / "out"), "run.json")
    assert "took part in training is not known" in about["warnings"][0] and "shared" not in about


def test_a_run_of_before_known_sets_is_recognised_by_its_splits() -> None:
    splits = {"train": 3882, "val": 524, "test": 624}
    flow = {"splits": {name: {"n": films} for name, films in splits.items()}}
    source = {"form": "medmnist", "notes": []}
    found = _known_set({"source": source, "flow": flow})  # type: ignore[typeddict-item]
    assert found is not None and found["title"].startswith("PneumoniaMNIST")
    assert _known_set({"source": source}) is None  # type: ignore[typeddict-item]


def test_data_that_is_gone_leaves_the_figures(run: Run, tiny_npz: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run.folder, copy)
    card = read(copy, "run.json")
    card["request"]["data"] = str(tmp_path / "nowhere.npz")
    (copy / "run.json").write_text(json.dumps(card))
    folder = evaluate_run(EvaluateRequest(copy), out=tmp_path / "out")
    assert read(folder)["metrics"] == read(run.folder)["metrics"]
    assert read(folder)["subgroups"]["known"] is False
    with pytest.raises(UnreadableData, match="training films"):
        evaluate_run(EvaluateRequest(copy, split="train"))


def test_refusals(run: Run, tiny_npz: Path, films: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="trained and judged on"):
        evaluate_run(EvaluateRequest(run.folder, DataRequest(str(tiny_npz))))
    for wrong in (
        EvaluateRequest(run.folder, prevalence=1.0),
        EvaluateRequest(run.folder, miss_rate=0.0),
    ):
        with pytest.raises(InputError, match="out of range"):
            evaluate_run(wrong)
    bare = tmp_path / "bare"
    bare.mkdir()
    for index, file in enumerate(sorted(films.rglob("*.png"))[:6]):
        shutil.copy(file, bare / f"{index}.png")
    with pytest.raises(BadLabels, match="no film has a label"):
        evaluate_run(EvaluateRequest(run.folder, DataRequest(str(bare))))
    unfinished = tmp_path / "unfinished"
    shutil.copytree(run.folder, unfinished)
    (unfinished / "predictions.csv").unlink()
    with pytest.raises(NotARun, match=r"predictions\.csv"):
        evaluate_run(EvaluateRequest(unfinished))
    assert not (tmp_path / "runs").exists()


def test_the_verb(run: Run, tmp_path: Path) -> None:
    asked = ["evaluate", str(run.folder), "--prevalence", "0.1", "--cost", "3:1"]
    asked += ["--specificity", "0.9"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert "Everything is in runs/001-evaluate-001-test_resnet-pneumonia" in done.output
    for word in (
        "(decides)",
        "    validation  ",
        "specificity >= 0.9:",
        "Where 10% of films",
        "Abstention.",
        "Next: open",
    ):
        assert word in done.output
    said = " ".join(done.output.split())
    assert "in this evaluation alone: --cost, --specificity; predict goes by" in said
    start, end = (done.output.index(word) for word in ("operating point", "The scale of"))
    table = done.output[start:end].splitlines()
    assert all(len(line.rstrip()) <= 80 and "…" not in line for line in table)
    assert (share("5%"), share("0.05")) == (0.05, 0.05)
    few = ["--prevalence", "few"]
    for wrong in (["--cost", "x"], ["--split", "tset"], ["--sensitivity", "95"], few):
        result = CliRunner().invoke(app, ["evaluate", str(run.folder), *wrong])
        assert isinstance(result.exception, InputError), result.output
    about = CliRunner().invoke(app, ["evaluate", str(run.folder), "--keep-ids"])
    assert isinstance(about.exception, InputError) and "--data DATA" in str(about.exception)


def test_a_fixed_threshold_is_not_called_chosen() -> None:
    assert _why(OperatingPoint("fixed", 0.5, "fixed at 0.5", "val")) == "fixed at 0.5"
    assert _why(OperatingPoint("f1", 0.3, "largest F1", "val")) == "largest F1, chosen on val"
