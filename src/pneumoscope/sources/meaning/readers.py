"""Several readers of one film: the label that a strict majority gives, or any, or all of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pneumoscope.errors import BadLabels
from pneumoscope.records import Readers
from pneumoscope.sources.meaning.cells import IGNORED, UNSAID

Codes = NDArray[np.int64]

TWO_LABELS, TIED = -2, 3
"""Codes of a film whose rows give both labels, without a reader for each; and of one of which no
label has a majority, which is to be left out."""

_RULES: Mapping[Readers, str] = {
    "majority": "more than half of them gave",
    "strict": "more than half of them gave, and is left out without one",
    "any": "any of them gave",
    "all": "all of them gave",
}


class ReadersDisagree(BadLabels):
    """Readers disagree on films, and no label has a majority. How many films there are follows from
    what words mean, so words are asked about first."""


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
    disagreed. Raises ReadersDisagree where as many are for as against, and ``how`` is majority."""
    pairs, pair = np.unique(np.stack([film, reader]), axis=1, return_inverse=True)
    each = settle(pair.ravel(), code, pairs.shape[1])
    votes = {v: np.bincount(pairs[0][each == v], minlength=count) for v in (0, 1, IGNORED)}
    total = votes[0] + votes[1] + votes[IGNORED]
    label = np.full(count, UNSAID, dtype=np.int64)
    for value in (0, IGNORED, 1):
        label[2 * votes[value] > total] = value
    few = (label == UNSAID) & (total > 0)
    split = (np.maximum.reduce(list(votes.values())) < total) & (total > 0)
    some = (votes[1] > 0) & (votes[1] < total)
    if how == "majority" and few.any():
        raise _disagree(label, some, few, int(split.sum()))
    if how in ("any", "all"):
        label[some] = int(how == "any")
        label[few & (label == UNSAID)] = IGNORED  # as many say normal as say another finding
    label[few & (label == UNSAID)] = TIED
    return label, (
        f"Several readers: a film has the label that {_RULES[how]} (--readers {how}); they "
        f"disagree on {int(split.sum()):,} of {count:,} films."
    )


def _disagree(
    label: Codes, some: NDArray[np.bool_], few: NDArray[np.bool_], split: int
) -> ReadersDisagree:
    """The question what to do with the ``few`` films of which no ``label`` has a majority; what is
    offered changes no majority. ``some``, but not all, of the readers of a film say pneumonia."""
    turned = {how: int((some & ~few & (label != sick)).sum()) for how, sick in _TURNS}
    return ReadersDisagree(
        "readers disagree, and no label has a majority",
        got=f"{int(few.sum()):,} of {len(label):,} films; on {split:,} films readers disagree",
        expected="one label more often than all others together",
        remedy="leave these films out: --readers strict",
        hints=(
            "--readers any calls a film pneumonia where any reader does: also "
            f"{turned['any']:,} films that most readers call otherwise",
            "--readers all calls it so only where every reader does: not "
            f"{turned['all']:,} films that most readers call pneumonia",
        ),
        answer=("--readers", "strict"),
    )


_TURNS = (("any", 1), ("all", 0))
