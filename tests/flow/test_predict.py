"""``pneumoscope predict`` end to end: mixed folders, rows, outputs, exit codes."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from tests.helpers.commands import run
from tests.helpers.dicom import BIRTH, NAME, PATIENT, save_dicom
from tests.helpers.images import film
from tests.helpers.networks import make_bundle
from tests.helpers.processes import PATIENCE

from pneumoscope import Classifier
from pneumoscope.models.bundle import save_bundle


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    save_bundle(make_bundle(lineage={"population": {"youngest": 1.0, "oldest": 5.0}}), folder)
    return folder


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Eight files that may be films, of which two are none, and three things passed over."""
    root = tmp_path / "mixed"
    (root / "deep/er").mkdir(parents=True)
    Image.fromarray(film(0)).save(root / "a.jpeg", quality=95)
    Image.fromarray(film(1)).convert("RGB").save(root / "deep/b.png")
    Image.fromarray(255 - film(2)).save(root / "deep/er/c.webp", lossless=True)
    save_dicom(root / "d.dcm", film(3), PatientAge="050Y", ViewPosition="LL", Modality="DX")
    save_dicom(root / "deep/e", film(4), PatientAge="003Y", ViewPosition="PA", Modality="CR")
    data = (root / "a.jpeg").read_bytes()
    (root / "cut.jpg").write_bytes(data[:300])
    (root / "empty.png").touch()
    (root / "notes.txt").write_text("no film")
    (root / ".hidden.png").touch()
    (root / "round").symlink_to(root)
    return root


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_mixed_folder_gives_a_row_for_each(
    model: Path, mixed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(model), "mixed", "mixed/a.jpeg", "gone.png"]
    assert run(monkeypatch, *words, "--csv", "out.csv", "--json", "out.json") == 0
    printed = capsys.readouterr()
    rows = rows_of(Path("out.csv").read_text("utf-8"))
    assert [row["name"] for row in rows] == [
        *("mixed/a.jpeg", "mixed/cut.jpg", "mixed/d.dcm", "mixed/deep/b.png", "mixed/deep/e"),
        *("mixed/deep/er/c.webp", "mixed/empty.png", "gone.png"),
    ]
    by_name = {row["name"].rpartition("/")[2]: row for row in rows}
    assert by_name["empty.png"]["error"] == "the file is empty"
    assert by_name["gone.png"]["error"] == "there is no such file"
    assert by_name["cut.jpg"]["error"] and not by_name["cut.jpg"]["probability"]
    assert by_name["c.webp"]["findings"] == "INVERTED"
    assert by_name["d.dcm"]["findings"] == "LATERAL;ADULT"
    assert by_name["e"]["findings"] == by_name["a.jpeg"]["findings"] == ""
    read = [row for row in rows if not row["error"]]
    assert len(read) == 5
    for row in read:
        assert row["operating_point"] == "youden" and float(row["threshold"]) == 0.5
        called = "pneumonia" if float(row["probability"]) >= 0.5 else "normal"
        withheld = row["findings"] in ("INVERTED", "LATERAL;ADULT")
        assert row["decision"] == ("" if withheld else called)
        assert row["abstained"] == str(withheld).lower()
    assert "Of 8 films, 2 withheld: " in printed.out
    by_api = {r.name: r for r in Classifier.load(model, device="cpu").read("mixed")}
    written = json.loads(Path("out.json").read_text("utf-8"))
    for row, line in zip(rows, written, strict=True):
        assert line["name"] == row["name"]
        if row["logit"]:
            assert line["logit"] == float(row["logit"])
            assert by_api[row["name"]].logit == pytest.approx(line["logit"], abs=1e-5)
    assert "passed over: 1 (files of another kind)" in printed.out
    assert "passed over: 1 (hidden files)" in printed.out and "5 films read" in printed.out
    everything = printed.out + printed.err + Path("out.csv").read_text() + json.dumps(written)
    assert not any(word in everything for word in (NAME, "Doe", PATIENT, BIRTH, "1999"))
    assert not [p for p in Path().iterdir() if p.name.endswith(".tmp")]


def test_the_table_fits_80_columns(
    model: Path, mixed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    long = Path("a-very-long-name-of-a-folder/of-films") / ("x" * 60)
    long.mkdir(parents=True)
    Image.fromarray(film(5)).save(long / "the-film-7.png")
    assert run(monkeypatch, "predict", str(model), "mixed", str(long)) == 0
    lines = capsys.readouterr().out.splitlines()
    table = lines[next(i for i, line in enumerate(lines) if "prob." in line) :]
    assert max(map(len, table)) <= 80
    assert any("…" in line and "the-film-7.png" in line for line in table)
    assert any("lateral view, adult" in line for line in table)


def test_of_many_films_those_to_look_at_are_shown(
    model: Path, mixed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(40):
        os.link(mixed / "a.jpeg", mixed / f"z{i:03d}.jpeg")
    assert run(monkeypatch, "predict", str(model), "mixed") == 0
    printed = capsys.readouterr().out
    assert "45 films read" in printed and "note: 4 to look at" in printed
    assert "mixed/z" not in printed and "mixed/cut.jpg" in printed and "--csv" in printed


def test_standard_output_holds_the_rows_alone(
    model: Path, mixed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "predict", str(model), "mixed", "--csv", "-") == 0
    printed = capsys.readouterr()
    assert len(rows_of(printed.out)) == 7 and "films read" in printed.err
    assert run(monkeypatch, "predict", str(model), "mixed", "--json", "-") == 0
    assert len(json.loads(capsys.readouterr().out)) == 7
    assert run(monkeypatch, "predict", str(model), "mixed", "--json", "-", "--csv", "-") == 2


def test_nothing_is_overwritten_and_nothing_half_is_left(
    model: Path, mixed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("there.csv").write_text("mine")
    Path("broken.json").symlink_to("nowhere")
    assert run(monkeypatch, "predict", str(model), "mixed", "--csv", "there.csv") == 2
    assert run(monkeypatch, "predict", str(model), "mixed", "--json", "broken.json") == 2
    assert run(monkeypatch, "predict", str(model), "mixed", "--csv", "no/such/folder.csv") == 2
    assert run(monkeypatch, "predict", "nowhere", "mixed", "--csv", "new.csv") == 2
    assert (
        run(monkeypatch, "predict", str(model), "mixed", "--csv", "n.csv", "--point", "yodn") == 2
    )
    printed = capsys.readouterr().err
    assert "OutputExists" in printed and "nearest: 'youden'" in printed
    assert Path("there.csv").read_text() == "mine"
    assert {p.name for p in Path().iterdir()} == {"model", "mixed", "there.csv", "broken.json"}


@pytest.mark.parametrize("what", ["mixed/empty.png", "nowhere", "void"])
def test_without_a_film_the_exit_code_is_2_and_the_rows_are_written(
    what: str,
    model: Path,
    mixed: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("void").mkdir()
    assert run(monkeypatch, "predict", str(model), what, "--json", "out.json") == 2
    (row,) = json.loads(Path("out.json").read_text())
    assert row["name"] == what and row["error"] and row["probability"] is None
    assert "no film could be read" in capsys.readouterr().err


@pytest.mark.slow
def test_another_locale_closed_output_and_a_read_only_folder(
    model: Path, mixed: Path, tmp_path: Path
) -> None:
    """As a process of its own: C locale, a name that is no ASCII, stdout closed, folder closed."""
    os.rename(mixed / "a.jpeg", mixed / "röntgen-肺.jpeg")
    for folder in (mixed, model):
        folder.chmod(0o555)
    words = f"predict {model} mixed --csv out.csv --point sensitivity"
    start = f'"{sys.executable}" -m pneumoscope {words} >&-'
    env = {**os.environ, "LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    try:
        done = subprocess.run(
            start, shell=True, cwd=tmp_path, env=env, capture_output=True, timeout=PATIENCE
        )
    finally:
        for folder in (mixed, model):
            folder.chmod(0o755)
    assert done.returncode == 0, done.stderr
    rows = rows_of(Path("out.csv").read_text("utf-8"))
    assert len(rows) == 7 and {row["operating_point"] for row in rows} == {"sensitivity", ""}
    assert sum("ntgen" in row["name"] and row["probability"] != "" for row in rows) == 1
