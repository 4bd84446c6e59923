"""The device that computes, and what hardware is refused before any work."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pneumoscope import devices
from pneumoscope.devices import check_hardware, choose_device
from pneumoscope.errors import BadRecipe, InputError, NoSuchHardware
from pneumoscope.recipe import load_recipe
from pneumoscope.records import Hardware

PLAIN = load_recipe("small", ["train.batch_size=16"])
NO_GPU = not torch.cuda.is_available()


@pytest.mark.parametrize(
    ("count", "seen", "free"),
    [
        (2, [0.1], 2),
        (2, [2.0] * 5, 1),
        (2, [1.0] * 5, 1),
        (2, [1.9, 1.9, 0.2], 2),  # a passing load
        (16, [2.0, 2.1, 1.8, 2.0, 2.0], 14),
        (4, [4.0] * 5, 2),
        (1, [], 1),
    ],
)
def test_as_many_threads_as_others_leave_cores(
    monkeypatch: pytest.MonkeyPatch, count: int, seen: list[float], free: int
) -> None:
    looks = iter(seen)
    monkeypatch.setattr(devices, "cores", lambda: count)
    monkeypatch.setattr(devices, "_cores_of_others", lambda: next(looks))
    assert devices.free_cores() == free
    assert next(looks, None) is None


def test_work_of_other_processes_is_seen() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            assert max(devices._cores_of_others() for _ in range(5)) > 0.3
        finally:
            busy.kill()


def test_sizes_that_cannot_be_divided_are_refused() -> None:
    with pytest.raises(BadRecipe, match="train.batch_size=15 or 18"):
        check_hardware(Hardware("cpu", devices=3), PLAIN, None)
    assert check_hardware(Hardware("cpu", devices=4), PLAIN, None) == "cpu"
    kept = load_recipe("small", ["train.views=2", "model.freeze=layer3"])
    with pytest.raises(BadRecipe, match="for one process only"):
        check_hardware(Hardware("cpu", devices=2), kept, None)
    assert check_hardware(Hardware("cpu"), kept, None) == "cpu"


def test_torchrun_must_have_started_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="torchrun --nnodes 2"):
        check_hardware(Hardware("cpu", nodes=2), PLAIN, Path("run"))
    there = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}
    for name, value in {**there, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    assert check_hardware(Hardware("cpu", devices=2, nodes=2), PLAIN, Path("run")) == "cpu"
    with pytest.raises(InputError, match="--out DIR"):
        check_hardware(Hardware("cpu", devices=2, nodes=2), PLAIN, None)
    with pytest.raises(InputError, match="product is 4"):
        check_hardware(Hardware("cpu", devices=2), PLAIN, None)


@pytest.mark.skipif(not NO_GPU, reason="there is a GPU")
def test_what_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_device() == "cpu"
    with pytest.raises(InputError, match="auto, cpu"):
        choose_device("cuda:0")
    with pytest.raises(InputError, match="no such device"):
        choose_device("mps")
    with pytest.raises(NoSuchHardware, match="sees no GPU"):
        check_hardware(Hardware("gpu"), PLAIN, None)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(NoSuchHardware, match="mps.*not supported"):
        check_hardware(Hardware("gpu"), PLAIN, None)
    assert check_hardware(Hardware(), PLAIN, None) == "cpu"
