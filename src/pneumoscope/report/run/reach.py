"""Reach of a report: whether a film of another site was judged, and what came of that once."""

from __future__ import annotations

from pneumoscope.report.evaluated import EvaluatedRun

MEASURED = (
    "a model of children’s films (Kermany) read 1,000 films of adults of another hospital (NIH) "
    "with AUROC 0.41, worse than a guess (2026-11-28, pneumoscope evaluate RUN --data DATA)"
)
"""What was once measured with such a model: the date, and the command."""


def reach_words(run: EvaluatedRun) -> str:
    """What the first paragraph of a report says of other sites; empty where other data than the
    model's own is judged."""
    if "external" in run.manifest:
        return ""
    if site := judged_site(run):
        return f"All films judged are of {site}, which took no part in training."
    sites = len(run.manifest.get("source", {}).get("sites", ()))
    other = f"a hospital beside these {sites} sites" if sites else "another hospital"
    return f"No film of {other} was judged, where it may do far worse: {MEASURED}."


def judged_site(run: EvaluatedRun) -> str:
    """The one of several sites that is judged and took no part in training; empty where there is
    none."""
    used = run.door.sites if run.door else ()
    trained = {site.name for site in used if any(s.name == "train" for s in site.splits)}
    judged = [site.name for site in used if any(s.name == run.split for s in site.splits)]
    alone = judged[0] if len(judged) == 1 else ""
    return alone if alone and alone not in trained else ""
