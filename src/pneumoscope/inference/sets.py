"""Set of films against the training films: whether films that came together are like them.

Single films are judged by ``image_warnings``; a set can be unlike the training films where none of
its films is. The model's reference holds a blur of each training film, and the same is made of each
film that is read.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pneumoscope.formatting import number, p_value
from pneumoscope.imaging.known.reference import Reference, blurred
from pneumoscope.metrics.shift.distance import LEAST, MOST, SetDifference, set_difference
from pneumoscope.records import SPLITS, Grey

TRAINING = "training films"
_WAVES = 8
"""Half-waves of the blurs that are compared, down and across."""


def blur_difference(blurs: NDArray[np.float32], reference: Reference) -> SetDifference | None:
    """How far films are from the training films of a model, from their ``blurred`` (N, 12, 12);
    None where its reference holds no training film."""
    rows = np.flatnonzero(reference.splits == SPLITS.index("train"))
    if not rows.size:
        return None
    some = np.random.default_rng(0).permutation(rows)[: 4 * MOST]
    training = (reference.codes[some] * reference.steps)[:, :_WAVES, :_WAVES]
    spread = training.std(axis=0) + 1e-3
    mine, theirs = (
        (each / spread).reshape(len(each), -1) for each in (blurs[:, :_WAVES, :_WAVES], training)
    )
    return set_difference(mine, theirs, TRAINING)


class SetCheck:
    """Films as they are read, in batches, against the training films of ``reference``."""

    def __init__(self, reference: Reference | None) -> None:
        self._reference = reference
        self._blurs: list[NDArray[np.float32]] = []
        self.count = 0

    def add(self, films: Grey) -> None:
        """Take a batch uint8 (B, S, S), as the network takes it. The first films are kept, as
        blurs, up to as many as are compared."""
        if self._reference is not None and self.count < 4 * MOST:
            self._blurs.append(blurred(films))
        self.count += len(films)

    @property
    def verdict(self) -> SetDifference | None:
        """How far the films so far are from the training films; None where that is not known."""
        if self._reference is None or not self._blurs:
            return None
        return blur_difference(np.concatenate(self._blurs), self._reference)


def words(found: SetDifference | None) -> str:
    """What is said of a set of films, in a sentence."""
    if found is None:
        return (
            "Whether these films as a set are like the training films is not known: the model "
            "keeps none of them."
        )
    if found.p is None or found.auroc is None:
        return (
            f"Whether these films as a set are like the {found.against}: too few to tell "
            f"({found.films:,} against {found.others:,}, and {LEAST} of each are needed)."
        )
    measured = f"{p_value(found.p)}, told apart with AUROC {number(found.auroc, 2)}"
    if found.verdict == "alike":
        return (
            f"No difference of these films as a set to the {found.against} is shown ({measured})."
        )
    return f"As a set these films are {found.verdict} the {found.against} ({measured})."


UNLIKE_MEANS = "Figures and thresholds of the model need not hold for them."
