"""Runs against each other on the same films: paired differences, tests, and what they allow.

No model, no torch. Each run is evaluated at its own threshold, which was chosen on its own
validation rows; nothing is chosen here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from string import ascii_uppercase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope.errors import NotComparable
from pneumoscope.evaluation.groups import MeanSd
from pneumoscope.evaluation.predictions import SplitRows
from pneumoscope.metrics.paired import (
    PAIRED_METRICS,
    delong_paired,
    holm,
    mcnemar,
    paired_bootstrap,
    resampled_scores,
    welch,
)
from pneumoscope.metrics.resample import DEFAULT_INTERVALS, IntervalSettings
from pneumoscope.metrics.scores import auroc, confusion
from pneumoscope.plain import to_plain

ALL_PAIRS_UP_TO = 4
"""Runs of which each is compared with each; of more, only with the first."""


@dataclass(frozen=True, slots=True)
class Side:
    """A run as compared: its letter, its name, its rows by image id, its own threshold."""

    letter: str
    name: str
    rows: SplitRows
    threshold: float

    @property
    def title(self) -> str:
        """``A (007-resnet18-kermany)``."""
        return f"{self.letter} ({self.name})"

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each film is read rightly, bool (N,)."""
        called = self.rows.probabilities >= self.threshold
        return np.asarray(called == (self.rows.labels == 1))

    def values(self) -> dict[str, float]:
        """Each of ``paired.PAIRED_METRICS``, NaN where it is undefined."""
        rows = self.rows
        scores = confusion(rows.labels, rows.probabilities >= self.threshold).scores()
        scores["auroc"] = auroc(rows.labels, rows.probabilities)
        return {name: scores[name] for name in PAIRED_METRICS}


def letter(at: int) -> str:
    """A, B, … Z, AA, AB, …"""
    more, last = divmod(at, len(ascii_uppercase))
    return (letter(more - 1) if more else "") + ascii_uppercase[last]


def check_same_films(sides: Sequence[Side]) -> None:
    """Refuse runs whose films or labels differ. Raises NotComparable naming the first."""
    reference = sides[0]
    for side in sides[1:]:
        mine, theirs = reference.rows, side.rows
        pair = f"{reference.title} and {side.title}"
        ours, others = set(mine.image_ids), set(theirs.image_ids)
        if ours != others:
            odd = sorted(ours ^ others)[0]
            raise NotComparable(
                f"{pair} were not judged on the same films",
                got=f"{len(ours & others):,} films in common, {len(ours - others):,} only in the "
                f"first and {len(others - ours):,} only in the second, such as {odd!r}",
                expected="the same films, label for label",
                remedy=_REMEDY,
            )
        unlike = np.flatnonzero(mine.labels != theirs.labels)
        if unlike.size:
            at = int(unlike[0])
            raise NotComparable(
                f"{pair} were judged by different labels",
                got=f"{unlike.size:,} of {mine.labels.size:,} films, such as "
                f"{mine.image_ids[at]!r}: {mine.labels[at]} in the first, "
                f"{theirs.labels[at]} in the second",
                expected="the same films, label for label",
                remedy=_REMEDY,
            )


_REMEDY = (
    "judge them on one data set, then compare those folders: "
    "pneumoscope evaluate RUN --data DATA, for each run"
)


def compare_sides(
    sides: Sequence[Side], settings: IntervalSettings = DEFAULT_INTERVALS
) -> list[dict[str, Any]]:
    """Each pair of runs: AUROC, decisions and differences of four metrics, JSON-ready.

    Differences are second − first. AUROC is DeLong's and decisions McNemar's; where a patient has
    several films, AUROC is the patient-clustered bootstrap's and McNemar's test goes by patients.
    With several pairs the p-values of AUROC, and those of the decisions, are each adjusted for
    the number of pairs (Holm), as ``p_holm``; with one pair that is p itself. Intervals are not
    adjusted. Raises NotComparable.
    """
    check_same_films(sides)
    labels, patients = sides[0].rows.labels, clusters(sides)
    runs = [(side.rows.probabilities, side.threshold) for side in sides]
    drawn = resampled_scores(labels, runs, patients, settings) if labels.size else {}
    values = [side.values() for side in sides]
    out: list[dict[str, Any]] = []
    for one, two in pairs_of(len(sides)):
        first, second = sides[one], sides[two]
        gained = {name: values[two][name] - values[one][name] for name in PAIRED_METRICS}
        a, b = ({name: drawn[name][at] for name in PAIRED_METRICS} for at in (one, two))
        found = paired_bootstrap(labels, a, b, gained, patients, settings.level)
        if patients is None:
            one_p, two_p = first.rows.probabilities, second.rows.probabilities
            found["auroc"] = delong_paired(labels, one_p, two_p, settings.level)
        decisions = mcnemar(first.right, second.right, patients)
        out.append(
            {
                "first": first.letter,
                "second": second.letter,
                "differences": {name: to_plain(found[name]) for name in PAIRED_METRICS},
                "decisions": to_plain(decisions) | _by_class(first, second),
            }
        )
    _adjust([pair["differences"]["auroc"] for pair in out])
    _adjust([pair["decisions"] for pair in out])
    return out


def pairs_of(count: int) -> list[tuple[int, int]]:
    """Which runs meet: all, or where they are many, the first against each other."""
    if count <= ALL_PAIRS_UP_TO:
        return list(combinations(range(count), 2))
    return [(0, other) for other in range(1, count)]


def clusters(sides: Sequence[Side]) -> NDArray[Any] | None:
    """Patient ids (N,) where some patient has several films, from the first run that knows."""
    return next((side.rows.patients for side in sides if side.rows.patients is not None), None)


def spread(values: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float | None]]:
    """Mean and standard deviation (n − 1) of each metric over runs; None where one is undefined."""
    out = {}
    for name, found in values.items():
        # Over some of the runs it would not be that of the recipe, and nothing here says so.
        over = to_plain(MeanSd.of(found if all(map(math.isfinite, found)) else ()))
        out[name] = {"mean": over["mean"], "sd": over["sd"]}
    return out


def compare_recipes(
    groups: Sequence[Mapping[str, Sequence[float]]], *, level: float = 0.95
) -> list[dict[str, Any]]:
    """Recipes against each other over their seeds, JSON-ready: each pair of ``groups``, which hold
    the runs' values of each metric. ``first`` and ``second`` are places in ``groups``; p of AUROC
    is adjusted for the number of pairs (Holm)."""
    out: list[dict[str, Any]] = []
    for one, two in combinations(range(len(groups)), 2):
        found = {
            name: welch(groups[one][name], groups[two][name], level) for name in PAIRED_METRICS
        }
        differences = {name: to_plain(each) for name, each in found.items()}
        out.append({"first": one, "second": two, "differences": differences})
    _adjust([pair["differences"]["auroc"] for pair in out])
    return out


def _by_class(first: Side, second: Side) -> dict[str, Any]:
    """Films by who reads them rightly, for each class: both, only one of them, neither."""
    out = {}
    for label, name in enumerate(("normal", "pneumonia")):
        of = first.rows.labels == label
        a, b = first.right[of], second.right[of]
        out[name] = {
            "both": int((a & b).sum()),
            "first_only": int((a & ~b).sum()),
            "second_only": int((~a & b).sum()),
            "neither": int((~a & ~b).sum()),
        }
    return {"by_class": out}


def _adjust(found: Sequence[dict[str, Any]]) -> None:
    """Lay ``p_holm`` beside ``p`` in each."""
    p = [math.nan if each["p"] is None else float(each["p"]) for each in found]
    for each, adjusted in zip(found, holm(p), strict=True):
        each["p_holm"] = None if math.isnan(adjusted) else adjusted
