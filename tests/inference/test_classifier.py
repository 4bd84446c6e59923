"""The classifier against the predictor that evaluation uses, and against arithmetic by hand."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.helpers.networks import POINTS, make_bundle
from tests.helpers.processes import python

from pneumoscope import Classifier
from pneumoscope.data.prepare import prepare
from pneumoscope.errors import BadWeights, InputError, NotARun, UnreadableImage
from pneumoscope.imaging.geometry import fit_square
from pneumoscope.inference import classifier as module
from pneumoscope.inference.predictor import Predictor
from pneumoscope.listener import Silent
from pneumoscope.models.bundle import save_bundle
from pneumoscope.plain import to_plain
from pneumoscope.readings import Calibration, Conformal
from pneumoscope.records import DataRequest, InputSpec
from pneumoscope.sources.detect import open_source


def save(folder: Path, **changes: object) -> Path:
    folder.mkdir(parents=True)
    save_bundle(make_bundle(**changes), folder)
    return folder


def as_before(folder: Path) -> Path:
    """The folder with a model.json of version 0.1.0, whose thresholds are of raw probabilities."""
    about = json.loads((folder / "model.json").read_text())
    del about["scale"]
    (folder / "model.json").write_text(json.dumps({**about, "schema": 1}))
    return folder


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
def test_a_film_gives_the_logit_of_evaluation(
    fit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way of training and evaluation: source, prepared set, predictor."""
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(1)
    films = tmp_path / "films"
    films.mkdir()
    for i, ending in enumerate(["jpeg", "png", "bmp", "webp", "tif"]):
        Image.fromarray(rng.integers(0, 256, (300, 260), dtype=np.uint8)).save(
            films / f"{i}.{ending}"
        )
    bundle = make_bundle(spec=InputSpec(40, 48, fit))
    (tmp_path / "model").mkdir()
    save_bundle(bundle, tmp_path / "model")
    source = open_source(DataRequest(str(films), form="unlabelled"), tmp_path, Silent())
    prepared = prepare(source, InputSpec(40, 48, fit), tmp_path / "set")
    wanted = Predictor([bundle]).logits(prepared.images, np.arange(5))
    got = Classifier.load(tmp_path / "model", device="cpu").read(films)
    assert [Path(r.name).name for r in got] == prepared.table["image_id"].tolist()
    np.testing.assert_allclose([r.logit for r in got], wanted, atol=1e-4)
    assert np.ptp(wanted) > 1e-2


def test_batches_and_company_change_nothing(
    saved: Path, chests: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Classifier.load(saved, device="cpu").read(chests)
    alone = [Classifier.load(saved, device="cpu").read(chest)[0] for chest in chests[:3]]
    monkeypatch.setattr(module, "BATCH", 5)
    fives = Classifier.load(saved, device="cpu").read(list(chests))
    logits = np.array([r.logit for r in whole])
    np.testing.assert_allclose([r.logit for r in fives], logits, atol=1e-5)
    np.testing.assert_allclose([r.logit for r in alone], logits[:3], atol=1e-5)
    assert np.ptp(logits) > 1e-2
    assert [r.name for r in fives] == [f"film {i}" for i in range(1, 13)]


def test_bf16_stays_near_float32(tmp_path: Path, chests: np.ndarray) -> None:
    save(tmp_path / "fine")
    save(tmp_path / "coarse", precision="bf16")
    fine = Classifier.load(tmp_path / "fine", device="cpu").read(chests)
    coarse = Classifier.load(tmp_path / "coarse", device="cpu").read(chests)
    # bf16 keeps 8 significant bits; a logit here is a sum over 512 features of weight near 1.
    gap = np.abs(np.subtract([r.logit for r in fine], [r.logit for r in coarse]))
    assert gap.max() < 0.05


def test_without_bf16_arithmetic_float32_is_taken_and_said(
    tmp_path: Path, chests: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "fine")
    save(tmp_path / "coarse", precision="bf16")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {})
    coarse = Classifier.load(tmp_path / "coarse", device="cpu")
    assert [note[:2] for note in coarse.notes] == [("precision", "float32")]
    fine = Classifier.load(tmp_path / "fine", device="cpu").read(chests[:2])
    assert [r.logit for r in coarse.read(chests[:2])] == [r.logit for r in fine]


def test_decisions_at_the_named_point(saved: Path, chests: np.ndarray) -> None:
    plain = Classifier.load(saved, device="cpu")
    assert plain.operating_points == POINTS
    chances = sorted(r.probability or 0 for r in plain.read(chests))
    middle = [(chances[k - 1] + chances[k]) / 2 for k in (6, 3)]
    points = tuple(replace(point, threshold=at) for point, at in zip(POINTS, middle, strict=True))
    model = Classifier.load(save(saved.parent / "m", operating_points=points), device="cpu")
    for point, called in zip(points, (6, 9), strict=True):
        readings = model.read(chests, point=point.name)
        assert sum(r.decision == "pneumonia" for r in readings) == called
        for reading in readings:
            assert reading.operating_point == point
            assert reading.probability == pytest.approx(1 / (1 + math.exp(-(reading.logit or 0))))
            high = (reading.probability or 0) >= point.threshold
            assert reading.decision == ("pneumonia" if high else "normal")
    assert model.read(chests[0]) == model.read(chests[0], point="youden")
    with pytest.raises(InputError, match=r"nearest: 'sensitivity'.*; all, .*: youden \("):
        model.read(chests[0], point="sensitivty")


def test_without_operating_points_nothing_is_decided(tmp_path: Path, chests: np.ndarray) -> None:
    model = Classifier.load(save(tmp_path / "m", operating_points=()), device="cpu")
    reading = model.read(chests[0])[0]
    assert reading.decision is None and reading.probability is not None and not reading.abstained
    with pytest.raises(InputError, match="not judged yet"):
        model.read(chests[0], point="youden")


def test_calibration_moves_probabilities_and_no_decision(
    tmp_path: Path, chests: np.ndarray
) -> None:
    plain = Classifier.load(save(tmp_path / "plain"), device="cpu")
    cool = save(tmp_path / "cool", calibration=Calibration(2.5, "val"))
    assert json.loads((cool / "model.json").read_text())["calibration"]["temperature"] == 2.5
    same = [p.threshold for p in Classifier.load(cool, device="cpu").operating_points]
    assert same == [p.threshold for p in plain.operating_points]  # they are on its scale already
    calibrated = Classifier.load(as_before(cool), device="cpu")
    assert (plain.scale, calibrated.scale) == ("as given", "calibrated")
    for name in ("youden", "sensitivity"):
        before, after = plain.read(chests, point=name), calibrated.read(chests, point=name)
        np.testing.assert_allclose(
            [r.logit for r in after], [(r.logit or 0) / 2.5 for r in before], atol=1e-12
        )
        assert [r.decision for r in after] == [r.decision for r in before]
    point = calibrated.point("sensitivity")
    assert point is not None
    assert point.threshold == pytest.approx(1 / (1 + 4 ** (1 / 2.5)))  # 0.2 is odds of 1 to 4


@pytest.mark.parametrize("heat", [None, Calibration(2.5, "val")])
def test_films_of_which_both_labels_are_plausible_are_withheld(
    heat: Calibration | None, tmp_path: Path, chests: np.ndarray
) -> None:
    chances = sorted(r.probability or 0 for r in Classifier.load(save(tmp_path / "a")).read(chests))
    low, high = (chances[3] + chances[4]) / 2, (chances[7] + chances[8]) / 2
    fitted = Conformal(0.1, low, high, 50, 50, "val")
    folder = as_before(save(tmp_path / "b", conformal=fitted, calibration=heat))
    readings = Classifier.load(folder, device="cpu").read(chests)
    assert sum(r.abstained for r in readings) == 4
    assert all((r.decision is None) == r.abstained for r in readings)
    ranks = np.argsort(np.argsort([r.logit for r in readings]))
    assert sorted(ranks[[r.abstained for r in readings]]) == [4, 5, 6, 7]


def test_an_ensemble_averages_calibrated_logits(tmp_path: Path, chests: np.ndarray) -> None:
    alone = []
    for i, heat in enumerate([1.0, 2.0, 0.5]):
        kept = {"seed": i, "calibration": Calibration(heat, "val")}
        folder = as_before(save(tmp_path / f"cv/fold-{i}", **kept))
        alone.append([r.logit for r in Classifier.load(folder, device="cpu").read(chests)])
    model = Classifier.load(tmp_path / "cv", device="cpu")
    readings = model.read(chests)
    np.testing.assert_allclose([r.logit for r in readings], np.mean(alone, axis=0), atol=1e-12)
    point = model.point("sensitivity")
    assert point is not None and "mean of 3 members" in point.rule
    assert logit(point.threshold) == pytest.approx(logit(0.2) * (1 + 1 / 2 + 2) / 3)
    assert {note[0] for note in model.notes} == {"ensemble", "threshold"}


def test_an_ensembles_own_point_decides(tmp_path: Path, chests: np.ndarray) -> None:
    for i in range(3):
        save(tmp_path / f"cv/seed-{i}", seed=i)
    own = {"name": "own", "threshold": 0.31, "rule": "maximum youden", "chosen_on": "val"}
    about = {"members": ["seed-0", "seed-2"], "operating_points": [own]}
    (tmp_path / "cv/ensemble.json").write_text(json.dumps(about))
    model = Classifier.load(tmp_path / "cv", device="cpu")
    assert [to_plain(p) for p in model.operating_points] == [own]
    pair = [
        [r.logit for r in Classifier.load(tmp_path / f"cv/seed-{i}").read(chests)] for i in (0, 2)
    ]
    np.testing.assert_allclose(
        [r.logit for r in model.read(chests)], np.mean(pair, axis=0), atol=1e-12
    )


@pytest.mark.parametrize("names", [["../model"], [], ["/tmp"]])
def test_members_lie_within_the_ensemble(names: list[str], saved: Path) -> None:
    folder = saved.parent / "cv"
    folder.mkdir()
    (folder / "ensemble.json").write_text(json.dumps({"members": names}))
    with pytest.raises(BadWeights, match="no members within"):
        Classifier.load(folder)


def test_an_ensemble_lacking_a_member_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "cv/fold-0")
    (tmp_path / "cv/fold-1").mkdir()
    with pytest.raises(NotARun, match="a member of the ensemble"):
        Classifier.load(tmp_path / "cv")
    save(tmp_path / "two/fold-0")
    save(tmp_path / "two/fold-1", spec=InputSpec(28, 32))
    with pytest.raises(BadWeights, match="different sizes"):
        Classifier.load(tmp_path / "two")


def test_what_is_no_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotARun, match="no such run folder"):
        Classifier.load(tmp_path / "nowhere")
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(NotARun, match="train --resume"):
        Classifier.load(tmp_path)
    with pytest.raises(InputError, match="no such device"):
        Classifier.load(tmp_path, device="gpu")


def test_arrays_of_one_colour_and_many(saved: Path, chests: np.ndarray, tmp_path: Path) -> None:
    model = Classifier.load(saved, device="cpu")
    colour = np.repeat(chests[0][..., None], 3, axis=-1)
    Image.fromarray(chests[0]).save(tmp_path / "film.png")
    grey, rgb = model.read(chests[0])[0], model.read(colour)[0]
    file = model.read(tmp_path / "film.png")[0]
    assert grey.logit == rgb.logit == file.logit
    assert file.name == str(tmp_path / "film.png")
    both = model.read([tmp_path / "film.png", colour, str(tmp_path / "film.png")])
    assert len(both) == 3 and both[1].name == "film 2"
    assert model.read([]) == []
    assert grey.logit == pytest.approx(
        Predictor([make_bundle()]).logits(fit_square(chests[0], model.spec)[None], np.arange(1))[0],
        abs=1e-5,
    )


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((4, 4)), np.zeros((4, 4, 4, 3, 1), np.uint8), np.zeros((0, 4), np.uint8), None, 7],
)
def test_what_is_no_film_is_refused(wrong: object, saved: Path) -> None:
    with pytest.raises(UnreadableImage, match="uint8 array"):
        Classifier.load(saved, device="cpu").read([wrong])


def test_the_package_loads_nothing_until_it_is_asked() -> None:
    code = (
        "import sys, pneumoscope; light = 'torch' not in sys.modules and 'numpy' not in "
        "sys.modules; from pneumoscope import Classifier; "
        "heavy = [m for m in ('lightning', 'pandas', 'matplotlib', 'sklearn') if m in sys.modules];"
        "print(light, heavy, Classifier.__name__)"
    )
    assert python(code).stdout.split("\n")[0] == "True [] Classifier"
    with pytest.raises(ImportError):
        from pneumoscope import Nothing  # type: ignore[attr-defined]  # noqa: F401
