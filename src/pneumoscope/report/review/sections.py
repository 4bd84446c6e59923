"""The sections of the wider judgement, each left out where metrics.json lacks its part."""

from __future__ import annotations

from typing import Any

from pneumoscope.formatting import cell, full, percent, percent_cell, split_name
from pneumoscope.records import Estimate
from pneumoscope.report.kit.page import Section, Variables
from pneumoscope.report.review import text as review
from pneumoscope.report.run.context import ReportContext
from pneumoscope.report.run.shortcuts import gather_shortcuts

_estimate = Estimate.from_json
_SHARES = (
    ("coverage", "read, of all films"),
    ("wrong", "misread, of the films read"),
    ("wrong_without", "misread, of all films, none withheld"),
    ("missed", "pneumonia read as normal, of all pneumonia films"),
    ("alarms", "normal read as pneumonia, of all normal films"),
)


def _operating(context: ReportContext) -> Variables | None:
    rows = review.point_rows(context.judged)
    if not rows:
        return None
    return {
        "rows": rows,
        "split": context.judged.split,
        "optimistic": any(row.optimistic for row in rows),
        "notes": context.judged.metrics.get("notes", ()),
    }


def _calibration(context: ReportContext) -> Variables | None:
    figures = context.drawn("reliability", "reliability_calibrated")
    judged = context.judged
    rows = review.calibration_rows(judged)
    if not figures and not rows:
        return None
    return {
        "figures": figures,
        "ece": full(judged.estimate("ece")),
        "rows": rows,
        "said": review.calibration_words(judged),
        "temperature": (judged.metrics.get("calibration") or {}).get("temperature"),
    }


def _prevalence(context: ReportContext) -> Variables | None:
    found = context.judged.metrics.get("prevalence")
    if not found:
        return None
    return {
        "figures": context.drawn("prevalence"),
        "said": review.prevalence_words(context.judged),
        "rows": [_prevalence_row(item) for item in found["at"]],
    }


def _prevalence_row(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "share": f"{item['prevalence']:.3g}",
        "asked": item["asked"],
        "own": item["own"],
        "cells": [cell(_estimate(item[key])) for key in ("ppv", "npv")],
    }


def _decision(context: ReportContext) -> Variables | None:
    judged = context.judged
    if not judged.metrics.get("decision_curve"):
        return None
    return {
        "figures": context.drawn("decision_curve"),
        "said": review.decision_words(judged),
        "share": percent(judged.metrics["positives"] / judged.metrics["n"], 1),
    }


def _subgroups(context: ReportContext) -> Variables | None:
    found = context.judged.metrics.get("subgroups")
    if not found or not (found["facts"] or found["same"]):
        return None
    return {
        "figures": context.drawn("subgroups"),
        "said": review.subgroup_words(context.judged),
        "rows": review.subgroup_rows(context.judged),
        "tells": [fact["title"] for fact in found["facts"] if fact["tells_label"]],
        "same": found["same"],
        "few": found["few"],
    }


def _abstention(context: ReportContext) -> Variables | None:
    part = context.judged.metrics.get("abstention")
    if not part or not (part["conformal"] or part["risk_coverage"]):
        return None
    found = part["conformal"]
    rows = (
        [(title, *percent_cell(_estimate(found[key]), 1)) for key, title in _SHARES]
        if found
        else []
    )
    return {
        "figures": context.drawn("risk_coverage"),
        "said": review.abstention_words(context.judged)
        or review.no_abstention_words(context.judged),
        "found": found,
        "rows": rows,
        "rule": _rule(found) if found else "",
        "ladder": [_rung(rung) for rung in part["ladder"]],
    }


def _rung(found: dict[str, Any]) -> dict[str, Any]:
    """A miss rate as printed: films withheld, and (value, interval) of what is misread."""
    return {
        "rate": percent(found["miss_rate"]),
        "withheld": found["withheld"],
        "share": percent(1 - found["coverage"]["value"], 1),
        "cells": [percent_cell(_estimate(found[key]), 1) for key in ("wrong", "missed", "alarms")],
    }


def _rule(found: dict[str, Any]) -> str:
    low, high = found["pneumonia_from"], found["normal_to"]
    where = f"chosen on the {split_name(found['chosen_on'])} split"
    if low <= high:
        return (
            f"A film is withheld where its probability lies from {low:.3f} to {high:.3f}, {where}: "
            "there both labels remain plausible."
        )
    return (
        f"No film need be withheld: from {low:.3f} on pneumonia is plausible, up to {high:.3f} "
        f"normal is, {where}, and the two do not meet. The {found['neither']:,} films between, "
        "unlike both, are read at the threshold. A lower miss rate withholds films instead."
    )


REVIEW: tuple[Section[ReportContext], ...] = (
    Section("operating", "Operating points", _operating),
    Section("calibration", "Calibration", _calibration),
    Section("prevalence", "What a call is worth", _prevalence),
    Section("decision", "Net benefit", _decision),
    Section("subgroups", "Subgroups", _subgroups),
    Section("abstention", "When to abstain", _abstention),
    Section("shortcuts", "Does it read the lungs?", gather_shortcuts),
)
