"""Two processes and one: the same statistics, figures and weights; and no process left behind."""

import json
import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.helpers import tasks
from tests.helpers.failing import fail

from pneumoscope.data.prepared import PreparedSet, open_prepared
from pneumoscope.errors import BadRecipe, Diverged, PneumoscopeError, WorkerLost
from pneumoscope.models.zoo import build_backbone
from pneumoscope.recipe import Recipe, load_recipe
from pneumoscope.records import Hardware, Silent
from pneumoscope.run import Run
from pneumoscope.training.distributed import (
    check_enough,
    make_plan,
    train_together,
)
from pneumoscope.training.fit import build_network, fit
from pneumoscope.training.measure.precision import Precision
from pneumoscope.training.workers import _cause, work_together

SIDE = 32


class Notes(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    """40 training films, 9 for validation and 4 for test, brighter where there is pneumonia."""
    folder = tmp_path_factory.mktemp("prepared")
    split = ["train"] * 40 + ["val"] * 9 + ["test"] * 4
    labels = np.arange(len(split)) % 2
    rng = np.random.default_rng(0)
    films = rng.normal(100, 30, (len(split), SIDE, SIDE)) + 12 * labels[:, None, None]
    np.save(folder / "images.npy", films.clip(0, 255).astype(np.uint8))
    ids = [str(number) for number in range(len(split))]
    table = pd.DataFrame({"image_id": ids, "patient_id": ids, "label": labels, "split": split})
    table.to_parquet(folder / "table.parquet")
    about = {
        "spec": {"stored": SIDE, "network": SIDE},
        "source": {"name": "made"},
        "content": "c",
        "fingerprint": "f",
        "flow": {},
    }
    (folder / "prepared.json").write_text(json.dumps(about))
    return open_prepared(folder)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As many as each of two processes has here: another number sums in another order, and a film
    at the edge of a ReLU falls to its other side."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pretrained ones, whose batch norms have seen films: their statistics are not 0 and 1."""
    torch.manual_seed(1)
    backbone = build_backbone("test_resnet").train()
    for _ in range(20):
        backbone(torch.randn(8, 1, SIDE, SIDE) * 2 + 1)
    path = tmp_path_factory.mktemp("weights") / "pretrained.safetensors"
    save_file(backbone.state_dict(), path)
    return path


def recipe(*changes: str) -> Recipe:
    # In ResNet-18-D some gradients are all but zero, and Adam makes full steps of their rounding.
    return load_recipe(
        "default",
        [
            *("train.epochs=2", "train.batch_size=16", "train.precision=float32"),
            *("model.weights=none", "model.dropout=0", "data.val=official"),
            *(
                "model.backbone=test_resnet",
                "optim.learning_rate=0.001",
                "augment.erase=0.5",
                *changes,
            ),
        ],
    )


def new_run(folder: Path, chosen: Recipe) -> Run:
    folder.mkdir()
    (folder / "recipe.yaml").write_text(chosen.to_yaml())
    card = {"schema": 1, "data": "", "request": {}, "seed": 0, "source": {}, "choices": []}
    (folder / "run.json").write_text(json.dumps({**card, "timing": {}}))
    return Run(folder)


def train_in(devices: int, folder: Path, prepared: PreparedSet, chosen: Recipe) -> Run:
    run, precision = new_run(folder, chosen), Precision("float32", "")
    if devices == 1:
        network = build_network(prepared, chosen, SIDE, 0)
        fit(run, prepared, chosen, network, seed=0, precision=precision, listener=Silent())
    else:
        plan = make_plan(
            run, prepared, chosen, side=SIDE, seed=0, precision=precision, devices=devices
        )
        train_together(plan, Silent())
    return run


@pytest.mark.parametrize(
    "changes",
    [
        ("train.ema=0.9", "augment.mixup=0.4", "augment.cutmix=0.4", "optim.clip=1"),
        (
            *("model.weights={weights}", "model.freeze=layer3", "model.unfreeze_every=1"),
            *("train.accumulate=2", "train.ema=0"),
        ),
    ],
    ids=["average and blends", "pretrained and freed by stage"],
)
def test_two_processes_train_to_what_one_does(
    prepared: PreparedSet, tmp_path: Path, changes: tuple[str, ...], weights: Path
) -> None:
    changes = tuple(change.format(weights=weights) for change in changes)
    chosen = recipe(*changes, "train.monitor=last")
    runs = [train_in(count, tmp_path / str(count), prepared, chosen) for count in (1, 2)]
    one, two = (pd.read_csv(run.history_file) for run in runs)
    assert len(one) == len(two) == 2
    for column in ("train_loss", "val_loss"):
        np.testing.assert_allclose(one[column], two[column], atol=1e-4)
    for column in ("train_accuracy", "val_accuracy", "val_auroc", "learning_rate"):
        np.testing.assert_allclose(one[column], two[column], atol=1e-6)
    weights = [load_file(run.weights_file) for run in runs]
    assert weights[0].keys() == weights[1].keys()
    for name, value in weights[0].items():
        # An average over all processes, or half the gradient, would be far off.
        torch.testing.assert_close(value, weights[1][name], rtol=1e-3, atol=1e-4, msg=name)
    kept = {path.name for path in runs[1].checkpoints.iterdir()}
    assert kept == {path.name for path in runs[0].checkpoints.iterdir()}
    assert not multiprocessing.active_children()


def test_batch_norm_over_processes_is_that_of_the_whole_batch(tmp_path: Path) -> None:
    heard = Notes()
    work_together(2, "cpu", tasks.normalise, str(tmp_path), heard)
    assert heard.notes == ["rank 0 of 2"]
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert torch.cat([first["rolled"], second["rolled"]]).tolist() == [7.0, *range(7)]
    assert first["gathered"] == second["gathered"] == [0, 1]
    for kind in tasks.KINDS:
        films, gradients = tasks.batch(kind)
        plain = tasks.layer(kind)
        want = tasks.step(plain, films, gradients)
        parts = [found[kind.__name__] for found in (first, second)]
        for name in ("out", "films"):
            torch.testing.assert_close(torch.cat([p[name] for p in parts]), want[name])
        for name in ("weight", "bias"):
            torch.testing.assert_close(parts[0][name] + parts[1][name], want[name])
        for name in (key for key in want if key.startswith("s.")):
            for part in parts:
                torch.testing.assert_close(part[name], want[name])
        torch.testing.assert_close(parts[0]["eval"], plain.eval()(films))


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ("killed", WorkerLost, "process 2 of 2: SIGKILL"),
        ("diverged", Diverged, "lower the rate"),
    ],
)
def test_one_that_fails_ends_all_with_one_error(
    how: str, error: type[PneumoscopeError], words: str
) -> None:
    start = time.monotonic()
    with pytest.raises(error, match=words):
        work_together(2, "cpu", fail, how, Silent())
    assert time.monotonic() - start < 60
    assert not multiprocessing.active_children()


def test_the_failure_that_made_the_others_is_told() -> None:
    lost, diverged = "RuntimeError: connection closed by peer", Diverged("training diverged")
    assert _cause({0: lost, 1: diverged}, 2) is diverged
    assert "process 2 of 2: SIGKILL" in str(_cause({0: lost, 1: -9}, 2))
    assert "process 1 of 2 failed" in str(_cause({0: lost, 1: "another"}, 2))


def test_sizes_that_cannot_be_divided_are_refused(prepared: PreparedSet) -> None:
    with pytest.raises(BadRecipe, match="too few training films"):
        check_enough(prepared, recipe("train.batch_size=64"), Hardware(devices=2))
    with pytest.raises(BadRecipe, match="fewer validation films"):
        check_enough(prepared, recipe(), Hardware(devices=16))
    check_enough(prepared, recipe("train.batch_size=64"), Hardware())
