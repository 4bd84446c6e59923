"""The choice of precision: from a measurement, repeated from memory, never from noise alone."""

import json
from pathlib import Path

import pytest
import torch

from pneumoscope.listener import Silent
from pneumoscope.models.network import Network
from pneumoscope.models.zoo import build_backbone
from pneumoscope.records import InputSpec
from pneumoscope.training.measure import precision
from pneumoscope.training.measure.precision import choose_precision


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(build_backbone("resnet18"), InputSpec(28, 32), normalisation=(0.5, 0.25))


def timed(monkeypatch: pytest.MonkeyPatch, float32: float, bf16: float) -> None:
    seconds = {"float32": float32, "bf16": bf16}
    monkeypatch.setattr(precision, "_measure", lambda _, __, name: seconds[name])


def test_bf16_where_it_is_clearly_faster(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    timed(monkeypatch, 3.0, 1.0)
    got = choose_precision(network, "resnet18", "cpu", None)
    assert got.name == "bf16" and "3.00 times" in got.why


def test_float32_where_the_gain_is_small(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    timed(monkeypatch, 1.1, 1.0)
    assert choose_precision(network, "resnet18", "cpu", None).name == "float32"


def test_the_answer_is_remembered(
    network: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    memory = tmp_path / "cache" / "precision.json"
    timed(monkeypatch, 2.0, 1.0)
    notes: list[str] = []
    heard = Silent()
    monkeypatch.setattr(heard, "note", notes.append)
    choose_precision(network, "resnet18", "cpu", memory, heard)
    timed(monkeypatch, 1.0, 9.0)
    again = choose_precision(network, "resnet18", "cpu", memory, heard)
    # Said while it takes time, and not where the answer is known.
    assert notes == ["Measure the speed of float32 and of bf16: some seconds, once on this machine"]
    assert again.name == "bf16" and "earlier" in again.why
    assert list(json.loads(memory.read_text()).values()) == [2.0]


def test_what_is_frozen_is_measured_for_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    memory = tmp_path / "precision.json"
    parts = Network(build_backbone("resnet18"), InputSpec(28, 32), normalisation=(0.5, 0.25))
    timed(monkeypatch, 2.0, 1.0)
    choose_precision(parts, "resnet18", "cpu", memory)
    parts.freeze(4)
    timed(monkeypatch, 1.0, 1.0)
    assert choose_precision(parts, "resnet18", "cpu", memory).name == "float32"
    assert len(json.loads(memory.read_text())) == 2


def test_answers_of_runs_beside_are_kept(
    network: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    memory = tmp_path / "precision.json"
    timed(monkeypatch, 2.0, 1.0)
    choose_precision(network, "resnet18", "cpu", memory)
    (mine,) = json.loads(memory.read_text())

    def beside(_network: Network, _device: str, name: str) -> float:
        # Another run has measured the same network, and another one, while this one measures.
        memory.write_text(json.dumps({mine: 1.1, "another network": 3.0}))
        return {"float32": 2.0, "bf16": 1.0}[name]

    memory.unlink()
    monkeypatch.setattr(precision, "_measure", beside)
    got = choose_precision(network, "resnet18", "cpu", memory)
    assert json.loads(memory.read_text()) == {mine: 1.1, "another network": 3.0}
    assert got.name == "float32" and "1.10 times" in got.why


@pytest.mark.parametrize("content", ["", "[]", '{"a": "b"}', "\x00"])
def test_a_damaged_memory_is_measured_anew(
    network: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str
) -> None:
    memory = tmp_path / "precision.json"
    memory.write_text(content)
    timed(monkeypatch, 2.0, 1.0)
    assert choose_precision(network, "resnet18", "cpu", memory).name == "bf16"


def test_measuring_changes_nothing(network: Network) -> None:
    before = {k: v.clone() for k, v in network.state_dict().items()}
    state = torch.get_rng_state()
    choose_precision(network, "resnet18", "cpu", None)
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())
    assert all(p.grad is None for p in network.parameters())


@pytest.mark.parametrize(("side", "films"), [(28, 64), (64, 64), (112, 20), (224, 8)])
def test_small_films_are_timed_in_batches_in_which_they_train(side: int, films: int) -> None:
    assert precision._batch(side) == films
