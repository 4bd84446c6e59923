"""A trained model explained: heatmaps on films, whether to trust them, and a page."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import pneumoscope
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.errors import DataNotFound, InputError, NotARun, UnreadableData, printable
from pneumoscope.evaluation.gallery import Shown, choose_films, judged_rows
from pneumoscope.explain.localise import area_share, localise
from pneumoscope.explain.truth import boxes_of, located_rows, masks_of, patients_of, truth_known
from pneumoscope.inference.films import find_films
from pneumoscope.records import Grey, InputSpec, Listener, Silent
from pneumoscope.report.explain_page import Picture, write_explanation
from pneumoscope.run import Run, check_new, create_folder, open_run, read_json
from pneumoscope.workflows.judging import own_data, read_predictions

if TYPE_CHECKING:  # torch takes seconds to import
    from pneumoscope.explain.stages import Stage
    from pneumoscope.models.bundle import Bundle

SHOWN = 8
"""Films of the run's test split that are shown unless the user says how many."""
MOST_SHOWN = 64
"""Films that one page holds."""
MOST_LOCATED = 200
"""True positives on which localisation is measured, at even distances through the table."""
MOST_SANE = 8
_MOST_PRIOR = 2000


@dataclass(frozen=True, slots=True)
class ExplainRequest:
    """What the user asked for: films of their own, or none for the run's test films; methods by
    name, none for the default ones; how many films to show, None for as many as fit."""

    run: Path
    films: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    count: int | None = None


@dataclass
class _Case:
    """One film to show. ``label`` is None where the truth is not known."""

    name: str
    pixels: Grey
    image_id: str = ""
    label: int | None = None
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    mask: NDArray[np.bool_] | None = None


@dataclass
class _Found:
    """The films to show, and for the run's own films where they come from."""

    cases: list[_Case]
    which: str
    prepared: PreparedSet | None = None
    located: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    notes: list[str] = field(default_factory=list)


@dataclass
class _Scene:
    """What the heatmaps are made with."""

    bundle: Bundle
    methods: tuple[str, ...]
    stages: dict[str, Stage | None]
    seed: int
    listener: Listener

    def heat(self, films: Grey, method: str) -> NDArray[np.float32]:
        """Heatmaps of films (N, S, S), with progress told."""
        from pneumoscope.explain.cam import heatmaps

        def advance(done: int, total: int) -> None:
            self.listener.progress(done, total, "film")

        mirror, stage = self.bundle.flip_average, self.stages[method]
        return heatmaps(
            self.bundle.network, films, method, mirror=mirror, stage=stage, advance=advance
        )


def explain_run(
    asked: ExplainRequest,
    *,
    out: Path | None = None,
    command: str = "",
    listener: Listener | None = None,
) -> tuple[Path, dict[str, Any]]:
    """Write pictures, explain.json and explain.html into a new folder; it, and what explain.json
    holds. The run itself is not altered.

    Raises NotARun, BadWeights, InputError for an unknown method or a backbone of which no map can
    be drawn, DataNotFound where the run's data is gone or no film can be read.
    """
    listener = listener or Silent()
    check_new(out)
    if asked.count is not None and asked.count < 1:
        raise InputError("the count is out of range", got=asked.count, expected="1 or more")
    methods = _methods(asked)
    found = _given(asked, listener) if asked.films else _own(asked, listener)
    scene = _scene(asked, methods, listener)
    about = _about(asked, scene, found, command)
    films = np.stack([case.pixels for case in found.cases])
    about["films"], answers = _judged(scene, found, films), {}
    for method in methods:
        listener.stage(f"Heatmaps of {len(films):,} films: {about['titles'][method]}")
        answers[method] = scene.heat(films, method)
    about["sanity"] = {m: _sanity(scene, films, m, answers[m]) for m in methods}
    about["localisation"] = _localisation(scene, found)
    _peaks(about, found, answers)
    listener.stage("Draw and write the page")
    pictures = [_picture(case, answers, place) for place, case in enumerate(found.cases)]

    def fill(draft: Path, name: str) -> None:
        about["name"] = name
        write_explanation(draft, about, pictures)

    label = read_json(asked.run / "run.json").get("name") if _is_run(asked.run) else None
    folder = create_folder(out, f"explain-{label or asked.run.absolute().name}", fill)
    return folder, about


def _is_run(folder: Path) -> bool:
    return (folder / "run.json").is_file()


def _methods(asked: ExplainRequest) -> tuple[str, ...]:
    from pneumoscope.explain.cam import DEFAULT, find_method

    named = dict.fromkeys(asked.methods or DEFAULT)
    return tuple(find_method(name).name for name in named)


def _scene(asked: ExplainRequest, methods: tuple[str, ...], listener: Listener) -> _Scene:
    from pneumoscope.explain.cam import stage_for
    from pneumoscope.models.bundle import load_bundle
    from pneumoscope.workflows.work import best_device, use_all_cores

    use_all_cores()
    bundle = load_bundle(asked.run)
    bundle.network.to(best_device())
    stages = {method: stage_for(bundle.network, method) for method in methods}
    for method, stage in stages.items():
        if stage:
            cells = f"{stage.cells} × {stage.cells} cells"
            why = "the deepest that is fine enough for this method"
            listener.choice(f"layer of {method}", f"{stage.name}, {cells}", why)
    seed = int(read_json(asked.run / "run.json")["seed"]) if _is_run(asked.run) else 0
    return _Scene(bundle, methods, stages, seed, listener)


def _own(asked: ExplainRequest, listener: Listener) -> _Found:
    """Test films of the run: right and wrong ones; true positives to measure on."""
    run = open_run(asked.run)
    for file in (run.model_file, run.predictions_file):
        if not file.is_file():
            raise NotARun(
                f"the run holds no {file.name}",
                got=run.folder,
                remedy=f"complete it: pneumoscope train --resume {run.folder}",
            )
    prepared = _own_data(run, listener)
    table = read_predictions(run)
    table = table[table["split"] == "test"]
    threshold = _threshold(run.folder)
    shown = choose_shown(table, threshold, min(asked.count or SHOWN, MOST_SHOWN))
    rows = {str(name): row for row, name in enumerate(prepared.table["image_id"])}
    truth = truth_known(prepared)
    cases = []
    for film in shown:
        row = rows[film.image_id]
        mask = masks_of(prepared, np.array([row]))[0] if truth and film.label == 1 else None
        cases.append(
            _Case(
                name=film.name,
                pixels=np.asarray(prepared.images[row]),
                image_id=film.image_id,
                label=film.label,
                boxes=boxes_of(prepared, row),
                mask=mask,
            )
        )
    if not cases:
        raise UnreadableData("the test split of the run holds no film", got=run.folder)
    found = _Found(cases, "test films of the run, right and wrong ones", prepared)
    if truth:
        hits = [f for f in judged_rows(table, threshold) if f.label == 1 and f.called == 1]
        places = np.array(sorted(rows[film.image_id] for film in hits), dtype=np.int64)
        found.located = located_rows(prepared, places, MOST_LOCATED)
    return found


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
        return own_data(run, listener)
    except InputError as error:
        raise DataNotFound(
            "the data of this run cannot be had, so its test films cannot be shown",
            got=f"{run.card()['data']} ({error.what})",
            remedy="bring it back to that place, if only by a link, or name films to explain: "
            f"pneumoscope explain {run.folder} IMAGE",
        ) from None


def _given(asked: ExplainRequest, listener: Listener) -> _Found:
    """The films that the user names."""
    from pneumoscope.inference.reading import ready_films

    spec = InputSpec(**read_json(asked.run / "model.json")["input"])
    most = min(asked.count or MOST_SHOWN, MOST_SHOWN)
    files = find_films(asked.films)
    listener.stage(f"Found {len(files.files):,} film{'s' * (len(files.files) != 1)}")
    for reason, count in files.passed_over.items():
        listener.choice("passed over", f"{count:,}", reason)
    found = _Found([], "films named on the command line")
    if len(files.files) > most:
        found.notes.append(f"The first {most} of {len(files.files):,} films are explained.")
    for film in ready_films(files.files[:most], spec, {}):
        if film.square is None:
            found.notes.append(f"{printable(film.name)} was not read: {film.error}.")
        else:
            name = printable(film.name)
            found.cases.append(_Case(name, film.square, name))
    for note in found.notes:
        listener.note(note)
    if not found.cases:
        raise DataNotFound(
            "no film could be read",
            got="; ".join(found.notes[:3]) or "no file and no folder",
            expected="JPEG, PNG, TIFF, BMP, WebP or DICOM files, or folders of them",
        )
    return found


def _threshold(folder: Path) -> float:
    points = read_json(folder / "model.json").get("operating_points") or [{"threshold": 0.5}]
    return float(points[0]["threshold"])


def _about(asked: ExplainRequest, scene: _Scene, found: _Found, command: str) -> dict[str, Any]:
    from pneumoscope.explain.cam import find_method

    methods = [find_method(name) for name in scene.methods]
    layers = {
        name: {"name": stage.name, "cells": stage.cells}
        for name, stage in scene.stages.items()
        if stage
    }
    return {
        "schema": 1,
        "version": pneumoscope.__version__,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": command,
        "run": asked.run.absolute().name,
        "backbone": scene.bundle.backbone,
        "explained": "the logit of pneumonia",
        "layers": layers,
        "mirror": scene.bundle.flip_average,
        "seed": scene.seed,
        "input": scene.bundle.network.spec.to_json(),
        "which": found.which,
        "notes": found.notes,
        "methods": [{"name": m.name, "title": m.title, "about": m.about} for m in methods],
        "titles": {m.name: m.title for m in methods},
    }


def _judged(scene: _Scene, found: _Found, films: Grey) -> list[dict[str, Any]]:
    """What the model says of each film, on the scale of its thresholds before calibration, as in
    the run's own report."""
    from pneumoscope.inference.predict import predict_logits, probability

    network = scene.bundle.network
    device = str(network.mean.device)
    logits = predict_logits(scene.bundle, films, np.arange(len(films)), device=device)
    network.to(device)
    chances = probability(logits)
    points = scene.bundle.operating_points
    threshold = points[0].threshold if points else 0.5
    return [
        {
            "image_id": printable(case.image_id),
            "name": case.name,
            "label": case.label,
            "probability": float(chance),
            "logit": float(logit),
            "threshold": float(threshold),
            "called": int(chance >= threshold),
            "boxes": [list(box) for box in case.boxes],
        }
        for case, chance, logit in zip(found.cases, chances, logits, strict=True)
    ]


def _sanity(
    scene: _Scene, films: Grey, method: str, trained: NDArray[np.float32]
) -> dict[str, Any]:
    from pneumoscope.explain.sanity import check_sanity

    scene.listener.stage(f"Does the map depend on the weights? {method}")
    places = np.linspace(0, len(films) - 1, min(len(films), MOST_SANE)).round().astype(int)
    check = check_sanity(
        scene.bundle.network,
        films[places],
        method,
        trained[places],
        seed=scene.seed,
        stage=scene.stages[method],
        mirror=scene.bundle.flip_average,
    )
    return check.to_json()


def _localisation(scene: _Scene, found: _Found) -> dict[str, Any] | None:
    """Every measure of every method on true positives whose abnormality is marked."""
    prepared, rows = found.prepared, found.located
    if prepared is None or not len(rows):
        return None
    films, masks = np.asarray(prepared.images[rows]), masks_of(prepared, rows)
    patients = patients_of(prepared, rows)
    prior, why = _prior(prepared)
    measured = {}
    for method in scene.methods:
        scene.listener.stage(f"Where does it point? {method}, {len(rows):,} true positives")
        heat = scene.heat(films, method)
        parts = localise(heat, masks, prior, patients, seed=scene.seed)
        measured[method] = {part.measure: part.to_json() for part in parts}
    return {
        "films": len(rows),
        "patients": None if patients is None else len(np.unique(patients)),
        "split": "test",
        "truth": truth_known(prepared),
        "area": float(area_share(masks).mean()),
        "prior": why,
        "methods": measured,
    }


def _prior(prepared: PreparedSet) -> tuple[NDArray[np.float32] | None, str]:
    """The mean mask of training films with an abnormality; else each film has that of others."""
    rows = prepared.rows("train")
    rows = located_rows(prepared, rows[prepared.labels(rows) == 1], _MOST_PRIOR)
    if not len(rows):
        return None, "the mean of the other patients' marks, each patient left out in turn"
    mean = masks_of(prepared, rows).mean(axis=0, dtype=np.float32)[None]
    return mean, f"the mean of the marks of {len(rows):,} training films"


def _peaks(about: dict[str, Any], found: _Found, answers: dict[str, NDArray[np.float32]]) -> None:
    """Where each map is hottest, in pixels (x, y), and whether that lies inside the truth."""
    for place, (film, case) in enumerate(zip(about["films"], found.cases, strict=True)):
        film["peaks"] = {}
        for method, heat in answers.items():
            y, x = (int(i) for i in np.unravel_index(heat[place].argmax(), heat[place].shape))
            known = case.mask is not None and bool(case.mask.any()) and bool(heat[place].any())
            inside = bool(case.mask[y, x]) if known and case.mask is not None else None
            film["peaks"][method] = {"x": x, "y": y, "inside": inside}


def _picture(case: _Case, answers: dict[str, NDArray[np.float32]], place: int) -> Picture:
    heat = {method: maps[place] for method, maps in answers.items()}
    return Picture(case.pixels, heat, case.boxes, case.mask)
