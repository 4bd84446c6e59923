"""Which films to show: picked from the predictions table by rule, so no one can pick by taste."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

NAME_LENGTH = 9
TELLING = 3
"""So many characters of a patient's id in a row tell of it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One film and its prediction. ``name`` is safe to print; ``image_id`` only finds it again.

    ``called`` is 1 where ``probability`` reaches the threshold, else 0.
    """

    image_id: str
    name: str
    label: int
    probability: float
    called: int

    @property
    def right(self) -> bool:
        return self.called == self.label


@dataclass(frozen=True, slots=True)
class Gallery:
    """The films that a report shows. Every part may be empty; the order is the order to show.

    The ``false_*`` parts begin with the most confident error, ``least_certain`` with the film
    nearest to the threshold. ``true_*`` are the films at the middle of their kind. ``spread``
    runs from the lowest to the highest probability. ``samples_*`` ignore the model.
    """

    false_positives: tuple[Shown, ...]
    false_negatives: tuple[Shown, ...]
    least_certain: tuple[Shown, ...]
    true_positives: tuple[Shown, ...]
    true_negatives: tuple[Shown, ...]
    spread: tuple[Shown, ...]
    samples_normal: tuple[Shown, ...]
    samples_pneumonia: tuple[Shown, ...]


def choose_films(predictions: pd.DataFrame, threshold: float, count: int = 8) -> Gallery:
    """Choose at most ``count`` films for each part of the gallery, ``spread`` twice as many.

    ``predictions`` holds the rows of one split: image_id, patient_id, label, probability; its
    index gives the line of the film in the whole table. Ties are broken by image id, so the
    same table gives the same films.
    """
    rows = shown_rows(predictions, threshold)
    rising = sorted(rows, key=lambda row: (row.probability, row.image_id))
    near = sorted(rows, key=lambda row: (abs(row.probability - threshold), row.image_id))
    by_id = sorted(rows, key=lambda row: row.image_id)
    return Gallery(
        false_positives=tuple(_kind(reversed(rising), 0, 1)[:count]),
        false_negatives=tuple(_kind(rising, 1, 0)[:count]),
        least_certain=tuple(near[:count]),
        true_positives=_middle(_kind(rising, 1, 1), count),
        true_negatives=_middle(_kind(rising, 0, 0), count),
        spread=evenly(rising, 2 * count),
        samples_normal=evenly([row for row in by_id if row.label == 0], count),
        samples_pneumonia=evenly([row for row in by_id if row.label == 1], count),
    )


def shown_rows(predictions: pd.DataFrame, threshold: float) -> tuple[Shown, ...]:
    """Every row of the table as a ``Shown``, in the table's order."""
    known = predictions.fillna({"patient_id": ""})
    columns = (known[name] for name in ("image_id", "patient_id", "label", "probability"))
    return tuple(
        Shown(
            image_id=str(image_id),
            name=printable_name(str(image_id), str(patient_id), int(line)),
            label=int(label),
            probability=float(probability),
            called=int(probability >= threshold),
        )
        for line, image_id, patient_id, label, probability in zip(
            predictions.index, *columns, strict=True
        )
    )


def printable_name(image_id: str, patient_id: str, line: int, thing: str = "row") -> str:
    """The end of the image's name, or ``row N`` where that end would tell of the patient's id;
    ``thing`` is what is counted, if not rows.

    RSNA names the image by the patient, Kermany begins the file name with the person; of
    ``IM-0022-0001`` the end still holds most of the number of patient ``IM-0022``.
    """
    stem = PurePosixPath(image_id).stem
    tail = stem if len(stem) <= NAME_LENGTH else "…" + stem[1 - NAME_LENGTH :]
    bare = tail.lstrip("…")
    parts = {patient_id[at : at + TELLING] for at in range(max(1, len(patient_id) - TELLING + 1))}
    if patient_id and (bare in patient_id or any(part in bare for part in parts)):
        return f"{thing} {line + 1}"
    return tail


def evenly(rows: Sequence[Shown], count: int) -> tuple[Shown, ...]:
    """At most ``count`` rows at evenly spaced ranks, the first and the last among them."""
    if len(rows) <= count:
        return tuple(rows)
    ranks = np.linspace(0, len(rows) - 1, count).round().astype(int)
    return tuple(rows[rank] for rank in ranks)


def _kind(rows: Iterable[Shown], label: int, called: int) -> list[Shown]:
    return [row for row in rows if (row.label, row.called) == (label, called)]


def _middle(rows: Sequence[Shown], count: int) -> tuple[Shown, ...]:
    # The median of a kind is what the model usually does; its extremes are shown by `spread`.
    start = max(0, (len(rows) - count) // 2)
    return tuple(rows[start : start + count])
