"""The stage that trains: alone or in several processes, for as long as was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.data.prepare import cache_folder
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.devices import use_all_cores
from pneumoscope.models.bundle import Bundle, load_bundle
from pneumoscope.recipe import Recipe
from pneumoscope.training.features import drop_features
from pneumoscope.workflows.context import RunContext
from pneumoscope.workflows.data import network_side

if TYPE_CHECKING:  # Lightning takes seconds to import
    from pneumoscope.models.network import Network
    from pneumoscope.training.measure.precision import Precision


def train_stage(work: RunContext, prepared: PreparedSet) -> Bundle:
    """A bundle, trained by the recipe; the best epoch is chosen on validation films."""
    if work.run.model_file.is_file():
        drop_features(work.run)  # a kill may have come between the two
        return load_bundle(work.run.folder)
    # Lightning takes seconds to import and only this stage needs it.
    from pneumoscope.training.fit import build_network, fit
    from pneumoscope.training.measure.precision import Precision, settle_precision

    work.listener.stage(f"Train {work.recipe.model.backbone}")
    threads = use_all_cores(work.hardware.devices)
    shared = f", divided among {work.hardware.devices}" if work.hardware.devices > 1 else ""
    work.note_choice("threads", str(threads), f"the cores this process may use{shared}")
    side, why = network_side(work.source, work.recipe)
    work.note_choice("input size", f"{side} px", why)
    begun = work.run.last_checkpoint.is_file()
    network = build_network(prepared, work.recipe, side, work.seed, begun=begun)
    kept = work.run.manifest().get("precision")
    if kept:
        # A resumed run computes as it began.
        precision = Precision(kept["name"], kept["why"], work.device)
    else:
        precision = settle_precision(
            network, work.recipe, work.device, cache_folder() / "precision.json"
        )
    work.run.update_manifest(precision={"name": precision.name, "why": precision.why})
    work.note_choice("precision", f"{precision.name}, channels_last", precision.why)
    recipe = _fitted(work, prepared, network, precision)
    if work.hardware.processes > 1:
        return _trained_together(work, prepared, recipe, side, precision)
    return fit(
        work.run,
        prepared,
        recipe,
        network,
        seed=work.seed,
        precision=precision,
        listener=work.listener,
    )


def _trained_together(
    work: RunContext, prepared: PreparedSet, recipe: Recipe, side: int, precision: Precision
) -> Bundle:
    """The same from several processes, one for each device."""
    from pneumoscope.training.distributed import check_enough, make_plan, train_together

    hardware = work.hardware
    check_enough(prepared, recipe, hardware)
    share = recipe.train.batch_size // hardware.processes
    why = f"one for each device; each takes {share} films of a batch"
    work.note_choice("processes", str(hardware.processes), why)
    plan = make_plan(
        work.run,
        prepared,
        recipe,
        side=side,
        seed=work.seed,
        precision=precision,
        devices=hardware.devices,
    )
    train_together(plan, work.listener)
    return load_bundle(work.run.folder)


def _fitted(
    work: RunContext, prepared: PreparedSet, network: Network, precision: Precision
) -> Recipe:
    """The recipe with the epochs that fit into its minutes; a resumed run keeps its number, and
    runs that belong together have the same."""
    recipe = work.recipe
    if recipe.train.minutes is None:
        return recipe
    from pneumoscope.training.measure.budget import fit_to_time

    kept = work.run.manifest().get("epochs") or work.ready.epochs.get(recipe.name)
    if not kept:
        epochs, why = fit_to_time(
            *(work.run.folder, prepared, recipe, network),
            seed=work.seed,
            precision=precision,
            processes=work.hardware.processes,
        )
        kept = {"number": epochs, "why": why}
    work.ready.epochs[recipe.name] = kept
    work.run.update_manifest(epochs=kept)
    work.note_choice("epochs", str(kept["number"]), kept["why"])
    train = recipe.train.model_copy(update={"epochs": int(kept["number"])})
    return recipe.model_copy(update={"train": train})
