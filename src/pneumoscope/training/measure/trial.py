"""Trials: a few real training steps, timed: the run's own module, batches and precision.

Whoever measures here gives a copy of the network: the steps change its weights.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.profilers import Profiler

from pneumoscope.data.loader import Batch
from pneumoscope.records import Hardware
from pneumoscope.training.measure.precision import Precision
from pneumoscope.training.module import ClassifierModule
from pneumoscope.training.trainer import make_trainer, quiet


def short_fit(
    module: ClassifierModule,
    batches: tuple[Iterable[Batch], Iterable[Batch] | None],
    precision: Precision,
    *,
    steps: int,
    val_batches: int = 0,
    callbacks: Sequence[Callback] = (),
    profiler: Profiler | None = None,
) -> None:
    """Train ``module`` on the first ``steps`` of the training batches, then validate, without a
    run folder. The global random stream is left as it was."""
    with quiet(), torch.random.fork_rng(devices=[]):
        trainer = make_trainer(
            module.recipe,
            precision,
            callbacks,
            Hardware(),  # one process alone, whatever the run will have
            max_epochs=1,
            limit_train_batches=steps,
            limit_val_batches=val_batches,
            logger=False,
            profiler=profiler,
        )
        trainer.fit(module, *batches)


class Repeated:
    """``count`` batches, from the first on again where there are fewer."""

    def __init__(self, batches: Iterable[Batch], count: int) -> None:
        self._batches = batches
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Batch]:
        whole = (batch for _ in itertools.count() for batch in self._batches)
        return itertools.islice(whole, self._count)


def now(device: str) -> float:
    """The clock in seconds, after the device has done all that was asked of it."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter()


class Moments(Callback):
    """When the epoch began and each training step ended, how long each validation batch took,
    and when all was done, in seconds."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._begun = 0.0
        self.ends: list[float] = []
        self.val: list[float] = []
        self.end = 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        self.ends = [now(self._device)]

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        self.ends.append(now(self._device))

    def on_validation_batch_start(self, *_: Any, **__: Any) -> None:
        self._begun = now(self._device)

    def on_validation_batch_end(self, *_: Any, **__: Any) -> None:
        self.val.append(now(self._device) - self._begun)

    def on_train_end(self, *_: Any) -> None:
        self.end = now(self._device)
