"""Training stage: alone or in several processes, for as long as was asked."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.data.pool import cores
from pneumoscope.data.prepare import cache_folder
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.devices import free_cores, launched, use_all_cores, use_cores
from pneumoscope.formatting import listed, plural
from pneumoscope.models.bundle import Bundle, load_bundle
from pneumoscope.models.packaged import package_of
from pneumoscope.recipe import Recipe
from pneumoscope.records import CLASSES
from pneumoscope.training.features.store import drop_features
from pneumoscope.workflows.context import RunContext
from pneumoscope.workflows.data import network_side

if TYPE_CHECKING:  # Lightning takes seconds to import
    from pneumoscope.models.network import Network
    from pneumoscope.training.job import TrainingJob
    from pneumoscope.training.measure.precision import Precision


def train_stage(context: RunContext, prepared: PreparedSet) -> Bundle:
    """A bundle, trained by the recipe; the best epoch is chosen on validation films."""
    if context.run.model_file.is_file():
        drop_features(context.run)  # a kill may have come between the two
        return load_bundle(context.run.folder)
    # Lightning takes seconds to import and only this stage needs it.
    from pneumoscope.training.fit import fit
    from pneumoscope.training.job import TrainingJob, build_network

    context.listener.stage(f"Train {context.recipe.model.backbone}")
    _settle_threads(context)
    side, why = network_side(context.source, context.recipe)
    context.note_choice("input size", f"{side} px", why)
    first = context.recipe.data.fold == "none" and not context.run.last_checkpoint.is_file()
    if first and (words := few_films_words(context.recipe, prepared)):
        context.listener.note(words)
    _note_weights(context)
    _note_sites(context, prepared)
    begun = context.run.last_checkpoint.is_file()
    network = build_network(prepared, context.recipe, side, context.seed, begun=begun)
    precision = _precision(context, network)
    job = TrainingJob(prepared, context.recipe, side, context.seed, precision, context.hardware)
    if context.recipe.train.minutes is not None:
        job = _within_minutes(context, job, network)
    elif context.recipe.train.min_steps:
        job = _at_least(context, job)
    if context.hardware.processes == 1:
        return fit(context.run, job, network, context.listener)
    return _train_together(context, job, network)


FEW = 600
"""Training films up to which ``frozen`` is named beside ``default``: measured were 380 alone."""


def few_films_words(recipe: Recipe, prepared: PreparedSet) -> str:
    """The advice to try another recipe where films are few and large; empty where they are not, or
    the user has chosen one."""
    count, model = len(prepared.rows("train")), recipe.model
    small = prepared.table["height"].median() < 64  # of 28 px nothing was measured
    chosen = recipe.name != "default" or model.weights != "none" or model.backbone != "resnet18d"
    if chosen or count > FEW or small:
        return ""
    return (
        f"{plural(count, 'training film')} are few. --recipe frozen begins from ImageNet weights "
        "and trains in seconds; with 380 films of adults, on which it was chosen, its accuracy was "
        "0.850 where default had 0.796 (docs/recipes/ours.md)."
    )


def _settle_threads(context: RunContext) -> None:
    """The cores that others leave to a training of one process; a resumed run computes as it began,
    since sums over threads differ in rounding."""
    about, devices = context.run.manifest()["environment"], context.hardware.devices
    why = "the cores this process may use" + (f", divided among {devices}" * (devices > 1))
    if context.run.last_checkpoint.is_file():
        threads = use_cores(min(about["threads"], cores() // devices))
        why = why if threads == cores() // devices else "as the run began"
    elif context.hardware.processes > 1 or context.device != "cpu":
        threads = use_all_cores(devices)
    else:
        threads = use_cores(free_cores())
        if threads < cores():
            why = "other processes keep the other cores busy, and waiting for those is slower"
    context.run.update_manifest(environment={**about, "threads": threads})
    context.note_choice("threads", str(threads), why)


def _note_sites(context: RunContext, prepared: PreparedSet) -> None:
    """How often films of several sites are drawn."""
    from pneumoscope.training.job import sampling_of

    rows = prepared.rows("train")
    if sampling_of(prepared, context.recipe) != "sites":
        return
    strata, counts = np.unique(prepared.strata(rows), return_counts=True)
    times = len(rows) / len(strata) / counts
    drawn = [
        f"{prepared.sites[each // 2]} {CLASSES[each % 2]} {often:.2g}"
        for each, often in zip(strata, times, strict=True)
    ]
    why = (
        f"so that the site does not tell the class; times a film is drawn an epoch: {listed(drawn)}"
    )
    context.note_choice("sites", "each class of each site alike", why)


def _note_weights(context: RunContext) -> None:
    """Which weights ``imagenet`` stands for."""
    from pneumoscope.models.weights import published

    model = context.recipe.model
    if model.weights != "imagenet":
        return
    if package := package_of(model.backbone):
        why = f"ImageNet weights of an installed package, SHA-256 {package.sha256[:16]}"
        context.note_choice("weights", f"{package.name} {package.version}", why)
    else:
        why = "ImageNet weights of timm's hub, or of its cache on this machine"
        context.note_choice("weights", published(model.backbone), why)


def _precision(context: RunContext, network: Network) -> Precision:
    """The recipe's precision, or the faster one; a resumed run computes as it began."""
    from pneumoscope.training.measure.precision import Precision, settle_precision

    kept = context.run.manifest().get("precision")
    if kept:
        precision = Precision(kept["name"], kept["why"], context.device)
    else:
        memory = cache_folder() / "precision.json"
        precision = settle_precision(
            network, context.recipe, context.device, memory, context.listener
        )
    context.run.update_manifest(precision={"name": precision.name, "why": precision.why})
    context.note_choice("precision", f"{precision.name}, channels_last", precision.why)
    return precision


def _within_minutes(context: RunContext, job: TrainingJob, network: Network) -> TrainingJob:
    """The job with the epochs that fit into its minutes; a resumed run keeps its number, and runs
    that belong together have the same."""
    from pneumoscope.training.measure.budget import fit_to_time

    kept = context.run.manifest().get("epochs") or context.session.epochs.get(job.recipe.name)
    if not kept:
        epochs, why = fit_to_time(context.run.folder, job, network, context.listener)
        kept = {"number": epochs, "why": why}
    context.session.epochs[job.recipe.name] = kept
    context.run.update_manifest(epochs=kept)
    context.note_choice("epochs", str(kept["number"]), kept["why"])
    return _for_epochs(job, int(kept["number"]))


def _at_least(context: RunContext, job: TrainingJob) -> TrainingJob:
    """The job with the epochs that its training films need for the least number of steps."""
    from pneumoscope.training.job import steps_of_epoch

    each, train = steps_of_epoch(job.prepared, job.recipe), job.recipe.train
    epochs = math.ceil(train.min_steps / each)
    if epochs <= train.epochs:
        return job
    why = f"{plural(each, 'step')} an epoch, and the recipe asks for {train.min_steps:,} at least"
    context.note_choice("epochs", f"{epochs:,}", why)
    return _for_epochs(job, epochs)


def _for_epochs(job: TrainingJob, epochs: int) -> TrainingJob:
    train = job.recipe.train.model_copy(update={"epochs": epochs})
    return replace(job, recipe=job.recipe.model_copy(update={"train": train}))


def _train_together(context: RunContext, job: TrainingJob, network: Network) -> Bundle:
    """The same from several processes, one for each device."""
    from pneumoscope.training.parallel.processes import (
        check_enough,
        has_batch_norm,
        train_in_processes,
    )
    from pneumoscope.training.parallel.torchrun import train_as_rank_zero

    hardware = context.hardware
    check_enough(job.prepared, job.recipe, hardware)
    part = job.recipe.train.batch_size // hardware.processes
    why = f"one for each device; each takes {part} films of a batch"
    context.note_choice("processes", str(hardware.processes), why)
    if job.precision.device == "cpu" and has_batch_norm(network):
        why = "torch shares it between GPUs only; figures differ from those of one process"
        context.note_choice("batch norm", f"over the {part} films of a process", why)
    if launched():
        train_as_rank_zero(context.run, job, network, context.listener)
    else:
        train_in_processes(context.run, job, context.listener)
    return load_bundle(context.run.folder)
