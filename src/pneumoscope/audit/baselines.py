"""How well the label can be told without looking at the lungs.

Three models that a real one must beat: file facts alone, 8 by 8 thumbnails, and the border of the
film alone. What file facts reach is no merit of a network that reaches it too.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.audit.counts import split_words
from pneumoscope.audit.findings import Finding, Severity
from pneumoscope.data.groups import patient_codes
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.data.split import Labels, folds
from pneumoscope.imaging.thumbnails import SIDE, cell_means
from pneumoscope.metrics.intervals import delong
from pneumoscope.metrics.scores import Floats
from pneumoscope.records import Estimate

Fit = Callable[[Floats, Labels], Callable[[Floats], Floats]]
"""From features (N, F) and labels (N,) to a function that scores features."""

FOLDS = 5
WARNING, SEVERE = 0.70, 0.85
"""Lower ends of the interval. RSNA's view position alone has AUROC .71, a known shortcut; at .85
the file tells about as much as published networks read from RSNA's films."""

FEWEST = 25
"""Films of the rarer class below which a fold has too few to judge on."""

TRUTH = ("subtype", "class", "detail", "finding", "diagnos", "label", "target", "box", "opacity")
"""Facts whose name holds one of these words say what the label says; they are no shortcut."""

_RING = 3
_WORDS = 12


@dataclass(frozen=True, slots=True)
class FeatureAuroc:
    """What one feature alone reaches."""

    feature: str
    auroc: Estimate


@dataclass(frozen=True, slots=True)
class Baseline:
    """One model that does not look at the lungs.

    ``cross_validated`` is its AUROC over 5 patient-grouped folds of all labelled films,
    ``official_test`` that of training on the official train and judging on the official test
    split; None where there is none. ``single`` is the AUROC of each feature alone, unfitted,
    turned so that it is .5 or more. ``why_not`` says why nothing could be measured.
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
    """The labelled films: which rows they are, their labels, folds and official splits."""

    known: NDArray[np.bool_]
    labels: Labels
    folds: NDArray[np.int64]
    train: NDArray[np.bool_]
    test: NDArray[np.bool_]


def measure_baselines(
    prepared: PreparedSet, thumbs: NDArray[np.uint8], seed: int = 0
) -> tuple[Baseline, ...]:
    """The metadata, thumbnail and border baselines; the same for the same seed."""
    task = _task(prepared.table, seed)
    facts = metadata_features(prepared.table[task.known])
    cells = _named("cell", coarse_greys(thumbs)[task.known])
    segments = _named("segment", border_segments(thumbs)[task.known])
    return (
        _measure("metadata", "file facts alone", facts, _boosted, task),
        _measure("thumbnail", "8 × 8 thumbnails", cells, linear, task),
        _measure("border", "the outer tenth alone", segments, linear, task),
    )


def coarse_greys(thumbs: NDArray[np.uint8]) -> Floats:
    """What an 8 × 8 thumbnail shows, float64 (N, 64)."""
    coarse = thumbs.reshape(-1, 8, SIDE // 8, 8, SIDE // 8).mean(axis=(2, 4), dtype=np.float64)
    return np.asarray(coarse.reshape(len(thumbs), -1))


def _task(table: pd.DataFrame, seed: int) -> _Task:
    known = table["label"].notna().to_numpy(bool)
    part = table[known]
    labels = part["label"].to_numpy(np.int64)
    split = split_words(part).to_numpy()
    return _Task(
        known, labels, patient_folds(part, labels, seed), split == "train", split == "test"
    )


def metadata_features(table: pd.DataFrame) -> pd.DataFrame:
    """Numbers that are known of a film beside its pixels; NaN where missing.

    Facts of few words become one column a word. Facts that restate the label are left out.
    """
    height, width = (table[c].astype("float64") for c in ("height", "width"))
    columns: dict[str, Any] = {"height": height, "width": width, "aspect": width / height}
    for name in (c for c in table.columns if c.startswith("fact_")):
        short = name.removeprefix("fact_")
        if any(word in short.lower() for word in TRUTH):
            continue
        values = pd.to_numeric(table[name], errors="coerce").astype("float64")
        if (values.notna() == table[name].notna()).all():
            columns[short] = values
            if short == "bytes":
                columns["bytes per pixel"] = values / (height * width)
        else:
            columns |= _one_hot(short, table[name].astype("string"))
    features = pd.DataFrame(columns, index=table.index)
    return features.loc[:, features.nunique(dropna=False) > 1]


def _one_hot(name: str, words: pd.Series[Any]) -> dict[str, Any]:
    """A column of 0 and 1 for each of the commonest words; NaN where none is known."""
    common = words.value_counts().index[:_WORDS]
    hot = {f"{name} is {w}": (words == w).astype("Float64").astype("float64") for w in common}
    # Two words are one question: the second column would say the same again.
    return dict(list(hot.items())[:1]) if words.nunique() == 2 else hot


def border_segments(thumbs: NDArray[np.uint8]) -> Floats:
    """The outer 9 % of each film, float64 (N, 64): 16 means along each of the four sides."""
    along = cell_means(16, SIDE).astype(np.float64)
    rows = (thumbs[:, :_RING].mean(axis=1), thumbs[:, -_RING:].mean(axis=1))
    columns = (thumbs[:, :, :_RING].mean(axis=2), thumbs[:, :, -_RING:].mean(axis=2))
    strips = [side @ along.T for side in (*rows, *columns)]
    return np.concatenate(strips, axis=1)


def _measure(name: str, what: str, features: pd.DataFrame, fit: Fit, task: _Task) -> Baseline:
    names, labels = tuple(features.columns), task.labels
    why_not = _why_not(names, task)
    if why_not:
        return Baseline(name, what, names, why_not=why_not)
    x = features.to_numpy(np.float64)
    official = None
    if _enough(labels[task.train], FEWEST) and _enough(labels[task.test], FEWEST):
        model = fit(x[task.train], labels[task.train])
        official = delong(labels[task.test], model(x[task.test]))
    single = _alone(features, labels) if name == "metadata" else ()
    known = cross_validated(x, labels, task.folds, fit)
    return Baseline(name, what, names, known, official, single)


def cross_validated(x: Floats, labels: Labels, fold: NDArray[np.int64], fit: Fit) -> Estimate:
    """AUROC of films that were scored by a model of the other folds."""
    scores = np.zeros(labels.size)
    for held in (fold == k for k in range(FOLDS)):
        # Ranks, since the folds' scores come from five models on five scales.
        scores[held] = _ranks(fit(x[~held], labels[~held])(x[held]))
    return delong(labels, scores)


def _why_not(names: tuple[str, ...], task: _Task) -> str | None:
    if not _enough(task.labels, FEWEST):
        return f"fewer than {FEWEST} labelled films of a class"
    if not names:
        return "nothing is known that differs between films"
    if not in_all_folds(task.labels, task.folds):
        return f"fewer than {FOLDS} patients of a class"
    return None


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
    title = f"A model of {baseline.what} reaches AUROC {auroc.value:.3f} "
    title += f"({auroc.low:.3f}–{auroc.high:.3f})"
    if baseline.single:
        best = baseline.single[0]
        title += f"; {best.feature} alone has {best.auroc.value:.3f}"
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
