"""Whether the films of another split come from where those of train come from.

A classifier two-sample test (Lopez-Paz and Oquab 2017): where a linear model of 8 × 8 thumbnails
tells the films of a split from those of train, within one class, they differ in something else than
the disease. Then validation films from train promise more than that split will show, and nothing
that is chosen on them allows for the difference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.audit.baselines import (
    FEWEST,
    FOLDS,
    WARNING,
    cross_validated,
    in_all_folds,
    linear,
    patient_folds,
)
from pneumoscope.audit.counts import label_words, split_words
from pneumoscope.audit.features import coarse_greys
from pneumoscope.audit.findings import Finding
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.plain import to_plain
from pneumoscope.readings import Estimate
from pneumoscope.records import CLASSES, SPLITS

TRAIN = "train"
_AGAINST: dict[str, tuple[str, ...]] = {"val": (TRAIN,), "test": (TRAIN, "val")}
"""What the films of a split are compared with. Test films with all others: a run may cut validation
films anew out of those of training, and its figure is still that of the audit."""


@dataclass(frozen=True, slots=True)
class SplitShift:
    """How well thumbnails tell the films of one class in ``split`` from those of the splits
    ``against``.

    ``films`` and ``train`` are their numbers; versions before compared all splits with train.
    ``auroc`` is cross-validated over patients, .5 where the two are alike; None where there are
    too few, which ``why_not`` says.
    """

    split: str
    label: str
    films: int
    train: int
    auroc: Estimate | None = None
    why_not: str | None = None
    against: tuple[str, ...] = (TRAIN,)

    @property
    def finding(self) -> str | None:
        """One sentence where thumbnails tell the two apart."""
        if self.auroc is None or self.auroc.low < WARNING:
            return None
        others = "train and validation" if "val" in self.against else TRAIN
        return (
            f"A model of 8 × 8 thumbnails tells {self.label} films of {self.split} from "
            f"{self.label} films of {others} with AUROC {self.auroc.value:.3f} "
            f"({self.auroc.low:.3f}–{self.auroc.high:.3f})."
        )

    def to_json(self) -> dict[str, Any]:
        return to_plain(self) | {"finding": self.finding}


def measure_shifts(
    prepared: PreparedSet, thumbs: NDArray[np.uint8], seed: int = 0
) -> tuple[SplitShift, ...]:
    """Every split but train against train, test also against validation, class by class; the same
    for the same seed, however the films outside test are divided.

    ``thumbs`` is uint8 (N, 32, 32). Empty where the data came without a training split.
    """
    splits, labels = split_words(prepared.table), label_words(prepared.table)
    return tuple(
        _measure(prepared.table, thumbs, rows, split, label, seed)
        for split in SPLITS
        if split != TRAIN and (splits == split).any() and (splits == TRAIN).any()
        for label in CLASSES
        if (rows := np.flatnonzero((labels == label) & splits.isin([split, *_AGAINST[split]]))).size
    )


def _measure(
    table: pd.DataFrame,
    thumbs: NDArray[np.uint8],
    rows: NDArray[np.int64],
    split: str,
    label: str,
    seed: int,
) -> SplitShift:
    part = table.iloc[rows]
    elsewhere = np.asarray(split_words(part) == split, np.int64)
    there = int(elsewhere.sum())
    here = rows.size - there
    shift = SplitShift(split, label, there, here, against=_against(split_words(part), split))
    if min(there, here) < FEWEST:
        return replace(shift, why_not=f"fewer than {FEWEST} films on one side")
    fold = patient_folds(part, elsewhere, seed)
    if not in_all_folds(elsewhere, fold):
        return replace(shift, why_not=f"fewer than {FOLDS} patients on one side")
    greys = coarse_greys(thumbs[rows])
    return replace(shift, auroc=cross_validated(greys, elsewhere, fold, linear))


def _against(splits: pd.Series[Any], split: str) -> tuple[str, ...]:
    return tuple(each for each in _AGAINST[split] if (splits == each).any())


def shift_findings(shifts: tuple[SplitShift, ...]) -> list[Finding]:
    """A warning for each class of a split that thumbnails tell from train."""
    remedy = (
        "Validation films that come from train do not show this difference: expect lower figures "
        "here than on them, and thresholds that do not carry over. Judge on films from the place "
        "of use."
    )
    return [
        Finding("SPLITS-DIFFER", "warning", shift.finding, shift.films, remedy)
        for shift in shifts
        if shift.finding
    ]
