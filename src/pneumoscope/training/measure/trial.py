"""A few real training steps, timed: the run's own module, batches and precision, under Lightning.

Whoever measures here gives a copy of the network: the steps change its weights.
"""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint

from pneumoscope.data.loader import Batch
from pneumoscope.training.fit import quiet
from pneumoscope.training.measure.precision import Precision
from pneumoscope.training.module import Classifier


def short_fit(
    module: Classifier,
    batches: tuple[Iterable[Batch], Iterable[Batch] | None],
    precision: Precision,
    *,
    steps: int,
    val_batches: int = 0,
    watching: Sequence[Callback] = (),
    profiler: Any = None,
) -> None:
    """Train ``module`` on the first ``steps`` of the training batches, then validate, without a
    run folder. The global random stream is left as it was."""
    with quiet(), torch.random.fork_rng(devices=[]):
        # A check of training alone asks for no validation.
        warnings.filterwarnings("ignore", ".*have no `val_dataloader`.*")
        trainer = _trainer(module, precision, steps, val_batches, list(watching), profiler)
        trainer.fit(module, *batches)


def _trainer(
    module: Classifier,
    precision: Precision,
    steps: int,
    val_batches: int,
    watching: list[Callback],
    profiler: Any,
) -> lightning.Trainer:
    return lightning.Trainer(
        accelerator="gpu" if precision.device == "cuda" else "cpu",
        devices=1,
        precision="bf16-mixed" if precision.name == "bf16" else "32-true",
        max_epochs=1,
        limit_train_batches=steps,
        limit_val_batches=val_batches,
        accumulate_grad_batches=module.recipe.train.accumulate,
        logger=False,
        callbacks=watching,
        profiler=profiler,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(one, Checkpoint) for one in watching),
        log_every_n_steps=1,
    )


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
