"""The request of an evaluation: which run, on which films, by which costs and targets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pneumoscope.errors import InputError, nearest
from pneumoscope.metrics.thresholds import Rule
from pneumoscope.records import SPLITS, DataRequest


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """What is asked of a run.

    ``data`` is another data set, None the run's own. ``split`` is train, val or test; None is
    test of the run's own data and every labelled film of other data. ``prevalence`` is a share of
    pneumonia, ``cost`` how many false alarms a missed pneumonia weighs, ``sensitivity`` and
    ``specificity`` what the points of those names hold on validation films, ``miss_rate`` the
    share of each class whose reading may go wrong; None keeps what the model carries.
    ``keep_shared`` judges films of ``data`` that the model has seen too.
    """

    run: Path
    data: DataRequest | None = None
    split: str | None = None
    prevalence: float | None = None
    cost: float | None = None
    sensitivity: float | None = None
    specificity: float | None = None
    miss_rate: float | None = None
    keep_shared: bool = False

    @property
    def targets(self) -> dict[Rule, float]:
        """What is asked of the rules that take a target."""
        given: dict[Rule, float | None] = {
            "cost": self.cost,
            "sensitivity": self.sensitivity,
            "specificity": self.specificity,
        }
        return {rule: value for rule, value in given.items() if value is not None}

    @property
    def fitted_options(self) -> list[str]:
        """The options given that have something fitted anew on validation films."""
        options = [f"--{rule}" for rule in self.targets]
        return options if self.miss_rate is None else [*options, "--miss-rate"]

    def check(self) -> None:
        """Refuse a split that no run has and figures out of range. Raises InputError."""
        if self.split is not None and self.split not in SPLITS:
            raise InputError(
                "there is no such split",
                got=repr(self.split),
                expected=nearest(self.split, SPLITS),
            )
        shares = (
            ("prevalence", self.prevalence, 0.1),
            ("miss rate", self.miss_rate, 0.05),
            ("sensitivity to hold", self.sensitivity, 0.98),
            ("specificity to hold", self.specificity, 0.98),
        )
        for what, value, example in shares:
            if value is not None and not 0 < value < 1:
                raise InputError(
                    f"the {what} is out of range",
                    got=f"{value:g}",
                    expected="a share above 0 and below 1",
                    remedy=f"write {example:.0%} as {example:g}",
                )
        if self.cost is not None and not 0 < self.cost < float("inf"):
            raise InputError("the cost ratio is out of range", got=self.cost, expected="above 0")
