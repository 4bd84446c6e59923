"""Time budget: how many epochs fit into a recipe's minutes, measured on the run's own steps.

One shortened epoch is run on a copy of the network: augmentation, precision, weight average,
validation and the files kept after each epoch are the run's own, so their time is counted.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pneumoscope.formatting import duration
from pneumoscope.listener import Listener, Silent
from pneumoscope.models.network import Network
from pneumoscope.recipe import Recipe
from pneumoscope.run import Run
from pneumoscope.storage import writing
from pneumoscope.training.allocator import keep_freed_memory
from pneumoscope.training.checkpoint import CheckpointCallback
from pneumoscope.training.fit import assemble
from pneumoscope.training.job import TrainingJob
from pneumoscope.training.measure.trial import Moments, short_fit

MOST_EPOCHS = 10_000
"""As many as a recipe may ask for."""

_WARM_UP = 3
_LEAST, _MOST = 8, 200
_SHARE = 0.02
"""Part of the time that the measurement may take, where that is more than a few steps."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of a training step, of a validation batch, and of what an epoch costs besides;
    and how many steps and validation batches make an epoch."""

    step: float
    val_batch: float
    besides: float
    steps: int
    val_batches: int

    @property
    def epoch(self) -> float:
        """Seconds of a whole epoch."""
        return self.steps * self.step + self.val_batches * self.val_batch + self.besides


def fit_to_time(
    folder: Path,
    job: TrainingJob,
    network: Network,
    listener: Listener = Silent(),  # noqa: B008  it holds no state
) -> tuple[int, str]:
    """The number of epochs that fit into ``recipe.train.minutes``, at least 1, and the reason.

    ``folder`` is that of the run, whose disk is measured too; nothing is left there. The time
    that measuring takes is part of the minutes. The network is not changed. Where several
    processes are going to train, this one alone is timed, which the reason says.
    """
    recipe, processes = job.recipe, job.hardware.processes
    if recipe.train.minutes is None:
        return recipe.train.epochs, "the recipe says so"
    start = time.perf_counter()
    seconds = 60 * recipe.train.minutes
    listener.note(
        f"Measure how long an epoch takes, as part of the {duration(seconds)}; judging comes on top"
    )
    pace = measure_pace(folder, job, network)
    left = seconds - (time.perf_counter() - start)
    epochs = epochs_within(left, pace.epoch)
    speed = f"{recipe.train.batch_size / pace.step:,.0f} films/s"
    if processes > 1:
        speed += f" of one process; {processes} share each batch and may end sooner"
    if recipe.model.unfreeze_every:
        speed += " with all parts learning, which the first epochs do not"
    if pace.epoch > left:
        rest = f"measuring left {duration(max(0.0, left))} of {duration(seconds)}"
        return 1, f"even one does not fit: it takes {duration(pace.epoch)} at {speed}, {rest}"
    spent = seconds - left
    measured = f", {duration(spent)} of which went to measuring" if spent > 0.01 * seconds else ""
    return epochs, f"{duration(seconds)} at {speed}{measured}, {duration(pace.epoch)} an epoch"


def epochs_within(seconds: float, epoch: float) -> int:
    """How many epochs of that many seconds end in time: 1 to MOST_EPOCHS."""
    return min(MOST_EPOCHS, max(1, int(seconds / epoch)))


def measure_pace(folder: Path, job: TrainingJob, network: Network) -> Pace:
    """Time a short epoch: a few steps to warm up, then as many as the recipe's minutes allow."""
    keep_freed_memory()
    warm = _trial(folder, job, copy.deepcopy(network), _WARM_UP)
    allowed = 60 * (job.recipe.train.minutes or 1) * _SHARE
    steps = min(_MOST, max(_LEAST, round(allowed / warm.step)))
    return _trial(folder, job, copy.deepcopy(network), steps)


def _trial(folder: Path, job: TrainingJob, network: Network, steps: int) -> Pace:
    recipe = _all_learning(job.recipe, network)
    module, train, val = assemble(replace(job, recipe=recipe), network)
    moments = Moments(job.precision.device)
    with (
        writing(folder),
        # The name is that of a draft: what a killed process leaves is swept away on resuming.
        TemporaryDirectory(dir=folder, prefix=".trial-", suffix=".tmp") as place,
    ):
        run = Run(Path(place))
        run.checkpoints.mkdir()
        short_fit(
            module,
            (train, val),
            job.precision,
            steps=steps,
            val_batches=max(2, steps // 4),
            callbacks=[moments, CheckpointCallback(run, recipe.train.monitor, 0, Silent())],
        )
    return pace_of(moments.ends, moments.val, moments.end, (len(train), len(val)))


def _all_learning(recipe: Recipe, network: Network) -> Recipe:
    """The recipe of the costliest epoch, where parts are freed one by one: all of them learn."""
    if not recipe.model.unfreeze_every:
        return recipe
    network.freeze(0)
    free = recipe.model.model_copy(update={"freeze": "none", "unfreeze_every": 0})
    return recipe.model_copy(update={"model": free})


def pace_of(ends: list[float], val: list[float], end: float, batches: tuple[int, int]) -> Pace:
    """The pace that these moments show, all in seconds: when the epoch began and each training
    step ended, how long each validation batch took, and when the epoch was over. ``batches`` are
    those of a whole epoch, of training and of validation. The first step and the first batch warm
    up, and do not count where there are others."""
    counted = ends[1:] if len(ends) > 2 else ends
    step = (counted[-1] - counted[0]) / (len(counted) - 1)
    later = val[1:] or val
    besides = max(0.0, end - ends[-1] - sum(val))
    return Pace(step, sum(later) / len(later), besides, *batches)
