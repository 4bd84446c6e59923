"""Where the time of a training step goes, by Lightning's own instrumentation of its loop."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from lightning.pytorch.profilers import Profiler

from pneumoscope.training.measure.trial import now

AUGMENTATION = "augmentation"
"""The action that whoever changes the films reports beside Lightning's own."""

_DATA = ("[_TrainingEpochLoop].train_dataloader_next", ".batch_to_device")
_AVERAGE = "[LightningModule]Classifier.on_train_batch_end"
_PASSES = (".training_step", ".backward")
_STEP = "Classifier.optimizer_step"
_WITHIN = "passes within the optimiser's call"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a training step: milliseconds a step, and its share of the step, 0–1."""

    name: str
    ms: float
    share: float


class StepClock(Profiler):
    """Collects the seconds of each action after the first ``warm_up`` steps."""

    def __init__(self, device: str, warm_up: int) -> None:
        super().__init__()
        self._device = device
        self._warm_up = warm_up
        self._begun: dict[str, float] = {}
        self._ends: list[float] = []
        self._seconds: dict[str, list[float]] = defaultdict(list)

    @property
    def steps(self) -> int:
        """How many steps were measured."""
        return max(0, len(self._ends) - self._warm_up)

    def start(self, action_name: str) -> None:
        self._begun[action_name] = now(self._device)

    def stop(self, action_name: str) -> None:
        end = now(self._device)
        if action_name == _AVERAGE:  # the last thing that a step does
            self._ends.append(end)
        begun = self._begun.pop(action_name, None)
        if begun is not None and self._ends and begun >= self._measured_from():
            self._seconds[action_name].append(end - begun)
            # Lightning takes the passes within the optimiser's call, but for batches that only add
            # to the gradient.
            if action_name.endswith(_PASSES) and any(a.endswith(_STEP) for a in self._begun):
                self._seconds[_WITHIN].append(end - begun)

    def _measured_from(self) -> float:
        enough = len(self._ends) >= self._warm_up
        return self._ends[self._warm_up - 1] if enough else float("inf")

    @property
    def step(self) -> float:
        """Seconds of a whole step."""
        return (self._ends[-1] - self._ends[self._warm_up - 1]) / self.steps

    def parts(self) -> list[Part]:
        """The parts of a step in their order; they make up the whole, the last is the rest."""
        training, backward = (self._of(one) for one in _PASSES)
        change = self._of(AUGMENTATION)
        found = {
            "data": self._of(*_DATA),
            "augmentation": change,
            "forward and loss": training - change,
            "backward": backward,
            "optimiser, clipping": self._of(_STEP) - self._of(_WITHIN),
            "weight average": self._of(_AVERAGE),
        }
        found["other"] = self.step - sum(found.values())
        return [Part(name, 1000 * part, part / self.step) for name, part in found.items()]

    def _of(self, *names: str) -> float:
        """Seconds a step of the actions whose names end so."""
        found = (sum(s) for action, s in self._seconds.items() if action.endswith(names))
        return sum(found) / self.steps
