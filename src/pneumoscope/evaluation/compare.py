"""Comparing runs on the same films: paired differences, tests, and what they allow.

No model, no torch. Each run is evaluated at its own threshold, which was chosen on its own
validation rows; nothing is chosen here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from string import ascii_uppercase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope.errors import NotComparable
from pneumoscope.evaluation.comparison import (
    Agreement,
    ComparedDecisions,
    ComparedDifference,
    ComparedPair,
    RecipePair,
)
from pneumoscope.evaluation.predictions import SplitRows
from pneumoscope.metrics.paired import (
    PAIRED_METRICS,
    Difference,
    delong_paired,
    holm,
    mcnemar,
    over_seeds,
    paired_bootstrap,
    resampled_scores,
)
from pneumoscope.metrics.resample import DEFAULT_INTERVALS, IntervalSettings
from pneumoscope.metrics.scores import Floats, auroc, confusion
from pneumoscope.records import CLASSES

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
) -> tuple[ComparedPair, ...]:
    """Each pair of runs: AUROC, decisions and differences of four metrics.

    Differences are second − first. AUROC is DeLong's and decisions McNemar's; where a patient has
    several films, AUROC is the patient-clustered bootstrap's and McNemar's test goes by patients.
    Decisions are tested on all films and on those of each class, for pooled over the classes two
    opposed differences cancel. With several pairs the p-values of AUROC, and those of the
    decisions, are each adjusted for the number of pairs (Holm), as ``p_holm``; with one pair that
    is p itself. Those of the classes are adjusted for pairs and classes together. Intervals are
    not adjusted. Raises NotComparable.
    """
    check_same_films(sides)
    patients, met = clusters(sides), pairs_of(len(sides))
    differences = _differences(sides, met, patients, settings)
    decisions = [mcnemar(sides[one].right, sides[two].right, patients) for one, two in met]
    ranked = holm([each["auroc"].p for each in differences])
    decided = holm([each.p for each in decisions])
    by_class = _adjusted_classes([_by_class(sides[one], sides[two], patients) for one, two in met])
    return tuple(
        ComparedPair(
            first=sides[one].letter,
            second=sides[two].letter,
            differences=_adjusted(differences[at], ranked[at]),
            decisions=ComparedDecisions.of(decisions[at], by_class[at], decided[at]),
        )
        for at, (one, two) in enumerate(met)
    )


def _differences(
    sides: Sequence[Side],
    met: Sequence[tuple[int, int]],
    patients: NDArray[Any] | None,
    settings: IntervalSettings,
) -> list[dict[str, Difference]]:
    """Of each pair, all by the same resamples."""
    labels = sides[0].rows.labels
    drawn = _drawn(sides, patients, settings)
    values = [side.values() for side in sides]
    out = []
    for one, two in met:
        gained = {name: values[two][name] - values[one][name] for name in PAIRED_METRICS}
        a, b = ({name: drawn[name][at] for name in PAIRED_METRICS} for at in (one, two))
        found = paired_bootstrap(labels, a, b, gained, patients, settings.level)
        if patients is None:
            one_scores, two_scores = (sides[at].rows.probabilities for at in (one, two))
            found["auroc"] = delong_paired(labels, one_scores, two_scores, settings.level)
        out.append({name: found[name] for name in PAIRED_METRICS})
    return out


def _drawn(
    sides: Sequence[Side], patients: NDArray[Any] | None, settings: IntervalSettings
) -> dict[str, Floats]:
    """Each metric of each run on the same resamples, float (K, R); nothing where no film is."""
    labels = sides[0].rows.labels
    runs = [(side.rows.probabilities, side.threshold) for side in sides]
    return resampled_scores(labels, runs, patients, settings) if labels.size else {}


def _adjusted(found: Mapping[str, Difference], p_holm: float) -> dict[str, ComparedDifference]:
    """AUROC alone is tested: four tests of one pair of runs would have to be adjusted too."""
    return {
        name: ComparedDifference.of(each, p_holm if name == "auroc" else None)
        for name, each in found.items()
    }


def pairs_of(count: int) -> list[tuple[int, int]]:
    """Which runs meet: all, or where they are many, the first against each other."""
    if count <= ALL_PAIRS_UP_TO:
        return list(combinations(range(count), 2))
    return [(0, other) for other in range(1, count)]


def clusters(sides: Sequence[Side]) -> NDArray[Any] | None:
    """Patient ids (N,) where some patient has several films, from the first run that knows."""
    return next((side.rows.patients for side in sides if side.rows.patients is not None), None)


def compare_recipes(
    groups: Sequence[Sequence[Side]], settings: IntervalSettings = DEFAULT_INTERVALS
) -> tuple[RecipePair, ...]:
    """Recipes against each other: each pair of ``groups``, which hold the runs of a recipe, a seed
    each, judged on the same films. Differences are of means over seeds. p of AUROC is adjusted for
    the number of pairs (Holm). Raises NotComparable."""
    met = list(combinations(range(len(groups)), 2))
    sides = [side for group in groups for side in group]
    if not met or not sides[0].rows.labels.size:
        return ()
    check_same_films(sides)
    drawn = _drawn(sides, clusters(sides), settings)
    ends = np.cumsum([len(group) for group in groups])[:-1]
    means = {name: [part.mean(0) for part in np.split(drawn[name], ends)] for name in drawn}
    values = [[side.values() for side in group] for group in groups]
    n = int(sides[0].rows.labels.size)

    def difference(name: str, one: int, two: int) -> Difference:
        films = float(np.nanstd(means[name][two] - means[name][one]))
        known = [[run[name] for run in values[at]] for at in (one, two)]
        return over_seeds(known[0], known[1], films, n, settings.level)

    found = [{name: difference(name, *pair) for name in PAIRED_METRICS} for pair in met]
    p = holm([each["auroc"].p for each in found])
    return tuple(
        RecipePair(one, two, _adjusted(found[at], p[at])) for at, (one, two) in enumerate(met)
    )


def _by_class(first: Side, second: Side, patients: NDArray[Any] | None) -> dict[str, Agreement]:
    out = {}
    for label, name in enumerate(CLASSES):
        of = first.rows.labels == label
        a, b = first.right[of], second.right[of]
        tested = mcnemar(a, b, patients if patients is None else patients[of])
        out[name] = Agreement(
            both=int((a & b).sum()),
            first_only=tested.first_only,
            second_only=tested.second_only,
            neither=int((~a & ~b).sum()),
            p=tested.p,
            method=tested.method,
        )
    return out


def _adjusted_classes(pairs: Sequence[dict[str, Agreement]]) -> list[dict[str, Agreement]]:
    """The same with p adjusted for all pairs and classes."""
    p = iter(holm([cells.p for pair in pairs for cells in pair.values()]))
    return [
        {name: replace(cells, p_holm=next(p)) for name, cells in pair.items()} for pair in pairs
    ]
