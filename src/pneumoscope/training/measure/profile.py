"""The parts of a training step in milliseconds, and the bare network's step beside the whole."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.models.network import Network
from pneumoscope.recipe import Recipe
from pneumoscope.training.fit import assemble
from pneumoscope.training.measure.clock import AUGMENTATION, Part, StepClock
from pneumoscope.training.measure.precision import Precision
from pneumoscope.training.measure.trial import Repeated, now, short_fit
from pneumoscope.training.module import Classifier
from pneumoscope.training.optimizer import make_optimizer

WARM_UP = 5
_TRACED = 5


@dataclass(frozen=True, slots=True)
class Profile:
    """The parts of a step, seconds of the whole one and of the bare network's, films in a batch,
    and over how many steps that was measured."""

    parts: tuple[Part, ...]
    step: float
    bare: float
    batch: int
    steps: int

    @property
    def speed(self) -> float:
        """Films a second of whole steps."""
        return self.batch / self.step

    @property
    def bare_speed(self) -> float:
        """Films a second of forward, backward and optimiser alone, on films that lie ready."""
        return self.batch / self.bare

    def to_json(self) -> dict[str, Any]:
        speeds = {"films_per_second": self.speed, "bare_films_per_second": self.bare_speed}
        return asdict(self) | speeds


def profile_steps(
    prepared: PreparedSet,
    recipe: Recipe,
    network: Network,
    precision: Precision,
    *,
    seed: int,
    steps: int,
) -> Profile:
    """Run ``steps`` training steps after WARM_UP ones; ``network`` is not changed."""
    clock = StepClock(precision.device, WARM_UP)
    _run(prepared, recipe, network, precision, seed, WARM_UP + steps, clock)
    batch = min(recipe.train.batch_size, len(prepared.rows("train")))
    bare = _bare_step(copy.deepcopy(network), recipe, batch, precision, steps)
    return Profile(tuple(clock.parts()), clock.step, bare, batch, clock.steps)


def write_trace(
    prepared: PreparedSet,
    recipe: Recipe,
    network: Network,
    precision: Precision,
    *,
    seed: int,
    file: Path,
) -> None:
    """A torch profiler trace of a few steps, in Chrome's format."""
    activities = [ProfilerActivity.CPU]
    if precision.device.startswith("cuda"):
        activities.append(ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as trace:
        _run(prepared, recipe, network, precision, seed, _TRACED)
    trace.export_chrome_trace(str(file))


def _run(
    prepared: PreparedSet,
    recipe: Recipe,
    network: Network,
    precision: Precision,
    seed: int,
    steps: int,
    clock: StepClock | None = None,
) -> None:
    module, train, _ = assemble(prepared, recipe, copy.deepcopy(network), seed)
    if clock is not None:
        _tell_augmentation(module, clock)
    short_fit(module, (Repeated(train, steps), None), precision, steps=steps, profiler=clock)


def _tell_augmentation(module: Classifier, clock: StepClock) -> None:
    """Lightning times a training step as a whole; this tells the clock of its first part, too."""
    change = module._change

    def told(images: Tensor, labels: Tensor, index: int) -> tuple[Tensor, Tensor]:
        with clock.profile(AUGMENTATION):
            return change(images, labels, index)

    setattr(module, "_change", told)  # noqa: B010  the method of this one object


def _bare_step(
    network: Network, recipe: Recipe, batch: int, precision: Precision, steps: int
) -> float:
    """Seconds of a forward and backward pass and an optimiser step, nothing else: the mean of
    ``steps`` after WARM_UP ones, as for whole steps, so that a busy machine slows both alike."""
    device = precision.device
    network = network.to(device).to(memory_format=torch.channels_last).train()
    optimizer = make_optimizer(network, recipe.optim)
    side = network.spec.network
    films = torch.full((batch, side, side), 100.0, device=device)
    kind, half = device.split(":")[0], precision.name == "bf16"
    start = 0.0
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            start = now(device)
        with torch.autocast(kind, torch.bfloat16, enabled=half):
            loss = network.scores_seen(films).square().mean()
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
    return (now(device) - start) / steps
