"""Context of a run: what the stages of the pipeline share, and what runs of one process share."""

from __future__ import annotations

import platform
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

import torch

import pneumoscope
from pneumoscope.data.door import Door
from pneumoscope.data.pool import cores
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.errors import Interrupted
from pneumoscope.listener import Listener
from pneumoscope.manifest import EpochsEntry, HardwareEntry, Manifest
from pneumoscope.plain import to_plain
from pneumoscope.recipe import Recipe
from pneumoscope.records import DataRequest, Hardware, InputSpec, Source
from pneumoscope.run import Run
from pneumoscope.storage import timestamp
from pneumoscope.workflows.data import prepared_for, stored_spec
from pneumoscope.workflows.weights import shareable_command, weights_entry

PreparedKey = tuple[InputSpec, float]


@dataclass
class SessionCache:
    """What several runs of one process share, so that it is found out once: the source, the
    prepared sets of it, the epochs that fit into a recipe's minutes, by the recipe's name, and the
    door that was shown last."""

    source: Source
    sets: dict[PreparedKey, PreparedSet] = field(default_factory=dict)
    epochs: dict[str, EpochsEntry] = field(default_factory=dict)
    door: Door | None = None

    def key(self, recipe: Recipe) -> PreparedKey:
        """What tells the prepared sets of one source apart: how films are stored, and how many bad
        ones are allowed."""
        return stored_spec(self.source, recipe), recipe.data.most_bad

    def prepared(self, request: DataRequest, recipe: Recipe, listener: Listener) -> PreparedSet:
        """The set that ``recipe`` takes, from the cache folder. Raises OutputNotWritable."""
        key = self.key(recipe)
        if key not in self.sets:
            self.sets[key] = prepared_for(request, self.source, recipe, listener)
        return self.sets[key]


@dataclass
class RunContext:
    """What the stages share: the run, what it is made from, and who listens."""

    run: Run
    request: DataRequest
    recipe: Recipe
    seed: int
    device: str
    listener: Listener
    session: SessionCache
    hardware: Hardware = Hardware()

    @property
    def source(self) -> Source:
        return self.session.source

    def note_choice(self, what: str, choice: str, why: str) -> None:
        """Tell the listener and the run folder about an automatic choice."""
        self.listener.choice(what, choice, why)
        others = [c for c in self.run.manifest()["choices"] if c["what"] != what]
        self.run.update_manifest(choices=[*others, {"what": what, "choice": choice, "why": why}])

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the seconds of a stage to ``run.json``; a resumed stage adds to them, but what a
        killed process spent is lost."""
        start = time.perf_counter()
        try:
            yield
        finally:
            key = f"{stage}_seconds"
            spent = self.run.manifest()["timing"].get(key, 0.0) + time.perf_counter() - start
            self.run.update_manifest(timing={key: round(spent, 2)})


@contextmanager
def locked_run(run: Run) -> Iterator[None]:
    """Hold the run against a second process, and tell who interrupts it how to go on."""
    try:
        with run.locked():
            yield
    except (KeyboardInterrupt, SystemExit):  # Lightning makes the second of the first
        raise Interrupted(
            "the run was stopped, nothing is lost",
            remedy=f"go on with: pneumoscope train --resume {shlex.quote(str(run.folder))}",
        ) from None


def new_manifest(
    request: DataRequest,
    source: Source,
    recipe: Recipe,
    hardware: Hardware,
    *,
    seed: int,
    command: str,
) -> Manifest:
    """``run.json`` as a run begins."""
    asked, weights = request.to_json(), weights_entry(recipe)
    begun: Manifest = {
        "version": pneumoscope.__version__,
        "created": timestamp(),
        "command": shareable_command(command, recipe),
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
        "hardware": cast(HardwareEntry, to_plain(hardware)),
    }
    if weights:
        begun["weights"] = weights
    return begun
