"""Withheld films: how many of the judged ones ``predict`` would withhold, and what that moves."""

from __future__ import annotations

from pneumoscope.formatting import brief, metric_name, plural
from pneumoscope.inference.image_warnings import WARNINGS
from pneumoscope.report.evaluated import EvaluatedRun


def words(run: EvaluatedRun) -> str:
    """Films that would be withheld, by reason, and the main figures without them; empty where
    that was not looked for, and where no film was judged."""
    found, films = run.results.withheld, plural(run.results.n, "film")
    if found is None or not run.results.n:
        return ""
    if not found.n:
        return f"None of {films} would be withheld by predict."
    reasons = ", ".join(
        f"{n:,} {WARNINGS[code][0] if code in WARNINGS else code}"
        for code, n in found.reasons.items()
    )
    moved = ", ".join(
        f"{metric_name(name)} {brief(without)} instead of {brief(run.results.metrics[name])}"
        for name, without in found.metrics.items()
    )
    return (
        f"{found.n:,} of {films} would be withheld by predict ({reasons}); without them {moved}. "
        "All other figures count them."
    )
