"""Explanation of a trained model: heatmaps on films, whether to trust them, and a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import pneumoscope
from pneumoscope.errors import InputError, printable
from pneumoscope.explain.explanation import (
    SCHEMA,
    ExplainedFilm,
    Explanation,
    Layer,
    MethodEntry,
    Peak,
)
from pneumoscope.listener import Listener, Silent
from pneumoscope.metrics.scores import probability
from pneumoscope.report.explain.page import Picture, write_explanation
from pneumoscope.run import Run, check_output, create_folder, open_complete
from pneumoscope.storage import timestamp
from pneumoscope.workflows.explain.explainer import Explainer, check_maps, load_explainer, locate
from pneumoscope.workflows.explain.films import (
    Case,
    ChosenImages,
    films_of_ensemble,
    films_of_run,
    given_films,
)
from pneumoscope.workflows.groups.ensemble import ensemble_folders

HeatByMethod = Mapping[str, NDArray[np.float32]]
"""Heatmaps float32 (N, S, S) of all films, by method."""


@dataclass(frozen=True, slots=True)
class ExplainRequest:
    """What the user asked for: films of their own, or none for the run's test films; methods by
    name, none for the default ones; how many films to show, None for as many as fit."""

    run: Path
    films: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    count: int | None = None


def explain_run(
    request: ExplainRequest,
    *,
    out: Path | None = None,
    command: str = "",
    listener: Listener | None = None,
) -> tuple[Path, Explanation]:
    """Write pictures, explain.json and explain.html into a new folder; return it and what
    explain.json holds. The run, or the folder of several that answer together, is not altered.

    Raises NotARun, BadWeights, InputError for an unknown method or a backbone of which no map can
    be drawn, DataNotFound where the run's data is gone or no film can be read.
    """
    listener = listener or Silent()
    check_output(out)
    if request.count is not None and request.count < 1:
        raise InputError("the count is out of range", got=request.count, expected="1 or more")
    methods = _methods(request)
    explainer, found = _gathered(request, methods, listener)
    films = np.stack([case.pixels for case in found.cases])
    logits, titles = explainer.logits(films), _titles(methods)
    heat = {}
    for method in methods:
        listener.stage(f"Heatmaps of {len(films):,} films: {titles[method]}")
        heat[method] = explainer.heat(films, method)
    explanation = _explanation(request, explainer, found, command)
    explanation = replace(
        explanation,
        films=_films(explainer, found.cases, logits, heat),
        sanity={name: check_maps(explainer, films, name, heat[name]) for name in methods},
        localisation=locate(explainer, found.prepared, found.located),
    )
    listener.stage("Draw and write the page")
    pictures = [_picture(case, heat, place) for place, case in enumerate(found.cases)]

    def fill(draft: Path, name: str) -> None:
        write_explanation(draft, replace(explanation, name=name), pictures)

    return create_folder(out, f"explain-{_label(request.run)}", fill), explanation


def _gathered(
    request: ExplainRequest, methods: tuple[str, ...], listener: Listener
) -> tuple[Explainer, ChosenImages]:
    """What draws the maps, and the films to draw them of."""
    places = ensemble_folders(request.run)
    # An unfinished run is refused before its model is loaded.
    run = None if request.films or places else open_complete(request.run)
    explainer = load_explainer(request.run, methods, listener)
    if run is not None:
        found = films_of_run(run, explainer, request.count, listener)
    elif request.films:
        found = given_films(request.films, explainer.members, request.count, listener)
    else:
        found = films_of_ensemble(places, explainer, request.count, listener)
    if places:
        mean = f"Each map is the mean of the maps of {len(places)} models."
        found.notes.append(mean)
        listener.note(mean)
    return explainer, found


def _label(folder: Path) -> str:
    run = Run(folder)
    named = run.manifest().get("name") if run.manifest_file.is_file() else ""
    return named or folder.absolute().name


def _methods(request: ExplainRequest) -> tuple[str, ...]:
    from pneumoscope.explain.heat import DEFAULT, find_method

    named = dict.fromkeys(request.methods or DEFAULT)
    return tuple(find_method(name).name for name in named)


def _titles(methods: tuple[str, ...]) -> dict[str, str]:
    from pneumoscope.explain.heat import find_method

    return {name: find_method(name).title for name in methods}


def _explanation(
    request: ExplainRequest, explainer: Explainer, found: ChosenImages, command: str
) -> Explanation:
    """What is known before any map is drawn."""
    from pneumoscope.explain.heat import find_method

    methods = [find_method(name) for name in explainer.methods]
    first, several = explainer.bundles[0], len(explainer.bundles) > 1
    return Explanation(
        schema=SCHEMA,
        version=pneumoscope.__version__,
        created=timestamp(),
        command=command,
        run=request.run.absolute().name,
        members=len(explainer.bundles),
        backbone=first.backbone,
        explained="the logit of pneumonia" + (", the mean over the models" if several else ""),
        layers={
            name: Layer(stage.name, stage.cells)
            for name, stage in explainer.stages[0].items()
            if stage
        },
        mirror=first.flip_average,
        turned=first.turn_average,
        seed=explainer.seed,
        input=first.network.spec,
        which=found.which,
        notes=tuple(found.notes),
        methods=tuple(MethodEntry(each.name, each.title, each.about) for each in methods),
        scale=explainer.members.scale,
    )


def _films(
    explainer: Explainer, cases: Sequence[Case], logits: NDArray[np.float64], heat: HeatByMethod
) -> tuple[ExplainedFilm, ...]:
    """What the model says of each film, on the scale of its thresholds."""
    chances = probability(logits)
    return tuple(
        ExplainedFilm(
            image_id=printable(case.image_id),
            name=case.name,
            label=case.label,
            probability=float(chances[at]),
            logit=float(logits[at]),
            threshold=explainer.threshold,
            called=int(chances[at] >= explainer.threshold),
            boxes=case.boxes,
            findings=case.findings,
            peaks={method: _peak(maps[at], case.mask) for method, maps in heat.items()},
        )
        for at, case in enumerate(cases)
    )


def _peak(heat: NDArray[np.float32], mask: NDArray[np.bool_] | None) -> Peak:
    y, x = (int(i) for i in np.unravel_index(heat.argmax(), heat.shape))
    known = mask is not None and bool(mask.any()) and bool(heat.any())
    return Peak(x, y, bool(mask[y, x]) if known and mask is not None else None)


def _picture(case: Case, heat: HeatByMethod, place: int) -> Picture:
    own = {method: maps[place] for method, maps in heat.items()}
    return Picture(case.pixels, own, case.boxes, case.mask)
