"""Explainer: the model or models that heatmaps are drawn of, and the layer each method looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.devices import choose_device, use_all_cores
from pneumoscope.explain.explanation import LocalisationCheck, SanityCheck
from pneumoscope.explain.localise import area_share, localise
from pneumoscope.explain.truth import located_rows, masks_of, mean_mask, patients_of, truth_known
from pneumoscope.listener import Listener
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.records import Grey
from pneumoscope.run import Run
from pneumoscope.workflows.groups.ensemble import ensemble_folders

if TYPE_CHECKING:  # torch takes seconds to import
    from pneumoscope.explain.stages import Stage
    from pneumoscope.inference.members import Members
    from pneumoscope.inference.predictor import Predictor
    from pneumoscope.models.bundle import Bundle

MOST_SANE = 8
_MOST_PRIOR = 2000


@dataclass(frozen=True, slots=True)
class Explainer:
    """The models of ``folder``, the methods, and for each model the layer by method. What is
    explained is the logit; of several models a film's map is the mean of theirs.

    ``predictor`` and ``threshold``, that of the first operating point or .5 where there is none,
    are on the model's scale, as in ``predict`` and in the run's report.
    """

    folder: Path
    members: Members
    predictor: Predictor
    threshold: float
    methods: tuple[str, ...]
    stages: tuple[Mapping[str, Stage | None], ...]
    seed: int
    listener: Listener

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        return self.members.bundles

    def logits(self, films: Grey) -> NDArray[np.float64]:
        """Logits, float64 (N,), of films (N, S, S)."""
        return self.predictor.logits(films, np.arange(len(films)))

    def heat(self, films: Grey, method: str, member: int | None = None) -> NDArray[np.float32]:
        """Heatmaps of films (N, S, S) by all models, or by one of them, with progress told."""
        from pneumoscope.explain.members import mean_heat

        which = slice(None) if member is None else slice(member, member + 1)
        return mean_heat(
            self.bundles[which],
            films,
            method,
            stages=[by_method[method] for by_method in self.stages[which]],
            advance=partial(self.listener.progress, unit="film"),
        )


def load_explainer(folder: Path, methods: tuple[str, ...], listener: Listener) -> Explainer:
    """Load the model or models of ``folder`` and find their layers. Raises NotARun, BadWeights,
    and InputError for a backbone of which no map can be drawn."""
    from pneumoscope.explain.cam import stage_for
    from pneumoscope.inference.members import load_members
    from pneumoscope.inference.predictor import Predictor

    use_all_cores()
    members = load_members(folder)
    several = len(members.bundles) > 1
    if several:
        for note in members.notes:
            listener.choice(*note)
    predictor = Predictor(members.bundles, choose_device(), calibrated=True)
    points = members.operating_points
    stages = tuple({m: stage_for(b.network, m) for m in methods} for b in members.bundles)
    for method, stage in stages[0].items():
        if stage:
            cells = f"{stage.cells} × {stage.cells} cells"
            why = "the deepest that is fine enough for this method"
            listener.choice(f"layer for {method}", f"{stage.name}, {cells}", why)
    return Explainer(
        folder=folder,
        members=members,
        predictor=predictor,
        threshold=points[0].threshold if points else 0.5,
        methods=methods,
        stages=stages,
        seed=_seed(folder),
        listener=listener,
    )


def _seed(folder: Path) -> int:
    """Of the run, of several that of the first; 0 for a model without its run."""
    run = Run(next(iter(ensemble_folders(folder)), folder))
    return int(run.manifest()["seed"]) if run.manifest_file.is_file() else 0


def check_maps(
    explainer: Explainer, films: Grey, method: str, trained: NDArray[np.float32]
) -> SanityCheck:
    """Whether the maps ``trained`` of films (N, S, S) depend on the weights; of several models
    the mean over them."""
    from pneumoscope.explain.sanity import check_sanity, mean_check

    explainer.listener.stage(f"Does the map depend on the weights? {method}")
    places = np.linspace(0, len(films) - 1, min(len(films), MOST_SANE)).round().astype(int)

    def check(number: int) -> SanityCheck:
        bundle, several = explainer.bundles[number], len(explainer.bundles) > 1
        own = explainer.heat(films[places], method, number) if several else trained[places]
        return check_sanity(
            bundle.network,
            films[places],
            method,
            own,
            seed=explainer.seed,
            stage=explainer.stages[number][method],
            mirror=bundle.flip_average,
        )

    return mean_check([check(number) for number in range(len(explainer.bundles))])


def locate(
    explainer: Explainer, prepared: PreparedSet | None, rows: NDArray[np.int64]
) -> LocalisationCheck | None:
    """Every measure of every method on ``rows``, true positives whose abnormality is marked."""
    if prepared is None or not len(rows):
        return None
    films, masks = np.asarray(prepared.images[rows]), masks_of(prepared, rows)
    patients = patients_of(prepared, rows)
    prior, why = _prior(prepared)
    measured = {}
    for method in explainer.methods:
        explainer.listener.stage(f"Where does it point? {method}, {len(rows):,} true positives")
        heat = explainer.heat(films, method)
        parts = localise(heat, masks, prior, patients, IntervalSettings(seed=explainer.seed))
        measured[method] = {part.measure: part for part in parts}
    return LocalisationCheck(
        films=len(rows),
        patients=None if patients is None else len(np.unique(patients)),
        split="test",
        truth=truth_known(prepared),
        area=float(area_share(masks).mean()),
        prior=why,
        methods=measured,
    )


def _prior(prepared: PreparedSet) -> tuple[NDArray[np.float32] | None, str]:
    """The mean mask of training films with an abnormality; else each film has that of others."""
    rows = prepared.rows("train")
    rows = located_rows(prepared, rows[prepared.labels(rows) == 1], _MOST_PRIOR)
    if not len(rows):
        return None, "the mean of the other patients' marks, each patient left out in turn"
    return mean_mask(prepared, rows)[None], f"the mean of the marks of {len(rows):,} training films"
