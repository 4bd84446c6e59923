"""Profile: the parts of a training step in milliseconds, beside the bare network's step.

The parts are the actions that Lightning's own profiler times in its loop.
"""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.profilers import SimpleProfiler
from torch import Tensor
from torch.profiler import ProfilerActivity

from pneumoscope.models.network import Network
from pneumoscope.training.fit import assemble
from pneumoscope.training.job import TrainingJob
from pneumoscope.training.measure.trial import Repeated, now, short_fit
from pneumoscope.training.module import ClassifierModule
from pneumoscope.training.optimizer import make_optimizer

WARM_UP = 5
_TRACED = 5

AUGMENTATION = "augmentation"
"""The action that whoever changes the films reports beside Lightning's own."""

_DATA = ("[_TrainingEpochLoop].train_dataloader_next", ".batch_to_device")
_PASSES = (".training_step", ".backward")
_OPTIMIZER = "ClassifierModule.optimizer_step"
_LAST = "ClassifierModule.on_train_batch_end"
"""The last thing that a step does: the weight average."""
_WITHIN = "passes within the optimiser's call"


@dataclass(frozen=True, slots=True)
class StepPart:
    """A part of a training step: milliseconds a step, and its share of the step, 0–1."""

    name: str
    ms: float
    share: float


@dataclass(frozen=True, slots=True)
class Profile:
    """The parts of a step, seconds of the whole one and of the bare network's, films in a batch,
    and over how many steps that was measured."""

    parts: tuple[StepPart, ...]
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


class StepProfiler(SimpleProfiler):
    """Lightning's profiler over the steps after the first ``warm_up``, waiting for the device."""

    def __init__(self, device: str, warm_up: int) -> None:
        super().__init__()
        self._device = device
        self._ahead = warm_up
        self._begun = self._ended = 0.0
        self.steps = 0

    def start(self, action_name: str) -> None:
        now(self._device)
        super().start(action_name)

    def stop(self, action_name: str) -> None:
        end = now(self._device)
        super().stop(action_name)
        # Lightning takes the passes within the optimiser's call, but for batches that only add to
        # the gradient.
        if action_name.endswith(_PASSES) and any(map(_is_optimizer, self.current_actions)):
            self.recorded_durations[_WITHIN].append(self.recorded_durations[action_name][-1])
        if action_name.endswith(_LAST):
            self._end_step(end)

    def _end_step(self, end: float) -> None:
        if self._ahead > 0:
            self._ahead -= 1
            self._begun = end
            self.recorded_durations.clear()
        else:
            self.steps += 1
            self._ended = end

    @property
    def step(self) -> float:
        """Seconds of a whole step."""
        return (self._ended - self._begun) / self.steps

    def parts(self) -> list[StepPart]:
        """The parts of a step in their order; they make up the whole, the last is the rest."""
        training, backward = (self._of(one) for one in _PASSES)
        change = self._of(AUGMENTATION)
        found = {
            "data": self._of(*_DATA),
            "augmentation": change,
            "forward and loss": training - change,
            "backward": backward,
            "optimiser, clipping": self._of(_OPTIMIZER) - self._of(_WITHIN),
            "weight average": self._of(_LAST),
        }
        found["other"] = self.step - sum(found.values())
        return [StepPart(name, 1000 * part, part / self.step) for name, part in found.items()]

    def _of(self, *names: str) -> float:
        """Seconds a step of the actions whose names end so."""
        found = (sum(s) for action, s in self.recorded_durations.items() if action.endswith(names))
        return float(sum(found)) / self.steps


def _is_optimizer(action: str) -> bool:
    return action.endswith(_OPTIMIZER)


def profile_steps(job: TrainingJob, network: Network, steps: int) -> Profile:
    """Run ``steps`` training steps after WARM_UP ones; ``network`` is not changed."""
    profiler = StepProfiler(job.precision.device, WARM_UP)
    _run(job, network, WARM_UP + steps, profiler)
    batch = min(job.recipe.train.batch_size, len(job.prepared.rows("train")))
    bare = _bare_step(job, copy.deepcopy(network), batch, steps)
    return Profile(tuple(profiler.parts()), profiler.step, bare, batch, profiler.steps)


def write_trace(job: TrainingJob, network: Network, file: Path) -> None:
    """A torch profiler trace of a few steps, in Chrome's format."""
    activities = [ProfilerActivity.CPU]
    if job.precision.device == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as trace:
        _run(job, network, _TRACED)
    trace.export_chrome_trace(str(file))


def _run(
    job: TrainingJob, network: Network, steps: int, profiler: StepProfiler | None = None
) -> None:
    module, train, _ = assemble(job, copy.deepcopy(network))
    if profiler is not None:
        _profile_augmentation(module, profiler)
    batches = Repeated(train, steps), None
    short_fit(module, batches, job.precision, steps=steps, profiler=profiler)


def _profile_augmentation(module: ClassifierModule, profiler: StepProfiler) -> None:
    """Lightning times a training step as a whole; this adds its first part."""
    change = module._change

    def profiled(images: Tensor, labels: Tensor, index: int) -> tuple[Tensor, Tensor]:
        with profiler.profile(AUGMENTATION):
            return change(images, labels, index)

    setattr(module, "_change", profiled)  # noqa: B010  the method of this one object


def _bare_step(job: TrainingJob, network: Network, batch: int, steps: int) -> float:
    """Seconds of a forward and backward pass and an optimiser step, nothing else: the mean of
    ``steps`` after WARM_UP ones, as for whole steps, so that a busy machine slows both alike."""
    device, half = job.precision.device, job.precision.name == "bf16"
    network = network.to(device).to(memory_format=torch.channels_last).train()
    optimizer = make_optimizer(network, job.recipe.optim)
    side = network.spec.network
    films = torch.full((batch, side, side), 100.0, device=device)
    start = 0.0
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            start = now(device)
        with torch.autocast(device, torch.bfloat16, enabled=half):
            loss = network.scores_seen(films).square().mean()
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
    return (now(device) - start) / steps
