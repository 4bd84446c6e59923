"""Films of a new site: read, without those that say nothing of it, before anything is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.data.aside import masks
from pneumoscope.data.door import HELD_BACK, SHARED
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.data.together.groups import patient_codes
from pneumoscope.errors import InputError
from pneumoscope.evaluation.site.card import SiteFilms
from pneumoscope.imaging.known.reference import Reference
from pneumoscope.inference.gate import gate_of
from pneumoscope.listener import Listener
from pneumoscope.metrics.scores import Labels
from pneumoscope.metrics.shift.distance import LEAST
from pneumoscope.records import Source
from pneumoscope.workflows.adapt.parent import Parent
from pneumoscope.workflows.adapt.request import AdaptRequest
from pneumoscope.workflows.data import find_data, prepare_source
from pneumoscope.workflows.evaluate.shared import NOT_KNOWN, find_shared_films

UNKNOWN = -1
"""The label of a film that has none, or whose label is not to be used."""
_MASKS = "masks and drawings"


@dataclass(frozen=True, slots=True)
class Site:
    """The films of a new site: ``rows`` int64 (N,) of ``prepared`` with their ``labels`` (N,), 0, 1
    or UNKNOWN, and ``patients`` (N,), numbers from 0. ``out`` counts films left out by reason."""

    source: Source
    prepared: PreparedSet
    rows: NDArray[np.int64]
    labels: Labels
    patients: NDArray[np.int64]
    out: dict[str, int]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def table(self) -> pd.DataFrame:
        """The rows of the prepared table, in order."""
        return self.prepared.table.iloc[self.rows]

    @property
    def known(self) -> NDArray[np.int64]:
        """Places in ``rows`` of the films with a label."""
        return np.flatnonzero(self.labels != UNKNOWN)

    @property
    def one_each(self) -> NDArray[np.int64]:
        """Places of one film of each patient, who would else count several times in a test."""
        return np.sort(np.unique(self.patients, return_index=True)[1])

    def counts(self, reference: Reference | None) -> SiteFilms:
        """What came, in numbers."""
        table, known = self.table, self.known
        gate = gate_of(self.prepared, table["image_id"], reference)
        everybody = bool(table["patient_id"].notna().all())
        return SiteFilms(
            name=self.source.name,
            found=self.source.count,
            used=len(self),
            left_out=self.out,
            labelled=known.size,
            positives=int((self.labels == 1).sum()),
            patients=int(table["patient_id"].nunique()) if everybody else None,
            withheld=None if gate is None else int(gate["code"].notna().sum()),
        )


def read_site(request: AdaptRequest, parents: Sequence[Parent], listener: Listener) -> Site:
    """The films of ``request.data`` that may adapt ``parents``, one or the members of an ensemble.
    Left out are masks, the official test split, and films that trained or tuned any of them. Raises
    InputError where these are most of them, or fewer than the least are left."""
    source = find_data(request.data, listener)
    prepared = prepare_source(
        source, parents[0].spec, listener, keep_ids=request.data.keep_ids, most_bad=1.0
    )
    if any(prepared.content in parent.contents for parent in parents):
        raise _its_own(request, "the very set that the model was trained on")
    table = prepared.table
    mask = masks(table)
    test = (table["split"] == "test").fillna(False).to_numpy(bool) & ~mask
    rows = np.flatnonzero(~mask & ~test)
    references = [each for parent in parents for each in parent.references]
    seen = _seen(prepared, rows, references, listener)
    if 2 * seen.sum() > max(len(rows), 1):
        raise _its_own(request, f"{seen.sum():,} of {len(rows):,} trained or tuned the model")
    found: Counter[str] = Counter()
    for reason, count in ((_MASKS, mask.sum()), (HELD_BACK, test.sum()), (SHARED, seen.sum())):
        if count:
            found[reason] = int(count)
            listener.choice("left out", f"{count:,}", reason)
    rows = rows[~seen]
    _check_enough(rows, found)
    labels = np.full(len(rows), UNKNOWN, np.int64)
    if request.use_labels:
        given = table["label"].iloc[rows]
        labels[given.notna().to_numpy(bool)] = given.dropna().astype(np.int64)
    return Site(source, prepared, rows, labels, patient_codes(table.iloc[rows]), dict(found))


def _seen(
    prepared: PreparedSet,
    rows: NDArray[np.int64],
    references: Sequence[Reference],
    listener: Listener,
) -> NDArray[np.bool_]:
    listener.stage(f"Look for {len(rows):,} films among those of the model's own data set")
    shared = find_shared_films(prepared, rows, references)
    if shared is None:
        listener.note(NOT_KNOWN)
        return np.zeros(len(rows), np.bool_)
    return shared.seen


def _its_own(request: AdaptRequest, what: str) -> InputError:
    return InputError(
        "these are films that the model was made from, and no new site",
        got=f"{request.data.data}: {what}",
        expected="films of the place where the model is to be used",
        remedy=f"judge it on its own test films: pneumoscope evaluate {request.run}",
    )


def _check_enough(rows: NDArray[np.int64], out: Counter[str]) -> None:
    if len(rows) < LEAST:
        left = ", ".join(f"{n:,} {reason}" for reason, n in out.items())
        raise InputError(
            "too few films to say anything of a site",
            got=f"{len(rows):,}" + (f" (left out: {left})" if left else ""),
            expected=f"at least {LEAST}",
            remedy="collect more, labelled or not; films alone are read by: pneumoscope predict",
        )


def network_films(site: Site, places: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The stored pixels of films by their places, uint8 (n, S, S)."""
    return np.asarray(site.prepared.images[site.rows[places]])
