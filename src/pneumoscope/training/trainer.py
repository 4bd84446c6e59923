"""Lightning's Trainer: the one place that configures it, for runs and for short measurements."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import lightning
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.callbacks import Callback, Checkpoint
from lightning.pytorch.strategies import DDPStrategy

from pneumoscope.devices import launched
from pneumoscope.recipe import Recipe
from pneumoscope.records import Hardware
from pneumoscope.training.measure.precision import Precision


def make_trainer(
    recipe: Recipe,
    precision: Precision,
    callbacks: Sequence[Callback],
    hardware: Hardware,
    **options: Any,
) -> lightning.Trainer:
    """A Trainer for the recipe's steps on ``hardware``; ``options`` are Lightning's own.

    With several devices the process that calls is one of those that train together.
    """
    several = hardware.processes > 1
    return lightning.Trainer(
        accelerator="gpu" if precision.device == "cuda" else "cpu",
        devices=hardware.devices,
        num_nodes=hardware.nodes,
        strategy=_strategy(recipe) if several else "auto",
        use_distributed_sampler=False,  # the batches are divided already
        precision="bf16-mixed" if precision.name == "bf16" else "32-true",
        accumulate_grad_batches=recipe.train.accumulate,
        callbacks=[*callbacks, _EndAtOnce()] if several else list(callbacks),
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(one, Checkpoint) for one in callbacks),
        log_every_n_steps=1,  # nothing is logged by step; a larger number draws a remark
        **options,
    )


def _strategy(recipe: Recipe) -> DDPStrategy:
    """Gradients averaged over processes that were started already: by torchrun, or by us."""
    return DDPStrategy(
        # Named, or Lightning would take a scheduler's variables (SLURM, MPI) for its own processes.
        cluster_environment=TorchElasticEnvironment() if launched() else LightningEnvironment(),
        # Frozen for a while: known to DDP, and without a gradient.
        find_unused_parameters=recipe.model.unfreeze_every > 0,
    )


class _EndAtOnce(Callback):
    """SIGTERM ends a process that trains with others at once.

    Lightning's own handler sends the others a word of it first, in the middle of what they compute
    together, of which gloo makes a crash or a wait.
    """

    def on_train_start(self, *_: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def quiet() -> Iterator[None]:
    """Without Lightning's and torch's remarks on matters that are settled here on purpose."""
    names = ("lightning.pytorch", "lightning.fabric", "torch.multiprocessing")
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Batches are one indexing call of a memory map: worker processes would only cost.
            warnings.filterwarnings("ignore", ".*does not have many workers.*")
            warnings.filterwarnings("ignore", ".*Checkpoint directory .* exists.*")
            # Frozen parts are in evaluation mode on purpose.
            warnings.filterwarnings("ignore", ".*in eval mode at the start of training.*")
            # All processes compute the same figures of all films.
            warnings.filterwarnings("ignore", ".*sync_dist=True.*")
            # A check of training alone asks for no validation.
            warnings.filterwarnings("ignore", ".*have no `val_dataloader`.*")
            # Lightning 2.6 calls an alias that torch 2.15 is about to drop.
            warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated.*")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
