"""Labelled films of a site: the carried model judged, ways to adapt it compared, one of them kept.

Nothing is chosen on films that it is judged on. The model as it comes is judged first; each way is
fitted on four fifths of the patients and judged on the others; what is kept goes by the
one-standard-error rule, in which the simplest wins unless another is clearly better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.data.together.deal import folds
from pneumoscope.evaluation.choices import Choices, choose_all
from pneumoscope.evaluation.evaluate import core_metrics, operating_point_from
from pneumoscope.evaluation.predictions import at_temperature, predictions_table
from pneumoscope.evaluation.site import crossfit
from pneumoscope.evaluation.site.local import (
    Candidate,
    CurvePoint,
    FilmsNeeded,
    LocalFigures,
    LocalResult,
)
from pneumoscope.listener import Listener
from pneumoscope.metrics.paired import paired_bootstrap, resampled_scores
from pneumoscope.metrics.resample import IntervalSettings, patient_numbers
from pneumoscope.metrics.scores import Floats, auroc, probability
from pneumoscope.metrics.thresholds import Rule
from pneumoscope.models.bundle import Bundle
from pneumoscope.readings import Estimate, OperatingPoint
from pneumoscope.recipe import stored_recipe
from pneumoscope.workflows.adapt.parent import Parent
from pneumoscope.workflows.adapt.site import Site
from pneumoscope.workflows.adapt.ways import Way

LEAST_OF_CLASS = 20
"""Labelled films of each class, and patients of each, below which none of them decides anything."""
DRAWS = 5
_OWN = IntervalSettings()


@dataclass(frozen=True, slots=True)
class LocalModel:
    """What the labelled films decided: the record, the bundle that is kept, with its operating
    points, and the table of the cross-fitted predictions, whose split is ``val``; of the films
    ``judged`` the logits (n,) of the carried model and, cross-fitted, of the ``adapted`` one, with
    the threshold ``bar`` (n,) that decides on each."""

    result: LocalResult
    bundle: Bundle
    table: pd.DataFrame
    judged: JudgedFilms
    carried: Floats
    adapted: Floats
    bar: Floats


def why_no_labels(site: Site) -> str:
    """Why the labels of the site decide nothing; empty where they do."""
    labels = site.labels[site.known]
    counts = [int(np.unique(site.patients[site.known][labels == each]).size) for each in (0, 1)]
    if not labels.size:
        return "no film has a label"
    if not min(counts):
        return f"all {labels.size:,} labelled films are of one class"
    if min(counts) < LEAST_OF_CLASS:
        return (
            f"labelled films of {counts[0]:,} normal and {counts[1]:,} pneumonia patients, "
            f"and {LEAST_OF_CLASS} of each are needed"
        )
    return ""


def local_model(parent: Parent, site: Site, ways: Sequence[Way], listener: Listener) -> LocalModel:
    """The way that the labelled films of ``site`` keep, the first of ``ways`` being the model as
    it comes."""
    task = JudgedFilms.of(parent, site)
    listener.stage(f"Judge {task.known.size:,} labelled films, each by what others taught")
    scores = []
    for done, way in enumerate(ways, 1):
        scores.append(crossfit.crossfitted(_scorer(way), task.known, task.fold))
        listener.progress(done, len(ways), "way")
    losses = [task.losses(each) for each in scores]
    kept = crossfit.simplest(losses, [way.level for way in ways])
    bar, local, said = _thresholds(task, scores, kept)
    bundle, table = _finished(task, ways[kept], scores[kept], local)
    carried = task.figures(scores[0], np.full(task.known.size, parent.threshold))
    learning = ways[kept]
    if not learning.learns:
        learning = min(
            (pair for pair in zip(ways, losses, strict=True) if pair[0].learns),
            key=lambda pair: float(pair[1].mean()),
        )[0]
    result = LocalResult(
        films=int(task.known.size),
        positives=int(task.labels.sum()),
        patients=task.patients,
        folds=crossfit.FOLDS,
        carried=carried,
        adapted=carried if not kept and not local else task.figures(scores[kept], bar),
        candidates=_candidates(task, ways, scores, losses, kept),
        thresholds=said,
        local_thresholds=local,
        gain=task.gain(scores[0], scores[kept]),
        curve=_curve(task, learning, listener),
        curve_of=learning.name,
        needed=task.needed(scores[kept], bar),
    )
    return LocalModel(result, bundle, table, task, scores[0], scores[kept], bar)


@dataclass(frozen=True, slots=True)
class JudgedFilms:
    """The labelled films: their places, labels, folds, and the rule of the parent's threshold."""

    parent: Parent
    site: Site
    known: NDArray[np.int64]
    labels: NDArray[np.int64]
    fold: NDArray[np.int64]
    rule: Rule
    target: float | None

    @classmethod
    def of(cls, parent: Parent, site: Site) -> JudgedFilms:
        known = site.known
        labels = site.labels[known].astype(np.int64)
        groups = patient_numbers(known.size, site.patients[known])
        decide = stored_recipe(parent.run.recipe_file).decide
        fold = folds(labels, groups, crossfit.FOLDS, 0)
        return cls(parent, site, known, labels, fold, decide.rule, decide.target)

    @property
    def patients(self) -> int | None:
        """How many patients they are of, None where some are unknown."""
        ids = self.site.table["patient_id"].iloc[self.known]
        return int(ids.nunique()) if ids.notna().all() else None

    @property
    def goal(self) -> float:
        """What the rule is asked; that of the point that decides, where it is fixed."""
        point = self.parent.bundle.operating_points[0]
        if self.rule == "fixed":
            return point.threshold
        defaults = {"sensitivity": 0.95, "specificity": 0.95, "cost": 5.0}
        return self.target if self.target is not None else defaults.get(self.rule, 0.0)

    def table(self, logits: Floats, split: str) -> pd.DataFrame:
        """The labelled films as a table of predictions."""
        rows = predictions_table(self.site.prepared, self.site.rows[self.known], logits)
        return rows.assign(split=split, label=self.labels)

    def measured(self, logits: Floats) -> dict[str, Estimate]:
        """All metrics of films that are called from a logit of 0 on."""
        point = OperatingPoint("judged", 0.5, "each film by the threshold of other folds", "val")
        rows = self.table(logits, "val")
        return dict(core_metrics(rows, split="val", operating_point=point).metrics)

    def losses(self, logits: Floats) -> Floats:
        """The log loss of each patient, by which ways are compared: of five folds a standard error
        is a matter of luck."""
        return crossfit.patient_losses(self.labels, logits, self.site.patients[self.known])

    def figures(self, logits: Floats, bar: Floats) -> LocalFigures:
        """What ``logits`` reach, and decisions by thresholds ``bar``, one for each film."""
        own, called = self.measured(logits), self.measured(logits - bar)
        return LocalFigures(
            own["auroc"],
            called["sensitivity"],
            called["specificity"],
            own["log_loss"],
            own["ece"],
        )

    def gain(self, first: Floats, second: Floats) -> Estimate:
        """AUROC of ``second`` less that of ``first``, over resamples of patients."""
        groups = self.site.patients[self.known]
        runs = [(probability(each), 0.5) for each in (first, second)]
        drawn = resampled_scores(self.labels, runs, groups, _OWN)
        value = auroc(self.labels, second) - auroc(self.labels, first)
        one, other = ({name: parts[at] for name, parts in drawn.items()} for at in (0, 1))
        found = paired_bootstrap(self.labels, one, other, {"auroc": value}, groups)["auroc"]
        return Estimate(found.value, found.low, found.high, found.level, found.method, found.n)

    def needed(self, logits: Floats, bar: Floats) -> tuple[FilmsNeeded, ...]:
        """How many films make sensitivity and specificity precise."""
        called, sick = logits >= bar, self.labels == 1
        share = float(sick.mean())
        return (
            crossfit.films_needed("sensitivity", float(called[sick].mean()), share),
            crossfit.films_needed("specificity", float((~called[~sick]).mean()), 1 - share),
        )


def _scorer(way: Way) -> crossfit.Fit:
    return lambda places: way.fit(places).score


def _thresholds(task: JudgedFilms, scores: Sequence[Floats], kept: int) -> tuple[Floats, bool, str]:
    """For each film the threshold that decides on it, whether it was chosen here, and why."""
    own = np.full(task.known.size, task.parent.threshold)
    here = crossfit.fold_thresholds(task.rule, task.goal, task.labels, scores[kept], task.fold)
    if kept:
        return here, True, "chosen on the labelled films, for the scale of the scores is new"
    if task.rule == "fixed":
        return own, False, "fixed by the recipe"
    errors = [
        crossfit.balanced_errors(task.labels, scores[0] >= bar, task.fold) for bar in (own, here)
    ]
    if crossfit.simplest(errors):
        return here, True, "chosen on the labelled films, which lowers the errors on other folds"
    return own, False, "carried: those chosen on the labelled films are not clearly better"


def _finished(
    task: JudgedFilms, way: Way, logits: Floats, local: bool
) -> tuple[Bundle, pd.DataFrame]:
    """The kept way fitted on all labelled films, with what it decides by; and the table of the
    cross-fitted predictions, from which that was chosen."""
    bundle = way.fit(task.known).bundle()
    heat = bundle.temperature
    table = at_temperature(task.table(logits * heat, "val"), 1.0)
    if not local:
        return bundle, table
    own = operating_point_from(table, task.rule, task.target)
    choices = choose_all(table, own, carried=bundle.calibration)
    return _deciding(bundle, choices), at_temperature(table, choices.temperature)


def _deciding(bundle: Bundle, choices: Choices) -> Bundle:
    points = tuple(
        point
        if point.name == "fixed"
        else replace(point, rule=f"{point.rule}; chosen on labelled films of this site")
        for point in choices.points
    )
    return bundle.with_operating_points(*points).with_calibration(
        choices.calibration, choices.conformal
    )


def _candidates(
    task: JudgedFilms,
    ways: Sequence[Way],
    scores: Sequence[Floats],
    losses: Sequence[Floats],
    kept: int,
) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(
            way.name,
            way.what,
            float(loss.mean()),
            float(loss.std(ddof=1) / np.sqrt(loss.size)),
            task.measured(each)["auroc"],
            place == kept,
        )
        for place, (way, each, loss) in enumerate(zip(ways, scores, losses, strict=True))
    )


def _curve(task: JudgedFilms, way: Way, listener: Listener) -> tuple[CurvePoint, ...]:
    """What fewer labelled films give: drawn from the other folds, judged on each fold."""
    fewest = int(task.known.size - np.bincount(task.fold).max())
    sizes = [size for size in crossfit.SIZES if size <= fewest]
    found = []
    for done, size in enumerate(sizes, 1):
        draw = np.random.default_rng(size)
        rounds = [
            crossfit.crossfitted(_fewer(task, way, size, draw), task.known, task.fold)
            for _ in range(DRAWS)
        ]
        values = np.array([auroc(task.labels, each) for each in rounds])
        losses = [task.losses(each).mean() for each in rounds]
        spread = float(values.std(ddof=1))
        found.append(CurvePoint(size, DRAWS, float(values.mean()), spread, float(np.mean(losses))))
        listener.progress(done, len(sizes), "size")
    return tuple(found)


def _fewer(
    task: JudgedFilms, way: Way, size: int, draw: np.random.Generator
) -> Callable[[NDArray[np.int64]], Callable[[NDArray[np.int64]], Floats]]:
    def fit(places: NDArray[np.int64]) -> Callable[[NDArray[np.int64]], Floats]:
        labels = task.site.labels[places]
        return way.fit(crossfit.drawn(places, labels, size, draw)).score

    return fit
