"""prepare, audit and train on a folder that is Kaggle's in small, through the command line."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from tests.helpers.commands import QUICK, run
from tests.helpers.sources import few_phantoms

from pneumoscope.imaging.phantom import draw_phantom

SPLITS = {"train": 240, "val": 16, "test": 60}


@pytest.fixture(scope="session")
def drawn_kaggle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240/16/60 films of two a patient, of whom the first two of test are also in train."""
    root = tmp_path_factory.mktemp("kaggle") / "chest_xray"
    index = 0
    for split, count in SPLITS.items():
        for i in range(count):
            label = i // 2 % 2
            patient = i // 2 if split == "test" and i < 4 else index // 2
            name = f"person{patient}_{('virus', 'bacteria')[i % 2]}_{index}.jpeg"
            if not label:
                name = f"IM-{patient:04d}-{i % 2 + 1:04d}.jpeg"
            file = root / split / ("NORMAL", "PNEUMONIA")[label] / name
            file.parent.mkdir(parents=True, exist_ok=True)
            film = draw_phantom(3, index, label=label, size=64, patient=index // 2)
            Image.fromarray(film.image).save(file, quality=95)
            index += 1
    return root


@pytest.fixture
def kaggle(drawn_kaggle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(drawn_kaggle, tmp_path / "chest_xray"))


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines as long as they are, so that no sentence is broken."""
    monkeypatch.setenv("COLUMNS", "400")


def test_prepare_says_what_was_found_and_what_comes_next(
    kaggle: Path, wide: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (kaggle / "train" / "NORMAL" / "IM-0002-0009.jpeg").write_bytes(b"\xff\xd8\xff\xe0 no JPEG")
    (kaggle / "train" / "notes.txt").write_text("mine")
    assert run(monkeypatch, "prepare", str(kaggle)) == 0
    printed = capsys.readouterr().out
    for line in (
        "Found 317 films in chest_xray",
        "form: folder (folders train, val and test with NORMAL and PNEUMONIA)",
        "passed over: 1 (files of another kind)",
        "films: 316 used of 317 found",
        "left out: 1 × ",
        "normal: 158 used of 159 films: NORMAL (159)",
        "pneumonia: 158: PNEUMONIA (158)",
        "patients: ",
        "official test 60 (",
        "of 60 test films may belong with training films: ",
        "test split: official, 60 films",
        "val split: cut here, 10% of 256 films (no patient divided; the official one of 16 films",
        "not provable  PATIENT-ACROSS-SPLITS",
        f"Next: pneumoscope audit {kaggle}; pneumoscope train {kaggle}",
    ):
        assert line in printed, line
    place = printed.split("The prepared set is in ")[1].split("\n")[0]
    table = pd.read_parquet(Path(place) / "table.parquet")
    assert table["fact_subtype"].value_counts().to_dict() == {
        "none": 158,
        "bacterial": 79,
        "viral": 79,
    }
    assert run(monkeypatch, "prepare", str(kaggle), "--set", "data.val=official") == 0
    assert "val split: official, 16 films" in capsys.readouterr().out


def test_without_training_films_no_training_comes_next(
    kaggle: Path, wide: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("train", "val"):
        shutil.rmtree(kaggle / split)
    assert run(monkeypatch, "prepare", str(kaggle)) == 0
    printed = capsys.readouterr().out
    assert f"Next: pneumoscope audit {kaggle}" in printed
    assert "pneumoscope train" not in printed


def test_prepare_to_a_folder_of_the_users_choice(
    kaggle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "prepare", str(kaggle), "--size", "40", "--out", "my set") == 0
    about = json.loads(Path("my set/prepared.json").read_text())
    assert about["spec"]["stored"] == 40 and about["flow"]["kept"] == 316
    assert run(monkeypatch, "prepare", str(kaggle), "--out", "my set") == 2
    assert "nothing is ever overwritten" in capsys.readouterr().err


def test_audit_writes_a_page_and_ends_with_3_when_strict(
    kaggle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "audit", str(kaggle)) == 0
    printed = capsys.readouterr().out
    assert "runs/001-audit-chest_xray/audit.html" in printed
    holds = printed[printed.index("What the data holds") : printed.index("chest_xray: ")]
    assert "  films: 316, all that were found\n" in holds and "official val 16 (" in holds
    assert (
        "divided: 4 of 60 test films may belong with training films: 4 by patient number" in holds
    )
    found = json.loads(Path("runs/001-audit-chest_xray/audit.json").read_text())
    torn = next(f for f in found["not_provable"] if f["code"] == "PATIENT-ACROSS-SPLITS")
    assert (torn["count"], torn["severity"]) == (2, "warning")
    page = Path("runs/001-audit-chest_xray/audit.html").read_text("utf-8")
    assert "A patient in two splits" in page and "pneumoscope audit" in page
    copied = next((kaggle / "train" / "NORMAL").iterdir())
    shutil.copy(copied, kaggle / "test" / "NORMAL" / "IM-9999-0001.jpeg")
    assert run(monkeypatch, "audit", str(kaggle), "--strict", "--out", "strict") == 3
    assert Path("strict/audit.html").is_file()
    few_phantoms(monkeypatch, 300)
    assert run(monkeypatch, "audit", "phantom", "--strict", "--out", "phantoms") == 0


def test_audit_finds_the_same_films_in_another_form(
    kaggle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ["path,label"]
    for i, film in enumerate(sorted((kaggle / "test").rglob("*.jpeg"))):
        with Image.open(film) as image:
            image.resize((80, 80)).save(f"film-{i}.png")
        rows.append(f"film-{i}.png,{film.parent.name}")
    Path("films.csv").write_text("\n".join(rows))
    assert run(monkeypatch, "audit", "films.csv", "--against", str(kaggle), "--out", "a") == 0
    family = json.loads(Path("a/audit.json").read_text())["genealogy"]
    codes = [f["code"] for f in json.loads(Path("a/audit.json").read_text())["findings"]]
    assert "SAME-FAMILY" in codes and family is not None
    words = ("audit", "films.csv", "--column", "label=label", "--against", str(kaggle))
    assert run(monkeypatch, *words, "--out", "b") == 0  # what is said of A is not asked of B
    page = Path("b/audit.html").read_text("utf-8")
    assert "pneumoscope audit films.csv --column label=label --against" in page


def test_a_slip_in_the_second_name_shows_before_the_first_is_read(
    kaggle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "audit", str(kaggle), "--against", "kermanny") == 2
    printed = capsys.readouterr()
    assert "nearest: 'kermany'" in printed.err and "Prepare" not in printed.out


def test_train_on_folders_keeps_its_split_and_resumes_after_a_touch(
    kaggle: Path,
    wide: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    changes = [word for change in QUICK for word in ("--set", change)]
    assert run(monkeypatch, "train", str(kaggle), *changes, "--out", "done") == 0
    printed = capsys.readouterr().out
    assert "the official one of 16 films tells nothing" in printed
    card = json.loads(Path("done/run.json").read_text())
    assert card["flow"]["splits"]["test"]["n"] == 60
    assert card["flow"]["patients_divided"] == 2
    predictions = pd.read_csv("done/predictions.csv")
    assert set(predictions["split"]) == {"val", "test"}
    assert (predictions["split"] == "test").sum() == 60
    report = Path("done/report.html").read_text("utf-8")
    learnt = printed[printed.index("What is learnt from what") : printed.index("Train ")]
    divided = "of 60 test films may belong with training films: "
    assert "pneumonia: 158: PNEUMONIA (158)" in learnt and divided in learnt
    assert card["door"]["used"] == 316 and card["door"]["patients"]["how"] == "film names"
    assert divided in report[: report.index("<nav")]
    assert divided in Path("done/model_card.md").read_text("utf-8")

    # What another clock makes of the files is no change; a film that changed is one.
    film = next((kaggle / "train" / "NORMAL").iterdir())
    Path("done/report.html").unlink()
    os.utime(film, (1, 1))
    assert run(monkeypatch, "train", "--resume", "done") == 0
    assert pd.read_csv("done/predictions.csv").equals(predictions)
    assert Path("done/report.html").is_file()
    Path("done/report.html").unlink()
    Image.new("L", (64, 64), 90).save(film)
    assert run(monkeypatch, "train", "--resume", "done") == 2
    assert "the data has changed since the run began" in capsys.readouterr().err


def test_what_training_cannot_use_is_refused_and_leaves_no_run(
    kaggle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for data, words, told in (
        (kaggle / "train" / "NORMAL", (), "have no labels"),
        (kaggle, ("--classes", "NORMAL=pneumonia"), "split of chest_xray has only pneumonia"),
        (kaggle, ("--classes", "NORMAL"), "--classes"),
        (kaggle, ("--column", "labels=x"), "nearest: 'label'"),
        (kaggle, ("--form", "dcm"), "there is no such form"),
        (kaggle, ("--labels", "gone.csv"), "gone.csv"),
    ):
        assert run(monkeypatch, "train", str(data), *words) == 2, words
        assert told in capsys.readouterr().err, words
    assert not [p for p in Path("runs").glob("*") if p.is_dir()]
