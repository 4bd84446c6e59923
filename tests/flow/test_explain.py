"""``pneumoscope explain`` end to end: the run's own films, given ones, and where it cannot."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.helpers.commands import QUICK
from tests.helpers.figures import leave_undrawn
from tests.helpers.pages import CHROMIUM, framed
from tests.helpers.runs import say_pneumonia
from tests.helpers.sources import few_phantoms
from typer.testing import CliRunner

from pneumoscope.cli.main import app
from pneumoscope.errors import DataNotFound, InputError, NotARun, OutputExists
from pneumoscope.evaluation.predictions import read_predictions
from pneumoscope.recipe import load_recipe
from pneumoscope.records import DataRequest
from pneumoscope.run import Run
from pneumoscope.workflows import pipeline
from pneumoscope.workflows.explain.explain import ExplainRequest, explain_run

METHODS = ("gradcam", "occlusion")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(a run on 60 small phantoms with masks, the cache it used)."""
    place = tmp_path_factory.mktemp("explained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMOSCOPE_CACHE", str(place / "cache"))
        leave_undrawn(patch)
        few_phantoms(patch, 60)
        recipe = load_recipe("default", [*QUICK, "train.epochs=1"])
        run = pipeline.train(DataRequest("phantom"), recipe, out=place / "run")
    return run.folder, place / "cache"


@pytest.fixture
def run(made: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(made[1]))
    few_phantoms(monkeypatch, 60)
    return made[0]


def test_own_films_with_masks(run: Path, tmp_path: Path) -> None:
    copy = say_pneumonia(run, tmp_path)
    folder, about = explain_run(ExplainRequest(copy, methods=METHODS, count=4))
    assert folder.name == "001-explain-run" and folder.parent == tmp_path / "runs"
    kept = json.loads((folder / "explain.json").read_text("utf-8"))
    assert len(kept["films"]) == 4 and {film["called"] for film in kept["films"]} == {1}
    assert {film["label"] for film in kept["films"]} == {0, 1}
    for film in kept["films"]:
        assert set(film["pictures"]) == {"film", *METHODS}
        for file in film["pictures"].values():
            with Image.open(folder / file) as picture:
                assert picture.mode == "RGB"
    found = kept["localisation"]
    table = read_predictions(Run(copy).predictions_file)
    positives = int(((table["split"] == "test") & (table["label"] == 1)).sum())
    assert found["films"] == positives and found["truth"] == "masks"
    for method in METHODS:
        value = found["methods"][method]["pointing"]["value"]
        assert 0 <= value["low"] <= value["value"] <= value["high"] <= 1
        assert len(kept["sanity"][method]["levels"]) == 3
    assert any("fixed location prior" in line for line in kept["summary"])
    page = (folder / "explain.html").read_text("utf-8")
    assert page.count("data:image/jpeg") == 4 * 3
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    again, _ = explain_run(ExplainRequest(copy, methods=METHODS, count=4))
    assert json.loads((again / "explain.json").read_text())["localisation"] == found


def test_given_films_by_the_command_line(run: Path, tmp_path: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    rng = np.random.default_rng(0)
    for name in ("one.png", "person7_virus_11.png", "VIRUS-7345678-1.png"):
        Image.fromarray(rng.integers(0, 256, (70, 90), dtype=np.uint8)).save(films / name)
    (films / "two.png").write_bytes(b"no picture")
    arguments = ["explain", str(run), str(films), "--method", "hirescam", "--out", "made"]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "two was not read" in done.output and "explain.html" in done.output
    kept = json.loads(Path("made/explain.json").read_text("utf-8"))
    assert [film["label"] for film in kept["films"]] == [None] * 3
    # A name that tells of the patient is shown nowhere, as in reports.
    names = [film["name"] for film in kept["films"]]
    assert sorted(names) == ["film 1", "one", "…virus_11"]
    written = [Path(f"made/explain.{kind}").read_text("utf-8") for kind in ("html", "json")]
    texts = [done.output, *written, *map(str, Path("made").rglob("*"))]
    assert not [text for text in texts if "person7" in text or "7345678" in text]
    assert kept["localisation"] is None
    with pytest.raises(OutputExists):
        explain_run(ExplainRequest(run, (str(films),)), out=Path("made"))


def test_what_cannot_be_explained_is_said(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotARun, match="no such run"):
        explain_run(ExplainRequest(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="no heatmap method"):
        explain_run(ExplainRequest(run, methods=("gradcam3",)))
    with pytest.raises(InputError, match="count"):
        explain_run(ExplainRequest(run, count=0))
    with pytest.raises(DataNotFound, match="no film could be read"):
        explain_run(ExplainRequest(run, ("nothing.png",)))
    copy = tmp_path / "gone"
    shutil.copytree(run, copy)
    card = json.loads((copy / "run.json").read_text())
    card["request"]["data"] = str(tmp_path / "moved")
    (copy / "run.json").write_text(json.dumps(card))
    with pytest.raises(DataNotFound, match="name films to explain"):
        explain_run(ExplainRequest(copy))
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").glob("*explain*"))


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium binary on this machine")
def test_browser_finds_no_fault(run: Path, tmp_path: Path) -> None:
    copy = say_pneumonia(run, tmp_path)
    folder, _ = explain_run(ExplainRequest(copy, methods=("gradcam",), count=2))
    pictures = """
      broken: [...inner.images].filter((image) => !image.alt || !image.src).length,
      pictures: inner.images.length"""
    page = (folder / "explain.html").read_text("utf-8")
    for found in framed(page, tmp_path, more=pictures):
        assert found["broken"] == 0 and found["pictures"] == 2 * 2 + 1
