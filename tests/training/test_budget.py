"""How many epochs fit: worked examples, and a measurement that leaves no trace."""

from pathlib import Path
from typing import Any

import pytest

from pneumoscope.listener import Silent
from pneumoscope.models.network import Network
from pneumoscope.models.zoo import build_backbone
from pneumoscope.recipe import load_recipe
from pneumoscope.records import Hardware, InputSpec
from pneumoscope.training.job import TrainingJob
from pneumoscope.training.measure import budget
from pneumoscope.training.measure.budget import MOST_EPOCHS, Pace, epochs_within, pace_of


class Heard(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_pace_of_a_worked_example() -> None:
    # Began at 10 s; steps end at 14 (warming up), 15, 16, 17; validation batches of 5 s (warming
    # up) and 0.5 s; the epoch was over at 24.5, so 2 s went to what else an epoch does.
    pace = pace_of([10.0, 14.0, 15.0, 16.0, 17.0], [5.0, 0.5], 24.5, (30, 6))
    assert (pace.step, pace.val_batch) == (1.0, 0.5)
    assert pace.besides == pytest.approx(2.0)
    assert pace.epoch == pytest.approx(30 * 1.0 + 6 * 0.5 + 2.0)


def test_a_single_step_counts_although_it_warms_up() -> None:
    pace = pace_of([1.0, 3.0], [0.25], 3.5, (1, 1))
    assert pace.epoch == pytest.approx(2.0 + 0.25 + 0.25)


@pytest.mark.parametrize(
    ("seconds", "epoch", "expected"),
    [(600, 80, 7), (600, 600, 1), (600, 601, 1), (-3, 10, 1), (1e9, 1, MOST_EPOCHS)],
)
def test_epochs_end_in_time_and_there_is_one_at_least(
    seconds: float, epoch: float, expected: int
) -> None:
    assert epochs_within(seconds, epoch) == expected


def test_where_parts_are_freed_the_costliest_epoch_is_timed() -> None:
    free = ["model.freeze=all", "model.unfreeze_every=1", "model.backbone=test_resnet"]
    network = Network(build_backbone("test_resnet"), InputSpec(32, 32), normalisation=(0.5, 0.25))
    network.freeze(3)
    plain = load_recipe("small")
    assert budget._all_learning(plain, network) is plain and network.frozen_parts
    costly = budget._all_learning(load_recipe("small", free), network)
    assert (costly.model.freeze, costly.model.unfreeze_every) == ("none", 0)
    assert all(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize(("processes", "told"), [(1, False), (4, True)])
def test_of_several_processes_one_is_timed_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, processes: int, told: bool
) -> None:
    moments = iter([0.0, 12.0])  # measuring took 12 s of 120
    monkeypatch.setattr(budget.time, "perf_counter", lambda: next(moments))

    def pace(*_: Any, **__: Any) -> Pace:
        return Pace(step=0.1, val_batch=0.1, besides=0.5, steps=100, val_batches=5)

    monkeypatch.setattr(budget, "measure_pace", pace)
    nothing: Any = None
    recipe = load_recipe("small", ["train.minutes=2"])
    job = TrainingJob(nothing, recipe, 32, 0, nothing, Hardware(devices=processes))
    heard = Heard()
    epochs, why = budget.fit_to_time(tmp_path, job, nothing, heard)
    assert heard.notes == [
        "Measure how long an epoch takes, as part of the 2 minutes; judging comes on top"
    ]
    assert epochs == int(108 / 11) and "640 films/s" in why
    assert "12 s of which went to measuring, 11 s an epoch" in why
    assert ("of one process; 4 share each batch and may end sooner" in why) == told
