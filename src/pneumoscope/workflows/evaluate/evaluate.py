"""Evaluation of a finished run: another split, other data, other costs, in a folder of its own.

A request names a run; its model and the rows to evaluate it on are found; figures, pages and the
rows are written into a new folder. The run itself stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pneumoscope
from pneumoscope.data.prepared import facts_of, hidden_lookup, image_lookup
from pneumoscope.errors import InputError
from pneumoscope.evaluation.choices import Choices
from pneumoscope.evaluation.evaluate import evaluate_split, evaluate_withheld
from pneumoscope.evaluation.predictions import (
    at_temperature,
    predictions_text,
    read_predictions,
)
from pneumoscope.evaluation.results import Evaluation, write_evaluation
from pneumoscope.evaluation.shortcuts import evaluate_shortcuts
from pneumoscope.formatting import number
from pneumoscope.inference.gate import gate_of
from pneumoscope.listener import Listener, Silent
from pneumoscope.manifest import Choice, Manifest
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.readings import OperatingPoint
from pneumoscope.report.run.render import write_report
from pneumoscope.run import Run, check_output, create_folder, open_complete
from pneumoscope.storage import timestamp, write_atomic, write_json
from pneumoscope.workflows.evaluate.model import EvaluatedModel, model_of_ensemble, model_of_run
from pneumoscope.workflows.evaluate.request import EvaluateRequest
from pneumoscope.workflows.evaluate.rows import (
    OPTIMISTIC,
    EvaluationRows,
    rows_of_ensemble,
    rows_of_run,
)
from pneumoscope.workflows.explain.heatmaps import heat_of
from pneumoscope.workflows.groups.ensemble import ensemble_folders
from pneumoscope.workflows.networks import Networks


def evaluate_run(
    request: EvaluateRequest,
    *,
    out: Path | None = None,
    command: str = "",
    listener: Listener | None = None,
    networks: Networks | None = None,
) -> Path:
    """Evaluate a run, or the mean of several, and write metrics.json, predictions.csv, figures and
    report.html into a new folder, which is returned. The run itself is not altered. ``networks``
    are those of the run, where they are at hand; those of an ensemble are loaded here.

    Everything that decides was fitted on the run's validation rows, also for other data. Of an
    ensemble's own data only films are taken that no member has seen. Raises NotARun for a run
    that is not complete, InputError for data that is the run's own, BadLabels where no film has
    a label, and as ``evaluation.evaluate.evaluate_split``.
    """
    listener = listener or Silent()
    request.check()
    check_output(out)
    if places := ensemble_folders(request.run):
        _check_ensemble(request, places)
        model = model_of_ensemble(request.run, places, listener)
        rows = rows_of_ensemble(request, places, model, listener)
    else:
        run = open_complete(request.run)
        predictions = read_predictions(run.predictions_file)
        model = model_of_run(request, run, predictions, networks)
        rows = rows_of_run(request, run, model, predictions, listener)
    rows = replace(rows, table=at_temperature(rows.table, model.choices.temperature))
    found = _evaluated(request, model, rows, listener)
    manifest = _manifest(model, rows, command)
    listener.stage("Write the report")

    def fill(draft: Path, name: str) -> None:
        files = Run(draft)
        write_atomic(files.predictions_file, predictions_text(rows.table))
        write_evaluation(files.metrics_file, found)
        write_json(files.manifest_file, {"schema": 1, "name": name, **manifest})
        own = request.data is None
        write_report(
            draft,
            image_lookup(rows.prepared),
            heat=heat_of(model.folder, rows.prepared, listener, own=own, networks=model.networks),
            hidden=hidden_lookup(rows.prepared) if rows.prepared and own else None,
            card=False,
        )

    return create_folder(out, f"evaluate-{model.folder.absolute().name}", fill)


def _check_ensemble(request: EvaluateRequest, places: Sequence[Path]) -> None:
    """Refuse what is fitted on validation films, of which an ensemble has none in common."""
    given = request.fitted_options
    if request.data is None and request.split in OPTIMISTIC:
        given.append(f"--split {request.split}")
    if given:
        raise InputError(
            "the members of an ensemble have no validation films in common",
            got=f"{', '.join(given)} for {request.run}",
            expected="the thresholds that the members carry, and films that none has seen",
            remedy=f"leave it out, or ask a member alone: pneumoscope evaluate {places[0]}",
        )


def _evaluated(
    request: EvaluateRequest, model: EvaluatedModel, rows: EvaluationRows, listener: Listener
) -> Evaluation:
    listener.stage(f"Judge {len(rows.table):,} films of the {rows.split} split")
    settings = IntervalSettings(seed=model.seed)
    found = evaluate_split(
        rows.table,
        split=rows.split,
        choices=model.choices,
        facts=facts_of(rows.prepared.table) if rows.prepared else None,
        prevalence=request.prevalence,
        re_choose=request.data is not None,
        settings=settings,
    )
    if (gate := gate_of(rows.prepared, rows.table["image_id"], model.reference)) is not None:
        found = replace(found, withheld=evaluate_withheld(rows.table, gate, found, settings))
    if rows.hidden is None:
        return found
    shortcuts = evaluate_shortcuts(rows.table, rows.hidden, split="test", settings=settings)
    return replace(found, shortcuts=shortcuts)


def _manifest(model: EvaluatedModel, rows: EvaluationRows, command: str) -> Manifest:
    """What ``run.json`` of the new folder says."""
    return {
        "version": pneumoscope.__version__,
        "created": timestamp(),
        "command": command,
        "judges": model.name,
        "members": model.members,
        "seed": model.seed,
        "warnings": [],
        **rows.about,
        "choices": _choices_made(model.choices),
    }


def _why(point: OperatingPoint) -> str:
    """The rule of a threshold; one that is fixed was chosen on no films."""
    chosen = "" if point.name == "fixed" else f", chosen on {point.chosen_on}"
    return f"{point.rule}{chosen}"


def _choices_made(choices: Choices) -> list[Choice]:
    """What decides, and where it was chosen, as a run's own ``choices`` are."""
    point, found = choices.points[0], choices.calibration
    rows = [("threshold", number(point.threshold), _why(point))]
    if found:
        rows.append(("temperature", number(found.temperature), f"fitted on {found.chosen_on}"))
    return [{"what": what, "choice": choice, "why": why} for what, choice, why in rows]
