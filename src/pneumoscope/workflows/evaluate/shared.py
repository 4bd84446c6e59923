"""Films of other data that the model knows already: looked for before anything is judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pneumoscope.data.prepared import PreparedSet, reference_of
from pneumoscope.errors import InputError
from pneumoscope.imaging.known.reference import Reference, load_reference
from pneumoscope.imaging.known.shared import splits_shared
from pneumoscope.imaging.thumbnails import LOOK, thumbnails
from pneumoscope.manifest import SharedEntry
from pneumoscope.run import Run
from pneumoscope.workflows.evaluate.request import EvaluateRequest

NOT_KNOWN = (
    "Whether some of these films took part in training is not known: the model keeps no reference "
    "of its films, and its data is gone."
)

FEWEST = 10
"""Films of each class that must be left when those are taken out that the model has seen."""

_SEEN = ("train", "val")


@dataclass(frozen=True, slots=True)
class SharedFilms:
    """In which split of the model's own set each film lies, object (N,), None for those that were
    not found in it."""

    splits: NDArray[np.object_]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Bool (N,): films that trained or tuned the model."""
        return np.isin(self.splits.astype(str), _SEEN)

    @property
    def related(self) -> bool:
        """Whether most of the films are of the model's own set: then none of them are external."""
        return 2 * sum(split is not None for split in self.splits) > len(self.splits)

    def to_json(self, *, kept: bool) -> SharedEntry:
        counts = Counter(split for split in self.splits if split is not None)
        return {
            "looked": len(self.splits),
            "found": dict(counts.most_common()),
            "related": self.related,
            "kept": kept,
        }

    def words(self, *, kept: bool) -> str:
        """What was found, the gravest first; empty where nothing was."""
        counts = Counter(split for split in self.splits if split is not None)
        if not counts:
            return ""
        looked, seen = len(self.splits), int(self.seen.sum())
        said = [_of_training(looked, seen, kept)] if seen else []
        other = " and ".join(
            f"{counts[split]:,} {what}"
            for split, what in (("test", "of the test split"), ("none", "of no split"))
            if counts[split]
        )
        if other:
            said.append(f"{other} of the model's own data set are among these films.")
        if self.related:
            said.append(
                "Most of these films are of the model's own data set: this is no external "
                "test, and copies that were not found may still be among them."
            )
        return " ".join(said)


def _of_training(looked: int, seen: int, kept: bool) -> str:
    found = f"{looked:,} films, of which {seen:,} are films of this model's training set"
    if kept:
        return f"{found} and are kept, as asked: every figure is too good."
    return f"{found}: these are taken out, and the figures are for the other {looked - seen:,}."


def references_of(
    places: Sequence[Path], own: Callable[[], PreparedSet | None]
) -> tuple[Reference, ...]:
    """What the runs in ``places`` keep of their films. Where one keeps nothing, all that is known
    is made from their ``own`` films; empty where these are gone."""
    kept = [load_reference(Run(place).reference_file) for place in places]
    found = tuple(each for each in kept if each is not None)
    if len(found) == len(places):
        return found
    prepared = own()
    return () if prepared is None else (reference_of(prepared),)


def find_shared_films(
    prepared: PreparedSet, rows: NDArray[np.int64], references: Sequence[Reference]
) -> SharedFilms | None:
    """Which of ``rows`` are films of the models' own sets; None where that is not known."""
    if not references:
        return None
    return SharedFilms(splits_shared(thumbnails(prepared.images[rows], LOOK), references))


def check_enough(shared: SharedFilms, labels: NDArray[np.int64], request: EvaluateRequest) -> None:
    """Raise InputError where too few films are left that the model has not seen."""
    left = labels[~shared.seen]
    normal, pneumonia = int((left == 0).sum()), int((left == 1).sum())
    if not shared.seen.any() or min(normal, pneumonia) >= FEWEST:
        return
    raise InputError(
        "too few films are left to judge the model on: it has seen the others",
        got=f"{len(labels):,} films, of which {int(shared.seen.sum()):,} are films of this model's "
        f"training set; left are {normal:,} normal and {pneumonia:,} with pneumonia",
        expected=f"at least {FEWEST} films of each class that it was neither trained nor tuned on",
        remedy="judge them as what they are, films that it knows: the same command with "
        "--keep-shared",
    )
