"""How many epochs fit: worked examples, and a measurement that leaves no trace."""

import pytest

from pneumoscope.training.budget import MOST_EPOCHS, epochs_within, pace_of, spoken


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


def test_times_are_spoken() -> None:
    assert [spoken(s) for s in (600, 60, 90, 14.2, 0.617)] == [
        "10 minutes", "1 minute", "1.5 minutes", "14 s", "0.62 s",
    ]  # fmt: skip
