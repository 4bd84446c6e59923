"""How well the label can be told without looking at the lungs.

Three models that a real one must beat: file facts alone, 8 by 8 thumbnails, and the border of the
film alone. What file facts reach is no merit of a network that reaches it too.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.audit.features import border_segments, coarse_greys, metadata_features
from pneumoscope.audit.findings import Finding, Severity
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.data.together.deal import Labels, folds
from pneumoscope.data.together.groups import patient_codes
from pneumoscope.formatting import brief
from pneumoscope.metrics.intervals import delong
from pneumoscope.metrics.scores import Floats
from pneumoscope.readings import Estimate

Fit = Callable[[Floats, Labels], Callable[[Floats], Floats]]
"""From features (N, F) and labels (N,) to a function that scores features."""

FOLDS = 5
WARNING, SEVERE = 0.70, 0.85
"""Lower ends of the interval. RSNA's view position alone has AUROC .71, a known shortcut; at .85
the file tells about as much as published networks read from RSNA's films."""

FEWEST = 25
"""Films of the rarer class below which a fold has too few to judge on."""


@dataclass(frozen=True, slots=True)
class FeatureAuroc:
    """What one feature alone reaches."""

    feature: str
    auroc: Estimate


@dataclass(frozen=True, slots=True)
class JudgedBaseline:
    """What a model that does not look at the lungs reaches on the films that a network is judged
    on, ``auroc`` of ``split``, when it learns from all other labelled films that are in a split;
    None where ``why_not`` says why that could not be measured."""

    name: str
    what: str
    split: str
    auroc: Estimate | None = None
    why_not: str | None = None


@dataclass(frozen=True, slots=True)
class Baseline:
    """One model that does not look at the lungs.

    ``cross_validated`` is its AUROC over 5 patient-grouped folds of all labelled films,
    ``official_test`` that of the official test split as ``judge_baselines`` measures it; None
    where there is none. ``single`` is the AUROC of each feature alone, unfitted, turned so that it
    is .5 or more. ``why_not`` says why nothing could be measured.
    """

    name: str
    what: str
    features: tuple[str, ...]
    cross_validated: Estimate | None = None
    official_test: Estimate | None = None
    single: tuple[FeatureAuroc, ...] = ()
    why_not: str | None = None


@dataclass(frozen=True, slots=True)
class _Task:
    """The labelled films: which rows they are, their labels, and which of them a model learns from
    and is judged on."""

    known: NDArray[np.bool_]
    labels: Labels
    learnt: NDArray[np.bool_]
    judged: NDArray[np.bool_]


def measure_baselines(
    prepared: PreparedSet, thumbs: NDArray[np.uint8], seed: int = 0
) -> tuple[Baseline, ...]:
    """The metadata, thumbnail and border baselines of the official splits; the same for the same
    seed."""
    task = _task(prepared.table, "test")
    fold = patient_folds(prepared.table[task.known], task.labels, seed)
    views = _views(prepared.table, thumbs, task.known)
    return tuple(_measure(view, task, fold) for view in views)


def judge_baselines(
    table: pd.DataFrame, thumbs: NDArray[np.uint8], split: str = "test"
) -> tuple[JudgedBaseline, ...]:
    """What the same three reach on the films of ``split``, so that they may stand beside a model
    that is judged on them. ``table`` and ``thumbs`` uint8 (N, 32, 32) are of a prepared set."""
    task = _task(table, split)
    if not task.judged.any():
        return ()
    return tuple(_judge(view, task, split) for view in _views(table, thumbs, task.known))


@dataclass(frozen=True, slots=True)
class _View:
    """What one baseline sees of the labelled films, and how it learns from that."""

    name: str
    what: str
    features: pd.DataFrame
    fit: Fit

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(map(str, self.features.columns))

    @property
    def values(self) -> Floats:
        return self.features.to_numpy(np.float64)


def _views(
    table: pd.DataFrame, thumbs: NDArray[np.uint8], known: NDArray[np.bool_]
) -> tuple[_View, ...]:
    facts = metadata_features(table[known])
    cells = _named("cell", coarse_greys(thumbs)[known])
    segments = _named("segment", border_segments(thumbs)[known])
    return (
        _View("metadata", "file facts alone", facts, _boosted),
        _View("thumbnail", "8 × 8 thumbnails", cells, linear),
        _View("border", "the outer tenth alone", segments, linear),
    )


def _task(table: pd.DataFrame, split: str) -> _Task:
    known = table["label"].notna().to_numpy(bool)
    part = table[known]
    judged = (part["split"] == split).fillna(False).to_numpy(bool)
    learnt = part["split"].notna().to_numpy(bool) & ~judged
    return _Task(known, part["label"].to_numpy(np.int64), learnt, judged)


def _measure(view: _View, task: _Task, fold: NDArray[np.int64]) -> Baseline:
    why_not = _why_not(view, task.labels)
    if not why_not and not in_all_folds(task.labels, fold):
        why_not = f"fewer than {FOLDS} patients of a class"
    if why_not:
        return Baseline(view.name, view.what, view.names, why_not=why_not)
    single = _alone(view.features, task.labels) if view.name == "metadata" else ()
    known = cross_validated(view.values, task.labels, fold, view.fit)
    official = _judge(view, task, "test").auroc
    return Baseline(view.name, view.what, view.names, known, official, single)


def _judge(view: _View, task: _Task, split: str) -> JudgedBaseline:
    learnt, judged = task.labels[task.learnt], task.labels[task.judged]
    why_not = _why_not(view, learnt) or _why_not(view, judged)
    if why_not:
        return JudgedBaseline(view.name, view.what, split, why_not=why_not)
    values = view.values
    model = view.fit(values[task.learnt], learnt)
    return JudgedBaseline(view.name, view.what, split, delong(judged, model(values[task.judged])))


def cross_validated(x: Floats, labels: Labels, fold: NDArray[np.int64], fit: Fit) -> Estimate:
    """AUROC of films that were scored by a model of the other folds."""
    scores = np.zeros(labels.size)
    for held in (fold == k for k in range(FOLDS)):
        # Ranks, since the folds' scores come from five models on five scales.
        scores[held] = _ranks(fit(x[~held], labels[~held])(x[held]))
    return delong(labels, scores)


def _why_not(view: _View, labels: Labels) -> str | None:
    if not _enough(labels, FEWEST):
        return f"fewer than {FEWEST} labelled films of a class"
    return None if view.names else "nothing is known that differs between films"


def in_all_folds(labels: Labels, fold: NDArray[np.int64]) -> bool:
    """Whether each fold has films of both kinds."""
    return all(_enough(labels[fold == k], 1) for k in range(FOLDS))


def _enough(labels: Labels, fewest: int) -> bool:
    return min(int((labels == 0).sum()), int((labels == 1).sum())) >= fewest


def patient_folds(table: pd.DataFrame, labels: Labels, seed: int) -> NDArray[np.int64]:
    """A fold 0–4 for each row, the films of a patient together, both classes spread evenly.

    Where the patient is unknown, films of equal pixels stay together, others go alone.
    """
    patient = table["patient_id"].astype("string")
    if "pixel_hash" in table:
        patient = patient.fillna("pixels " + table["pixel_hash"].astype("string"))
    return folds(labels, patient_codes(table.assign(patient_id=patient)), FOLDS, seed)


def _alone(features: pd.DataFrame, labels: Labels) -> tuple[FeatureAuroc, ...]:
    """Each feature's own AUROC, missing values last, the highest first."""
    found = []
    for name in features.columns:
        values = features[name].to_numpy(np.float64)
        values = np.where(np.isnan(values), np.nanmin(values) - 1, values)
        estimate = delong(labels, values)
        turned = delong(labels, -values) if estimate.value < 0.5 else estimate
        found.append(FeatureAuroc(str(name), turned))
    return tuple(sorted(found, key=lambda each: (-each.auroc.value, each.feature)))


def _boosted(x: Floats, labels: Labels) -> Callable[[Floats], Floats]:
    """Small boosted trees: they take missing values, steps and pairs of facts as they come."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    model = HistGradientBoostingClassifier(
        max_iter=40, max_leaf_nodes=8, min_samples_leaf=10, early_stopping=False, random_state=0
    )
    # On cores that others use, its spinning threads took 19 s for what one thread does in 1.5.
    with threadpool_limits(1, user_api="openmp"):
        model.fit(x, labels)
    return lambda new: np.asarray(model.decision_function(new), np.float64)


def linear(x: Floats, labels: Labels) -> Callable[[Floats], Floats]:
    """Logistic regression on standardised greys, held back by an L2 penalty."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    mean, scale = x.mean(axis=0), x.std(axis=0) + 1.0
    with warnings.catch_warnings():
        # A few steps short of the optimum ranks the films the same.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=0.1, max_iter=200).fit((x - mean) / scale, labels)
    return lambda new: np.asarray(model.decision_function((new - mean) / scale), np.float64)


def _ranks(scores: Floats) -> Floats:
    return np.asarray(pd.Series(scores).rank(pct=True), np.float64)


def _named(word: str, x: Floats) -> pd.DataFrame:
    return pd.DataFrame(x, columns=[f"{word} {k}" for k in range(x.shape[1])])


def baseline_findings(baselines: tuple[Baseline, ...]) -> list[Finding]:
    """What the baselines mean, by the lower end of their intervals."""
    found = []
    for baseline in baselines:
        code = f"SHORTCUT-{baseline.name.upper()}"
        if baseline.cross_validated is None:
            title = f"Whether the label follows from {baseline.what} cannot be measured: "
            remedy = "Measure it on more labelled films."
            found.append(
                Finding(code, "info", f"{title}{baseline.why_not}.", 0, remedy, (), "not provable")
            )
        elif baseline.cross_validated.low >= WARNING:
            found.append(_shortcut(code, baseline, baseline.cross_validated))
    return found


def _shortcut(code: str, baseline: Baseline, auroc: Estimate) -> Finding:
    # File facts cannot show disease, greys can: only the former may be called severe.
    severe = auroc.low >= SEVERE and baseline.name == "metadata"
    title = f"A model of {baseline.what} reaches AUROC "
    if official := baseline.official_test:
        title += f"{brief(official)} on the official test split, {brief(auroc)} "
        title += "cross-validated over all films"
    else:
        title += f"{brief(auroc)} cross-validated over all films"
    if baseline.single:
        best = baseline.single[0]
        title += f"; {best.feature} alone, with nothing fitted, has {brief(best.auroc)}"
    remedy = {
        "metadata": "State this figure beside the model's own and judge on films from elsewhere. "
        "Bytes follow the film's texture, so a part of theirs may be disease.",
        "thumbnail": "Thumbnails carry disease too: a model must beat this figure to have learnt "
        "from detail.",
        "border": "Compare with this figure, look at heatmaps near the border, or crop the films.",
    }[baseline.name]
    mild: Severity = "warning" if baseline.name != "thumbnail" else "info"
    severity: Severity = "severe" if severe else mild
    return Finding(code, severity, f"{title}.", auroc.n, remedy)
