"""Training on kept features from the command line, and after a kill."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.flow.conftest import QUICK
from tests.flow.test_resume import DRIVER
from tests.flow.test_train import train

FROZEN = ["model.freeze=layer2", "train.views=2"]


def test_frozen_features_are_told_and_gone_at_the_end(
    tiny_npz: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word for change in FROZEN for word in ("--set", change)]
    assert train(monkeypatch, tiny_npz, *words) == 0
    printed = capsys.readouterr().out
    assert "Compute frozen features" in printed
    assert "frozen features: 2 views of 80 films" in printed
    folder = Path("runs/001-test_resnet-tiny")
    assert (folder / "report.html").is_file()
    assert not list((folder / "checkpoints").glob("*features*"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["model.freeze=layer9", "train.views=2"], "layer3"),
        (["model.backbone=vit_tiny_patch16_224", "input.size=224", *FROZEN[1:]], "model.freeze"),
        (["augment.mixup=0.2", *FROZEN], "augment.mixup"),
    ],
)
def test_bad_choices_leave_no_folder(
    tiny_npz: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: list[str],
    words: str,
) -> None:
    asked = [word for change in changes for word in ("--set", change)]
    assert train(monkeypatch, tiny_npz, *asked) == 2
    assert words in "".join(capsys.readouterr())
    assert not list(Path().glob("runs/*"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the driver forks")
def test_killed_runs_end_as_a_whole_one(tiny_npz: Path, tmp_path: Path) -> None:
    changes = [*QUICK, *FROZEN, "train.precision=float32"]
    environment = {
        **os.environ,
        "PNEUMOSCOPE_CACHE": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, DRIVER, tiny_npz, tmp_path, "6", *changes],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    for limit, code, _, final, same in found["outcomes"]:
        assert code == -9, f"moment {limit} did not kill"
        assert final == 0, f"the run killed at moment {limit} could not be resumed"
        assert same, f"the run killed at moment {limit} ended otherwise"
        assert not list((tmp_path / f"killed-{limit}").glob("checkpoints/*features*"))
