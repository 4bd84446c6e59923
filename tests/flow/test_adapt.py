"""``adapt`` end to end: a run carried to the films of another site, with labels and without."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score
from tests.helpers.commands import Made, run
from tests.helpers.processes import python
from tests.helpers.shared import made_once

from pneumoscope import Classifier
from pneumoscope.errors import DiskFull, InputError, WeightsNotFound
from pneumoscope.evaluation.site.card import NOT_VALIDATED, read_card
from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.listener import Silent
from pneumoscope.models.bundle import load_bundle
from pneumoscope.records import DataRequest
from pneumoscope.run import Run
from pneumoscope.workflows.adapt import general, local, write
from pneumoscope.workflows.adapt.adapt import adapt
from pneumoscope.workflows.adapt.parent import open_parent
from pneumoscope.workflows.adapt.request import AdaptRequest


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """96 other phantoms of another exposure, in folders by class, two films a patient."""
    return made_once(tmp_path_factory, "site", _site)


def _site(place: Path) -> Path:
    folder = place / "clinic"
    draw = np.random.default_rng(0)
    for index in range(96):
        label = index // 2 % 2
        film = draw_phantom(31, index, label=label, size=48, patient=index // 2).image
        film = np.clip(0.6 * film + 30 + draw.normal(0, 6, film.shape), 0, 255).astype(np.uint8)
        of_class = folder / ("PNEUMONIA" if label else "NORMAL")
        of_class.mkdir(parents=True, exist_ok=True)
        Image.fromarray(film).save(of_class / f"patient{index // 2:03d}_{index % 2}.png")
    return folder


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def without(trained: Made, site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Adapted without labels. No test changes it."""
    request = AdaptRequest(trained.folder, DataRequest(str(site)), use_labels=False)

    def make(place: Path) -> Path:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PNEUMOSCOPE_CACHE", str(trained.cache))
            return adapt(request, out=place / "adapted", command="pneumoscope adapt RUN DATA")

    return made_once(tmp_path_factory, "adapted", make)


@pytest.fixture(scope="module")
def with_labels(trained: Made, site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with all labels."""
    place = tmp_path_factory.mktemp("with") / "adapted"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMOSCOPE_CACHE", str(trained.cache))
        return adapt(AdaptRequest(trained.folder, DataRequest(str(site))), out=place)


def test_it_makes_a_new_model_and_says_what_of_it_is_another(
    trained: Made, without: Path, site: Path
) -> None:
    parent, found = Run(trained.folder), read_card(Run(without).site_file)
    assert found.films.used == 96 and found.films.labelled == 0 and found.local is None
    assert found.differences[0].films == len(list(site.rglob("*_0.png"))) == 48
    lineage = load_bundle(without).lineage
    wanted = hashlib.sha256(parent.weights_file.read_bytes() + parent.model_file.read_bytes())
    assert lineage["parent_sha256"] == found.parent_sha256 == wanted.hexdigest()
    assert lineage["site"] == found.fingerprint and lineage["changed"] == list(found.changed)
    assert Run(without).manifest()["adapted"]["parent"] == parent.manifest()["name"]
    points = load_bundle(without).operating_points
    assert all(point.rule.endswith(NOT_VALIDATED) for point in points)
    assert [each.threshold for each in points] == [
        each.threshold for each in load_bundle(trained.folder).operating_points
    ]
    page = (without / "report.html").read_text()
    assert "Site card" in page or "site card" in page
    assert "not validated at this site" in page and "patient0" not in page


def test_films_to_label_are_listed_and_the_list_is_read_back(
    trained: Made, without: Path, site: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table = pd.read_csv(without / "to_label.csv", dtype=str)
    assert set(table["why"]) == {"random", "uncertain"} and table["label"].isna().all()
    card = read_card(Run(without).site_file)
    assert sum(card.to_label.values()) == len(table) == 48
    flat = tmp_path / "flat"
    flat.mkdir()
    for film in site.rglob("*.png"):
        shutil.copy(film, flat / film.name)
    truth = {path.name: path.parent.name for path in site.rglob("*.png")}
    names = table["image"].map(lambda name: Path(name).name)
    filled = table.assign(image=names, label=names.map(truth))
    filled.to_csv(tmp_path / "to_label.csv", index=False)
    words = ["--labels", str(tmp_path / "to_label.csv"), "--out", "labelled"]
    assert run(monkeypatch, "adapt", str(trained.folder), str(flat), *words) == 0
    assert read_card(Run(Path("labelled")).site_file).films.labelled == 48


def test_the_folder_opens_in_every_command(
    trained: Made,
    without: Path,
    site: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(trained.cache))
    before = digest(trained.folder)
    film = next(site.rglob("*.png"))
    adapted, parent = str(without), str(trained.folder)
    assert Classifier.load(without).read(film)[0].probability is not None
    assert run(monkeypatch, "predict", adapted, str(film)) == 0
    assert "As a set." not in capsys.readouterr().out
    assert run(monkeypatch, "predict", adapted, str(site)) == 0
    assert "unlike the training films" in " ".join(capsys.readouterr().out.split())
    assert run(monkeypatch, "evaluate", adapted, "--out", "own") == 0
    assert run(monkeypatch, "compare", parent, adapted, "--out", "both") == 0
    assert run(monkeypatch, "explain", adapted, str(film), "--out", "maps") == 0
    assert digest(trained.folder) == before


def test_films_that_it_was_adapted_on_are_known_again(
    trained: Made,
    with_labels: Path,
    site: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(trained.cache))
    changed = read_card(Run(with_labels).site_file).changed
    code = run(monkeypatch, "evaluate", str(with_labels), "--data", str(site), "--out", "again")
    said = " ".join(capsys.readouterr().err.split())
    assert (code == 2 and "it has seen the others" in said) if changed else code == 0


def test_labels_judge_the_model_as_it_comes_and_then_each_way(
    trained: Made, with_labels: Path, site: Path
) -> None:
    local = read_card(Run(with_labels).site_file).local
    assert local is not None and (local.films, local.positives, local.patients) == (96, 48, 48)
    names = [each.name for each in local.candidates]
    assert names == ["carried", "temperature and offset", "head", "ImageNet"]
    assert sum(each.kept for each in local.candidates) == 1
    assert [point.films for point in local.curve] == [25, 50]
    assert {each.measure for each in local.needed} == {"sensitivity", "specificity"}
    rows = pd.read_csv(with_labels / "site.csv")
    assert len(rows) == 96 and rows["label"].sum() == 48
    if local.local_thresholds:
        predictions = pd.read_csv(with_labels / "predictions.csv")
        assert (predictions["split"] == "val").sum() == 96
        assert (predictions["split"] == "test").sum() == 40
        points = load_bundle(with_labels).operating_points
        assert len(points) > 1
        for point in points:  # a fixed threshold is chosen on no films
            chosen_here = "labelled films of this site" in point.rule
            assert chosen_here == (point.name != "fixed")


@pytest.mark.slow
def test_another_network_in_its_place_answers_as_it_was_judged(
    trained: Made, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(trained.cache))
    monkeypatch.setattr(local.crossfit, "simplest", lambda losses, *_: len(losses) - 1)
    folder = adapt(AdaptRequest(trained.folder, DataRequest(str(site))), out=tmp_path / "new")
    card = read_card(Run(folder).site_file)
    assert card.local is not None and card.changed[0].startswith("ImageNet: another network")
    assert card.local.curve_of == "ImageNet" and card.local.adapted.auroc.value > 0.7
    bundle = load_bundle(folder)
    assert (bundle.backbone, bundle.weights) == (general.BACKBONE, "imagenet")
    # Nothing of what the carried network was trained for is told of this one.
    assert bundle.lineage["weights_package"].startswith("efficientnet-lite0")
    assert not {"epochs", "best_epoch", "population"} & set(bundle.lineage)
    # Carried once more, it is itself the network that would take its place.
    again = open_parent(folder, Silent())
    assert general.general_network(again, None, Silent()) is None  # type: ignore[arg-type]
    rows = pd.read_csv(folder / "site.csv")
    assert roc_auc_score(rows["label"], rows["adapted"]) > card.local.adapted.auroc.value
    films = sorted(site.rglob("*.png"))[:8]
    chances = [each.probability for each in Classifier.load(folder).read(films)]
    named = rows.set_index("image_id")["adapted"]
    expected = [named[[each for each in named.index if film.name in each][0]] for film in films]
    assert chances == pytest.approx(expected, abs=1e-3)
    assert run(monkeypatch, "explain", str(folder), str(films[0])) == 0
    assert run(monkeypatch, "export", str(folder), "--out", "exported") == 0
    exported = [each.probability for each in Classifier.load("exported").read(films)]
    assert exported == pytest.approx(chances, abs=1e-4)


def test_without_the_weights_no_other_network_is_tried(
    trained: Made, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise WeightsNotFound("these ImageNet weights come by pip, and are not installed")

    monkeypatch.setattr(general, "load_weights", missing)
    heard = Silent()
    notes: list[str] = []
    monkeypatch.setattr(heard, "note", notes.append)
    parent = open_parent(trained.folder, Silent())
    assert general.general_network(parent, None, heard) is None  # type: ignore[arg-type]
    said = "these ImageNet weights come by pip, and are not installed"
    assert notes == [f"No head on ImageNet weights is tried: {said}."]


@pytest.fixture(scope="module")
def ensemble(two_folds: Made, site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folds, carried without labels. No test changes it."""
    place = tmp_path_factory.mktemp("ensemble") / "adapted"
    request = AdaptRequest(two_folds.folder, DataRequest(str(site)), use_labels=False, share=0.3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMOSCOPE_CACHE", str(two_folds.cache))
        return adapt(request, out=place)


def mean_logits(folder: Path, column: str) -> NDArray[np.float64]:
    """The mean over members of what their rows of the site's films say, as logits."""
    rows = [pd.read_csv(each)[column] for each in sorted(folder.glob("fold-*/site.csv"))]
    chances = np.clip(rows, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(chances / (1 - chances)).mean(axis=0))


@pytest.mark.slow
def test_an_ensemble_is_carried_member_by_member(two_folds: Made, ensemble: Path) -> None:
    card = read_card(Run(ensemble).site_file)
    assert card.members == ("fold-0", "fold-1") and card.parent == "cv" and card.moved == 0.3
    assert card.local is None and all(said.startswith("fold-") for said in card.changed)
    for name in card.members:
        own, parent = Run(ensemble / name), Run(two_folds.folder / name)
        wanted = hashlib.sha256(parent.weights_file.read_bytes() + parent.model_file.read_bytes())
        assert own.manifest()["adapted"]["parent_sha256"] == wanted.hexdigest()
        assert read_card(own.site_file).name == name
    rows = pd.read_csv(ensemble / "site.csv")
    for column in ("carried", "adapted"):
        mean = 1 / (1 + np.exp(-mean_logits(ensemble, column)))
        assert rows[column].to_numpy() == pytest.approx(mean, abs=1e-3)
    page = (ensemble / "report.html").read_text()
    assert "fold-1/report.html" in page and "patient0" not in page


@pytest.mark.slow
def test_an_adapted_ensemble_reads_films(
    two_folds: Made, ensemble: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(two_folds.cache))
    films = sorted(site.rglob("*.png"))[:12]
    chances = [each.probability for each in Classifier.load(ensemble).read(films)]
    rows = pd.read_csv(ensemble / "site.csv").set_index("image_id")["adapted"]
    named = [rows[[each for each in rows.index if film.name in each][0]] for film in films]
    assert chances == pytest.approx(named, abs=1e-3)
    assert run(monkeypatch, "predict", str(ensemble), str(films[0])) == 0


@pytest.mark.slow
def test_an_adapted_ensemble_is_judged_on_its_own_test_films(
    two_folds: Made, ensemble: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(two_folds.cache))
    assert run(monkeypatch, "evaluate", str(ensemble), "--out", "own") == 0
    assert json.loads(Path("own/metrics.json").read_text())["n"] == 40


@pytest.mark.slow
def test_with_labels_the_mean_of_an_ensemble_is_judged(
    two_folds: Made, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(two_folds.cache))
    adapted = adapt(AdaptRequest(two_folds.folder, DataRequest(str(site))), out=tmp_path / "on")
    local = read_card(Run(adapted).site_file).local
    assert local is not None and [each.name for each in local.candidates] == ["fold-0", "fold-1"]
    labels = pd.read_csv(adapted / "site.csv")["label"]
    expected = roc_auc_score(labels, mean_logits(adapted, "carried"))
    assert local.carried.auroc.value == pytest.approx(expected, abs=2e-3)
    assert "the mean of 2 models as it comes" in (adapted / "report.html").read_text()
    assert run(monkeypatch, "explain", str(adapted), str(next(site.rglob("*.png")))) == 0


def test_probabilities_move_to_a_share_on_request_and_decisions_stay(
    trained: Made, site: Path, without: Path, tmp_path: Path
) -> None:
    request = AdaptRequest(trained.folder, DataRequest(str(site)), use_labels=False, share=0.1)
    moved = adapt(request, out=tmp_path / "moved")
    films = sorted(site.rglob("*.png"))[:20]
    before, after = (Classifier.load(folder).read(films) for folder in (without, moved))
    assert [each.decision for each in before] == [each.decision for each in after]
    assert [each.abstained for each in before] == [each.abstained for each in after]
    chances = [[each.probability or 0 for each in part] for part in (before, after)]
    assert all(new < old for old, new in zip(*chances, strict=True))
    assert read_card(Run(moved).site_file).moved == 0.1
    with pytest.raises(InputError, match="share of pneumonia"):
        adapt(AdaptRequest(trained.folder, DataRequest(str(site)), share=1.5))


def test_what_is_no_new_site_is_refused(
    trained: Made, site: Path, tiny_npz: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no new site"):
        adapt(AdaptRequest(trained.folder, DataRequest(str(tiny_npz))))
    with np.load(tiny_npz) as arrays:
        (tmp_path / "own").mkdir()
        for place, film in enumerate(arrays["train_images"]):
            big = Image.fromarray(film).resize((56, 56), Image.Resampling.BICUBIC)
            big.save(tmp_path / "own" / f"{place}.png")
    with pytest.raises(InputError, match="no new site"):
        adapt(AdaptRequest(trained.folder, DataRequest(str(tmp_path / "own"))))
    few = tmp_path / "few"
    few.mkdir()
    for film in sorted(site.rglob("*.png"))[:20]:
        shutil.copy(film, few / film.name)
    with pytest.raises(InputError, match="too few films"):
        adapt(AdaptRequest(trained.folder, DataRequest(str(few))))
    assert not (Path("runs")).exists() or not list(Path("runs").iterdir())


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), DiskFull),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_nothing_half_made_is_left(
    ends: BaseException,
    said: type[BaseException],
    trained: Made,
    site: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The model comes last: then all else is written already."""

    def end(*_: object) -> None:
        raise ends

    monkeypatch.setattr(write, "save_bundle", end)
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(trained.cache))
    place, data = tmp_path / "results", DataRequest(str(site))
    request = AdaptRequest(trained.folder, data, use_labels=False, share=0.1)
    with pytest.raises(said):
        adapt(request, out=place / "adapted")
    assert list(place.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from pneumoscope.records import DataRequest
from pneumoscope.workflows.adapt import write
from pneumoscope.workflows.adapt.adapt import adapt
from pneumoscope.workflows.adapt.request import AdaptRequest

count, save = 0, write.save_bundle
def killed(*words):
    global count
    count += 1
    if count == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    save(*words)
write.save_bundle = killed
request = AdaptRequest(Path(sys.argv[1]), DataRequest(sys.argv[2]), use_labels=False, share=0.1)
adapt(request, out=Path(sys.argv[3]))
"""


@pytest.mark.slow
def test_an_ensemble_killed_in_its_second_member_is_no_ensemble(
    two_folds: Made, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(two_folds.cache))
    place = tmp_path / "results/adapted"
    done = python(KILLED, two_folds.folder, site, place)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not place.exists()
    request = AdaptRequest(two_folds.folder, DataRequest(str(site)), use_labels=False, share=0.1)
    assert adapt(request, out=place) == place and (place / "fold-1/model.json").is_file()


def test_the_card_names_no_film(without: Path) -> None:
    text = Run(without).site_file.read_text()
    assert "patient0" not in text and json.loads(text)["schema"] == 1
