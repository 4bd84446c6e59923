"""The whole way, read from top to bottom: prepare → train → predict → judge → report.

Each stage looks at the run folder, does what is not there yet, and leaves files. So finishing a
run that was killed is the same call as starting a new one.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pneumoscope.data.prepare import cache_folder
from pneumoscope.data.prepared import PreparedSet, flow
from pneumoscope.data.split import with_splits
from pneumoscope.errors import DataNotFound, InputError, NotARun, OutputNotWritable
from pneumoscope.evaluation.evaluate import evaluate, operating_point_from
from pneumoscope.inference.predict import predict_logits, probability
from pneumoscope.models.bundle import Bundle, load_bundle, save_about
from pneumoscope.models.weights import check_model
from pneumoscope.recipe import Recipe, load_recipe
from pneumoscope.records import DataRequest, Grey, Listener, Silent, Source
from pneumoscope.report.render import write_report
from pneumoscope.run import (
    Run,
    check_new,
    create_run,
    open_run,
    read_json,
    sweep,
    write_atomic,
    write_json,
)
from pneumoscope.workflows.data import (
    find_data,
    network_side,
    prepare_source,
    stored_spec,
)
from pneumoscope.workflows.work import Work, best_device, held, new_card, use_all_cores


def train(
    request: DataRequest,
    recipe: Recipe,
    *,
    seed: int = 0,
    out: Path | None = None,
    command: str = "",
    listener: Listener | None = None,
) -> Run:
    """Data in, a judged classifier out: a new run folder, complete.

    Raises an InputError, and leaves no folder, when the data or the recipe will not do.
    """
    listener = listener or Silent()
    check_new(out)
    source = find_data(request, listener)
    side, _ = network_side(source, recipe)
    check_model(recipe.model.backbone, recipe.model.weights, side)
    run = create_run(
        out,
        f"{recipe.model.backbone}-{source.name}",
        recipe.to_yaml(),
        new_card(request, source, seed, command),
    )
    try:
        with held(run):
            return _finish(Work(run, request, source, recipe, seed, best_device(), listener))
    except InputError:
        _remove_unstarted(run)
        raise


def resume(folder: Path, *, listener: Listener | None = None) -> Run:
    """Complete a run that was stopped, from where it stopped. Raises NotARun, DataNotFound."""
    listener = listener or Silent()
    run = open_run(folder)
    if run.report_file.is_file():
        listener.choice("resume", "nothing to do", "the run is complete")
        return run
    with held(run):
        card = run.card()
        request = DataRequest.from_json(card["request"])
        source = _find_again(request, listener)
        if "content" not in card and source.fingerprint != card["source"]["fingerprint"]:
            raise _changed(card)
        sweep(run.folder)
        recipe = load_recipe(str(run.recipe_file))
        seed = int(card["seed"])
        return _finish(Work(run, request, source, recipe, seed, best_device(), listener))


def _find_again(request: DataRequest, listener: Listener) -> Source:
    try:
        return find_data(request, listener)
    except DataNotFound as error:
        raise DataNotFound(
            "the data of this run is no longer found",
            got=f"{request.data} ({error.what})",
            remedy="bring it back to that place, if only by a link, or start a new run",
        ) from None


def _changed(card: dict[str, Any]) -> NotARun:
    return NotARun(
        "the data has changed since the run began",
        got=card["data"],
        expected=f"content {card.get('content') or card['source']['fingerprint']}",
        remedy="bring the old data back, or start a new run on the new",
    )


def _finish(work: Work) -> Run:
    """The table of contents."""
    prepared = work.timed("prepare", lambda: prepare_stage(work))
    bundle = work.timed("train", lambda: train_stage(work, prepared))
    predictions = work.timed("predict", lambda: predict_stage(work, prepared, bundle))
    work.timed("judge", lambda: judge_stage(work, bundle, predictions))
    work.timed("report", lambda: report_stage(work, prepared))
    return work.run


def prepare_stage(work: Work) -> PreparedSet:
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
    try:
        prepared = prepared_in(work.run.local_data if kept_here else None)
    except OutputNotWritable as error:
        if kept_here or "full" in error.what:
            raise
        work.note_choice("prepared set", "kept in the run folder", f"{error.got}")
        prepared = prepared_in(work.run.local_data)
    card = work.run.card()
    if card.get("content", prepared.content) != prepared.content:
        raise _changed(card)
    prepared, plan = with_splits(prepared, work.recipe.data)
    for choice in plan.choices:
        work.note_choice(*choice)
    work.run.update_card(content=prepared.content, flow=flow(prepared))
    return prepared


def train_stage(work: Work, prepared: PreparedSet) -> Bundle:
    """A bundle, trained by the recipe; the best epoch is chosen on validation films."""
    if work.run.model_file.is_file():
        return load_bundle(work.run.folder)
    # Lightning takes seconds to import and only this stage needs it.
    from pneumoscope.training.fit import build_network, fit
    from pneumoscope.training.precision import Precision, choose_precision

    work.listener.stage(f"Train {work.recipe.model.backbone}")
    threads = use_all_cores()
    work.note_choice("threads", str(threads), "the cores this process may use")
    side, why = network_side(work.source, work.recipe)
    work.note_choice("input size", f"{side} px", why)
    begun = work.run.last_checkpoint.is_file()
    network = build_network(prepared, work.recipe, side, work.seed, begun=begun)
    asked = work.recipe.train.precision
    kept = work.run.card().get("precision")
    if kept:
        # A resumed run computes as it began.
        precision = Precision(kept["name"], kept["why"], work.device)
    elif asked != "auto":
        precision = Precision(asked, "the recipe says so", work.device)
    else:
        memory = cache_folder() / "precision.json"
        precision = choose_precision(network, work.recipe.model.backbone, work.device, memory)
    work.run.update_card(precision={"name": precision.name, "why": precision.why})
    work.note_choice("precision", f"{precision.name}, channels_last", precision.why)
    return fit(
        work.run,
        prepared,
        work.recipe,
        network,
        seed=work.seed,
        precision=precision,
        listener=work.listener,
    )


def predict_stage(work: Work, prepared: PreparedSet, bundle: Bundle) -> pd.DataFrame:
    """Logits of every validation and test film, each computed once."""
    if work.run.predictions_file.is_file():
        return read_predictions(work.run)
    work.listener.stage("Predict validation and test films")
    use_all_cores()
    rows = np.concatenate([prepared.rows("val"), prepared.rows("test")])

    def advance(done: int, total: int) -> None:
        work.listener.progress(done, total, "film")

    logits = predict_logits(bundle, prepared.images, rows, device=work.device, advance=advance)
    table = prepared.table.iloc[rows][["image_id", "patient_id", "split", "label"]].copy()
    table["logit"] = logits
    table["probability"] = probability(logits)
    # 17 digits bring every float64 back exactly, so judging the file is judging the model.
    write_atomic(work.run.predictions_file, table.to_csv(index=False, float_format="%.17g"))
    return read_predictions(work.run)


def judge_stage(work: Work, bundle: Bundle, predictions: pd.DataFrame) -> None:
    """The threshold from validation rows, then the metrics of the locked test split."""
    if work.run.metrics_file.is_file():
        return
    work.listener.stage("Judge on the locked test split")
    decide = work.recipe.decide
    point = operating_point_from(predictions, decide.rule, decide.target)
    save_about(bundle.with_operating_points(point), work.run.folder)
    metrics = evaluate(predictions, split="test", operating_point=point, seed=work.seed)
    write_json(work.run.metrics_file, metrics)


def report_stage(work: Work, prepared: PreparedSet) -> None:
    """Figures, model card and the report."""
    work.listener.stage("Write the report")
    where = {image_id: row for row, image_id in enumerate(prepared.table["image_id"])}

    def film(image_id: str) -> Grey | None:
        row = where.get(image_id)
        return None if row is None else np.asarray(prepared.images[row])

    write_report(work.run.folder, film)


def read_predictions(run: Run) -> pd.DataFrame:
    """``predictions.csv`` as written, ids as text."""
    text = {"image_id": "string", "patient_id": "string", "split": "string"}
    # Python's own float brings back every digit in any version of pandas.
    exact = {"logit": float, "probability": float}
    return pd.read_csv(run.predictions_file, dtype=text, converters=exact)


def read_metrics(run: Run) -> dict[str, Any]:
    """``metrics.json`` as written."""
    return read_json(run.metrics_file)


def _remove_unstarted(run: Run) -> None:
    """A run that bad input ended before training leaves no folder; one with a checkpoint stays."""
    if not any(run.checkpoints.glob("*")):
        shutil.rmtree(run.folder, ignore_errors=True)
