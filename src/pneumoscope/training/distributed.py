"""Train in several processes, on one machine or many, to the result of one.

Everything a process needs is in a Plan and on the disk: the run folder and the prepared set. On
one machine the processes are started here, for training alone. On several, torchrun starts the
whole command on each; the first process does all the work, the others wait until it trains.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pneumoscope.data.prepared import PreparedSet, open_prepared
from pneumoscope.data.split import with_splits
from pneumoscope.devices import launched, use_all_cores
from pneumoscope.errors import BadRecipe, UnreadableData
from pneumoscope.recipe import Recipe, validate_recipe
from pneumoscope.records import Hardware, Listener
from pneumoscope.run import Run, open_run
from pneumoscope.training.fit import build_network, fit
from pneumoscope.training.measure.precision import Precision
from pneumoscope.training.team import agreed, joined, present_share
from pneumoscope.training.torchrun import Board, place
from pneumoscope.training.workers import work_together


@dataclass(frozen=True, slots=True)
class Plan:
    """What all processes must know alike; JSON-ready. ``side`` is that of the network in pixels,
    ``content`` the digest of the prepared set, ``recipe`` its whole content, ``precision`` and
    ``why`` what the first process chose on ``device``, cpu or cuda. ``begun``: there is a
    checkpoint to go on from."""

    run: str
    prepared: str
    content: str
    recipe: dict[str, Any]
    side: int
    seed: int
    precision: Any
    why: str
    device: str
    devices: int
    begun: bool


def make_plan(
    run: Run,
    prepared: PreparedSet,
    recipe: Recipe,
    *,
    side: int,
    seed: int,
    precision: Precision,
    devices: int,
) -> Plan:
    """The plan of a run's training."""
    return Plan(
        run=str(run.folder.absolute()),
        prepared=str(prepared.folder.absolute()),
        content=prepared.content,
        recipe=recipe.model_dump(mode="json"),
        side=side,
        seed=seed,
        precision=precision.name,
        why=precision.why,
        device=precision.device,
        devices=devices,
        begun=run.last_checkpoint.is_file(),
    )


def train_together(plan: Plan, listener: Listener) -> None:
    """Train by ``plan`` in all processes; the bundle is in the run folder afterwards.

    Raises what training raises in any of them, and WorkerLost where one died.
    """
    if not launched():
        work_together(plan.devices, plan.device, train_share, plan, listener)
        return
    Board().post_plan(asdict(plan))
    with joined(plan.device, *place()):
        train_share(plan, listener)


def train_share(plan: Plan, listener: Listener) -> None:
    """This process's part of the training, within its group; only the first one writes."""
    use_all_cores(plan.devices)
    share = present_share()
    recipe = validate_recipe(plan.recipe)
    run, prepared = agreed(share, lambda: _open(plan, recipe))
    # The first process's weights are sent to all (``fit``): no other one reads or fetches any.
    begun = plan.begun or share.rank > 0
    network = agreed(
        share, lambda: build_network(prepared, recipe, plan.side, plan.seed, begun=begun)
    )
    precision = Precision(plan.precision, plan.why, plan.device)
    fit(run, prepared, recipe, network, seed=plan.seed, precision=precision, listener=listener)


def _open(plan: Plan, recipe: Recipe) -> tuple[Run, PreparedSet]:
    run = open_run(Path(plan.run))
    folder = Path(plan.prepared)
    prepared = open_prepared(folder) if folder.is_dir() else None
    if prepared is None or prepared.content != plan.content:
        raise UnreadableData(
            "a machine does not see the prepared set",
            got=f"{folder} on {os.uname().nodename if hasattr(os, 'uname') else 'it'}",
            remedy="set PNEUMOSCOPE_CACHE to a folder on a disk that all machines see",
        )
    return run, with_splits(prepared, recipe.data)[0]


def check_enough(prepared: PreparedSet, recipe: Recipe, hardware: Hardware) -> None:
    """Raises BadRecipe where some process would have no film, or fewer than another."""
    train, val = len(prepared.rows("train")), len(prepared.rows("val"))
    if recipe.train.sampling == "undersample":
        positives = int(prepared.labels(prepared.rows("train")).sum())
        train = 2 * min(positives, train - positives)
    if hardware.processes > 1 and train < recipe.train.batch_size:
        raise BadRecipe(
            "there are too few training films to divide a batch",
            got=f"{train} films, train.batch_size={recipe.train.batch_size}",
            remedy="train with --devices 1, or set a smaller train.batch_size",
        )
    if val < hardware.processes:
        raise BadRecipe(
            "there are fewer validation films than processes",
            got=f"{val} films, {hardware.processes} processes",
            remedy="train with fewer --devices",
        )
