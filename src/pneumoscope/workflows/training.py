"""Training stage: alone or in several processes, for as long as was asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pneumoscope.data.prepare import cache_folder
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.devices import launched, use_all_cores
from pneumoscope.models.bundle import Bundle, load_bundle
from pneumoscope.training.features.store import drop_features
from pneumoscope.workflows.context import RunContext
from pneumoscope.workflows.data import network_side

if TYPE_CHECKING:  # Lightning takes seconds to import
    from pneumoscope.models.network import Network
    from pneumoscope.training.job import TrainingJob
    from pneumoscope.training.measure.precision import Precision


def train_stage(work: RunContext, prepared: PreparedSet) -> Bundle:
    """A bundle, trained by the recipe; the best epoch is chosen on validation films."""
    if work.run.model_file.is_file():
        drop_features(work.run)  # a kill may have come between the two
        return load_bundle(work.run.folder)
    # Lightning takes seconds to import and only this stage needs it.
    from pneumoscope.training.fit import fit
    from pneumoscope.training.job import TrainingJob, build_network

    work.listener.stage(f"Train {work.recipe.model.backbone}")
    threads = use_all_cores(work.hardware.devices)
    shared = f", divided among {work.hardware.devices}" if work.hardware.devices > 1 else ""
    work.note_choice("threads", str(threads), f"the cores this process may use{shared}")
    side, why = network_side(work.source, work.recipe)
    work.note_choice("input size", f"{side} px", why)
    begun = work.run.last_checkpoint.is_file()
    network = build_network(prepared, work.recipe, side, work.seed, begun=begun)
    precision = _precision(work, network)
    job = TrainingJob(prepared, work.recipe, side, work.seed, precision, work.hardware)
    if work.recipe.train.minutes is not None:
        job = _within_minutes(work, job, network)
    if work.hardware.processes == 1:
        return fit(work.run, job, network, work.listener)
    return _train_together(work, job, network)


def _precision(work: RunContext, network: Network) -> Precision:
    """The recipe's precision, or the faster one; a resumed run computes as it began."""
    from pneumoscope.training.measure.precision import Precision, settle_precision

    kept = work.run.manifest().get("precision")
    if kept:
        precision = Precision(kept["name"], kept["why"], work.device)
    else:
        memory = cache_folder() / "precision.json"
        precision = settle_precision(network, work.recipe, work.device, memory)
    work.run.update_manifest(precision={"name": precision.name, "why": precision.why})
    work.note_choice("precision", f"{precision.name}, channels_last", precision.why)
    return precision


def _within_minutes(work: RunContext, job: TrainingJob, network: Network) -> TrainingJob:
    """The job with the epochs that fit into its minutes; a resumed run keeps its number, and runs
    that belong together have the same."""
    from pneumoscope.training.measure.budget import fit_to_time

    kept = work.run.manifest().get("epochs") or work.ready.epochs.get(job.recipe.name)
    if not kept:
        epochs, why = fit_to_time(work.run.folder, job, network)
        kept = {"number": epochs, "why": why}
    work.ready.epochs[job.recipe.name] = kept
    work.run.update_manifest(epochs=kept)
    work.note_choice("epochs", str(kept["number"]), kept["why"])
    train = job.recipe.train.model_copy(update={"epochs": int(kept["number"])})
    return replace(job, recipe=job.recipe.model_copy(update={"train": train}))


def _train_together(work: RunContext, job: TrainingJob, network: Network) -> Bundle:
    """The same from several processes, one for each device."""
    from pneumoscope.training.parallel.processes import (
        check_enough,
        has_batch_norm,
        train_in_processes,
    )
    from pneumoscope.training.parallel.torchrun import train_as_rank_zero

    hardware = work.hardware
    check_enough(job.prepared, job.recipe, hardware)
    part = job.recipe.train.batch_size // hardware.processes
    why = f"one for each device; each takes {part} films of a batch"
    work.note_choice("processes", str(hardware.processes), why)
    if job.precision.device == "cpu" and has_batch_norm(network):
        why = "torch shares it between GPUs only; figures differ from those of one process"
        work.note_choice("batch norm", f"over the {part} films of a process", why)
    if launched():
        train_as_rank_zero(work.run, job, network, work.listener)
    else:
        train_in_processes(work.run, job, work.listener)
    return load_bundle(work.run.folder)
