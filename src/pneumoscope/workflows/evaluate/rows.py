"""The rows of an evaluation: the films that a model is evaluated on, with its predictions.

Test films of the run lie in its ``predictions.csv``; its training films, and films of another
source, are read with the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.audit.baselines import judge_baselines
from pneumoscope.audit.people import people_of
from pneumoscope.data.aside import masks
from pneumoscope.data.door import door_of
from pneumoscope.data.prepared import PreparedSet, flow, split_counts
from pneumoscope.errors import BadLabels, InputError, UnreadableData
from pneumoscope.evaluation.shortcuts import read_shortcuts
from pneumoscope.formatting import listed
from pneumoscope.imaging.known.reference import Reference
from pneumoscope.listener import Listener
from pneumoscope.manifest import Manifest, SplitCount
from pneumoscope.plain import to_plain
from pneumoscope.records import EXTERNAL, RELATED, SPLITS, DataRequest, Source
from pneumoscope.run import Run
from pneumoscope.sources.known_sets import recognise
from pneumoscope.workflows.data import data_of_run, find_data, prepare_source, tell_door
from pneumoscope.workflows.evaluate.model import EvaluatedModel
from pneumoscope.workflows.evaluate.request import EvaluateRequest
from pneumoscope.workflows.evaluate.shared import (
    NOT_KNOWN,
    SharedFilms,
    check_enough,
    find_shared_films,
    references_of,
)
from pneumoscope.workflows.groups.ensemble import check_unseen, films_of_members, splits_of_members

OPTIMISTIC = {
    "train": "The model was trained on these films: every figure is too good.",
    "val": "The model was tuned on these films (thresholds, temperature, or the epoch that was "
    "kept): figures are too good.",
}
"""Splits that the model has seen, and what is said of figures on them."""


@dataclass(frozen=True, slots=True)
class EvaluationRows:
    """The rows to evaluate, and what is known of them: ``about`` is laid over ``run.json``,
    ``prepared`` is None where films are gone, ``hidden`` are the rows of the shortcut check,
    where that was made of these films."""

    table: pd.DataFrame
    split: str
    prepared: PreparedSet | None
    about: Manifest
    hidden: pd.DataFrame | None = None


def rows_of_run(
    request: EvaluateRequest,
    run: Run,
    model: EvaluatedModel,
    predictions: pd.DataFrame,
    listener: Listener,
) -> EvaluationRows:
    """The films of a split of the run's own data, or of other data."""
    lacking = "The run's data cannot be read"
    if request.data is not None:
        own_films = partial(_if_there, lambda: data_of_run(run, listener), lacking, listener)
        return rows_of_data(
            request.data, request, model, references_of([run.folder], own_films), listener
        )
    lacking += ": no films and no subgroups"
    own = _if_there(lambda: data_of_run(run, listener), lacking, listener)
    split, manifest = request.split or "test", run.manifest()
    about: Manifest = {**_kept(manifest), "known_set": model.known_set}
    if split == "val":
        about["baselines"] = _without_lungs(own, split)
    elif "baselines" in manifest and split == "test":
        about["baselines"] = manifest["baselines"]
    about["warnings"] = [
        *([OPTIMISTIC[split]] if split in OPTIMISTIC else []),
        *manifest.get("warnings", []),
    ]
    for warning in about["warnings"]:
        listener.note(warning)
    if split != "train":
        table = predictions[predictions["split"] == split]
        hidden = read_shortcuts(run.shortcuts_file) if split == "test" else None
        return EvaluationRows(table, split, own, about, hidden)
    if own is None:
        raise UnreadableData(
            "the training films must be read again, and cannot be",
            got=manifest["data"],
            remedy="bring the data back to that place, or judge the test split",
        )
    rows = own.rows("train")
    listener.stage(f"Read {len(rows):,} films with the model")
    return EvaluationRows(model.read(own, rows, listener), split, own, about)


def _kept(manifest: Manifest) -> Manifest:
    """What is said of a run's data, whichever of its splits is judged."""
    about: Manifest = {"source": manifest["source"]}
    # One after the other, since a run of an older version has not all of them.
    if "flow" in manifest:
        about["flow"] = manifest["flow"]
    if "door" in manifest:
        about["door"] = manifest["door"]
    if "shifts" in manifest:
        about["shifts"] = manifest["shifts"]
    if "sites" in manifest:
        about["sites"] = manifest["sites"]
    if "people" in manifest:
        about["people"] = manifest["people"]
    return about


def rows_of_ensemble(
    request: EvaluateRequest, places: Sequence[Path], model: EvaluatedModel, listener: Listener
) -> EvaluationRows:
    """The films of its members' data that none of them has seen, or the films of other data.
    Raises InputError where every film was seen."""
    if request.data is not None:
        lacking = "The data of the members cannot be read"
        own_films = partial(
            _if_there, lambda: films_of_members(places, listener), lacking, listener
        )
        return rows_of_data(
            request.data, request, model, references_of(places, own_films), listener
        )
    whole, splits = splits_of_members(places, listener)
    own = replace(whole, table=whole.table.assign(split=pd.array(splits, dtype="string")))
    check_unseen(places, own)
    fresh = own.rows("test")
    listener.note(f"No member was trained or tuned on these {len(fresh):,} films.")
    listener.stage(f"Read {len(fresh):,} films with {model.members} models")
    door = to_plain(door_of(whole, splits))
    about: Manifest = {
        "source": model.source,
        "flow": flow(own),
        "door": door,
        "known_set": model.known_set,
        "people": _people(own.table),
        "baselines": _without_lungs(own, "test"),
    }
    return EvaluationRows(model.read(own, fresh, listener), "test", own, about)


def rows_of_data(
    data: DataRequest,
    request: EvaluateRequest,
    model: EvaluatedModel,
    references: Sequence[Reference],
    listener: Listener,
) -> EvaluationRows:
    """The labelled films of ``data``, or of one of its official splits, read by ``model``; without
    those it has seen, by ``references``, unless kept. Raises InputError, BadLabels, UnreadableData.
    """
    source = find_data(data, listener)
    # What cannot be read is counted, here and in the report, however much it is.
    prepared = prepare_source(source, model.spec, listener, keep_ids=data.keep_ids, most_bad=1.0)
    if prepared.content in model.contents:
        raise InputError(
            "these are the films that the run was trained and judged on",
            got=data.data,
            expected="films of another source",
            remedy=f"pneumoscope evaluate {model.folder} --split test",
        )
    rows = _labelled(prepared, data, request.split, model, source)
    listener.stage(f"Look for {len(rows):,} films among those of the model's own data set")
    shared = find_shared_films(prepared, rows, references)
    looked, related = rows, bool(shared and shared.related)
    rows = _unseen(prepared, rows, shared, request)
    name = request.split or (RELATED if related else EXTERNAL)
    said = NOT_KNOWN if shared is None else shared.words(kept=request.keep_shared)
    known = recognise(source.to_json(), split_counts(prepared.table))
    seen = model.warn_of_weights(known.title if known else "")
    warnings = [w for w in (said, seen, _several_splits(prepared, rows, source.name)) if w]
    for warning in warnings:
        listener.note(warning)
    splits = np.full(len(prepared.table), None, dtype=object)
    splits[rows] = name
    door = door_of(prepared, splits, shared=np.setdiff1d(looked, rows))
    tell_door(door, listener, "What is judged")
    listener.stage(f"Read {len(rows):,} films with the model")
    table = model.read(prepared, rows, listener).assign(split=name)
    about: Manifest = {
        "source": source.to_json(),
        "flow": {**flow(prepared), "splits": {name: _counts(prepared.table.iloc[rows])}},
        "warnings": warnings,
        "door": to_plain(door),
        "external": not related,
        "known_set": to_plain(known) if known else None,
        "trained_on": model.known_set,
        "people": _people(prepared.table.assign(split=splits)),
    }
    if shared is not None:
        about["shared"] = shared.to_json(kept=request.keep_shared)
    return EvaluationRows(table, name, prepared, about)


def _several_splits(prepared: PreparedSet, rows: NDArray[np.int64], name: str) -> str:
    """What is said where ``rows`` are of several official splits; empty where they are of one."""
    found = set(prepared.table["split"].iloc[rows].dropna())
    if len(found) < 2:
        return ""
    splits = listed([split for split in SPLITS if split in found])
    return (
        f"Films of the official splits {splits} of {name} are judged together. What others publish "
        "on one of them is of other films; --split judges one alone."
    )


def _unseen(
    prepared: PreparedSet,
    rows: NDArray[np.int64],
    shared: SharedFilms | None,
    request: EvaluateRequest,
) -> NDArray[np.int64]:
    """``rows`` without films that the model has seen. Raises InputError where too few are left."""
    if shared is None or request.keep_shared:
        return rows
    check_enough(shared, prepared.labels(rows), request)
    return rows[~shared.seen]


def _if_there(
    find: Callable[[], PreparedSet], lacking: str, listener: Listener
) -> PreparedSet | None:
    """What ``find`` finds, None where that cannot be had: then no film is shown and no subgroup is
    known, but the figures stand."""
    try:
        return find()
    except InputError as error:
        listener.note(f"{lacking} ({error.what}).")
        return None


def _labelled(
    prepared: PreparedSet,
    data: DataRequest,
    split: str | None,
    model: EvaluatedModel,
    source: Source,
) -> NDArray[np.int64]:
    """Row numbers of the films that have a label and are no masks, and are in the official split
    ``split`` where one is named. Raises BadLabels, UnreadableData where there is none."""
    labelled = prepared.table["label"].notna().to_numpy(dtype=bool)
    wanted = labelled & ~masks(prepared.table)
    if labelled.any() and not wanted.any():
        raise UnreadableData(
            "every labelled film is a mask or a drawing, by its few grey levels",
            got=data.data,
            expected="radiographs",
        )
    if not wanted.any():
        raise BadLabels(
            "no film has a label, so nothing can be judged",
            got=data.data,
            remedy=f"name the labels with --labels, or read the films: "
            f"pneumoscope predict {model.folder} {data.data}",
        )
    if split is None:
        return np.flatnonzero(wanted)
    official = prepared.table["split"]
    wanted = wanted & (official == split).fillna(False).to_numpy(dtype=bool)
    if not wanted.any():
        has = sorted(official.dropna().unique())
        raise UnreadableData(
            f"{source.name} has no labelled films of the {split} split",
            got=", ".join(has) or "no splits",
            remedy="leave --split out to judge all labelled films",
        )
    return np.flatnonzero(wanted)


def _people(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [to_plain(each) for each in people_of(table)]


def _without_lungs(own: PreparedSet | None, split: str) -> list[dict[str, Any]]:
    """What models without lungs reach on the films of ``split``, when they learn from all others;
    empty where the films are gone."""
    found = judge_baselines(own.table, own.thumbs, split) if own else ()
    return [to_plain(each) for each in found]


def _counts(part: pd.DataFrame) -> SplitCount:
    known = bool(part["patient_id"].notna().all())
    return {
        "n": len(part),
        "positives": int((part["label"] == 1).sum()),
        "patients": int(part["patient_id"].nunique()) if known else None,
    }
