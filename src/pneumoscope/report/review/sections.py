"""The sections of the wider judgement, each left out where metrics.json lacks its part."""

from __future__ import annotations

from typing import Any

from pneumoscope.report.kit import words
from pneumoscope.report.review import text as review
from pneumoscope.report.run.folder import to_estimate
from pneumoscope.report.run.material import Context, Material, Section
from pneumoscope.report.run.shortcuts import gather_shortcuts

_SHARES = (
    ("coverage", "read, of all films"),
    ("wrong", "misread, of the films read"),
    ("wrong_without", "misread, of all films, none withheld"),
    ("missed", "pneumonia read as normal, of all pneumonia films"),
    ("alarms", "normal read as pneumonia, of all normal films"),
)


def _operating(material: Material) -> Context | None:
    rows = review.point_rows(material.judged)
    if not rows:
        return None
    return {
        "rows": rows,
        "split": material.judged.split,
        "optimistic": any(row.optimistic for row in rows),
        "notes": material.judged.metrics.get("notes", ()),
    }


def _calibration(material: Material) -> Context | None:
    plates = material.figures("reliability", "reliability_calibrated")
    judged = material.judged
    rows = review.calibration_rows(judged)
    if not plates and not rows:
        return None
    return {
        "plates": plates,
        "ece": words.full(judged.estimate("ece")),
        "rows": rows,
        "said": review.calibration_words(judged),
        "temperature": (judged.metrics.get("calibration") or {}).get("temperature"),
    }


def _prevalence(material: Material) -> Context | None:
    found = material.judged.metrics.get("prevalence")
    if not found:
        return None
    return {
        "plates": material.figures("prevalence"),
        "said": review.prevalence_words(material.judged),
        "rows": [_prevalence_row(item) for item in found["at"]],
    }


def _prevalence_row(item: dict[str, Any]) -> dict[str, Any]:
    pair = (to_estimate(item["ppv"]), to_estimate(item["npv"]))
    return {
        "share": f"{item['prevalence']:.3g}",
        "asked": item["asked"],
        "own": item["own"],
        "cells": [(words.number(e.value), words.interval(e)) for e in pair],
    }


def _decision(material: Material) -> Context | None:
    judged = material.judged
    if not judged.metrics.get("decision_curve"):
        return None
    return {
        "plates": material.figures("decision_curve"),
        "said": review.decision_words(judged),
        "share": f"{judged.metrics['positives'] / judged.metrics['n']:.1%}",
    }


def _subgroups(material: Material) -> Context | None:
    found = material.judged.metrics.get("subgroups")
    if not found or not (found["facts"] or found["same"]):
        return None
    return {
        "plates": material.figures("subgroups"),
        "said": review.subgroup_words(material.judged),
        "rows": review.subgroup_rows(material.judged),
        "tells": [fact["title"] for fact in found["facts"] if fact["tells_label"]],
        "same": found["same"],
        "few": found["few"],
    }


def _abstention(material: Material) -> Context | None:
    part = material.judged.metrics.get("abstention")
    if not part or not (part["conformal"] or part["risk_coverage"]):
        return None
    found = part["conformal"]
    rows = [(title, *percent(found[key])) for key, title in _SHARES] if found else []
    return {
        "plates": material.figures("risk_coverage"),
        "said": review.abstention_words(material.judged)
        or review.no_abstention_words(material.judged),
        "found": found,
        "rows": rows,
        "rule": _rule(found) if found else "",
        "ladder": [_rung(rung) for rung in part["ladder"]],
    }


def _rung(found: dict[str, Any]) -> dict[str, Any]:
    """A miss rate as printed: films withheld, and (value, interval) of what is misread."""
    return {
        "rate": f"{found['miss_rate']:.0%}",
        "withheld": found["withheld"],
        "share": f"{1 - found['coverage']['value']:.1%}",
        "cells": [percent(found[key]) for key in ("wrong", "missed", "alarms")],
    }


def percent(found: dict[str, Any]) -> tuple[str, str]:
    """(``12.3%``, ``10.1–14.9%``) of a share."""
    estimate = to_estimate(found)
    if estimate.value != estimate.value:
        return "–", ""
    low, high = f"{estimate.low:.1%}".removesuffix("%"), f"{estimate.high:.1%}"
    return f"{estimate.value:.1%}", f"{low}–{high}"


def _rule(found: dict[str, Any]) -> str:
    low, high = found["pneumonia_from"], found["normal_to"]
    where = f"chosen on the {words.split_name(found['chosen_on'])} split"
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


REVIEW = (
    Section("operating", "Operating points", _operating),
    Section("calibration", "Calibration", _calibration),
    Section("prevalence", "What a call is worth", _prevalence),
    Section("decision", "Net benefit", _decision),
    Section("subgroups", "Subgroups", _subgroups),
    Section("abstention", "When to abstain", _abstention),
    Section("shortcuts", "Does it read the lungs?", gather_shortcuts),
)
