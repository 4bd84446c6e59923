"""A finished run judged again: another split, other data, other costs, in a folder of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

import pneumoscope
from pneumoscope.data.prepared import PreparedSet, flow
from pneumoscope.errors import InputError, UnreadableData
from pneumoscope.evaluation.choices import Choices
from pneumoscope.evaluation.judge import How, judge
from pneumoscope.evaluation.predictions import predictions_text, read_predictions
from pneumoscope.evaluation.shortcuts import judge_shortcuts, read_shortcuts
from pneumoscope.records import Listener, Silent
from pneumoscope.report.run.render import write_report
from pneumoscope.run import Run, check_room, create_folder
from pneumoscope.storage import write_atomic as write_text
from pneumoscope.storage import write_json
from pneumoscope.workflows.evaluate.external import ToJudge, external_rows
from pneumoscope.workflows.evaluate.judging import (
    carried_choices,
    complete_run,
    facts_of,
    film_of,
    hidden_of,
    own_data,
)
from pneumoscope.workflows.evaluate.request import EvaluateRequest
from pneumoscope.workflows.evaluate.subject import Subject, ensemble_subject, run_subject
from pneumoscope.workflows.explain.heatmaps import heat_of
from pneumoscope.workflows.groups.ensemble import check_unseen, films_of_members, places_of

_OPTIMISTIC = {
    "train": "The model was trained on these films: every figure is too good.",
    "val": "The model was tuned on these films (thresholds, temperature, or the epoch that was "
    "kept): figures are too good.",
}


def evaluate_run(
    request: EvaluateRequest,
    *,
    out: Path | None = None,
    command: str = "",
    listener: Listener | None = None,
) -> Path:
    """Judge a run, or the mean of several, and write metrics.json, predictions.csv, figures and
    report.html into a new folder, which is returned. The run itself is not altered.

    Everything that decides was fitted on the run's validation rows, also for other data. Of an
    ensemble's own data only films are judged that no member has seen. Raises NotARun for a run
    that is not complete, InputError for data that is the run's own, BadLabels where no film has
    a label, and as ``evaluation.judge.judge``.
    """
    listener = listener or Silent()
    request.check()
    check_room(out)
    places = places_of(request.run)
    subject, rows = (
        _of_ensemble(request, places, listener) if places else _of_run(request, listener)
    )
    listener.stage(f"Judge {len(rows.table):,} films of the {rows.split} split")
    metrics = judge(
        rows.table,
        split=rows.split,
        choices=subject.choices,
        facts=facts_of(rows.prepared.table) if rows.prepared else None,
        prevalence=request.prevalence,
        re_choose=request.data is not None,
        how=How(seed=subject.seed),
    )
    if rows.hidden is not None:
        metrics["shortcuts"] = judge_shortcuts(
            rows.table, rows.hidden, split="test", seed=subject.seed
        )
    manifest = {**_card(subject, rows, command), "choices": _said(subject.choices)}
    listener.stage("Write the report")

    def fill(draft: Path, name: str) -> None:
        write_text(draft / "predictions.csv", predictions_text(rows.table))
        write_json(draft / "metrics.json", metrics)
        write_json(draft / "run.json", {"schema": 1, "name": name, **manifest})
        own, prepared = request.data is None, rows.prepared
        write_report(
            draft,
            film_of([prepared] if prepared else []),
            heat=heat_of(subject.folder, prepared, listener, own=own),
            hidden=hidden_of(prepared) if prepared and own else None,
            card=False,
        )

    return create_folder(out, f"evaluate-{subject.folder.absolute().name}", fill)


def _of_run(request: EvaluateRequest, listener: Listener) -> tuple[Subject, ToJudge]:
    run = complete_run(request.run)
    predictions = read_predictions(run.predictions_file)
    choices = carried_choices(run, predictions, request.targets, request.miss_rate)
    subject = run_subject(run, choices)
    return subject, _rows(request, run, subject, predictions, listener)


def _of_ensemble(
    request: EvaluateRequest, places: Sequence[Path], listener: Listener
) -> tuple[Subject, ToJudge]:
    _check_ensemble(request, places)
    subject = ensemble_subject(request.run, places, listener)
    if request.data is not None:
        made_from = _made_from(places, listener)
        return subject, external_rows(request.data, request.split, subject, made_from, listener)
    own = films_of_members(places, listener)
    check_unseen(places, own)
    fresh = own.rows("test")
    listener.note(f"No member was trained or tuned on these {len(fresh):,} films.")
    listener.stage(f"Read {len(fresh):,} films with {subject.members} models")
    about = {"source": subject.source, "flow": flow(own)}
    return subject, ToJudge(subject.read(own, fresh, listener), "test", own, about)


def _made_from(places: Sequence[Path], listener: Listener) -> PreparedSet | None:
    try:
        return films_of_members(places, listener)
    except InputError as error:
        listener.note(f"The data of the members cannot be read ({error.what}).")
        return None


def _check_ensemble(request: EvaluateRequest, places: Sequence[Path]) -> None:
    """Refuse what is fitted on validation films, of which an ensemble has none in common."""
    typed = request.fitted_options
    if request.data is None and request.split in _OPTIMISTIC:
        typed.append(f"--split {request.split}")
    if typed:
        raise InputError(
            "the members of an ensemble have no validation films in common",
            got=f"{', '.join(typed)} for {request.run}",
            expected="the thresholds that the members carry, and films that none has seen",
            remedy=f"leave it out, or ask a member alone: pneumoscope evaluate {places[0]}",
        )


def _rows(
    request: EvaluateRequest,
    run: Run,
    subject: Subject,
    predictions: pd.DataFrame,
    listener: Listener,
) -> ToJudge:
    own = _own_data(run, listener)
    if request.data is not None:
        return external_rows(request.data, request.split, subject, own, listener)
    split = request.split or "test"
    manifest = run.manifest()
    about = {"source": manifest["source"], **{k: manifest.get(k) or {} for k in ("flow", "shifts")}}
    if split in _OPTIMISTIC:
        about["warnings"] = [_OPTIMISTIC[split]]
        listener.note(_OPTIMISTIC[split])
    if split != "train":
        table = predictions[predictions["split"] == split]
        return ToJudge(
            table,
            split,
            own,
            about,
            read_shortcuts(run.folder / "shortcuts.csv") if split == "test" else None,
        )
    if own is None:
        raise UnreadableData(
            "the training films must be read again, and cannot be",
            got=run.manifest()["data"],
            remedy="bring the data back to that place, or judge the test split",
        )
    rows = own.rows("train")
    listener.stage(f"Read {len(rows):,} films with the model")
    return ToJudge(subject.read(own, rows, listener), split, own, about)


def _own_data(run: Run, listener: Listener) -> PreparedSet | None:
    """The run's prepared set with its splits, None where it cannot be had: then no film is shown
    and no subgroup is known, but the figures stand."""
    try:
        return own_data(run, listener)
    except InputError as error:
        listener.note(f"The run's data cannot be read: no films and no subgroups ({error.what}).")
        return None


def _card(subject: Subject, rows: ToJudge, command: str) -> dict[str, Any]:
    return {
        "version": pneumoscope.__version__,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": command,
        "judges": subject.name,
        "members": subject.members,
        "seed": subject.seed,
        "warnings": [],
        **rows.about,
    }


def _said(choices: Choices) -> list[dict[str, str]]:
    point = choices.points[0]
    said = [("threshold", f"{point.threshold:.4f}", f"{point.rule}, chosen on {point.chosen_on}")]
    if choices.calibration:
        found = choices.calibration
        said.append(("temperature", f"{found.temperature:.3f}", f"fitted on {found.chosen_on}"))
    return [{"what": what, "choice": choice, "why": why} for what, choice, why in said]
