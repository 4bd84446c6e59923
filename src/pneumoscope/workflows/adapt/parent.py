"""Parent of an adaptation: the model that is carried, and what is known of the films it is from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.devices import choose_device
from pneumoscope.errors import InputError
from pneumoscope.evaluation.predictions import at_temperature, read_predictions, rows_of
from pneumoscope.imaging.known.reference import Reference
from pneumoscope.inference.members import load_members
from pneumoscope.inference.predictor import Predictor
from pneumoscope.listener import Listener
from pneumoscope.manifest import Manifest
from pneumoscope.metrics.scores import Floats
from pneumoscope.metrics.shift.share import Scored
from pneumoscope.models.bundle import Bundle, load_bundle
from pneumoscope.records import InputSpec
from pneumoscope.run import Run, open_complete
from pneumoscope.workflows.adapt.request import AdaptRequest
from pneumoscope.workflows.data import data_of_run
from pneumoscope.workflows.evaluate.shared import references_of
from pneumoscope.workflows.groups.ensemble import ensemble_folders


@dataclass(frozen=True, slots=True)
class Parent:
    """A finished run as it is carried: ``predictions`` are of its own films, ``own`` the films
    themselves, None where they are gone. Nothing of it is altered."""

    run: Run
    bundle: Bundle
    manifest: Manifest
    predictions: pd.DataFrame
    own: PreparedSet | None
    references: tuple[Reference, ...]
    device: str

    @property
    def spec(self) -> InputSpec:
        return self.bundle.network.spec

    @property
    def name(self) -> str:
        return str(self.manifest.get("name") or self.run.folder.name)

    @property
    def contents(self) -> tuple[str, ...]:
        return (self.manifest["content"],) if self.manifest.get("content") else ()

    @property
    def reference(self) -> Reference | None:
        return self.references[0] if self.references else None

    @property
    def threshold(self) -> float:
        """That of the point that decides, as a logit on the model's scale."""
        inside = np.clip(self.bundle.operating_points[0].threshold, 1e-9, 1 - 1e-9)
        return float(np.log(inside / (1 - inside)))

    def validation(self) -> Scored:
        """What the model gives its own validation films, on its scale."""
        rows = rows_of(at_temperature(self.predictions, self.bundle.temperature), "val")
        patients = (
            np.arange(rows.labels.size)
            if rows.patients is None
            else np.unique(rows.patients, return_inverse=True)[1]
        )
        return Scored(rows.logits, rows.labels, patients.astype(np.int64))

    def logits(
        self, bundle: Bundle, prepared: PreparedSet, rows: NDArray[np.int64], listener: Listener
    ) -> Floats:
        """Raw logits of ``bundle``, this or one made of it, with progress told."""
        predictor = Predictor([bundle], self.device)

        def advance(done: int, total: int) -> None:
            listener.progress(done, total, "film")

        return predictor.logits(prepared.images, rows, advance=advance)


def open_parents(request: AdaptRequest, listener: Listener) -> tuple[Parent, ...]:
    """The run that is to be carried, or the members of the ensemble. Raises NotARun for one that is
    not complete, BadWeights where members do not take the same films, InputError for a model that
    was not judged yet."""
    places = ensemble_folders(request.run)
    if places:
        load_members(request.run)  # refuses what is no ensemble, before any film is read
    return tuple(open_parent(place, listener) for place in places or (request.run,))


def open_parent(folder: Path, listener: Listener) -> Parent:
    """A run that is to be carried. Raises as ``open_parents``."""
    run = open_complete(folder)
    bundle = load_bundle(run.folder)
    if not bundle.operating_points:
        raise InputError(
            "the run has not been judged yet, so there is no threshold to carry",
            got=run.folder,
            remedy=f"complete it: pneumoscope train --resume {run.folder}",
        )
    own = _own_films(run, listener)
    return Parent(
        run,
        bundle,
        run.manifest(),
        read_predictions(run.predictions_file),
        own,
        references_of([run.folder], lambda: own),
        choose_device(),
    )


def _own_films(run: Run, listener: Listener) -> PreparedSet | None:
    try:
        return data_of_run(run, listener)
    except InputError as error:
        listener.note(
            f"The films that the model was trained on cannot be read ({error.what}): what it "
            "makes of them after the change is not known."
        )
        return None
