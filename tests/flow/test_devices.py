"""The command in several processes: started by itself, and by a launcher such as torchrun."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from tests.helpers.commands import QUICK, train

from pneumoscope.listener import Listener
from pneumoscope.records import Hardware
from pneumoscope.run import Run
from pneumoscope.training.fit import fit
from pneumoscope.training.job import TrainingJob, build_network

COMMAND = [sys.executable, "-m", "pneumoscope", "train"]
CHANGES = [word for c in QUICK for word in ("--set", c)]


def start(words: list[str], launched: dict[str, str] | None = None) -> "subprocess.Popen[str]":
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **(launched or {})}
    return subprocess.Popen(
        [*COMMAND, *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def launch(words: list[str]) -> list[tuple[int, str, str]]:
    """Exit code, output and errors of two processes that a launcher would start."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    both["MASTER_PORT"] = str(port)
    processes = [start(words, {**both, "RANK": r, "LOCAL_RANK": r}) for r in ("0", "1")]
    try:
        said = [process.communicate(timeout=400) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(p.returncode, *texts) for p, texts in zip(processes, said, strict=True)]


def check_of_two_devices(printed: str) -> None:
    """What a run in two processes says and leaves."""
    assert "processes: 2" in printed and "Everything is in run" in printed
    card = json.loads(Path("run/run.json").read_text())
    assert card["hardware"] == {"accelerator": "auto", "devices": 2, "nodes": 1}
    assert len(pd.read_csv("run/history.csv")) == 2


def test_two_devices_are_asked_for(
    tiny_npz: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Hardware] = []

    def alone(run: Run, job: TrainingJob, listener: Listener) -> None:
        asked.append(job.hardware)
        network = build_network(job.prepared, job.recipe, job.side, job.seed)
        fit(run, replace(job, hardware=Hardware()), network, listener)

    monkeypatch.setattr("pneumoscope.training.parallel.processes.train_in_processes", alone)
    assert train(monkeypatch, tiny_npz, "--devices", "2", "--out", "run") == 0
    printed = capsys.readouterr().out
    check_of_two_devices(printed)
    assert "each takes 8 films of a batch" in printed
    assert asked == [Hardware("auto", 2)]


@pytest.mark.slow
def test_two_devices_by_the_command_itself(tiny_npz: Path) -> None:
    process = start([str(tiny_npz), *CHANGES, "--devices", "2", "--out", "run"])
    printed, errors = process.communicate(timeout=400)
    assert process.returncode == 0, errors
    assert errors == ""
    check_of_two_devices(printed)


@pytest.mark.slow
def test_started_by_torchrun_the_first_process_does_all_but_training(tiny_npz: Path) -> None:
    Path("main.py").write_text("from pneumoscope.cli.main import run\nrun()\n")
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "main.py"]
    done = subprocess.run(
        [sys.executable, *command, "train", str(tiny_npz), *CHANGES, "--devices", "2"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for once in ("Start", "Train test_resnet", "Everything is in runs/001-test_resnet-pneumonia"):
        assert done.stdout.count(once) == 1  # the second process prints nothing
    assert "batch norm: over the 8 films of a process" in done.stdout
    assert len(pd.read_csv("runs/001-test_resnet-pneumonia/history.csv")) == 2
    assert [path.name for path in Path("runs").glob("0*")] == ["001-test_resnet-pneumonia"]


@pytest.mark.slow
def test_all_end_with_the_failure_of_the_first(tmp_path: Path) -> None:
    first, second = launch([str(tmp_path / "nothing.npz"), "--devices", "2"])
    assert (first[0], second[0]) == (2, 2)
    assert "DataNotFound" in first[2]
    assert second[1:] == ("", "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--devices", "3"], "train.batch_size=15 or 18"),
        (["--nodes", "2"], "torchrun --nnodes 2"),
        (["--accelerator", "tpu"], "expected: auto, cpu, gpu"),
        (["--devices", "2", "--set", "train.views=2", "--set", "model.freeze=all"], "--devices 1"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(
    tiny_npz: Path,
    words: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from pneumoscope.cli import main as cli

    monkeypatch.setattr("sys.argv", ["pneumoscope", "train", str(tiny_npz), *CHANGES, *words])
    assert cli._run() == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert not Path("runs").exists()
