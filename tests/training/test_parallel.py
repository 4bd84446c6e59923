"""Two processes and one: the same figures and weights; what ends one ends all, and none is left."""

import json
import math
import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from pneumoscope.data.prepared import PreparedSet, open_prepared
from pneumoscope.errors import BadRecipe, Diverged, UnreadableData, WorkerLost
from pneumoscope.listener import Silent
from pneumoscope.models.zoo import build_backbone
from pneumoscope.recipe import Recipe, load_recipe
from pneumoscope.records import Hardware
from pneumoscope.run import Run
from pneumoscope.training.fit import fit
from pneumoscope.training.job import TrainingJob, build_network
from pneumoscope.training.measure.precision import Precision
from pneumoscope.training.parallel import processes
from pneumoscope.training.parallel.processes import (
    _root_cause,
    check_enough,
    has_batch_norm,
    train_in_processes,
)

SIDE = 32
# Without batch norm, whose statistics are those of a process's own films on a CPU.
BACKBONE = "test_efficientnet_gn"


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
    """Pretrained ones, which only the first process reads."""
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "pretrained.safetensors"
    save_file(build_backbone(BACKBONE).state_dict(), path)
    return path


def recipe(*changes: str) -> Recipe:
    plain = ["train.batch_size=16", "train.precision=float32", "data.val=official"]
    return load_recipe(
        "default",
        [
            *plain,
            f"model.backbone={BACKBONE}",
            "optim.learning_rate=0.001",
            "augment.erase=0.5",
            *changes,
        ],
    )


def make_job(prepared: PreparedSet, chosen: Recipe, devices: int) -> TrainingJob:
    precision = Precision("float32", "")
    return TrainingJob(prepared, chosen, SIDE, 0, precision, Hardware("cpu", devices))


def new_run(folder: Path) -> Run:
    folder.mkdir()
    return Run(folder)


class Killer(Silent):
    """Kills the second of the processes when the second epoch begins."""

    def __init__(self) -> None:
        self.killed = math.nan
        """When, on the clock that only goes forwards."""

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        if note.startswith("epoch 2/") and math.isnan(self.killed):
            self.killed = time.monotonic()
            pids = sorted(process.pid or 0 for process in multiprocessing.active_children())
            os.kill(pids[1], signal.SIGKILL)


class Stopper(Silent):
    """Stops training when that epoch begins."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        if note.startswith(f"epoch {self.epoch}/"):
            raise RuntimeError("stopped")


@pytest.mark.slow
@pytest.mark.parametrize("dies", [False, True])
def test_two_processes_train_to_what_one_does_and_go_on_after_a_death(
    prepared: PreparedSet, tmp_path: Path, weights: Path, dies: bool
) -> None:
    epochs = 8 if dies else 2
    chosen = recipe(
        *(f"train.epochs={epochs}", "train.monitor=last", "train.ema=0.9", "train.accumulate=2"),
        *(f"model.weights={weights}", "model.freeze=blocks.2", "model.unfreeze_every=1"),
    )
    one, two = new_run(tmp_path / "one"), new_run(tmp_path / "two")
    alone, job = (make_job(prepared, chosen, count) for count in (1, 2))
    fit(one, alone, build_network(prepared, chosen, SIDE, 0), Silent())
    if dies:
        killer = Killer()
        with pytest.raises(WorkerLost, match=r"(?s)process 2 of 2: SIGKILL.*--resume .*/two"):
            train_in_processes(two, job, killer)
        assert time.monotonic() - killer.killed < 60
        assert not multiprocessing.active_children()
        begun = pd.read_csv(two.history_file)
        assert 1 <= len(begun) < epochs - 2 and not two.model_file.exists()
        # A checkpoint knows no number of processes: one alone goes on, then two again.
        with pytest.raises(RuntimeError, match="stopped"):
            network = build_network(prepared, chosen, SIDE, 0, begun=True)
            fit(two, alone, network, Stopper(len(begun) + 2))
        assert len(pd.read_csv(two.history_file)) == len(begun) + 1
    train_in_processes(two, job, Silent())
    assert not multiprocessing.active_children()
    histories = [pd.read_csv(run.history_file) for run in (one, two)]
    assert len(histories[0]) == len(histories[1]) == epochs
    for column in ("train_loss", "val_loss"):
        np.testing.assert_allclose(histories[0][column], histories[1][column], atol=1e-4)
    for column in ("train_accuracy", "val_accuracy", "val_auroc", "learning_rate"):
        np.testing.assert_allclose(histories[0][column], histories[1][column], atol=1e-6)
    ends = [load_file(run.weights_file) for run in (one, two)]
    assert ends[0].keys() == ends[1].keys()
    for name, value in ends[0].items():
        # Half the gradient, or weights of the second process's own, would be far off.
        torch.testing.assert_close(value, ends[1][name], rtol=1e-3, atol=1e-4, msg=name)
    kept = {path.name for path in two.checkpoints.iterdir()}
    assert kept == {path.name for path in one.checkpoints.iterdir()}


@pytest.mark.slow
def test_what_one_process_raises_is_raised_here(prepared: PreparedSet, tmp_path: Path) -> None:
    run = new_run(tmp_path / "run")
    wild = ["optim.name=sgd", "optim.learning_rate=10", "optim.clip=0", "optim.warmup=0"]
    job = make_job(prepared, recipe(*wild, "loss.label_smoothing=0"), 2)
    with pytest.raises(Diverged, match="lower the rate"):
        train_in_processes(run, job, Silent())
    assert not multiprocessing.active_children()
    assert not run.model_file.exists()


def test_a_process_sends_what_it_raises_and_is_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    sender: Any = SimpleNamespace(send=sent.append)
    job: Any = SimpleNamespace(hardware=Hardware(devices=2))
    heard: list[str] = []
    listener = Silent()
    monkeypatch.setattr(listener, "note", heard.append)

    def failing(run: Run, job: Any, listener: Any, rank: int) -> None:
        assert (os.environ["LOCAL_RANK"], os.environ["MASTER_PORT"]) == (str(rank), "29500")
        listener.note(f"by {rank}")
        raise Diverged("training diverged")

    monkeypatch.setattr(processes, "train_rank", failing)
    monkeypatch.setattr(processes, "use_all_cores", lambda _: 1)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(os, "environ", {})
    for rank in (0, 1):
        with pytest.raises(Diverged):
            processes._run_rank(rank, Run(tmp_path), job, 29500, sender)
    assert [kind for kind, _ in sent] == ["note", "error", "error"]  # the first one alone tells
    receiver: Any = SimpleNamespace(poll=lambda: bool(sent), recv=lambda: sent.pop(0))
    errors: list[Any] = []
    processes._forward(receiver, listener, errors)
    assert heard == ["by 0"]
    assert [type(error) for error in errors] == [Diverged, Diverged]


def test_the_failure_that_made_the_others_is_told(tmp_path: Path) -> None:
    raised = ProcessRaisedException("RuntimeError: connection closed by peer", 0, 1)
    exited = ProcessExitedException("exit code 3", 1, 1, 3)

    def cause(*codes: int, errors: Any = (), first: Any = raised) -> BaseException:
        workers: Any = SimpleNamespace(processes=[SimpleNamespace(exitcode=c) for c in codes])
        return _root_cause(first, list(errors), workers, Run(tmp_path))

    diverged = Diverged("training diverged")
    assert cause(1, 1, errors=[diverged]) is diverged
    assert "process 2 of 2: SIGKILL" in str(cause(1, -signal.SIGKILL))
    assert isinstance(cause(1, -signal.SIGINT), KeyboardInterrupt)
    told = str(cause(1, -signal.SIGTERM))  # torch's own end of those that are left
    assert "process 1 of 2 failed" in told and "connection closed" in told
    assert "process 2 of 2: exit code 3" in str(cause(-signal.SIGTERM, 3, first=exited))


def test_a_prepared_set_is_mapped_anew_and_never_sent(
    prepared: PreparedSet, tmp_path: Path
) -> None:
    table = prepared.table.assign(split="train")
    sent = pickle.dumps(make_job(replace(prepared, table=table), recipe(), 2))
    assert len(sent) < prepared.images.nbytes / 2
    again = pickle.loads(sent).prepared
    assert isinstance(again.images, np.memmap)
    np.testing.assert_array_equal(again.images, prepared.images)
    assert len(again.rows("train")) == len(table)
    elsewhere = replace(prepared, folder=tmp_path / "nothing")
    with pytest.raises(UnreadableData, match="PNEUMOSCOPE_CACHE"):
        pickle.loads(pickle.dumps(elsewhere))
    changed = replace(prepared, about={**prepared.about, "content": "other"})
    with pytest.raises(UnreadableData, match="does not see the prepared set"):
        pickle.loads(pickle.dumps(changed))


def test_batch_norm_that_learns_is_found(prepared: PreparedSet) -> None:
    plain = build_network(prepared, recipe(), SIDE, 0)
    normed = build_network(prepared, recipe("model.backbone=test_resnet"), SIDE, 0)
    assert has_batch_norm(normed) and not has_batch_norm(plain)
    normed.freeze(len(list(normed.backbone.children())))
    assert not has_batch_norm(normed)


def test_sets_that_cannot_be_divided_are_refused(prepared: PreparedSet) -> None:
    with pytest.raises(BadRecipe, match="too few training films"):
        check_enough(prepared, recipe("train.batch_size=64"), Hardware(devices=2))
    with pytest.raises(BadRecipe, match="fewer validation films"):
        check_enough(prepared, recipe(), Hardware(devices=16))
    check_enough(prepared, recipe("train.batch_size=64"), Hardware())
