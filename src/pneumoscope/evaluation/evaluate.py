"""Evaluation of one split of a table of predictions: every metric with its interval.

No model, no torch, and nothing is chosen here on the films that are evaluated: what decides was
chosen before, on validation films. ``predictions`` says what a table holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pandas as pd

from pneumoscope.errors import ChosenOnTest, InputError, UnreadableData
from pneumoscope.evaluation.abstain import evaluate_abstention
from pneumoscope.evaluation.calibrate import evaluate_calibration
from pneumoscope.evaluation.choices import Choices, check_choices
from pneumoscope.evaluation.operating import (
    at_prevalences,
    evaluate_points,
    net_benefit,
    with_validation,
)
from pneumoscope.evaluation.predictions import SplitRows, at_temperature, rows_of
from pneumoscope.evaluation.results import (
    SCHEMA,
    ClassResult,
    CoreMetrics,
    Evaluation,
    PointResult,
    SiteResult,
    Withheld,
    extended,
)
from pneumoscope.evaluation.subgroups import evaluate_subgroups
from pneumoscope.metrics.intervals import bootstrap, delong, undefined, wilson
from pneumoscope.metrics.resample import DEFAULT_INTERVALS, IntervalSettings
from pneumoscope.metrics.scores import Confusion, confusion
from pneumoscope.metrics.thresholds import Rule, best_threshold, choose
from pneumoscope.readings import Estimate, OperatingPoint
from pneumoscope.records import CLASSES, EXTERNAL

MAIN = ("auroc", "sensitivity", "specificity")
"""Metrics that are also given without the films that ``predict`` would withhold."""


def evaluate_split(
    predictions: pd.DataFrame,
    *,
    split: str,
    choices: Choices,
    facts: pd.DataFrame | None = None,
    prevalence: float | None = None,
    re_choose: bool = False,
    settings: IntervalSettings = DEFAULT_INTERVALS,
) -> Evaluation:
    """Evaluate the rows of ``split`` by choices made elsewhere: all of ``core_metrics``, and
    operating points, calibration, prevalence, net benefit, subgroups and abstention. Every
    probability and threshold is on the scale of the choices, whatever that of the table is.

    ``facts`` has a row per film (``image_id`` and any columns). ``prevalence`` is a share of
    pneumonia to translate PPV and NPV to. ``re_choose``, for films of another source, adds what
    the best threshold of the evaluated rows themselves would reach, for reading only. Raises as
    ``core_metrics``, and ``ChosenOnTest`` for choices made on other rows than val or train.
    """
    start = time.perf_counter()
    check_choices(choices)
    _check_prevalence(prevalence)
    own = choices.points[0]
    predictions = at_temperature(predictions, choices.temperature)
    core = core_metrics(predictions, split=split, operating_point=own, settings=settings)
    # In the order of their ids, so that resamples do not depend on the table's order. The parts
    # below are ratios of sums over films: they share one set of resamples, a matrix product each.
    rows = rows_of(predictions, split).in_order()
    metrics = core.metrics
    share = core.share  # NaN where there is no film, and then in no range
    found = extended(
        Evaluation,
        core,
        operating_points=_points(rows, choices, split, settings),
        calibration=evaluate_calibration(rows, choices.calibration, metrics, settings),
        prevalence=at_prevalences(metrics, share, prevalence) if 0 < share < 1 else None,
        decision_curve=net_benefit(rows, settings, choices.scale),
        abstention=evaluate_abstention(rows, choices, settings),
        notes=choices.notes,
        scale=choices.scale,
        subgroups=evaluate_subgroups(rows, facts, own.threshold, settings),
        re_chosen=_re_chosen(rows, settings) if re_choose and 0 < share < 1 else None,
        sites=evaluate_sites(predictions, split, own, settings),
    )
    seconds = {**core.timing, "judge_seconds": time.perf_counter() - start}
    return replace(found, timing=seconds)


def core_metrics(
    predictions: pd.DataFrame,
    *,
    split: str,
    operating_point: OperatingPoint,
    settings: IntervalSettings = DEFAULT_INTERVALS,
    clock: Callable[[], float] = time.perf_counter,
) -> CoreMetrics:
    """The metrics of the rows of one split at one point.

    Proportions get Wilson's interval and AUROC DeLong's, unless some patient has several films:
    then the films are not independent and all get the patient-clustered bootstrap, as the rest
    always does. What a missing class leaves undefined is NaN with the method ``"undefined: …"``.
    A film whose patient is unknown stands for a patient.

    Raises ``UnreadableData`` for missing columns, repeated images or bad probabilities,
    ``BadLabels`` for labels other than 0 and 1, ``ChosenOnTest`` for such an operating point.
    """
    start = clock()
    _refuse_test(operating_point)
    rows, threshold = rows_of(predictions, split), operating_point.threshold
    y, p = rows.labels, rows.probabilities
    counts = confusion(y, p >= threshold)
    found = bootstrap(y, p, threshold, rows.patients, settings)
    found = _in_closed_form(rows, counts, found, settings.level)
    return CoreMetrics(
        schema=SCHEMA,
        split=split,
        n=int(y.size),
        positives=counts.tp + counts.fn,
        patients=rows.patient_count,
        operating_point=operating_point,
        metrics={name: estimate for name, estimate in found.items() if name != "f1_normal"},
        confusion=counts,
        per_class=_per_class(found, counts),
        timing={"evaluate_seconds": clock() - start},
    )


def evaluate_sites(
    predictions: pd.DataFrame, split: str, point: OperatingPoint, settings: IntervalSettings
) -> tuple[SiteResult, ...] | None:
    """The rows of ``split`` by their ``site``, in the order of first appearance; None where they
    are of one. ``predictions`` and ``point`` are on one scale."""
    rows = predictions[predictions["split"] == split]
    names = [] if "site" not in rows else list(rows["site"].dropna().unique())
    if len(names) < 2:
        return None
    return tuple(
        evaluate_site(name, rows[(rows["site"] == name).fillna(False)], point, settings)
        for name in names
    )


def evaluate_site(
    name: str, rows: pd.DataFrame, point: OperatingPoint, settings: IntervalSettings
) -> SiteResult:
    """What the rows of one site, all of one split, come to at ``point``."""
    split = str(rows["split"].iloc[0])
    core = core_metrics(rows, split=split, operating_point=point, settings=settings)
    checked = rows_of(rows, split).in_order()
    return SiteResult(
        name=str(name),
        n=core.n,
        positives=core.positives,
        patients=core.patients,
        confusion=core.confusion,
        metrics=core.metrics,
        calibration=evaluate_calibration(checked, None, core.metrics, settings).before,
    )


def evaluate_withheld(
    predictions: pd.DataFrame,
    gate: pd.DataFrame,
    found: Evaluation,
    settings: IntervalSettings = DEFAULT_INTERVALS,
) -> Withheld:
    """What the gate for new films would withhold of the films of ``found``, and its main figures
    without them. They stay in every other figure, which is never better by withholding.

    ``predictions`` are on the scale of ``found``. ``gate`` has ``image_id`` and ``code``, the
    gravest reason, None where there is none; a film that it lacks is not withheld.
    """
    rows = predictions[predictions["split"] == found.split]
    codes = rows["image_id"].map(dict(zip(gate["image_id"], gate["code"], strict=True)))
    out = codes.notna()
    metrics: dict[str, Estimate] = {}
    if out.any():
        point, split = found.operating_point, found.split
        core = core_metrics(rows[~out], split=split, operating_point=point, settings=settings)
        metrics = {name: core.metrics[name] for name in MAIN}
    return Withheld(
        n=int(out.sum()),
        positives=int((rows["label"][out] == 1).sum()),
        reasons={str(code): int(n) for code, n in codes.value_counts().items()},
        metrics=metrics,
    )


def operating_point_from(
    predictions: pd.DataFrame, rule: Rule, target: float | None = None
) -> OperatingPoint:
    """Choose an operating point on the raw probabilities of the ``val`` rows; other rows are not
    looked at.

    Raises as ``metrics.thresholds.choose``; ``ChosenOnTest`` when there are only test rows and
    ``UnreadableData`` when there are no val rows (the rule ``"fixed"`` needs none).
    """
    rows = rows_of(at_temperature(predictions, 1.0), "val")
    if rows.labels.size == 0 and rule != "fixed":
        splits = sorted(predictions["split"].astype(str).unique())
        kind = ChosenOnTest if splits == ["test"] else UnreadableData
        raise kind(
            f"no validation rows to choose the rule {rule!r} on",
            got=f"rows of {splits}",
            expected="rows whose split is 'val'",
            remedy="predict the val split too, or decide with the rule 'fixed'",
        )
    return choose(rule, rows.labels, rows.probabilities, "val", target)


def _points(
    rows: SplitRows, choices: Choices, split: str, settings: IntervalSettings
) -> tuple[PointResult, ...]:
    """Each point on these rows, beside what it came to on those it was chosen on."""
    found = evaluate_points(rows, choices.points, settings)
    return found if split == "val" else with_validation(found, choices.validation)


def _refuse_test(point: OperatingPoint) -> None:
    if point.chosen_on not in ("train", "val"):
        raise ChosenOnTest(
            f"the operating point was chosen on the {point.chosen_on} split",
            got=point,
            remedy="choose it on 'val', with operating_point_from",
        )


def _check_prevalence(prevalence: float | None) -> None:
    if prevalence is not None and not 0 < prevalence < 1:
        raise InputError(
            "the prevalence is out of range",
            got=prevalence,
            expected="a share of films above 0 and below 1",
            remedy="for example: --prevalence 0.1",
        )


def _in_closed_form(
    rows: SplitRows, counts: Confusion, found: dict[str, Estimate], level: float
) -> dict[str, Estimate]:
    """Wilson and DeLong in place of the bootstrap where films are independent; true n and why."""
    c = counts
    shares = {
        "accuracy": (c.tp + c.tn, rows.labels.size),
        "sensitivity": (c.tp, c.tp + c.fn),
        "specificity": (c.tn, c.tn + c.fp),
        "precision": (c.tp, c.tp + c.fp),
        "recall": (c.tp, c.tp + c.fn),
        "npv": (c.tn, c.tn + c.fn),
    }
    out = {
        name: replace(e, n=shares[name][1]) if name in shares else e for name, e in found.items()
    }
    # Both take films as independent, which several films of one patient are not.
    if rows.patients is None:
        out |= {name: wilson(hits, n, level) for name, (hits, n) in shares.items()}
        out["auroc"] = delong(rows.labels, rows.probabilities, level)
    one_class = c.tp + c.fn == 0 or c.tn + c.fp == 0
    why = "no films" if rows.labels.size == 0 else "one class only" if one_class else "0/0"
    return {
        name: e if e.value == e.value else undefined(why, e.n, level) for name, e in out.items()
    }


def _per_class(found: dict[str, Estimate], counts: Confusion) -> dict[str, ClassResult]:
    """Precision, recall and F1 of each class; those of normal are NPV and specificity."""
    normal, pneumonia = CLASSES
    negatives, positives = counts.tn + counts.fp, counts.tp + counts.fn
    return {
        normal: ClassResult(found["npv"], found["specificity"], found["f1_normal"], negatives),
        pneumonia: ClassResult(found["precision"], found["sensitivity"], found["f1"], positives),
    }


def _re_chosen(rows: SplitRows, settings: IntervalSettings) -> PointResult:
    """What the best threshold of these very rows would reach. It is never stored with a model."""
    threshold, rule = best_threshold("youden_smooth", rows.labels, rows.probabilities)
    said = f"{rule}; re-chosen on the external data, optimistic"
    point = OperatingPoint("re-chosen", threshold, said, EXTERNAL)
    return evaluate_points(rows, [point], settings)[0]
