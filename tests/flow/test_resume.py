"""SIGKILL at any moment, then --resume: the same weights, predictions and metrics."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.helpers.commands import QUICK

DRIVER = Path(__file__).with_name("kill_driver.py")
SLOW = pytest.mark.slow


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the driver forks")
@pytest.mark.parametrize(
    ("changes", "kills"),
    [
        pytest.param([], 3, id="at a few moments", marks=SLOW),
        pytest.param(["train.epochs=3"], 10, id="films", marks=SLOW),
        pytest.param(["model.freeze=layer2", "train.views=2"], 6, id="kept features", marks=SLOW),
    ],
)
def test_killed_runs_end_as_a_whole_one(
    tiny_npz: Path, tmp_path: Path, changes: list[str], kills: int
) -> None:
    environment = {
        **os.environ,
        "PNEUMOSCOPE_CACHE": str(tmp_path / "cache"),
        # A child of a process that already runs OpenMP threads cannot start its own.
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    changes = [*QUICK, *changes]
    done = subprocess.run(
        [sys.executable, DRIVER, tiny_npz, tmp_path, str(kills), *changes],
        capture_output=True,
        text=True,
        env=environment,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["moments"] > 40
    for limit, code, _, final, same in found["outcomes"]:
        assert code == -9, f"moment {limit} did not kill"
        assert final == 0, f"the run killed at moment {limit} could not be resumed"
        assert same, f"the run killed at moment {limit} ended otherwise"
        assert not list((tmp_path / f"killed-{limit}").glob("checkpoints/*features*"))
