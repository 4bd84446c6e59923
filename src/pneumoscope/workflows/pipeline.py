"""Pipeline of a run, read from top to bottom: prepare → train → predict → evaluate → report.

Each stage looks at the run folder, does what is not there yet, and leaves files. So finishing a
run that was killed is the same call as starting a new one.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from pneumoscope.devices import check_hardware
from pneumoscope.errors import DataNotFound, InputError
from pneumoscope.listener import Listener, Silent
from pneumoscope.recipe import Recipe, stored_recipe
from pneumoscope.records import DataRequest, Hardware, Source
from pneumoscope.run import Run, check_output, create_run, open_run
from pneumoscope.storage import sweep
from pneumoscope.workflows.context import RunContext, SessionCache, locked_run, new_manifest
from pneumoscope.workflows.data import check_recipe, find_data
from pneumoscope.workflows.stages import (
    baseline_stage,
    data_changed,
    evaluate_stage,
    predict_stage,
    prepare_stage,
    reference_stage,
    report_stage,
    shift_stage,
    shortcut_stage,
    site_stage,
)
from pneumoscope.workflows.training import train_stage
from pneumoscope.workflows.weights import check_weights, located


def run_stages(context: RunContext) -> Run:
    """A run from what is there of it to the report; the run, complete."""
    with context.timed("prepare"):
        prepared = prepare_stage(context)
        reference_stage(context, prepared)
    with context.timed("train"):
        bundle = train_stage(context, prepared)
    with context.timed("predict"):
        predictions = predict_stage(context, prepared, bundle)
    with context.timed("shortcuts"):
        hidden = shortcut_stage(context, prepared, bundle)
    with context.timed("judge"):  # its key on disk since 0.1.0, which pages read
        evaluate_stage(context, prepared, bundle, predictions, hidden)
        shift_stage(context, prepared)
        site_stage(context, prepared)
        baseline_stage(context, prepared)
    with context.timed("report"):
        report_stage(context, prepared)
    return context.run


def train(  # noqa: PLR0913 - what is asked, by whom, and with what
    request: DataRequest,
    recipe: Recipe,
    *,
    seed: int = 0,
    out: Path | None = None,
    command: str = "",
    listener: Listener | None = None,
    session: SessionCache | None = None,
    hardware: Hardware | None = None,
) -> Run:
    """Data in, a judged classifier out: a new run folder, complete.

    ``session`` is what earlier runs of this process found out about the same data. Raises an
    InputError, and leaves no folder, when the data or the recipe will not do.
    """
    listener = listener or Silent()
    check_output(out)
    hardware = hardware or Hardware()
    device = check_hardware(hardware, recipe, out)
    session = session or SessionCache(find_data(request, listener))
    source = session.source
    check_recipe(recipe, source)
    # Before the data is prepared, so that a kill at any moment leaves what --resume completes.
    run = create_run(
        out,
        f"{recipe.model.backbone}-{source.name}",
        recipe.shareable().to_yaml(),
        new_manifest(request, source, recipe, hardware, seed=seed, command=command),
    )
    try:
        with locked_run(run):
            return run_stages(
                RunContext(run, request, recipe, seed, device, listener, session, hardware)
            )
    except InputError:
        _remove_unstarted(run)
        raise


def resume(
    folder: Path, *, listener: Listener | None = None, session: SessionCache | None = None
) -> Run:
    """Complete a run that was stopped, from where it stopped. ``session`` is as of ``train``.
    Raises NotARun, DataNotFound."""
    listener = listener or Silent()
    run = open_run(folder)
    if run.report_file.is_file():
        listener.choice("resume", "nothing to do", "the run is complete")
        return run
    with locked_run(run):
        manifest = run.manifest()
        request = DataRequest.from_json(manifest["request"])
        session = session or SessionCache(find_again(request, listener))
        source = session.source
        if "content" not in manifest and source.fingerprint != manifest["source"]["fingerprint"]:
            raise data_changed(manifest)
        sweep(run.folder)
        recipe = located(stored_recipe(run.recipe_file), manifest.get("weights"))
        if not run.last_checkpoint.is_file() and not run.model_file.is_file():
            check_weights(manifest.get("weights"))  # a run that has begun reads its checkpoint
        seed = int(manifest["seed"])
        hardware = Hardware(**manifest.get("hardware", {}))
        device = check_hardware(hardware, recipe, folder)
        return run_stages(
            RunContext(run, request, recipe, seed, device, listener, session, hardware)
        )


def find_again(request: DataRequest, listener: Listener) -> Source:
    try:
        return find_data(request, listener)
    except DataNotFound as error:
        raise DataNotFound(
            "the data of this run is no longer found",
            got=f"{request.data} ({error.what})",
            remedy="bring it back to that place, if only by a link, or start a new run",
        ) from None


def _remove_unstarted(run: Run) -> None:
    """A run that bad input ended before training leaves no folder; one with a checkpoint stays."""
    if not any(run.checkpoints.glob("*")):
        shutil.rmtree(run.folder, ignore_errors=True)
