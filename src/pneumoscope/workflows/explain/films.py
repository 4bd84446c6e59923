"""Films of an explanation, shown and measured: those of the data, or named by the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.errors import DataNotFound, InputError, UnreadableData, printable
from pneumoscope.evaluation.predictions import at_temperature, read_predictions
from pneumoscope.explain.truth import boxes_of, located_rows, masks_of, truth_known
from pneumoscope.formatting import plural
from pneumoscope.inference.films import find_films
from pneumoscope.listener import Listener
from pneumoscope.records import Grey
from pneumoscope.report.kit.gallery import Shown, choose_films, printable_name, shown_rows
from pneumoscope.run import Run
from pneumoscope.sources.together.names import read_names
from pneumoscope.workflows.data import data_of_run
from pneumoscope.workflows.explain.explainer import Explainer
from pneumoscope.workflows.groups.ensemble import check_unseen, films_of_members
from pneumoscope.workflows.predictions import predict_rows

if TYPE_CHECKING:  # it loads torch
    from pneumoscope.inference.members import Members

SHOWN = 8
"""Films of the run's test split that are shown unless the user says how many."""
MOST_SHOWN = 64
"""Films that one page holds."""
MOST_LOCATED = 200
"""True positives on which localisation is measured, at even distances through the table."""


@dataclass
class Case:
    """One film to show. ``label`` is None where the truth is not known."""

    name: str
    pixels: Grey
    image_id: str = ""
    label: int | None = None
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    mask: NDArray[np.bool_] | None = None
    findings: tuple[str, ...] = ()


@dataclass
class ChosenImages:
    """The films to show, and for the run's own films where they come from."""

    cases: list[Case]
    which: str
    prepared: PreparedSet | None = None
    located: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    notes: list[str] = field(default_factory=list)


def films_of_run(
    run: Run, explainer: Explainer, count: int | None, listener: Listener
) -> ChosenImages:
    """Test films of the run: right and wrong ones; true positives to measure on."""
    prepared = _own_data(run, listener)
    heat = explainer.bundles[0].temperature
    table = at_temperature(read_predictions(run.predictions_file), heat)
    table = table[table["split"] == "test"]
    return _chosen(prepared, table, explainer, count, "test films of the run, right and wrong ones")


def films_of_ensemble(
    places: Sequence[Path], explainer: Explainer, count: int | None, listener: Listener
) -> ChosenImages:
    """As ``films_of_run``, of those films that no member was trained or tuned on. Raises
    InputError where there is none."""
    prepared = films_of_members(places, listener)
    check_unseen(places, prepared)
    rows = prepared.rows("test")
    listener.stage(f"Read {len(rows):,} films with {len(places)} models")
    table = predict_rows(explainer.predictor, prepared, rows, listener)
    which = "films that no member was trained or tuned on, right and wrong ones"
    return _chosen(prepared, table, explainer, count, which)


def _chosen(
    prepared: PreparedSet, table: pd.DataFrame, explainer: Explainer, count: int | None, which: str
) -> ChosenImages:
    """``table`` holds the predictions of the films that may be shown."""
    threshold = explainer.threshold
    shown = choose_shown(table, threshold, min(count or SHOWN, MOST_SHOWN))
    if not shown:
        raise UnreadableData("the test split of the run holds no film", got=explainer.folder)
    rows = {str(name): row for row, name in enumerate(prepared.table["image_id"])}
    truth = truth_known(prepared)
    cases = [_case(film, prepared, rows[film.image_id], truth) for film in shown]
    found = ChosenImages(cases, which, prepared)
    if truth:
        hits = [f for f in shown_rows(table, threshold) if f.label == 1 and f.called == 1]
        places = np.array(sorted(rows[film.image_id] for film in hits), dtype=np.int64)
        found.located = located_rows(prepared, places, MOST_LOCATED)
    return found


def _case(film: Shown, prepared: PreparedSet, row: int, truth: str) -> Case:
    mask = masks_of(prepared, np.array([row]))[0] if truth and film.label == 1 else None
    return Case(
        name=film.name,
        pixels=np.asarray(prepared.images[row]),
        image_id=film.image_id,
        label=film.label,
        boxes=boxes_of(prepared, row),
        mask=mask,
    )


def choose_shown(predictions: pd.DataFrame, threshold: float, count: int) -> list[Shown]:
    """At most ``count`` films of one split: typical ones found, the worst errors of both kinds,
    typical ones cleared, in equal parts as far as there are such."""
    gallery = choose_films(predictions, threshold, count)
    kinds = (
        gallery.true_positives,
        gallery.false_positives,
        gallery.false_negatives,
        gallery.true_negatives,
    )
    mixed = [film for film in chain.from_iterable(zip_longest(*kinds)) if film is not None]
    chosen = {film.image_id for film in mixed[:count]}
    return [film for film in chain.from_iterable(kinds) if film.image_id in chosen]


def _own_data(run: Run, listener: Listener) -> PreparedSet:
    try:
        return data_of_run(run, listener)
    except InputError as error:
        raise DataNotFound(
            "the data of this run cannot be had, so its test films cannot be shown",
            got=f"{run.manifest()['data']} ({error.what})",
            remedy="bring it back to that place, if only by a link, or name films to explain: "
            f"pneumoscope explain {run.folder} IMAGE",
        ) from None


def given_films(
    named: Sequence[str], members: Members, count: int | None, listener: Listener
) -> ChosenImages:
    """The films that the user names, with what ``predict`` remarks of them, under names that tell
    of no patient: a page is shown to others."""
    from pneumoscope.inference.loading import load_films

    most = min(count or MOST_SHOWN, MOST_SHOWN)
    files = find_films(named)
    there = sum(film.error is None for film in files.files)
    listener.stage(f"Found {plural(there, 'film')}")
    for reason, passed in files.passed_over.items():
        listener.choice("passed over", f"{passed:,}", reason)
    found = ChosenImages([], "films named on the command line")
    if len(files.files) > most:
        found.notes.append(f"The first {most} of {len(files.files):,} films are explained.")
    given = files.files[:most]
    told = read_names([film.name for film in given], [None] * len(given)).patient
    loaded = load_films(given, members.spec, members.population, members.reference)
    for place, (film, patient) in enumerate(zip(loaded, told, strict=True)):
        owner = film.patient_id or patient or ""
        name = printable(printable_name(film.name, owner, place, "film"))
        if film.square is None:
            found.notes.append(f"{name} was not read: {film.error}.")
        else:
            found.cases.append(Case(name, film.square, name, findings=film.findings))
    for note in found.notes:
        listener.note(note)
    if not found.cases:
        raise DataNotFound(
            "no film could be read",
            got="; ".join(found.notes[:3]) or "no file and no folder",
            expected="JPEG, PNG, TIFF, BMP, WebP or DICOM files, or folders of them",
        )
    return found
