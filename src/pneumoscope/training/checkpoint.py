"""Checkpoint callback: history, best weights and a checkpoint every epoch, so that a kill is
harmless.

Per epoch it writes, each in one step: the best weights so far, ``history.csv``, then the
checkpoint. A kill between two of them costs at most one epoch, which is done again alike.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import lightning
import pandas as pd
from lightning.pytorch.callbacks import Checkpoint
from safetensors.torch import save

from pneumoscope.listener import Listener
from pneumoscope.run import Run
from pneumoscope.storage import write_atomic, writing
from pneumoscope.training.module import ClassifierModule

_BETTER_IS = {"auroc": ("val_auroc", 1.0), "loss": ("val_loss", -1.0), "last": ("", 0.0)}


class CheckpointCallback(Checkpoint):
    """Keeps a run's history and checkpoints, and tells the listener how training goes.

    Not Lightning's ModelCheckpoint: that one stores absolute paths, which tie a run folder to its
    place, and its EarlyStopping forgets after a kill in the last epoch. Where several processes
    train, all of them call this with the same figures, and the first one writes.
    """

    # As version 0.1.0 named it in its checkpoints: another key would lose a resumed run's history.
    state_key = "Keeper"

    def __init__(self, run: Run, monitor: str, patience: int, listener: Listener) -> None:
        self._run = run
        self._column, self._sign = _BETTER_IS[monitor]
        self._patience = patience
        self._listener = listener
        self._started = self._trained = 0.0
        self.history: list[dict[str, float]] = []

    @property
    def monitor(self) -> str:
        """What decides which epoch is kept, in words."""
        return self._column or "the last epoch"

    def weights_of(self, row: dict[str, float]) -> Path:
        """Where the weights of that epoch lie, while it is the best. The number is in the name,
        so that weights can never be taken for those of another epoch after a kill."""
        return self._run.checkpoints / f"best-{row['epoch']:04.0f}.safetensors"

    def best_row(self) -> dict[str, float]:
        """The epoch that is best on validation; the earlier one of equals. Or simply the last."""
        if not self._column:
            return self.history[-1]
        return max(self.history, key=lambda row: self._sign * row[self._column])

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = list(state_dict["history"])

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        # A run killed right after its last epoch must not train one more when it is resumed.
        trainer.should_stop = self._no_longer_better()

    def _no_longer_better(self) -> bool:
        if not (self._patience and self._column and self.history):
            return False
        return self.history[-1]["epoch"] - self.best_row()["epoch"] >= self._patience

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        self._started = time.perf_counter()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        self._trained = time.perf_counter()
        per_epoch = int(trainer.num_training_batches)
        done = trainer.current_epoch * per_epoch + batch_idx + 1
        # Reading the loss waits for the device, so it is done a few times an epoch only.
        if done % max(1, per_epoch // 20) == 0:
            # Lightning's is divided by the batches that make one step.
            loss = float(outputs["loss"]) * trainer.accumulate_grad_batches
            note = self._note(trainer.current_epoch + 1, trainer.max_epochs, loss)
            self._listener.progress(done, per_epoch * (trainer.max_epochs or 1), "step", note)

    def _note(self, epoch: int, epochs: int | None, loss: float) -> str:
        note = f"epoch {epoch}/{epochs} loss {loss:.2f}"  # must fit a line of 80 columns
        if self.history:
            row, best = self.history[-1], self.best_row()
            note += f" val AUROC {row['val_auroc']:.3f}"
            note += f" (best {best['val_auroc']:.3f})" if self._column else ""
        return note

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        if not isinstance(pl_module, ClassifierModule):
            raise TypeError("a CheckpointCallback keeps a ClassifierModule")
        row = {
            "epoch": trainer.current_epoch + 1,
            **pl_module.row,
            "seconds": round(time.perf_counter() - self._started, 3),
            # Of training alone, without validation.
            "images_per_second": round(
                pl_module.trained_films / (self._trained - self._started), 1
            ),
        }
        self.history.append(row)
        if self.best_row() is row and trainer.is_global_zero:
            state = {k: v.cpu().contiguous() for k, v in pl_module.evaluated.state_dict().items()}
            write_atomic(self.weights_of(row), save(state))
        if trainer.is_global_zero:
            text = pd.DataFrame(self.history).to_csv(index=False)
            write_atomic(self._run.history_file, text)
        self._save(trainer)
        if trainer.is_global_zero:
            self._forget_older()
        trainer.should_stop = trainer.should_stop or self._no_longer_better()

    def _forget_older(self) -> None:
        for file in self._run.checkpoints.glob("best-*.safetensors"):
            if file != self.weights_of(self.best_row()):
                file.unlink()

    def _save(self, trainer: lightning.Trainer) -> None:
        draft = self._run.checkpoints / ".last.ckpt.tmp"
        with writing(self._run.folder):
            try:
                trainer.save_checkpoint(draft)  # by all processes: they wait for the first
                if trainer.is_global_zero:
                    draft.replace(self._run.last_checkpoint)
            finally:
                if trainer.is_global_zero:
                    draft.unlink(missing_ok=True)
