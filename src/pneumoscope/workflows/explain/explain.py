"""A trained model explained: heatmaps on films, whether to trust them, and a page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pneumoscope
from pneumoscope.errors import InputError, printable
from pneumoscope.metrics.scores import probability
from pneumoscope.records import Grey, Listener, Silent
from pneumoscope.report.explain.page import Picture, write_explanation
from pneumoscope.run import Run, check_room, create_folder, open_complete
from pneumoscope.workflows.explain.explainer import Explainer, check_maps, load_explainer, locate
from pneumoscope.workflows.explain.films import (
    Case,
    ChosenImages,
    films_of_ensemble,
    films_of_run,
    given_films,
)
from pneumoscope.workflows.groups.ensemble import places_of


@dataclass(frozen=True, slots=True)
class ExplainRequest:
    """What the user asked for: films of their own, or none for the run's test films; methods by
    name, none for the default ones; how many films to show, None for as many as fit."""

    run: Path
    films: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    count: int | None = None


def explain_run(
    asked: ExplainRequest,
    *,
    out: Path | None = None,
    command: str = "",
    listener: Listener | None = None,
) -> tuple[Path, dict[str, Any]]:
    """Write pictures, explain.json and explain.html into a new folder; it, and what explain.json
    holds. The run, or the folder of several that answer together, is not altered.

    Raises NotARun, BadWeights, InputError for an unknown method or a backbone of which no map can
    be drawn, DataNotChosenImages where the run's data is gone or no film can be read.
    """
    listener = listener or Silent()
    check_room(out)
    if asked.count is not None and asked.count < 1:
        raise InputError("the count is out of range", got=asked.count, expected="1 or more")
    methods = _methods(asked)
    explainer, found = _gathered(asked, methods, listener)
    about = _about(asked, explainer, found, command)
    films = np.stack([case.pixels for case in found.cases])
    about["films"], answers = _judged(explainer, found, films), {}
    for method in methods:
        listener.stage(f"Heatmaps of {len(films):,} films: {about['titles'][method]}")
        answers[method] = explainer.heat(films, method)
    about["sanity"] = {m: check_maps(explainer, films, m, answers[m]) for m in methods}
    about["localisation"] = locate(explainer, found.prepared, found.located)
    _peaks(about, found, answers)
    listener.stage("Draw and write the page")
    pictures = [_picture(case, answers, place) for place, case in enumerate(found.cases)]

    def fill(draft: Path, name: str) -> None:
        about["name"] = name
        write_explanation(draft, about, pictures)

    return create_folder(out, f"explain-{_label(asked.run)}", fill), about


def _gathered(
    asked: ExplainRequest, methods: tuple[str, ...], listener: Listener
) -> tuple[Explainer, ChosenImages]:
    """What draws the maps, and the films to draw them of."""
    places = places_of(asked.run)
    if not asked.films and not places:
        open_complete(asked.run)
    explainer = load_explainer(asked.run, methods, listener)
    if asked.films:
        found = given_films(asked.films, explainer.members.spec, asked.count, listener)
    elif places:
        found = films_of_ensemble(places, explainer, asked.count, listener)
    else:
        found = films_of_run(asked.run, explainer, asked.count, listener)
    if places:
        mean = f"Each map is the mean of the maps of {len(places)} models."
        found.notes.append(mean)
        listener.note(mean)
    return explainer, found


def _label(folder: Path) -> str:
    run = Run(folder)
    named = run.manifest().get("name") if run.manifest_file.is_file() else ""
    return named or folder.absolute().name


def _methods(asked: ExplainRequest) -> tuple[str, ...]:
    from pneumoscope.explain.cam import DEFAULT, find_method

    named = dict.fromkeys(asked.methods or DEFAULT)
    return tuple(find_method(name).name for name in named)


def _about(
    asked: ExplainRequest, explainer: Explainer, found: ChosenImages, command: str
) -> dict[str, Any]:
    from pneumoscope.explain.cam import find_method

    methods = [find_method(name) for name in explainer.methods]
    first, several = explainer.bundles[0], len(explainer.bundles) > 1
    layers = {
        name: {"name": stage.name, "cells": stage.cells}
        for name, stage in explainer.stages[0].items()
        if stage
    }
    return {
        "schema": 1,
        "version": pneumoscope.__version__,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": command,
        "run": asked.run.absolute().name,
        "members": len(explainer.bundles),
        "backbone": first.backbone,
        "explained": "the logit of pneumonia" + (", the mean over the models" if several else ""),
        "layers": layers,
        "mirror": first.flip_average,
        "turned": first.turn_average,
        "seed": explainer.seed,
        "input": first.network.spec.to_json(),
        "which": found.which,
        "notes": found.notes,
        "methods": [{"name": m.name, "title": m.title, "about": m.about} for m in methods],
        "titles": {m.name: m.title for m in methods},
    }


def _judged(explainer: Explainer, found: ChosenImages, films: Grey) -> list[dict[str, Any]]:
    """What the model says of each film, on the scale of its thresholds."""
    logits = explainer.logits(films)
    return [
        {
            "image_id": printable(case.image_id),
            "name": case.name,
            "label": case.label,
            "probability": float(chance),
            "logit": float(logit),
            "threshold": explainer.threshold,
            "called": int(chance >= explainer.threshold),
            "boxes": [list(box) for box in case.boxes],
        }
        for case, chance, logit in zip(found.cases, probability(logits), logits, strict=True)
    ]


def _peaks(
    about: dict[str, Any], found: ChosenImages, answers: dict[str, NDArray[np.float32]]
) -> None:
    """Where each map is hottest, in pixels (x, y), and whether that lies inside the truth."""
    for place, (film, case) in enumerate(zip(about["films"], found.cases, strict=True)):
        film["peaks"] = {}
        for method, heat in answers.items():
            y, x = (int(i) for i in np.unravel_index(heat[place].argmax(), heat[place].shape))
            known = case.mask is not None and bool(case.mask.any()) and bool(heat[place].any())
            inside = bool(case.mask[y, x]) if known and case.mask is not None else None
            film["peaks"][method] = {"x": x, "y": y, "inside": inside}


def _picture(case: Case, answers: dict[str, NDArray[np.float32]], place: int) -> Picture:
    heat = {method: maps[place] for method, maps in answers.items()}
    return Picture(case.pixels, heat, case.boxes, case.mask)
