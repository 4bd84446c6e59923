"""Evaluated run: what the pages read of a run folder, checked once, here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from pneumoscope.audit.baselines import JudgedBaseline
from pneumoscope.audit.people import SplitPeople
from pneumoscope.audit.sites import SitesTold
from pneumoscope.audit.splits import SplitShift
from pneumoscope.data.door import Door
from pneumoscope.errors import NotARun
from pneumoscope.evaluation.calibrate import read_evaluation
from pneumoscope.evaluation.predictions import at_temperature, read_predictions
from pneumoscope.evaluation.results import Evaluation
from pneumoscope.formatting import number
from pneumoscope.manifest import Manifest, ModelManifest
from pneumoscope.metrics.scale import CALIBRATED, scale_name
from pneumoscope.plain import from_plain
from pneumoscope.readings import Estimate
from pneumoscope.report.repeat import cut_short, recipe_done, repeating
from pneumoscope.run import Run
from pneumoscope.sources.known_sets import KnownSet

R = TypeVar("R")

HISTORY_COLUMNS = ("epoch", "train_loss", "val_loss")


@dataclass(frozen=True, slots=True)
class EvaluatedRun:
    """A run folder after evaluation, or the folder of an evaluation, as read.

    ``predictions`` holds the rows of the evaluated split only, indexed by their place in the
    whole table, on the scale of ``results``: that of the model, also where a version before wrote
    another. ``history`` is None where the run was not trained here. ``model`` is empty where
    there is no model.json, ``recipe`` where there is no recipe.yaml; it is the recipe of what was
    done, and ``cut_short`` says where fewer epochs fitted into its minutes than it asked for.
    """

    folder: Path
    manifest: Manifest
    model: ModelManifest
    results: Evaluation
    predictions: pd.DataFrame
    history: pd.DataFrame | None
    recipe: str
    cut_short: str = ""

    @property
    def name(self) -> str:
        return self.manifest.get("name") or self.folder.name

    @property
    def split(self) -> str:
        return self.results.split

    @property
    def threshold(self) -> float:
        return self.results.operating_point.threshold

    @property
    def best_epoch(self) -> int | None:
        """The epoch whose weights were kept, None where that is not known."""
        return self.model.get("lineage", {}).get("best_epoch")

    @property
    def command(self) -> str:
        """The command that repeats the run; empty where it was not kept."""
        return repeating(self.manifest.get("command", ""), self.fitted_epochs)

    @property
    def fitted_epochs(self) -> int | None:
        """The epochs that were fitted to the recipe's minutes; None where none were."""
        return _fitted(self.manifest)

    @property
    def members(self) -> int:
        """How many models answer together."""
        return self.manifest.get("members", 1)

    @property
    def scale(self) -> str:
        """The scale of every probability and threshold, in words."""
        return scale_name(None, self.members) if self.members > 1 else self.results.scale

    @property
    def scale_words(self) -> str:
        """The scale, and how it comes to be."""
        known = self.results.calibration
        if self.scale == CALIBRATED and known and known.temperature:
            return (
                f"{CALIBRATED}, each logit divided by the temperature {number(known.temperature)}"
            )
        return self.scale

    @property
    def door(self) -> Door | None:
        """What was learnt from what; None in a run of before that was kept."""
        return _optional(Door, self.manifest.get("door"))

    @property
    def known_set(self) -> KnownSet | None:
        """What is known of the data set of the judged films; None where it is not known."""
        return _optional(KnownSet, self.manifest.get("known_set"))

    @property
    def trained_on(self) -> KnownSet | None:
        """The same of the films that the model learnt from."""
        return _optional(KnownSet, self.manifest.get("trained_on", self.manifest.get("known_set")))

    @property
    def people(self) -> list[SplitPeople]:
        """Who is in each split; empty in a run of before that was kept."""
        return [from_plain(SplitPeople, each) for each in self.manifest.get("people", ())]

    @property
    def baselines(self) -> list[JudgedBaseline]:
        """What models without lungs reach on the judged films; empty where it was not measured."""
        return [from_plain(JudgedBaseline, each) for each in self.manifest.get("baselines", ())]

    @property
    def shifts(self) -> list[SplitShift]:
        """How far each split is told from that of training, as it was evaluated."""
        return [from_plain(SplitShift, each) for each in self.manifest.get("shifts", ())]

    @property
    def sites_told(self) -> SitesTold | None:
        """What the sites of its training films tell of their labels; None where it is of one."""
        return _optional(SitesTold, self.manifest.get("sites"))

    def estimate(self, name: str) -> Estimate | None:
        """The metric called ``name``, or None where it was not measured."""
        return self.results.metrics.get(name)


def _optional(kind: type[R], found: dict[str, Any] | None) -> R | None:
    return from_plain(kind, found) if found else None


def read_evaluated(folder: Path) -> EvaluatedRun:
    """Read a run folder that has been evaluated. Raises ``NotARun`` where a part is missing."""
    run = Run(folder)
    results = read_evaluation(run.metrics_file)
    known = results.calibration
    heat = known.temperature if known and known.temperature else 1.0
    table = at_temperature(read_predictions(run.predictions_file), heat)
    rows = table[(table["split"] == results.split) & table["label"].isin([0, 1])]
    manifest, recipe = run.manifest(), _read_optional(run.recipe_file)
    return EvaluatedRun(
        folder=folder,
        manifest=manifest,
        model=run.model() if run.model_file.exists() else {},
        results=results,
        predictions=rows.astype({"label": int}),
        history=_read_history(run.history_file),
        recipe=recipe_done(recipe, _fitted(manifest)),
        cut_short=cut_short(recipe, _fitted(manifest)),
    )


def _fitted(manifest: Manifest) -> int | None:
    return manifest["epochs"]["number"] if "epochs" in manifest else None


def _read_history(path: Path) -> pd.DataFrame | None:
    if not path.exists():
        return None
    remedy = f"complete the run: pneumoscope train --resume {path.parent}"
    try:
        table = pd.read_csv(path).apply(pd.to_numeric, errors="coerce")
    except (OSError, ValueError) as fault:
        raise NotARun(f"{path} cannot be read", got=str(fault), remedy=remedy) from None
    missing = [name for name in HISTORY_COLUMNS if name not in table.columns]
    if missing:
        raise NotARun(
            f"{path} lacks columns",
            got=", ".join(table.columns),
            expected=", ".join(HISTORY_COLUMNS),
            remedy=remedy,
        )
    return table if len(table) else None


def _read_optional(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
