"""What the stages of a pipeline share: the run, its record, and who listens."""

from __future__ import annotations

import platform
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import torch

import pneumoscope
from pneumoscope.data.pool import cores
from pneumoscope.errors import Interrupted
from pneumoscope.records import DataRequest, Hardware, InputSpec, Listener, Source
from pneumoscope.run import Run

if TYPE_CHECKING:  # pandas and pydantic take half a second to import, which predict has no use for
    from pneumoscope.data.prepared import PreparedSet
    from pneumoscope.recipe import Recipe


@dataclass
class Ready:
    """What several runs of one process share, so that it is found out once: the source, the
    prepared sets of it by ``prepared_key``, and the epochs that fit into a recipe's minutes, by
    the recipe's name."""

    source: Source
    prepared: dict[tuple[Any, ...], PreparedSet] = field(default_factory=dict)
    epochs: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Work:
    """What the stages share: the run, what it is made from, and who listens."""

    run: Run
    request: DataRequest
    source: Source
    recipe: Recipe
    seed: int
    device: str
    listener: Listener
    ready: Ready
    hardware: Hardware = Hardware()

    def note_choice(self, what: str, choice: str, why: str) -> None:
        """Tell the listener and the run folder about an automatic choice."""
        self.listener.choice(what, choice, why)
        others = [c for c in self.run.card()["choices"] if c["what"] != what]
        self.run.update_card(choices=[*others, {"what": what, "choice": choice, "why": why}])

    def timed(self, stage: str, work: Callable[[], Any]) -> Any:
        """Do ``work`` and add its seconds to ``run.json``; a resumed stage adds to them, but what
        a killed process spent is lost."""
        start = time.perf_counter()
        try:
            return work()
        finally:
            key = f"{stage}_seconds"
            spent = self.run.card()["timing"].get(key, 0.0) + time.perf_counter() - start
            self.run.update_card(timing={key: round(spent, 2)})


def prepared_key(spec: InputSpec, recipe: Recipe) -> tuple[Any, ...]:
    """What tells the prepared sets of one source apart: how films are stored, how many bad ones
    are borne."""
    return spec, recipe.data.most_bad


@contextmanager
def held(run: Run) -> Iterator[None]:
    """Hold the run against a second process, and tell who interrupts it how to go on."""
    try:
        with run.locked():
            yield
    except (KeyboardInterrupt, SystemExit):  # Lightning makes the second of the first
        raise Interrupted(
            "the run was stopped, nothing is lost",
            remedy=f"go on with: pneumoscope train --resume {shlex.quote(str(run.folder))}",
        ) from None


def new_card(request: DataRequest, source: Source, seed: int, command: str) -> dict[str, Any]:
    asked = request.to_json()
    return {
        "version": pneumoscope.__version__,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": command,
        "data": asked["data"],
        "request": asked,
        "seed": seed,
        "source": source.to_json(),
        "choices": [],
        "environment": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "system": f"{platform.system()} {platform.machine()}",
            "threads": cores(),
        },
        "timing": {},
        "warnings": [],
    }
