"""What training and ``evaluate`` share when they judge: files read, facts gathered, films found.

No torch here: a run's own splits are judged from its table of predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.data.split import with_splits
from pneumoscope.errors import NotARun, UnreadableData
from pneumoscope.evaluation.choices import MISS_RATE, Choices, choose_all
from pneumoscope.imaging.hidden import VARIANTS, altered, mean_film
from pneumoscope.metrics.thresholds import Rule
from pneumoscope.recipe import stored_recipe
from pneumoscope.records import (
    Calibration,
    Conformal,
    DataRequest,
    Grey,
    InputSpec,
    Listener,
    OperatingPoint,
)
from pneumoscope.run import Run, open_run
from pneumoscope.storage import read_json
from pneumoscope.workflows.data import find_data, prepare_source

FilmOf: TypeAlias = "Callable[[str], Grey | None]"


def complete_run(folder: Path) -> Run:
    """The run of ``folder`` with its model and its predictions. Raises NotARun."""
    run = open_run(folder)
    for file in (run.model_file, run.predictions_file):
        if not file.is_file():
            raise NotARun(
                f"the run holds no {file.name}",
                got=run.folder,
                remedy=f"complete it: pneumoscope train --resume {run.folder}",
            )
    return run


def facts_of(table: pd.DataFrame) -> pd.DataFrame:
    """What is known of each film beside its pixels: ``image_id`` and a column a fact.

    ``table`` is a prepared set's. Native sizes are facts too, where they differ.
    """
    names = [str(name) for name in table.columns]
    facts = [name for name in names if name.startswith("fact_")]
    sizes = [name for name in ("height", "width") if name in names and table[name].nunique() > 1]
    found = table[["image_id", *facts, *sizes]]
    return found.rename(columns={name: name.removeprefix("fact_") for name in facts})


def film_of(sets: Iterable[PreparedSet]) -> FilmOf:
    """The stored image of an image id, uint8 (S, S), or None where no set holds it."""
    where = [
        (prepared, {image_id: row for row, image_id in enumerate(prepared.table["image_id"])})
        for prepared in sets
    ]

    def film(image_id: str) -> Grey | None:
        for prepared, rows in where:
            if image_id in rows:
                return np.asarray(prepared.images[rows[image_id]])
        return None

    return film


def hidden_of(prepared: PreparedSet) -> Callable[[str], dict[str, Grey]]:
    """A film of an image id as the shortcut check shows it to the model: uint8 (S, S) by variant,
    the full film first; empty where no set holds it."""

    def hidden(image_id: str) -> dict[str, Grey]:
        film, train = film_of([prepared])(image_id), prepared.rows("train")
        if film is None or not len(train):
            return {}
        fill = mean_film(prepared.images, train)
        return {"full": film} | {name: altered(film[None], name, fill)[0] for name in VARIANTS}

    return hidden


def carried_choices(
    run: Run,
    predictions: pd.DataFrame,
    targets: Mapping[Rule, float] | None = None,
    miss_rate: float | None = None,
) -> Choices:
    """What the model carries; what it lacks, or is asked otherwise, is fitted on its validation
    rows. The first point stays the recipe's own. Raises NotARun where the run has no operating
    point yet."""
    about = read_json(run.model_file)
    stored = [OperatingPoint(**point) for point in about.get("operating_points", ())]
    if not stored:
        raise NotARun(
            "the run has not been judged yet",
            got=run.folder,
            remedy=f"complete it: pneumoscope train --resume {run.folder}",
        )
    own, targets = stored[0], targets or {}
    by_name = {p.name: p for p in stored if p is own or p.name not in targets}
    fitted = choose_all(predictions, own, targets=targets, miss_rate=miss_rate or MISS_RATE)
    return Choices(
        points=tuple(by_name.get(point.name, point) for point in fitted.points),
        calibration=_record(Calibration, about.get("calibration")) or fitted.calibration,
        conformal=(None if miss_rate else _record(Conformal, about.get("conformal")))
        or fitted.conformal,
        ladder=fitted.ladder,
        notes=fitted.notes,
    )


def _record(kind: type[Any], found: Any) -> Any:
    return kind(**found) if found else None


def own_data(run: Run, listener: Listener) -> PreparedSet:
    """The prepared set of a finished run, with its splits. Raises InputError where it cannot be
    had, or has changed."""
    return with_splits(own_films(run, listener), stored_recipe(run.recipe_file).data)[0]


def own_films(run: Run, listener: Listener) -> PreparedSet:
    """As ``own_data``, with the official splits instead of the run's."""
    manifest = run.manifest()
    source = find_data(DataRequest.from_json(manifest["request"]), listener)
    spec = InputSpec(**read_json(run.model_file)["input"])
    place = run.local_data if run.local_data.exists() else None
    keep = bool(manifest["request"].get("keep_ids"))
    most_bad = stored_recipe(run.recipe_file).data.most_bad
    prepared = prepare_source(
        source, spec, listener, folder=place, keep_ids=keep, most_bad=most_bad
    )
    if manifest.get("content", prepared.content) != prepared.content:
        raise UnreadableData("the data has changed since the run began")
    return prepared
