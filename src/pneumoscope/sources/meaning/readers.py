"""Several readers of one film: the label that a strict majority gives, or any, or all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pneumoscope.errors import BadLabels
from pneumoscope.records import Readers
from pneumoscope.sources.meaning.cells import IGNORED, UNSAID

Codes = NDArray[np.int64]

TWO_LABELS = -2
"""Code of a film whose rows give both labels, without a reader for each."""


def settle(film: Codes, code: Codes, count: int) -> Codes:
    """The label of each of ``count`` films out of its rows, which are findings of one reader:
    pneumonia beside other words is pneumonia; normal and pneumonia are TWO_LABELS."""
    has = {value: np.zeros(count, dtype=bool) for value in (0, 1, IGNORED)}
    for value, where in has.items():
        where[film[code == value]] = True
    label = np.full(count, UNSAID, dtype=np.int64)
    for value in (0, IGNORED, 1):
        label[has[value]] = value
    label[has[0] & has[1]] = TWO_LABELS
    return label


def vote(film: Codes, reader: Codes, code: Codes, count: int, how: Readers) -> tuple[Codes, str]:
    """The label of each film out of the rows of its readers, and a sentence on how often they
    disagreed. Raises BadLabels where as many are for as against, and ``how`` is majority."""
    pairs, pair = np.unique(np.stack([film, reader]), axis=1, return_inverse=True)
    each = settle(pair.ravel(), code, pairs.shape[1])
    votes = {v: np.bincount(pairs[0][each == v], minlength=count) for v in (0, 1, IGNORED)}
    total = votes[0] + votes[1] + votes[IGNORED]
    label = np.full(count, UNSAID, dtype=np.int64)
    for value in (0, IGNORED, 1):
        label[2 * votes[value] > total] = value
    split = (np.maximum.reduce(list(votes.values())) < total) & (total > 0)
    if how == "any":
        label[votes[1] > 0] = 1
    elif how == "all":
        label[(votes[1] > 0) & (votes[1] < total)] = 0
    tied = (label == UNSAID) & (total > 0)
    if how != "majority":  # of the others as many say normal as say another finding
        label[tied] = IGNORED
    elif tied.any():
        raise BadLabels(
            "readers disagree, and no label has a majority",
            got=f"{int(tied.sum()):,} of {count:,} films, {int(split.sum()):,} with readers who "
            "disagree",
            expected="one label more often than all others together",
            remedy="say whose word counts: --readers any (pneumonia where any reader sees it) or "
            "--readers all (where every reader does)",
            answer=("--readers", "any"),
        )
    rule = {"majority": "more than half of", "any": "any of", "all": "all of"}[how]
    return label, (
        f"Several readers: a film has the label that {rule} them gave (--readers {how}); they "
        f"disagree on {int(split.sum()):,} of {count:,} films."
    )
