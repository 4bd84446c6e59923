"""The two checks of a recipe, which leave no run: can it learn, and where does the time go."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.commands import run, train

PARTS = ("data", "augmentation", "forward and loss", "backward", "optimiser", "weight average")


@pytest.fixture
def plain_npz(tmp_path: Path) -> Path:
    """Films of two classes that anybody tells apart: dark on the left, dark on the right."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 40), ("val", 20), ("test", 20)):
        labels = np.arange(count, dtype=np.uint8) % 2
        films = rng.integers(100, 130, (count, 28, 28), dtype=np.uint8)
        films[labels == 0, :, :14] //= 4
        films[labels == 1, :, 14:] //= 4
        arrays |= {f"{split}_images": films, f"{split}_labels": labels[:, None]}
    file = tmp_path / "pneumonia.npz"
    np.savez_compressed(file, **arrays)
    return file


def test_a_batch_that_can_be_learnt(
    plain_npz: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--overfit-one-batch", "--set", "optim.learning_rate=0.001"]
    assert train(monkeypatch, plain_npz, *words) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "can learn: on one batch of 16 films its loss went from" in printed
    assert "left out: random changes, dropout" in printed
    assert "Nothing was written." in printed
    assert "Next: pneumoscope train" in printed
    assert "--overfit-one-batch" not in printed.split("Next: ")[1]
    assert not Path("runs").exists()


@pytest.mark.slow
def test_a_rate_of_nothing_learns_nothing(
    plain_npz: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pneumoscope.training.measure.overfit.MOST_STEPS", 20)
    words = ["--overfit-one-batch", "--set", "optim.learning_rate=1e-9"]
    assert train(monkeypatch, plain_npz, *words) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "cannot learn even one batch of 16 films" in printed
    assert "in 20 steps" in printed
    assert "optim.learning_rate=" in printed and "Next: " not in printed
    assert not Path("runs").exists()


def test_the_profile_is_printed_and_leaves_nothing(
    tiny_npz: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pneumoscope.workflows.checks.STEPS", 5)
    assert train(monkeypatch, tiny_npz, "--profile") == 0
    printed = capsys.readouterr().out
    lines = [line.strip() for line in printed.splitlines()]
    for part in (*PARTS, "other", "whole step"):
        assert any(line.startswith(part) and line.endswith("%") for line in lines), part
    table = printed[printed.index("ms a step") :]
    assert max(map(len, table.splitlines()[:-1])) <= 80
    assert "films/s in batches of 16" in printed
    assert not Path("runs").exists()


def test_a_trace_is_written_where_it_is_asked_for(
    tiny_npz: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pneumoscope.workflows.checks.STEPS", 3)
    assert train(monkeypatch, tiny_npz, "--profile", "--out", "here") == 0
    assert "here/trace.json" in capsys.readouterr().out
    assert {path.name for path in Path("here").iterdir()} == {"profile.json", "trace.json"}
    assert json.loads(Path("here/trace.json").read_text("utf-8"))["traceEvents"]
    found = json.loads(Path("here/profile.json").read_text("utf-8"))
    assert found["steps"] == 3 and found["films_per_second"] > 0
    assert sum(part["share"] for part in found["parts"]) == pytest.approx(1)
    assert not Path("runs").exists()


@pytest.mark.parametrize("words", [["--profile"], ["--minutes", "1"]])
def test_kept_features_are_not_timed(
    tiny_npz: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    kept = ["--set", "model.freeze=layer2", "--set", "train.views=2"]
    assert run(monkeypatch, "train", str(tiny_npz), *kept, *words) == 2
    assert "train.views" in "".join(capsys.readouterr())
    assert not Path("runs").exists()
