"""A finished run judged again: another split, other data, other costs, in a folder of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import pneumoscope
from pneumoscope.data.prepared import PreparedSet, flow
from pneumoscope.errors import BadLabels, InputError, NotARun, UnreadableData, nearest
from pneumoscope.evaluation.choices import Choices
from pneumoscope.evaluation.judge import EXTERNAL, How, judge
from pneumoscope.evaluation.shortcuts import judge_shortcuts
from pneumoscope.records import DataRequest, InputSpec, Listener, Silent
from pneumoscope.report.render import write_report
from pneumoscope.run import Run, check_new, create_folder, open_run, read_json, write_json
from pneumoscope.run import write_atomic as write_text
from pneumoscope.workflows.data import find_data, prepare_source
from pneumoscope.workflows.judging import (
    carried_choices,
    facts_of,
    film_of,
    own_data,
    predictions_text,
    read_predictions,
    read_shortcuts,
)

_OPTIMISTIC = {
    "train": "The model was trained on these films: every figure is too good.",
    "val": "Epoch, thresholds and temperature were chosen on these films: figures are too good.",
}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a run.

    ``data`` is another data set, None the run's own. ``split`` is train, val or test; None is
    test of the run's own data and every labelled film of other data. ``prevalence`` is a share of
    pneumonia, ``cost`` how many false alarms a missed pneumonia weighs, ``miss_rate`` the share
    of each class whose reading may go wrong; None keeps what the model carries.
    """

    run: Path
    data: DataRequest | None = None
    split: str | None = None
    prevalence: float | None = None
    cost: float | None = None
    miss_rate: float | None = None


@dataclass(frozen=True, slots=True)
class _Judged:
    """The rows to judge, and what is known of them; ``prepared`` is None where films are gone."""

    table: pd.DataFrame
    split: str
    prepared: PreparedSet | None
    about: Mapping[str, Any]


def evaluate_run(
    asked: Question,
    *,
    out: Path | None = None,
    command: str = "",
    listener: Listener | None = None,
) -> Path:
    """Judge a run and write metrics.json, predictions.csv, figures and report.html into a new
    folder, which is returned. The run itself is not altered.

    Everything that decides was fitted on the run's validation rows, also for other data. Raises
    NotARun for a run that is not complete, InputError for data that is the run's own, BadLabels
    where no film has a label, and as ``evaluation.judge.judge``.
    """
    listener = listener or Silent()
    check_new(out)
    _check(asked)
    run = _open_judged(asked.run)
    predictions = read_predictions(run)
    choices = carried_choices(run, predictions, asked.cost, asked.miss_rate)
    rows = _rows(asked, run, predictions, listener)
    listener.stage(f"Judge {len(rows.table):,} films of the {rows.split} split")
    metrics = judge(
        rows.table,
        split=rows.split,
        choices=choices,
        facts=facts_of(rows.prepared.table) if rows.prepared else None,
        prevalence=asked.prevalence,
        re_choose=asked.data is not None,
        how=How(seed=int(run.card()["seed"])),
    )
    hidden = read_shortcuts(run)
    if asked.data is None and rows.split == "test" and hidden is not None:
        seed = int(run.card()["seed"])
        metrics["shortcuts"] = judge_shortcuts(rows.table, hidden, split="test", seed=seed)
    card = {**_card(run, rows, command), "choices": _said(choices)}
    listener.stage("Write the report")

    def fill(draft: Path, name: str) -> None:
        write_text(draft / "predictions.csv", predictions_text(rows.table))
        write_json(draft / "metrics.json", metrics)
        write_json(draft / "run.json", {"schema": 1, "name": name, **card})
        write_report(draft, film_of([rows.prepared] if rows.prepared else []), card=False)

    return create_folder(out, f"evaluate-{run.folder.absolute().name}", fill)


def _open_judged(folder: Path) -> Run:
    run = open_run(folder)
    for file in (run.model_file, run.predictions_file):
        if not file.is_file():
            raise NotARun(
                f"the run holds no {file.name}",
                got=run.folder,
                remedy=f"complete it: pneumoscope train --resume {run.folder}",
            )
    return run


def _check(asked: Question) -> None:
    """Refuse figures out of range before any work."""
    shares = (("prevalence", asked.prevalence), ("miss rate", asked.miss_rate))
    for what, value in shares:
        if value is not None and not 0 < value < 1:
            raise InputError(
                f"the {what} is out of range", got=value, expected="above 0 and below 1"
            )
    if asked.cost is not None and not 0 < asked.cost < float("inf"):
        raise InputError("the cost ratio is out of range", got=asked.cost, expected="above 0")


def _rows(asked: Question, run: Run, predictions: pd.DataFrame, listener: Listener) -> _Judged:
    own = _own_data(run, listener)
    if asked.data is not None:
        return _external(asked, asked.data, run, own, listener)
    split = asked.split or "test"
    about = {"source": run.card()["source"], "flow": run.card().get("flow", {})}
    if split in _OPTIMISTIC:
        about["warnings"] = [_OPTIMISTIC[split]]
        listener.note(_OPTIMISTIC[split])
    if split != "train":
        table = predictions[predictions["split"] == split]
        return _Judged(table, split, own, about)
    if own is None:
        raise UnreadableData(
            "the training films must be read again, and cannot be",
            got=run.card()["data"],
            remedy="bring the data back to that place, or judge the test split",
        )
    return _Judged(_predicted(run, own, own.rows("train"), listener), split, own, about)


def _own_data(run: Run, listener: Listener) -> PreparedSet | None:
    """The run's prepared set with its splits, None where it cannot be had: then no film is shown
    and no subgroup is known, but the figures stand."""
    try:
        return own_data(run, listener)
    except InputError as error:
        listener.note(f"The run's data cannot be read: no films and no subgroups ({error.what}).")
        return None


def _external(
    asked: Question, data: DataRequest, run: Run, own: PreparedSet | None, listener: Listener
) -> _Judged:
    source = find_data(data, listener)
    prepared = prepare_source(source, _spec(run), listener, keep_ids=data.keep_ids)
    if prepared.content == run.card().get("content"):
        raise InputError(
            "these are the films that the run was trained and judged on",
            got=data.data,
            expected="films of another source",
            remedy=f"pneumoscope evaluate {asked.run} --split test",
        )
    table = prepared.table
    wanted = table["label"].notna().to_numpy(dtype=bool)
    if not wanted.any():
        raise BadLabels(
            "no film has a label, so nothing can be judged",
            got=data.data,
            remedy=f"name the labels with --labels, or read the films: "
            f"pneumoscope predict {asked.run} {data.data}",
        )
    if asked.split:
        official = (table["split"] == asked.split).fillna(False).to_numpy(dtype=bool)
        wanted = wanted & official
        if not wanted.any():
            has = sorted(table["split"].dropna().unique())
            raise UnreadableData(
                f"{source.name} has no labelled films of the {asked.split} split",
                got=", ".join(has) or "no splits",
                remedy="leave --split out to judge all labelled films",
            )
    rows = np.flatnonzero(wanted)
    judged = _predicted(run, prepared, rows, listener).assign(split=asked.split or EXTERNAL)
    seen = _seen(prepared.table.iloc[rows], own)
    part = prepared.table.iloc[rows]
    counted = flow(prepared) | {"splits": {asked.split or EXTERNAL: _counts(part)}}
    warnings = [seen] if seen else []
    for warning in warnings:
        listener.note(warning)
    about = {"source": source.to_json(), "flow": counted, "warnings": warnings, "external": True}
    return _Judged(judged, asked.split or EXTERNAL, prepared, about)


def _counts(part: pd.DataFrame) -> dict[str, int | None]:
    known = bool(part["patient_id"].notna().all())
    return {
        "n": len(part),
        "positives": int((part["label"] == 1).sum()),
        "patients": int(part["patient_id"].nunique()) if known else None,
    }


def _seen(films: pd.DataFrame, own: PreparedSet | None) -> str:
    """What to warn of where judged films took part in training or choosing, pixel by pixel."""
    if own is None:
        return "Whether some of these films took part in training is not known: its data is gone."
    used = own.table[own.table["split"].isin(["train", "val"])]
    count = int(films["pixel_hash"].isin(set(used["pixel_hash"])).sum())
    if not count:
        return ""
    return (
        f"{count:,} of these {len(films):,} films are, pixel by pixel, films that the model was "
        "trained or tuned on: every figure is too good."
    )


def _predicted(
    run: Run, prepared: PreparedSet, rows: np.ndarray[Any, Any], listener: Listener
) -> pd.DataFrame:
    listener.stage(f"Read {len(rows):,} films with the model")
    # Torch takes seconds to import, and judging a run's own test split needs none.
    from pneumoscope.models.bundle import load_bundle
    from pneumoscope.workflows.pipeline import predict_table
    from pneumoscope.workflows.work import best_device

    return predict_table(load_bundle(run.folder), prepared, rows, best_device(), listener)


def _spec(run: Run) -> InputSpec:
    return InputSpec(**read_json(run.model_file)["input"])


def _card(run: Run, rows: _Judged, command: str) -> dict[str, Any]:
    card = run.card()
    return {
        "version": pneumoscope.__version__,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": command,
        "judges": card.get("name") or run.folder.name,
        "seed": card["seed"],
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


def check_split(split: str | None) -> None:
    """Refuse a split that no run has. Raises InputError."""
    known = ("train", "val", "test")
    if split is not None and split not in known:
        raise InputError("there is no such split", got=repr(split), expected=nearest(split, known))
