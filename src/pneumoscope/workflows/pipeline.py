"""The whole way, read from top to bottom: prepare → train → predict → judge → report.

Each stage looks at the run folder, does what is not there yet, and leaves files. So finishing a
run that was killed is the same call as starting a new one.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from pneumoscope.audit.splits import measure_shifts
from pneumoscope.data.prepared import PreparedSet, facts_of, flow, hidden_lookup, image_lookup
from pneumoscope.data.split import with_splits
from pneumoscope.devices import check_hardware
from pneumoscope.errors import DataNotFound, DiskFull, InputError, NotARun, OutputNotWritable
from pneumoscope.evaluation.choices import choose_all
from pneumoscope.evaluation.evaluate import evaluate_split, operating_point_from
from pneumoscope.evaluation.predictions import predictions_text, read_predictions
from pneumoscope.evaluation.results import write_evaluation
from pneumoscope.evaluation.shortcuts import evaluate_shortcuts
from pneumoscope.imaging.thumbnails import thumbnails
from pneumoscope.inference.predictor import Predictor
from pneumoscope.manifest import Manifest
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.models.bundle import Bundle, save_about
from pneumoscope.models.weights import check_model
from pneumoscope.recipe import Recipe, stored_recipe
from pneumoscope.records import DataRequest, Hardware, Listener, Silent, Source
from pneumoscope.report.run.render import write_report
from pneumoscope.run import Run, check_room, create_run, open_run
from pneumoscope.storage import sweep, write_atomic
from pneumoscope.workflows.context import (
    RunContext,
    SessionCache,
    locked_run,
    new_manifest,
    prepared_key,
)
from pneumoscope.workflows.data import (
    find_data,
    network_side,
    prepare_source,
    stored_spec,
)
from pneumoscope.workflows.explain.heatmaps import heat_of
from pneumoscope.workflows.predictions import predict_rows
from pneumoscope.workflows.shortcuts import shortcut_stage
from pneumoscope.workflows.training import train_stage
from pneumoscope.workflows.weights import check_weights, located


def train(  # noqa: PLR0913 - what is asked, by whom, and with what
    request: DataRequest,
    recipe: Recipe,
    *,
    seed: int = 0,
    out: Path | None = None,
    command: str = "",
    listener: Listener | None = None,
    ready: SessionCache | None = None,
    hardware: Hardware | None = None,
) -> Run:
    """Data in, a judged classifier out: a new run folder, complete.

    ``ready`` is what earlier runs of this process found out about the same data. Raises an
    InputError, and leaves no folder, when the data or the recipe will not do.
    """
    listener = listener or Silent()
    check_room(out)
    hardware = hardware or Hardware()
    device = check_hardware(hardware, recipe, out)
    ready = ready or SessionCache(find_data(request, listener))
    source = ready.source
    side, _ = network_side(source, recipe)
    model = recipe.model
    check_model(model.backbone, model.weights, side, model.freeze, recipe.train.views)
    run = create_run(
        out,
        f"{recipe.model.backbone}-{source.name}",
        recipe.shareable().to_yaml(),
        new_manifest(request, source, recipe, hardware, seed=seed, command=command),
    )
    try:
        with locked_run(run):
            work = RunContext(run, request, source, recipe, seed, device, listener, ready, hardware)
            return _finish(work)
    except InputError:
        _remove_unstarted(run)
        raise


def resume(
    folder: Path, *, listener: Listener | None = None, ready: SessionCache | None = None
) -> Run:
    """Complete a run that was stopped, from where it stopped. ``ready`` is as of ``train``.
    Raises NotARun, DataNotFound."""
    listener = listener or Silent()
    run = open_run(folder)
    if run.report_file.is_file():
        listener.choice("resume", "nothing to do", "the run is complete")
        return run
    with locked_run(run):
        manifest = run.manifest()
        request = DataRequest.from_json(manifest["request"])
        ready = ready or SessionCache(find_again(request, listener))
        source = ready.source
        if "content" not in manifest and source.fingerprint != manifest["source"]["fingerprint"]:
            raise _changed(manifest)
        sweep(run.folder)
        recipe = located(stored_recipe(run.recipe_file), manifest.get("weights"))
        if not run.last_checkpoint.is_file() and not run.model_file.is_file():
            check_weights(manifest.get("weights"))  # a run that has begun reads its checkpoint
        seed = int(manifest["seed"])
        hardware = Hardware(**manifest.get("hardware", {}))
        device = check_hardware(hardware, recipe, folder)
        work = RunContext(run, request, source, recipe, seed, device, listener, ready, hardware)
        return _finish(work)


def find_again(request: DataRequest, listener: Listener) -> Source:
    try:
        return find_data(request, listener)
    except DataNotFound as error:
        raise DataNotFound(
            "the data of this run is no longer found",
            got=f"{request.data} ({error.what})",
            remedy="bring it back to that place, if only by a link, or start a new run",
        ) from None


def _changed(manifest: Manifest) -> NotARun:
    return NotARun(
        "the data has changed since the run began",
        got=manifest["data"],
        expected=f"content {manifest.get('content') or manifest['source']['fingerprint']}",
        remedy="bring the old data back, or start a new run on the new",
    )


def _finish(work: RunContext) -> Run:
    """The table of contents."""
    prepared = work.timed("prepare", lambda: prepare_stage(work))
    bundle = work.timed("train", lambda: train_stage(work, prepared))
    predictions = work.timed("predict", lambda: predict_stage(work, prepared, bundle))
    hidden = work.timed("shortcuts", lambda: shortcut_stage(work, prepared, bundle))
    work.timed("judge", lambda: judge_stage(work, prepared, bundle, predictions, hidden))
    work.timed("report", lambda: report_stage(work, prepared))
    return work.run


def prepare_stage(work: RunContext) -> PreparedSet:
    """The source as uint8 squares in the cache folder, or in the run when that is closed, with
    its splits."""
    spec = stored_spec(work.source, work.recipe)

    def prepared_in(folder: Path | None) -> PreparedSet:
        return prepare_source(
            work.source,
            spec,
            work.listener,
            folder=folder,
            keep_ids=work.request.keep_ids,
            most_bad=work.recipe.data.most_bad,
        )

    kept_here = work.run.local_data.exists()
    key = prepared_key(spec, work.recipe)
    if key in work.ready.prepared and not kept_here:
        prepared = work.ready.prepared[key]
    else:
        try:
            prepared = prepared_in(work.run.local_data if kept_here else None)
        except DiskFull:
            raise
        except OutputNotWritable as error:
            if kept_here:
                raise
            work.note_choice("prepared set", "kept in the run folder", f"{error.got}")
            prepared = prepared_in(work.run.local_data)
        work.ready.prepared[key] = prepared
    manifest = work.run.manifest()
    if manifest.get("content", prepared.content) != prepared.content:
        raise _changed(manifest)
    prepared, plan = with_splits(prepared, work.recipe.data)
    for choice in plan.choices:
        work.note_choice(*choice)
    work.run.update_manifest(content=prepared.content, flow=flow(prepared))
    return prepared


def predict_stage(work: RunContext, prepared: PreparedSet, bundle: Bundle) -> pd.DataFrame:
    """Logits of every validation and test film, each computed once."""
    if work.run.predictions_file.is_file():
        return read_predictions(work.run.predictions_file)
    work.listener.stage("Predict validation and test films")
    rows = np.concatenate([prepared.rows("val"), prepared.rows("test")])
    table = predict_rows(Predictor([bundle], work.device), prepared, rows, work.listener)
    write_atomic(work.run.predictions_file, predictions_text(table))
    return read_predictions(work.run.predictions_file)


def judge_stage(
    work: RunContext,
    prepared: PreparedSet,
    bundle: Bundle,
    predictions: pd.DataFrame,
    hidden: pd.DataFrame | None = None,
) -> None:
    """Thresholds, temperature and abstention from validation rows, then the locked test split."""
    if work.run.metrics_file.is_file():
        return
    work.listener.stage("Judge on the locked test split")
    decide = work.recipe.decide
    own = operating_point_from(predictions, decide.rule, decide.target)
    choices = choose_all(predictions, own)
    carrying = bundle.with_operating_points(*choices.points)
    save_about(carrying.with_calibration(choices.calibration, choices.conformal), work.run.folder)
    settings = IntervalSettings(seed=work.seed)
    found = evaluate_split(
        predictions,
        split="test",
        choices=choices,
        facts=facts_of(prepared.table),
        settings=settings,
    )
    work.listener.stage("Tell the splits apart")
    shifts = measure_shifts(prepared, thumbnails(prepared.images), work.seed)
    work.run.update_manifest(shifts=[shift.to_json() for shift in shifts])
    for shift in shifts:
        if shift.finding:
            work.listener.note(shift.finding)
    if hidden is not None:
        shortcuts = evaluate_shortcuts(predictions, hidden, split="test", settings=settings)
        found = replace(found, shortcuts=shortcuts)
        for each in shortcuts:
            if each.finding:
                work.listener.note(each.finding)
    write_evaluation(work.run.metrics_file, found)


def report_stage(work: RunContext, prepared: PreparedSet) -> None:
    """Figures, model card and the report."""
    work.listener.stage("Write the report")
    run = work.run.folder
    heat = heat_of(run, prepared, work.listener, own=True, keep=True)
    write_report(run, image_lookup(prepared), heat=heat, hidden=hidden_lookup(prepared))


def _remove_unstarted(run: Run) -> None:
    """A run that bad input ended before training leaves no folder; one with a checkpoint stays."""
    if not any(run.checkpoints.glob("*")):
        shutil.rmtree(run.folder, ignore_errors=True)
