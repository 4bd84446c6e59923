"""Stages of a run beside training: prepare, predict, check for shortcuts, evaluate, report.

Each looks at the run folder, does what is not there yet, and leaves files.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from pneumoscope.audit.baselines import judge_baselines
from pneumoscope.audit.people import people_of
from pneumoscope.audit.sites import measure_sites
from pneumoscope.audit.splits import measure_shifts
from pneumoscope.data.door import door_of
from pneumoscope.data.prepared import (
    PreparedSet,
    facts_of,
    flow,
    hidden_lookup,
    image_lookup,
    reference_of,
    split_counts,
)
from pneumoscope.data.split import with_splits
from pneumoscope.devices import use_all_cores
from pneumoscope.errors import DiskFull, NotARun, OutputNotWritable
from pneumoscope.evaluation.choices import Choices, choose_all, on_validation
from pneumoscope.evaluation.evaluate import (
    evaluate_split,
    evaluate_withheld,
    operating_point_from,
)
from pneumoscope.evaluation.predictions import (
    at_temperature,
    predictions_text,
    read_predictions,
)
from pneumoscope.evaluation.results import write_evaluation
from pneumoscope.evaluation.shortcuts import (
    evaluate_shortcuts,
    read_shortcuts,
    shortcuts_text,
)
from pneumoscope.imaging.hidden import mean_film
from pneumoscope.imaging.known.reference import load_reference, save_reference
from pneumoscope.inference.gate import gate_of
from pneumoscope.inference.predictor import Predictor
from pneumoscope.inference.shortcuts import shortcut_logits
from pneumoscope.manifest import Manifest
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.models.bundle import Bundle, save_about
from pneumoscope.plain import to_plain
from pneumoscope.records import OWN
from pneumoscope.report.run.render import write_report
from pneumoscope.sources.known_sets import KnownSet, recognise
from pneumoscope.storage import write_atomic
from pneumoscope.workflows.context import RunContext
from pneumoscope.workflows.data import prepared_for, tell_door
from pneumoscope.workflows.explain.heatmaps import heat_of
from pneumoscope.workflows.predictions import predict_rows
from pneumoscope.workflows.weights import warn_of_seen


def prepare_stage(context: RunContext) -> PreparedSet:
    """The source as uint8 squares in the cache folder, or in the run when that is closed, with
    its splits."""
    whole = _prepared_set(context)
    # Pixels, labels and official splits, wherever they lie: a moved folder is the same data.
    manifest = context.run.manifest()
    if manifest.get("content", whole.content) != whole.content:
        raise data_changed(manifest)
    # Splits are the recipe's and not the set's: another seed or fold reads no film again.
    prepared, plan = with_splits(whole, context.recipe.data)
    for choice in plan.choices:
        context.note_choice(*choice)
    door = door_of(whole, plan.split)
    known = recognise(whole.about["source"], split_counts(whole.table))
    context.run.update_manifest(
        content=prepared.content,
        flow=flow(prepared),
        door=to_plain(door),
        known_set=to_plain(known) if known else None,
        people=[to_plain(each) for each in people_of(prepared.table)],
    )
    _warn_of_weights(context, _known_titles(whole, known))
    if door != context.session.door:  # of seeds that share their splits once
        tell_door(door, context.listener)
    context.session.door = door
    return prepared


def _known_titles(whole: PreparedSet, known: KnownSet | None) -> list[str]:
    """The titles of the known sets that the films are of; one that is empty where it is none."""
    found = [known]
    for site, about in whole.about["source"].get("sites", {}).items():
        found.append(recognise(about, split_counts(whole.table[whole.table["site"] == site])))
    return [each.title for each in found if each] or [""]


def _warn_of_weights(context: RunContext, titles: list[str]) -> None:
    """Say, here and in the run, that the weights it begins from may have seen its films."""
    entry = context.run.manifest().get("weights")
    warnings = [said for title in titles if (said := warn_of_seen(entry, title))]
    for warning in dict.fromkeys(warnings):
        context.listener.note(warning)
    if warnings:
        context.run.update_manifest(warnings=list(dict.fromkeys(warnings)))


def _prepared_set(context: RunContext) -> PreparedSet:
    session, request, recipe = context.session, context.request, context.recipe
    local, listener = context.run.local_data, context.listener
    if not local.exists():
        try:
            return session.prepared(request, recipe, listener)
        except DiskFull:  # another folder on it would not help
            raise
        except OutputNotWritable as error:
            context.note_choice("prepared set", "kept in the run folder", f"{error.got}")
    prepared = prepared_for(request, session.source, recipe, listener, folder=local)
    session.sets[session.key(recipe)] = prepared
    return prepared


def data_changed(manifest: Manifest) -> NotARun:
    """The error of a run whose data is not what it was."""
    return NotARun(
        "the data has changed since the run began",
        got=manifest["data"],
        expected=f"content {manifest.get('content') or manifest['source']['fingerprint']}",
        remedy="bring the old data back, or start a new run on the new",
    )


def reference_stage(context: RunContext, prepared: PreparedSet) -> None:
    """What the model keeps of the films that it is made from."""
    file = context.run.reference_file
    if not file.is_file():
        save_reference(file, reference_of(prepared))


def predict_stage(context: RunContext, prepared: PreparedSet, bundle: Bundle) -> pd.DataFrame:
    """Raw logits of every validation and test film, each computed once; where a site is judged that
    took no part in training, of the test films of the others too."""
    file = context.run.predictions_file
    if not file.is_file():
        context.listener.stage("Predict validation and test films")
        rows = np.concatenate([prepared.rows(split) for split in ("val", "test", OWN)])
        predictor = Predictor([bundle], context.device)
        table = predict_rows(predictor, prepared, rows, context.listener)
        write_atomic(file, predictions_text(table))
    return read_predictions(file)


def shortcut_stage(
    context: RunContext, prepared: PreparedSet, bundle: Bundle
) -> pd.DataFrame | None:
    """A row a test film: its logits where only the border, the centre or a thumbnail is left.
    What is hidden is filled with the mean of the training films; None where there are none."""
    file = context.run.shortcuts_file
    kept = read_shortcuts(file)
    train, rows = prepared.rows("train"), prepared.rows("test")
    if kept is not None or context.run.metrics_file.is_file() or not len(train):
        return kept
    context.listener.stage("Check for shortcuts")
    use_all_cores()
    found = shortcut_logits(
        Predictor([bundle], context.device),
        prepared.images,
        rows,
        fill=mean_film(prepared.images, train),
        advance=partial(context.listener.progress, unit="film"),
    )
    table = prepared.table.iloc[rows][["image_id"]].assign(**found)
    write_atomic(file, shortcuts_text(table))
    return read_shortcuts(file)


def evaluate_stage(
    context: RunContext,
    prepared: PreparedSet,
    bundle: Bundle,
    predictions: pd.DataFrame,
    hidden: pd.DataFrame | None,
) -> None:
    """What decides, chosen on validation rows; then the metrics of the locked test split."""
    if context.run.metrics_file.is_file():
        return
    context.listener.stage("Judge on the locked test split")
    settings = IntervalSettings(seed=context.seed)
    choices = _choose(context, bundle, predictions)
    # Chosen from raw logits, which stay in the file: after a kill here, all is chosen alike.
    predictions = at_temperature(predictions, choices.temperature)
    write_atomic(context.run.predictions_file, predictions_text(predictions))
    found = evaluate_split(
        predictions,
        split="test",
        choices=choices,
        facts=facts_of(prepared.table),
        settings=settings,
    )
    if hidden is not None:
        shortcuts = evaluate_shortcuts(predictions, hidden, split="test", settings=settings)
        found = replace(found, shortcuts=shortcuts)
        for each in shortcuts:
            if each.finding:
                context.listener.note(each.finding)
    reference = load_reference(context.run.reference_file)
    tested = predictions.loc[predictions["split"] == "test", "image_id"]
    if (gate := gate_of(prepared, tested, reference)) is not None:
        found = replace(found, withheld=evaluate_withheld(predictions, gate, found, settings))
    write_evaluation(context.run.metrics_file, found)


def _choose(context: RunContext, bundle: Bundle, predictions: pd.DataFrame) -> Choices:
    """Thresholds, temperature and abstention from validation rows, kept in ``model.json``."""
    decide = context.recipe.decide
    own = operating_point_from(predictions, decide.rule, decide.target)
    choices = choose_all(predictions, own)
    choices = on_validation(choices, predictions, IntervalSettings(seed=context.seed))
    carrying = bundle.with_operating_points(*choices.points)
    carrying = carrying.with_calibration(choices.calibration, choices.conformal)
    save_about(carrying, context.run.folder)
    return choices


def shift_stage(context: RunContext, prepared: PreparedSet) -> None:
    """Whether thumbnails tell the films of other splits from those of train."""
    if "shifts" in context.run.manifest():
        return
    context.listener.stage("Tell the splits apart")
    shifts = measure_shifts(prepared, prepared.thumbs, context.seed)
    for shift in shifts:
        if shift.finding:
            context.listener.note(shift.finding)
    context.run.update_manifest(shifts=[shift.to_json() for shift in shifts])


def site_stage(context: RunContext, prepared: PreparedSet) -> None:
    """How well the site of a training film tells its label, and the film its site, where they are
    of several."""
    if "sites" in context.run.manifest():
        return
    found = measure_sites(prepared.table, prepared.thumbs, prepared.rows("train"), context.seed)
    if found is not None:
        for said in filter(None, (found.label_words, found.film_words)):
            context.listener.note(said)
        context.run.update_manifest(sites=to_plain(found))


def baseline_stage(context: RunContext, prepared: PreparedSet) -> None:
    """What models without lungs reach on the test films, beside which the network's figures
    stand."""
    if "baselines" in context.run.manifest():
        return
    context.listener.stage("Predict the label without the lungs")
    found = judge_baselines(prepared.table, prepared.thumbs)
    context.run.update_manifest(baselines=[to_plain(each) for each in found])


def report_stage(context: RunContext, prepared: PreparedSet) -> None:
    """Figures, model card and the report."""
    context.listener.stage("Write the report")
    folder = context.run.folder
    # Made once and kept: evaluating the run again then needs no torch and shows the same heat.
    heat = heat_of(folder, prepared, context.listener, own=True, keep=True)
    write_report(folder, image_lookup(prepared), heat=heat, hidden=hidden_lookup(prepared))
