"""Withheld films: how many of the judged ones ``predict`` would withhold, and what that moves."""

from __future__ import annotations

import math

from pneumoscope.formatting import brief, metric_name, plural, written_alike
from pneumoscope.inference.image_warnings import WARNINGS
from pneumoscope.readings import Estimate
from pneumoscope.report.evaluated import EvaluatedRun


def words(run: EvaluatedRun) -> str:
    """Films that would be withheld, by reason, and the main figures without them; empty where
    that was not looked for, and where no film was judged."""
    found, films = run.results.withheld, plural(run.results.n, "film")
    if found is None or not run.results.n:
        return ""
    if not found.n:
        return f"None of {films} would be withheld by predict."
    reasons = ", ".join(f"{n:,} {_short(code)}" for code, n in found.reasons.items())
    moved = ", ".join(
        f"{metric_name(name)} {_beside(without, run.results.metrics[name])}"
        for name, without in found.metrics.items()
    )
    return (
        f"{found.n:,} of {films} would be withheld by predict ({reasons}); without them {moved}. "
        "All other figures count them."
    )


def _short(code: str) -> str:
    """A reason after the number of its films."""
    return WARNINGS[code][0].replace("seems ", "seemingly ") if code in WARNINGS else code


def _beside(without: Estimate, of_all: Estimate) -> str:
    """A metric without those films, and that of all films where it reads otherwise."""
    if not math.isfinite(without.value):
        return "is undefined"
    if written_alike(without.value, of_all.value):
        return f"stays {brief(without)}"
    return f"is {brief(without)} instead of {brief(of_all)}"
