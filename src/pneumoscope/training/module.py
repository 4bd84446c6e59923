"""Lightning module: one training step and one validation pass, nothing else.

All randomness of a step is a pure function of (seed, epoch, step), so a run that is continued
from the end of any epoch takes exactly the path of one that was never stopped.
"""

from __future__ import annotations

import math
from typing import Any, cast

import lightning
import numpy as np
import torch
import torch.distributed as dist
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from pneumoscope.data.augment import Draw, augment, mix
from pneumoscope.data.loader import WHOLE, Batch, RankSlice
from pneumoscope.errors import Diverged
from pneumoscope.metrics.scores import auroc
from pneumoscope.models.freeze import frozen_after
from pneumoscope.models.network import Network, logit_of
from pneumoscope.recipe import Recipe
from pneumoscope.training.losses import Loss
from pneumoscope.training.optimizer import clip_gradients, make_optimizer, rate
from pneumoscope.training.seeds import AUGMENT, DROPOUT, seed_device, seed_of

# Averaging 11 million weights each step costs 5 % of it at 64 px; every fourth step, with the
# decay to the fourth power, gives nearly the same average.
_EMA_EVERY = 4

_Tensors = tuple[Tensor, ...] | list[Tensor]


class ClassifierModule(lightning.LightningModule):
    """Trains a network by a recipe; ``row`` holds the figures of the last finished epoch."""

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        loss: Loss,
        *,
        steps: int,
        seed: int,
        features: bool = False,
        part: RankSlice = WHOLE,
    ):
        """With ``features`` batches carry what left the frozen parts, instead of films. ``part``
        is what this process has of each batch."""
        super().__init__()
        self.network = network
        self.recipe = recipe
        self.loss = loss
        self.steps = steps
        self.seed = seed
        self._part = part
        self.average = _average(network, recipe.train.ema)
        if recipe.model.unfreeze_every:
            # Optimiser and DDP must know from the beginning whatever will ever learn; each epoch
            # freezes anew what does not learn yet.
            network.requires_grad_(True)
        elif self.average is not None:
            _share_frozen(self.evaluated, network)
        self._score = Network.scores_of if features else Network.scores
        self._score_changed = Network.scores_of if features else Network.scores_seen
        self._change = _as_they_are if features else self._augment
        self.row: dict[str, float] = {}
        self._averaged = 0
        self._train = _Tally()
        self._val = _Tally()

    @property
    def evaluated(self) -> Network:
        """The network that is validated and kept: the weight average where there is one."""
        if self.average is None:
            return self.network
        return cast(Network, self.average.module)

    @property
    def trained_films(self) -> int:
        """How many films this epoch has trained on, in all processes once it is validated."""
        return self._train.films

    def on_train_start(self) -> None:
        self._averaged = self.global_step  # a resumed run averages no step a second time

    def on_train_epoch_start(self) -> None:
        self._train = _Tally()
        model = self.recipe.model
        if model.unfreeze_every:
            backbone, every = self.network.backbone, model.unfreeze_every
            self.network.freeze(frozen_after(backbone, model.freeze, self.current_epoch, every))
            self.network.train()

    def training_step(self, batch: Batch, index: int) -> Tensor:
        # Dropout draws from the global generator. Seeding it once an epoch is not enough: the
        # data loader draws from it too, at another moment in a resumed epoch.
        # Processes that share a batch draw masks of their own for films of their own.
        rank = [self._part.rank] if self._part.rank else []
        stream = seed_of(self.seed, DROPOUT, self.current_epoch, index, *rank)
        seed_device(self.device, stream)
        films, labels = self._change(*batch, index)
        scores = self._score_changed(self.network, films)
        loss: Tensor = self.loss(scores, labels)
        self._train.add(loss.detach(), logit_of(scores.detach()), labels)
        return loss

    def _augment(self, images: Tensor, labels: Tensor, index: int) -> tuple[Tensor, Tensor]:
        """Augmented films float32 (B, s, s) and their labels, blended where the recipe says so.

        All processes draw for the whole batch and each takes its part, so that one and several
        change a film alike; each blends films of its own, which needs no exchange.
        """
        spec, choices = self.network.spec, self.recipe.augment
        generator = torch.Generator().manual_seed(
            seed_of(self.seed, AUGMENT, self.current_epoch, index)
        )
        with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
            whole = len(images) * self._part.world_size
            draw = Draw(generator, whole, self._part.of(whole))
            visible = spec.visible / spec.stored
            films = augment(images, choices, spec.network, draw, visible=visible)
            return mix(films, labels, choices, generator)

    def configure_gradient_clipping(self, optimizer: Optimizer, *_: Any, **__: Any) -> None:
        # Lightning refuses to clip beside a fused optimiser because that one may unscale
        # gradients itself; nothing is scaled here, bf16 needs no scaling.
        if self.recipe.optim.clip > 0:
            clip_gradients(self.network, self.recipe.optim.clip)

    def on_train_batch_end(self, *_: Any) -> None:
        step = self.global_step
        due = step != self._averaged and (step == 1 or step % _EMA_EVERY == 0)
        if self.average is not None and due:
            self._averaged = step  # several batches can make one step
            self.average.update_parameters(self.network)

    def on_validation_epoch_start(self) -> None:
        self._val = _Tally()
        self.evaluated.eval()
        if self._part.world_size > 1:
            # Batch norm that is not shared has followed each process's own films; what is
            # evaluated and kept is the first one's.
            for buffer in self.evaluated.buffers():
                dist.broadcast(buffer, 0)

    def validation_step(self, batch: Batch, index: int) -> None:
        images, labels = batch
        scores = self._score(self.evaluated, images)
        self._val.add(self.loss(scores, labels), logit_of(scores), labels)

    def on_validation_epoch_end(self) -> None:
        # From here on all processes have the same figures and decide alike.
        if self._part.world_size > 1:
            self._train, self._val = self._train.gathered(), self._val.gathered()
        losses = self._train.loss(), self._val.loss()
        if not all(map(math.isfinite, losses)):
            raise Diverged(
                f"training diverged in epoch {self.current_epoch + 1}",
                got=f"training loss {losses[0]}, validation loss {losses[1]}",
                expected="finite losses",
                remedy="lower the rate: --set optim.learning_rate=…, or clip: --set optim.clip=1",
            )
        self.row = {
            "train_loss": losses[0],
            "train_accuracy": self._train.accuracy(),
            "val_loss": losses[1],
            "val_accuracy": self._val.accuracy(),
            # By the function that evaluates: torchmetrics' would have to be proved equal.
            "val_auroc": auroc(*self._val.figures()),
            "learning_rate": float(self.optimizers().param_groups[0]["lr"]),  # type: ignore[union-attr]
        }
        self.log_dict(self.row)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = make_optimizer(self.network, self.recipe.optim)
        schedule = LambdaLR(optimizer, lambda step: rate(step, self.steps, self.recipe.optim))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


class _Tally:
    """Losses and logits of a pass, kept as tensors so that no step waits for the device."""

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._logits: list[Tensor] = []
        self._labels: list[Tensor] = []

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        self._losses.append(loss * len(labels))
        self._logits.append(logits)
        self._labels.append(labels)

    def gathered(self) -> _Tally:
        """This tally and those of the other processes as one, in the order of the ranks."""
        mine = [[value.cpu() for value in part] for part in self._parts()]
        everybodys: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(everybodys, mine)
        tally = _Tally()
        for theirs in everybodys:
            for part, values in zip(tally._parts(), theirs, strict=True):
                part.extend(values)
        return tally

    def _parts(self) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        return self._losses, self._logits, self._labels

    @property
    def films(self) -> int:
        return sum(map(len, self._labels))

    def loss(self) -> float:
        """Mean over films."""
        return float(torch.stack(self._losses).sum()) / self.films

    def accuracy(self) -> float:
        """Share of films on the right side of probability 0.5."""
        labels, logits = self.figures()
        return float(np.mean((logits >= 0) == (labels == 1)))

    def figures(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Labels int64 (n,) and logits float64 (n,)."""
        # A blend counts as the film that makes up most of it.
        labels = torch.cat(self._labels).round().cpu().numpy().astype(np.int64)
        return labels, torch.cat(self._logits).cpu().double().numpy()


def _average(network: Network, decay: float) -> AveragedModel | None:
    if decay == 0:
        return None

    def mix(averages: _Tensors, news: _Tensors, updates: Tensor | int) -> None:
        pairs = zip(averages, news, strict=True)
        # Frozen parts are shared by both networks.
        apart = [(one, other) for one, other in pairs if one.data_ptr() != other.data_ptr()]
        if not apart:
            return
        averages, news = zip(*apart, strict=True)
        steps = int(updates) * _EMA_EVERY
        # A short history in the beginning: else short runs would keep their first, bad weights.
        kept: float = min(decay, (1 + steps) / (10 + steps)) ** _EMA_EVERY
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, news, 1 - kept)
        else:
            torch._foreach_copy_(averages, news)

    model = AveragedModel(network, multi_avg_fn=mix, use_buffers=True)
    model.requires_grad_(False)
    return model


def _share_frozen(average: Network, network: Network) -> None:
    """Frozen parts are their own average: both networks hold the same ones."""
    for name, part in network.frozen_parts:
        parent, _, leaf = name.rpartition(".")
        setattr(average.backbone.get_submodule(parent), leaf, part)


def _as_they_are(features: Tensor, labels: Tensor, index: int) -> tuple[Tensor, Tensor]:
    return features, labels
