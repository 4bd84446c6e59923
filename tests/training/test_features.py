"""Kept features: equal to the network's own, one view an epoch, gone at the end, never half."""

import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from pneumoscope.data.loader import Batches
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.errors import BadRecipe, DiskFull
from pneumoscope.listener import Silent
from pneumoscope.models.weights import check_model
from pneumoscope.recipe import Recipe, load_recipe
from pneumoscope.run import Run
from pneumoscope.training.features import store
from pneumoscope.training.features.batches import Features, ViewSampler
from pneumoscope.training.features.extract import FeatureExtractor
from pneumoscope.training.features.store import keep_features
from pneumoscope.training.fit import fit
from pneumoscope.training.job import TrainingJob, build_network
from pneumoscope.training.measure.precision import Precision

STILL = [f"augment.{k}=0" for k in (
    "flip", "rotation", "translation", "scale", "stretch", "brightness", "contrast", "gamma",
    "detail", "field", "noise", "erase",
)]  # fmt: skip
FLOAT32 = Precision("float32", "test")
CLOSE = {"float32": {"rtol": 1e-5, "atol": 1e-5}, "bf16": {"rtol": 0.02, "atol": 0.02}}
TRAIN, VAL = 70, 20  # films of ``prepared``


def recipe(*changes: str) -> Recipe:
    # In ResNet-18-D some gradients are all but zero, and Adam makes full steps of their rounding.
    plain = ["model.backbone=test_resnet", "model.freeze=layer3", "input.margin=0.125"]
    short = ["train.batch_size=16", "train.epochs=1"]
    return load_recipe("default", [*plain, *short, *changes])


def extractor(
    prepared: PreparedSet,
    choices: Recipe,
    seed: int = 3,
    precision: Precision = FLOAT32,
    side: int = 32,
) -> FeatureExtractor:
    network = build_network(prepared, choices, side, 0).to(memory_format=torch.channels_last)
    return FeatureExtractor(TrainingJob(prepared, choices, side, seed, precision), network)


def train(
    folder: Path, prepared: PreparedSet, choices: Recipe
) -> tuple[pd.DataFrame, dict[str, torch.Tensor]]:
    """The history and the final weights."""
    folder.mkdir()
    run = Run(folder)
    network = build_network(prepared, choices, 32, 0)
    fit(run, TrainingJob(prepared, choices, 32, 3, FLOAT32), network, Silent())
    return pd.read_csv(run.history_file), load_file(run.weights_file)


@pytest.mark.parametrize(("name", "side"), [("float32", 32), ("float32", 48), ("bf16", 32)])
def test_a_view_without_changes_holds_the_networks_own_features(
    prepared: PreparedSet, tmp_path: Path, name: str, side: int
) -> None:
    # Enlarged films have no margin here: beside it augmentation still knows what lies beyond.
    margin = ["input.margin=0"] if side > 32 else []
    choices = recipe(*STILL, *margin, "train.views=1")
    precision = Precision("bf16" if name == "bf16" else "float32", "test")
    made = extractor(prepared, choices, precision=precision, side=side)
    files = keep_features(tmp_path, made, 1, Silent())
    assert np.load(files[0]).dtype == (np.int16 if name == "bf16" else np.float32)
    labels = prepared.labels(prepared.rows("train"))
    places = np.array([0, 3, 64, 69])
    features, given = Features(files, labels)[0, places]
    network = made._network.eval()
    films = torch.from_numpy(prepared.images[prepared.rows("train")[places]])
    half = torch.autocast("cpu", torch.bfloat16, enabled=name == "bf16")
    with torch.inference_mode(), half:
        own = network.frozen_features(network.seen(films))
        whole, cut = network(films), network.scores_of(features)[:, 0]
    assert features.dtype == own.dtype
    assert features.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(features, own, **CLOSE[name])
    torch.testing.assert_close(cut, whole, **CLOSE[name])
    assert given.tolist() == labels[places].tolist()


@pytest.mark.parametrize("name", ["float32", "bf16"])
def test_features_of_efficientnet_lite_are_kept_alike(
    prepared: PreparedSet, tmp_path: Path, name: str
) -> None:
    lite = ["model.backbone=tf_efficientnet_lite0", "model.freeze=blocks.4", "input.margin=0"]
    check_model("tf_efficientnet_lite0", "none", 32, "blocks.4", 1)
    precision = Precision("bf16" if name == "bf16" else "float32", "test")
    made = extractor(prepared, recipe(*STILL, *lite, "train.views=1"), precision=precision)
    files = keep_features(tmp_path, made, 1, Silent())
    features, _ = Features(files, prepared.labels(prepared.rows("train")))[0, np.arange(TRAIN)]
    network, films = made._network, prepared.images[prepared.rows("train")]
    scores = []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=name == "bf16"):
        for mode in (False, True):  # read, and trained with the frozen blocks as they were
            network.train(mode)
            own = network.frozen_features(network.seen(torch.from_numpy(films)))
            scores.append((features, own))
    for kept, own in scores:
        torch.testing.assert_close(kept, own, **CLOSE[name])


@pytest.mark.parametrize("average", ["train.ema=0", "train.ema=0.9"])
def test_one_unchanged_view_trains_as_films_do(
    prepared: PreparedSet, tmp_path: Path, average: str
) -> None:
    still = [*STILL, average, "train.monitor=last", "train.epochs=2"]
    films, weights = train(tmp_path / "films", prepared, recipe(*still))
    views, same = train(tmp_path / "views", prepared, recipe(*still, "train.views=1"))
    for column in ("train_loss", "val_loss", "val_auroc"):
        np.testing.assert_allclose(views[column], films[column], atol=1e-5)
    for key, value in weights.items():
        torch.testing.assert_close(same[key], value, atol=1e-5, rtol=1e-5)
    begun = build_network(prepared, recipe(), 32, 0).state_dict()
    moved = {key for key, value in weights.items() if not torch.equal(value, begun[key])}
    assert moved and all(key.startswith(("backbone.layer4", "head.")) for key in moved)
    assert not list((tmp_path / "views" / "checkpoints").glob("*features*"))


def test_views_differ_and_follow_from_the_seed_alone(prepared: PreparedSet, tmp_path: Path) -> None:
    def views_of(folder: str, seed: int) -> list[np.ndarray]:
        (tmp_path / folder).mkdir()
        made = extractor(prepared, recipe("train.views=2"), seed)
        torch.rand(len(folder))  # what else was drawn is of no matter
        return [np.load(f) for f in keep_features(tmp_path / folder, made, 2, Silent())]

    one, again, other = views_of("one", 3), views_of("again", 3), views_of("other", 4)
    for mine, yours in zip(one, again, strict=True):
        np.testing.assert_array_equal(mine, yours)
    assert not np.allclose(one[0], one[1])
    assert not np.allclose(one[0], other[0])
    np.testing.assert_array_equal(one[2], other[2])  # validation films are never changed
    assert [len(array) for array in one] == [TRAIN, TRAIN, VAL]


def test_epochs_take_the_views_in_turn_and_films_in_their_order() -> None:
    rows = np.arange(100, 150)  # places in the set; the features of its training films lie first
    films, places = Batches(rows, 8, seed=1), Batches(np.arange(50), 8, seed=1)
    turns = ViewSampler(places, 3)
    for epoch in range(5):
        films.set_epoch(epoch)
        turns.set_epoch(epoch)
        drawn = list(turns)
        assert {view for view, _ in drawn} == {epoch % 3}
        for batch, (_, at) in zip(films, drawn, strict=True):
            np.testing.assert_array_equal(batch, rows[at])
    resumed = iter(turns)  # before the epoch is set, as Lightning does when it resumes
    turns.set_epoch(1)
    assert {view for view, _ in resumed} == {1}


def test_what_is_missing_or_damaged_is_made_again(prepared: PreparedSet, tmp_path: Path) -> None:
    made = extractor(prepared, recipe("train.views=3"))
    files = keep_features(tmp_path, made, 3, Silent())
    whole = [file.read_bytes() for file in files]
    kept_as_it_is = files[0].stat().st_ino
    files[1].unlink()
    files[2].write_bytes(whole[2][:-4000])
    stale = tmp_path / "features-0000000000000000-0000.npy"
    stale.write_bytes(b"of another run")
    assert keep_features(tmp_path, made, 3, Silent()) == files
    assert [file.read_bytes() for file in files] == whole
    assert files[0].stat().st_ino == kept_as_it_is
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_a_failure_leaves_no_half_file(
    prepared: PreparedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = extractor(prepared, recipe("train.views=1"))
    first = made._of

    def failing(rows: np.ndarray, view: int | None, index: int) -> np.ndarray:
        if index == 1:
            raise OSError(28, "No space left on device")
        return first(rows, view, index)

    monkeypatch.setattr(made, "_of", failing)
    with pytest.raises(DiskFull, match="disk is full"):
        keep_features(tmp_path, made, 1, Silent())
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_before_with_what_would_fit(
    prepared: PreparedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = extractor(prepared, recipe("train.views=9"))
    view = TRAIN * made.sample().nbytes
    usage = namedtuple("usage", "free")(store._MARGIN + VAL * view // TRAIN + int(2.5 * view))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(DiskFull, match=r"(?s)MiB free.*9 views.*train\.views=2;"):
        keep_features(tmp_path, made, 9, Silent())
    assert not list(tmp_path.iterdir())
    keep_features(tmp_path, made, 2, Silent())


def test_what_cannot_be_kept_is_refused() -> None:
    with pytest.raises(BadRecipe, match="chain"):
        check_model("vit_tiny_patch16_224", "none", 224, "all", 2)
    with pytest.raises(BadRecipe, match="layer33"):
        check_model("resnet18", "none", 32, "layer33")
    for change in ("augment.mixup=0.2", "augment.cutmix=1", "train.minutes=3"):
        with pytest.raises(BadRecipe, match=r"train\.views"):
            recipe("train.views=2", change)
