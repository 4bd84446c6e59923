"""Overfit check: can the network learn one batch at all, without random changes?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from pneumoscope.data.loader import Batch, Films
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.listener import Listener
from pneumoscope.models.network import Network
from pneumoscope.recipe import Recipe, validate_recipe
from pneumoscope.sections import AugmentChoices
from pneumoscope.training.fit import assemble
from pneumoscope.training.job import TrainingJob
from pneumoscope.training.measure.trial import Repeated, short_fit

MOST_STEPS = 200
SMALL = 0.1
"""Part of the loss of knowing nothing below which a batch counts as learnt."""

_STILL: dict[str, dict[str, Any]] = {
    "augment": AugmentChoices.still(),
    "model": {"dropout": 0, "unfreeze_every": 0},
    "loss": {"label_smoothing": 0},
    "optim": {"warmup": 0, "schedule": "constant"},
    "train": {"accumulate": 1, "views": 0, "ema": 0},
}
"""Everything random off, and whatever keeps a loss from becoming small."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """How a batch of ``films`` was learnt: the loss at each step, and that of knowing nothing."""

    losses: tuple[float, ...]
    guessing: float
    films: int

    @property
    def done(self) -> bool:
        """Whether the loss became small."""
        return self.losses[-1] <= SMALL * self.guessing


def still_recipe(recipe: Recipe) -> Recipe:
    """``recipe`` without random changes, weight average, label smoothing and schedule."""
    values = recipe.model_dump()
    for section, changes in _STILL.items():
        values[section] |= changes
    return validate_recipe(values)


def one_batch(prepared: PreparedSet, size: int, seed: int) -> Batch:
    """Up to ``size`` training films, both classes as evenly as there are films of them."""
    rng = np.random.default_rng(seed)
    rows = prepared.rows("train")
    labels = prepared.labels(rows)
    halves = (rng.permutation(rows[labels == 0]), rng.permutation(rows[labels == 1]))
    few = min(len(halves[0]), len(halves[1]), size // 2)
    larger = max(halves, key=len)
    taken = np.concatenate([halves[0][:few], halves[1][:few], larger[few : size - few]])
    return Films(prepared)[np.sort(taken)]


def overfit(job: TrainingJob, network: Network, listener: Listener) -> Learnt:
    """Train ``network`` on one batch, at most MOST_STEPS steps; the job's recipe is a still one."""
    module, _, _ = assemble(job, network)
    batch = one_batch(job.prepared, job.recipe.train.batch_size, job.seed)
    with torch.no_grad():
        nothing = torch.zeros(len(batch[1]), network.outputs)
        guessing = float(module.loss(nothing, batch[1]))
    watcher = _Watcher(guessing, listener)
    short_fit(
        module,
        (Repeated([batch], MOST_STEPS), None),
        job.precision,
        steps=MOST_STEPS,
        callbacks=[watcher],
    )
    return Learnt(tuple(watcher.losses), guessing, len(batch[1]))


class _Watcher(Callback):
    """Reads the loss after each step, tells it, and stops once it is small."""

    def __init__(self, guessing: float, listener: Listener) -> None:
        self._guessing = guessing
        self._listener = listener
        self.losses: list[float] = []

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: tuple[Tensor, Tensor],
        batch_idx: int,
    ) -> None:
        loss = float(outputs["loss"])
        self.losses.append(loss)
        note = f"loss {loss:.3f} (small: {SMALL * self._guessing:.3f})"
        self._listener.progress(batch_idx + 1, MOST_STEPS, "step", note)
        if loss <= SMALL * self._guessing or not np.isfinite(loss):
            trainer.should_stop = True
