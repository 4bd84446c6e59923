"""Threads of training: what others leave, and as many again when a run is resumed."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pneumoscope import devices
from pneumoscope.records import Hardware
from pneumoscope.run import Run
from pneumoscope.workflows import training


@pytest.fixture
def settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Settles the threads of a run on two cores, of which others use some; gives what was said."""
    run, said = Run(tmp_path), []
    run.manifest_file.write_text(json.dumps({"environment": {"threads": 2}}))
    for place in (devices, training):
        monkeypatch.setattr(place, "cores", lambda: 2)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)

    def settle(others: float, *, begun: bool = False) -> tuple[str, str, int]:
        monkeypatch.setattr(devices, "_cores_of_others", lambda: others)
        if begun:
            run.checkpoints.mkdir()
            run.last_checkpoint.touch()
        context: Any = SimpleNamespace(run=run, hardware=Hardware("cpu"), device="cpu")
        context.note_choice = lambda what, choice, why: said.append((choice, why))
        training._settle_threads(context)
        return *said[-1], json.loads(run.manifest_file.read_text())["environment"]["threads"]

    return settle


def test_a_run_on_a_busy_machine_takes_one_thread_and_keeps_it(settled: Any) -> None:
    choice, why, kept = settled(2.0)
    assert (choice, kept) == ("1", 1) and "other processes keep the other cores busy" in why
    assert settled(0.0, begun=True) == ("1", "as the run began", 1)


def test_a_run_that_began_alone_keeps_all_threads(settled: Any) -> None:
    assert settled(0.0) == ("2", "the cores this process may use", 2)
    assert settled(2.0, begun=True) == ("2", "the cores this process may use", 2)
