"""``predict`` on whatever lies in a folder, its heatmaps, and what is left when it is stopped."""

import csv
import os
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.helpers.commands import run
from tests.helpers.dicom import save_dicom
from tests.helpers.images import film
from tests.helpers.networks import make_bundle
from tests.helpers.processes import python

from pneumoscope.cli import interrupts
from pneumoscope.inference.classifier import Classifier
from pneumoscope.models.bundle import save_bundle
from pneumoscope.readings import Reading


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    save_bundle(make_bundle(), tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def anything(tmp_path: Path) -> Path:
    root = tmp_path / "anything"
    (root / "folder.png").mkdir(parents=True)
    grey = film(1)
    image = Image.fromarray(grey)
    for ending in ("jpeg", "png", "tif", "bmp", "webp"):
        image.save(root / f"plain.{ending}")
    image.save(root / "folder.png/inside.png")
    image.save(root / "肺-röntgen-фото.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(root / "deep.png")
    Image.fromarray(np.dstack([grey, grey, grey, np.full_like(grey, 255)])).save(root / "rgba.png")
    Image.new("L", (3000, 3000), 128).save(root / "one-colour.png")
    save_dicom(root / "dicom.dcm", grey, ViewPosition="PA", Modality="DX")
    save_dicom(root / "ct.dcm", grey, Modality="CT")
    (root / "cut.jpeg").write_bytes((root / "plain.jpeg").read_bytes()[:900])
    (root / "empty.png").touch()
    (root / "text.png").write_text("no film")
    (root / "notes.txt").write_text("no film")
    for name in ("films.zip", "zip.png"):
        with zipfile.ZipFile(root / name, "w") as archive:
            archive.write(root / "plain.png", "a.png")
    (root / "loop.png").symlink_to("loop.png")
    (root / "round").symlink_to(root)
    return root


def rows_of(file: Path) -> dict[str, dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return {row["name"].removeprefix("anything/"): row for row in csv.DictReader(text)}


def test_a_folder_of_anything(
    model: Path, anything: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "predict", str(model), "anything", "--csv", "out.csv") == 0
    rows = rows_of(Path("out.csv"))
    unread = {name for name, row in rows.items() if row["error"]}
    assert unread == {"cut.jpeg", "empty.png", "text.png", "zip.png"}
    alike = ("png", "tif", "bmp")
    same = {rows[f"plain.{end}"]["logit"] for end in alike} | {
        rows[name]["logit"] for name in ("folder.png/inside.png", "肺-röntgen-фото.png", "rgba.png")
    }
    assert len(same) == 1
    for near in ("plain.jpeg", "plain.webp", "dicom.dcm", "deep.png"):
        assert float(rows[near]["logit"]) == pytest.approx(float(same.copy().pop()), abs=0.5)
    assert rows["ct.dcm"]["findings"] == "OTHER-MODALITY"
    nothing = rows["one-colour.png"]
    assert nothing["findings"] == "CONSTANT"
    assert nothing["abstained"] == "true" and nothing["decision"] == ""
    printed = capsys.readouterr()
    assert "passed over: 2 (links" in printed.out
    assert "passed over: 2 (files of another kind)" in printed.out
    assert "withheld" in printed.out and not printed.err


def test_a_mask_is_named_and_not_judged(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[10:50, 10:28] = mask[10:50, 36:54] = 255
    Image.fromarray(mask).save("drawn.png")
    Image.fromarray(film(1)).save("film.png")
    words = ("predict", str(model), "drawn.png", "film.png", "--csv", "out.csv")
    assert run(monkeypatch, *words) == 0
    rows = rows_of(Path("out.csv"))
    assert "MASK" in rows["drawn.png"]["findings"].split(";")
    assert rows["drawn.png"]["decision"] == "" and rows["film.png"]["decision"]
    printed = capsys.readouterr().out
    assert "MASK: 1 (a mask or drawing" in printed
    assert "Of 2 films, 1 withheld: 1 no" in printed


def test_heatmaps_are_called_by_row(
    model: Path, anything: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("predict", str(model), "anything/cut.jpeg", "anything/plain.png", "anything/dicom.dcm")
    assert run(monkeypatch, *words, "--csv", "out.csv", "--heatmaps", "heat") == 0
    assert sorted(p.name for p in Path("heat").iterdir()) == ["00002-plain.png", "00003-dicom.png"]
    picture = np.asarray(Image.open("heat/00002-plain.png"))
    assert picture.ndim == 3 and np.ptp(picture[..., 0].astype(int) - picture[..., 2]) > 20
    printed = capsys.readouterr().out
    assert "are in heat" in printed and "pneumoscope explain" in printed
    # Said before any work, and without a second table.
    assert run(monkeypatch, *words, "--csv", "again.csv", "--heatmaps", "heat") == 2
    assert not Path("again.csv").exists() and "Load the model" not in capsys.readouterr().out
    assert run(monkeypatch, "predict", str(model), "gone.png", "--heatmaps", "none") == 2
    assert not Path("none").exists()


@pytest.mark.usefixtures("hearing")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_it_says_what_is_left(
    number: signal.Signals,
    model: Path,
    anything: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def three_and_a_signal(self: Classifier, films: object, **_: object) -> Iterator[Reading]:
        yield from (Reading(str(place), error="x") for place in range(3))
        os.kill(os.getpid(), number)
        yield Reading("never")

    monkeypatch.setattr(Classifier, "stream", three_and_a_signal)
    before = signal.getsignal(number)
    there = {p.name for p in Path().iterdir()}
    words = ("predict", str(model), "anything", "--csv", "out.csv", "--json", "out.json")
    assert run(monkeypatch, *words) == 130
    printed = capsys.readouterr()
    assert "Interrupted: the reading was stopped after 3 of 16 films" in printed.err
    assert "nothing is written" in printed.err and "Traceback" not in printed.err
    assert {p.name for p in Path().iterdir()} == there
    assert signal.getsignal(number) == before
    interrupts.check()  # nothing of it is left for the next command


@pytest.mark.usefixtures("hearing")
def test_a_process_started_deaf_to_interrupts_remains_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupts.heard():
        os.kill(os.getpid(), signal.SIGINT)
    interrupts.check()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_the_start_loads_no_table_library() -> None:
    code = (
        "import sys, pneumoscope.cli.main, pneumoscope.workflows.predict, pneumoscope.devices; "
        "import pneumoscope.inference.classifier; "
        "print([m for m in ('pandas', 'pydantic', 'timm') if m in sys.modules])"
    )
    assert python(code).stdout.strip() == "[]"


def test_a_missing_run_and_one_swapped_with_the_films_are_told_first(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(film(1)).save("film.png")
    assert run(monkeypatch, "predict", "gone", "film.png") == 2
    said = capsys.readouterr()
    assert "Found" not in said.out and "runs/" not in said.err and "train DATA" in said.err
    Path("films").mkdir()
    assert run(monkeypatch, "predict", "films", str(model)) == 2
    assert "the other way round" in capsys.readouterr().err
    assert run(monkeypatch, "predict", str(model), "films") == 2
    assert "Found 0 films" in capsys.readouterr().out
