"""Reach of a report: whether a film of another site was judged, and what came of that once."""

from __future__ import annotations

MEASURED = (
    "a model of children’s films (Kermany) read 1,000 films of adults of another hospital (NIH) "
    "with AUROC 0.41, worse than a guess (2026-11-28, pneumoscope evaluate RUN --data DATA)"
)
"""What was once measured with such a model: the date, and the command."""


def reach_words(*, external: bool) -> str:
    """What the first paragraph of a report says of other sites; empty where the films judged are
    of one."""
    if external:
        return ""
    return f"No film of another hospital was judged, where it may do far worse: {MEASURED}."
