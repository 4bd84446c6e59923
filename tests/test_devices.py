"""The device that computes, and what hardware is refused before any work."""

from pathlib import Path

import pytest
import torch

from pneumoscope.devices import check_hardware, choose_device
from pneumoscope.errors import BadRecipe, InputError, NoSuchHardware
from pneumoscope.recipe import load_recipe
from pneumoscope.records import Hardware

PLAIN = load_recipe("small", ["train.batch_size=16"])
NO_GPU = not torch.cuda.is_available()


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
