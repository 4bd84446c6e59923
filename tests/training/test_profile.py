"""The parts of a step, from actions of known length."""

from types import SimpleNamespace

import pytest
from lightning.pytorch.profilers import simple

from pneumoscope.training.measure import profile as module
from pneumoscope.training.measure.profile import AUGMENTATION, StepProfiler


def clocks(monkeypatch: pytest.MonkeyPatch, time: list[float]) -> None:
    """Ours and Lightning's show this time."""
    monkeypatch.setattr(module, "now", lambda _device: time[0])
    monkeypatch.setattr(simple, "time", SimpleNamespace(perf_counter=lambda: time[0]))


def test_parts_make_up_the_whole_and_the_warm_up_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    time = [0.0]
    clocks(monkeypatch, time)
    profiler = StepProfiler("cpu", warm_up=1)

    def step(slow: float) -> None:
        with profiler.profile("[_TrainingEpochLoop].train_dataloader_next"):
            time[0] += 1 * slow
        with profiler.profile("[LightningModule]ClassifierModule.optimizer_step"):
            with profiler.profile("[Strategy]SingleDeviceStrategy.training_step"):
                with profiler.profile(AUGMENTATION):
                    time[0] += 2 * slow
                time[0] += 3 * slow
            with profiler.profile("[Strategy]SingleDeviceStrategy.backward"):
                time[0] += 4 * slow
            time[0] += 5 * slow
        time[0] += 7 * slow
        with profiler.profile("[LightningModule]ClassifierModule.on_train_batch_end"):
            time[0] += 6 * slow

    step(100.0)
    step(1.0)
    step(1.0)
    found = {part.name: part for part in profiler.parts()}
    assert profiler.steps == 2
    assert profiler.step == pytest.approx(28.0)
    assert [part.ms for part in found.values()] == pytest.approx(
        [1000, 2000, 3000, 4000, 5000, 6000, 7000]
    )
    assert list(found)[-1] == "other"
    assert sum(part.share for part in found.values()) == pytest.approx(1.0)


def test_a_batch_that_only_adds_to_the_gradient_has_its_passes_outside_the_optimiser(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    time = [0.0]
    clocks(monkeypatch, time)
    profiler = StepProfiler("cpu", warm_up=1)

    def passes() -> None:
        for name in ("training_step", "backward"):
            with profiler.profile(f"[Strategy]SingleDeviceStrategy.{name}"):
                time[0] += 4

    def end() -> None:
        with profiler.profile("[LightningModule]ClassifierModule.on_train_batch_end"):
            time[0] += 1

    end()
    passes()
    end()
    with profiler.profile("[LightningModule]ClassifierModule.optimizer_step"):
        passes()
        time[0] += 2
    end()
    found = {part.name: part.ms for part in profiler.parts()}
    assert found["optimiser, clipping"] == 1000  # 2 s in one of two batches
    assert found["forward and loss"] == found["backward"] == 4000
    assert found["other"] == 0
