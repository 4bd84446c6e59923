"""``explain`` on a made-up set in the form of RSNA, whose boxes are known in native pixels."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.helpers.commands import QUICK
from tests.helpers.figures import leave_undrawn
from tests.helpers.runs import say_pneumonia

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.explain.truth import boxes_around
from pneumoscope.imaging.geometry import fit_square
from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.listener import Silent
from pneumoscope.recipe import load_recipe
from pneumoscope.records import DataRequest, InputSpec
from pneumoscope.run import Run
from pneumoscope.workflows import pipeline
from pneumoscope.workflows.data import data_of_run
from pneumoscope.workflows.explain.explain import ExplainRequest, explain_run

Fake = Callable[..., NDArray[np.float32]]


@dataclass
class Made:
    """A run on the set, the cache it used, and by each stored film the area of its boxes, bool
    (H, W) in native pixels."""

    run: Path
    cache: Path
    truth: dict[bytes, NDArray[np.bool_]]


def draw_set(root: Path, count: int, spec: InputSpec) -> dict[bytes, NDArray[np.bool_]]:
    """Oblong phantoms as PNG under DICOM names, a box around each part of an opacity."""
    films = root / "stage_2_train_images"
    films.mkdir(parents=True)
    rows, truth = ["patientId,x,y,width,height,Target"], {}
    for number in range(count):
        drawn = draw_phantom(9, number, label=number % 2, size=72)
        name = f"film{number:03d}"
        Image.fromarray(drawn.image).save(films / f"{name}.dcm", format="PNG")
        area = np.zeros(drawn.image.shape, np.bool_)
        for x, y, width, height in boxes_around(drawn.mask):
            rows.append(f"{name},{x},{y},{width},{height},1")
            area[int(y) : int(y + height), int(x) : int(x + width)] = True
        if not drawn.label:
            rows.append(f"{name},,,,,0")
        truth[fit_square(drawn.image, spec).tobytes()] = area
    (root / "stage_2_train_labels.csv").write_text("\n".join(rows) + "\n")
    return truth


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    place = tmp_path_factory.mktemp("boxes")
    truth = draw_set(place / "set", 120, InputSpec(32, 32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMOSCOPE_CACHE", str(place / "cache"))
        leave_undrawn(patch)
        recipe = load_recipe("default", [*QUICK, "train.epochs=1"])
        run = pipeline.train(DataRequest(str(place / "set")), recipe, out=place / "run")
    return Made(run.folder, place / "cache", truth)


@pytest.fixture
def run(made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A copy that calls every film pneumonia, so that all ill films are true positives."""
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(made.cache))
    return say_pneumonia(made.run, tmp_path)


def test_boxes_are_measured_against_chance_and_prior(run: Path, made: Made) -> None:
    folder, about = explain_run(ExplainRequest(run, methods=("gradcam",), count=4))
    found = json.loads((folder / "explain.json").read_text("utf-8"))["localisation"]
    prepared = data_of_run(Run(run), Silent())
    rows = prepared.rows("test")
    ill = rows[prepared.labels(rows) == 1]
    assert found["truth"] == "boxes" and found["films"] == len(ill) > 5
    shares = [native(prepared, row, made).mean() for row in ill]
    assert found["area"] == pytest.approx(np.mean(shares), abs=0.02)
    train = prepared.rows("train")
    assert f"{int((prepared.labels(train) == 1).sum())} training films" in found["prior"]
    for measure in found["methods"]["gradcam"].values():
        for part in ("value", "chance", "prior", "above_chance", "above_prior"):
            estimate = measure[part]
            assert estimate["low"] <= estimate["value"] <= estimate["high"]
            assert "patients" in estimate["method"]
        assert measure["chance"]["value"] == pytest.approx(found["area"])
    shown = [film for film in about.films if film.label == 1]
    assert shown and all(film.boxes for film in shown)
    assert "blue frame" in (folder / "explain.html").read_text("utf-8")


def native(prepared: PreparedSet, row: int, made: Made) -> NDArray[np.bool_]:
    return made.truth[np.asarray(prepared.images[row]).tobytes()]


def hot_at(made: Made, mirrored: bool) -> Fake:
    """Heatmaps that are hot just where the boxes are in native pixels, or at their mirror image."""

    def heat(
        network: object, films: NDArray[np.uint8], method: str, **named: object
    ) -> NDArray[np.float32]:
        maps = []
        for film in films:
            area = made.truth[film.tobytes()].astype(np.uint8) * 255
            area = area[:, ::-1] if mirrored else area
            small = Image.fromarray(area).resize(film.shape[::-1], Image.Resampling.BOX)
            maps.append((np.asarray(small) > 127).astype(np.float32))
        return np.stack(maps)

    return heat


@pytest.mark.parametrize("mirrored", [False, True])
def test_boxes_lie_where_the_film_shows_them(
    run: Path, made: Made, monkeypatch: pytest.MonkeyPatch, mirrored: bool
) -> None:
    monkeypatch.setattr("pneumoscope.explain.members.heatmaps", hot_at(made, mirrored))
    _, found = explain_run(ExplainRequest(run, methods=("gradcam",), count=2))
    assert found.localisation
    measures = found.localisation.methods["gradcam"]
    value = {name: measure.value.value for name, measure in measures.items()}
    if mirrored:
        assert value["pointing"] < 0.8 and value["overlap"] < 0.6
    else:
        assert value["pointing"] > 0.85 and value["energy"] > 0.85 and value["overlap"] > 0.85
        assert measures["pointing"].above_prior.low > 0
