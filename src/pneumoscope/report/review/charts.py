"""Which figures the wider judgement has, with caption and alternative text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pneumoscope.evaluation import curves
from pneumoscope.formatting import full, split_name
from pneumoscope.records import Estimate
from pneumoscope.report.kit.figure import PageFigure, make_figure
from pneumoscope.report.review import figures as review_figures
from pneumoscope.report.review import text as review
from pneumoscope.report.run import figures
from pneumoscope.report.run.folder import Judged


def draw_review(judged: Judged) -> Iterator[PageFigure]:
    """The figures that metrics.json allows, in the order of the report. Call within
    ``figure.house_style``."""
    yield from _calibration(judged)
    yield from _prevalence(judged)
    yield from _decision(judged)
    yield from _subgroups(judged)
    yield from _abstention(judged)


def _calibration(judged: Judged) -> Iterator[PageFigure]:
    found = judged.metrics.get("calibration") or {}
    if not found.get("after"):
        return
    rows = judged.predictions
    inside = np.clip(rows["probability"].to_numpy(dtype=np.float64), 1e-15, 1 - 1e-15)
    logits = (np.log(inside) - np.log1p(-inside)) / found["temperature"]
    bins = curves.reliability(rows["label"], 0.5 * (1 + np.tanh(logits / 2)))
    if bins is not None:
        ece = full(Estimate.from_json(found["after"]["ece"]))
        yield make_figure(
            "reliability_calibrated",
            figures.draw_reliability(bins),
            "Reliability at the temperature",
            f"The same films, each logit divided by {found['temperature']:.2f}, which was fitted "
            f"on the {split_name(found['chosen_on'])} split. Bars are {bins.level:.0%} Wilson "
            "intervals.",
            "Reliability diagram after temperature scaling: observed share of pneumonia against "
            f"the calibrated probability, in {len(bins.count)} bins. ECE {ece}.",
        )


def _prevalence(judged: Judged) -> Iterator[PageFigure]:
    found = judged.metrics.get("prevalence")
    if found:
        yield make_figure(
            "prevalence",
            review_figures.draw_prevalence(found),
            "What a call is worth, by prevalence",
            "Bayes’ formula on this split’s sensitivity and specificity; bands are 95% intervals. "
            "The share of pneumonia is on a logarithmic scale.",
            "Positive and negative predictive value against prevalence. "
            + review.prevalence_words(judged),
        )


def _decision(judged: Judged) -> Iterator[PageFigure]:
    found = judged.metrics.get("decision_curve")
    if found:
        share = judged.metrics["positives"] / judged.metrics["n"]
        yield make_figure(
            "decision_curve",
            review_figures.draw_decision(found, share),
            "Decision curve",
            f"Net benefit of acting on three kinds of films, with a pointwise {found['level']:.0%} "
            f"band. Probabilities {found['probabilities']}.",
            "Decision curve: net benefit of the model against acting on everybody or nobody. "
            + review.decision_words(judged),
        )


def _subgroups(judged: Judged) -> Iterator[PageFigure]:
    found = judged.metrics.get("subgroups") or {}
    facts = [
        fact
        for fact in found.get("facts", ())
        if any(group["sensitivity"] or group["specificity"] for group in fact["groups"])
    ]
    if not facts:
        return
    both = {key: judged.estimate(key) for key in ("sensitivity", "specificity")}
    whole = {key: e.value for key, e in both.items() if e is not None and e.value == e.value}
    yield make_figure(
        "subgroups",
        review_figures.draw_forest(facts, whole),
        "Subgroups",
        "Sensitivity and specificity at the operating point with 95% intervals, beside the number "
        "of normal and pneumonia films. Dashed: all films. A class with fewer than "
        f"{found['few']} films has no mark.",
        f"Forest plot of {sum(len(fact['groups']) for fact in facts)} groups. "
        + review.subgroup_words(judged),
    )


def _abstention(judged: Judged) -> Iterator[PageFigure]:
    found = judged.metrics.get("abstention") or {}
    curve = found.get("risk_coverage")
    if curve:
        yield make_figure(
            "risk_coverage",
            review_figures.draw_risk(curve, found.get("conformal")),
            "Risk and coverage",
            "Read from right to left: the films nearest to the threshold are withheld first. The "
            f"band is a {curve['level']:.0%} Wilson interval at each point.",
            f"Risk–coverage curve, mean risk {curve['area']:.4f}. "
            + review.abstention_words(judged),
        )
