"""The evaluated model: that of one run, or the mean of several, with what it decides by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.errors import NotARun
from pneumoscope.evaluation.choices import MISS_RATE, Choices, choose_all, on_validation
from pneumoscope.imaging.known.reference import Reference, load_reference
from pneumoscope.listener import Listener
from pneumoscope.manifest import Manifest, SourceEntry, WeightsEntry
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.metrics.scale import carried
from pneumoscope.plain import to_plain
from pneumoscope.records import InputSpec
from pneumoscope.run import Run
from pneumoscope.sources.known_sets import recognise
from pneumoscope.storage import read_json
from pneumoscope.workflows.evaluate.request import EvaluateRequest
from pneumoscope.workflows.groups.ensemble import runs_of
from pneumoscope.workflows.networks import Here, Networks
from pneumoscope.workflows.predictions import predict_with
from pneumoscope.workflows.weights import warn_of_seen

if TYPE_CHECKING:
    from pneumoscope.models.bundle import Bundle


@dataclass(frozen=True, slots=True)
class EvaluatedModel:
    """A model as it is evaluated. ``contents`` are those of the films that it was made from,
    ``source`` is what its run says of them, ``known_set`` what is known of their set beside, and
    ``members`` how many models answer. ``reference`` is what the gate for new films holds them
    against, None where the model keeps none; ``begun`` is what its networks began from.

    ``networks`` load the model when films are to be read, once: torch takes seconds to import, and
    evaluating a run's own test split needs none. ``calibrated`` says that each answers on its own
    scale, as the mean of several needs (``inference.predictor.Predictor``).
    """

    folder: Path
    name: str
    seed: int
    choices: Choices
    spec: InputSpec
    source: SourceEntry
    contents: frozenset[str]
    networks: Networks
    calibrated: bool = False
    members: int = 1
    known_set: dict[str, Any] | None = None
    reference: Reference | None = None
    begun: tuple[WeightsEntry | None, ...] = ()

    def warn_of_weights(self, known: str) -> str:
        """The warning that weights which it began from may have seen the films of a known set."""
        said = (warn_of_seen(entry, known) for entry in self.begun)
        return next((each for each in said if each), "")

    def read(
        self, prepared: PreparedSet, rows: NDArray[np.int64], listener: Listener
    ) -> pd.DataFrame:
        """The table of predictions of rows of a prepared set."""
        given = (self.calibrated, prepared, rows)
        return self.networks.begin(predict_with, *given, listener=listener)()


def model_of_run(
    request: EvaluateRequest,
    run: Run,
    predictions: pd.DataFrame,
    networks: Networks | None = None,
) -> EvaluatedModel:
    """The model of a finished run, read by ``networks`` where these are at hand. What it does not
    carry is fitted on the validation rows of ``predictions``. Raises NotARun where the run has no
    operating point yet."""
    manifest = run.manifest()

    @cache
    def bundles() -> Sequence[Bundle]:
        from pneumoscope.models.bundle import load_bundle

        return [load_bundle(run.folder)]

    return EvaluatedModel(
        folder=run.folder,
        name=str(manifest.get("name") or run.folder.name),
        seed=int(manifest["seed"]),
        choices=_choices(request, run, predictions),
        spec=InputSpec(**read_json(run.model_file)["input"]),
        source=manifest["source"],
        contents=frozenset([manifest["content"]] if manifest.get("content") else []),
        networks=networks or Here(bundles),
        known_set=_known_set(manifest),
        reference=load_reference(run.reference_file),
        begun=(manifest.get("weights"),),
    )


def model_of_ensemble(folder: Path, places: Sequence[Path], listener: Listener) -> EvaluatedModel:
    """The mean of several runs, which decides as ``predict`` does. Raises NotARun where a member
    is no run, or was not evaluated yet."""
    from pneumoscope.inference.members import load_members

    runs, members = runs_of(places), load_members(folder)
    if not members.operating_points:
        raise NotARun(
            "the members of the ensemble have no operating point in common",
            got=folder,
            remedy="complete each of them: pneumoscope train --resume RUN",
        )
    for note in members.notes:
        listener.choice(*note)

    manifests = [run.manifest() for run in runs]
    why = "the mean of several models: no temperature, no abstention of its own was fitted"
    return EvaluatedModel(
        folder=folder,
        name=folder.absolute().name,
        seed=int(manifests[0]["seed"]),
        choices=Choices(
            members.operating_points,
            conformal=members.conformal,
            notes=(why,),
            members=len(places),
        ),
        spec=members.spec,
        source=manifests[0]["source"],
        contents=frozenset(
            manifest["content"] for manifest in manifests if manifest.get("content")
        ),
        networks=Here(lambda: members.bundles),
        calibrated=True,
        members=len(places),
        known_set=_known_set(manifests[0]),
        reference=members.reference,
        begun=tuple(manifest.get("weights") for manifest in manifests),
    )


def _known_set(manifest: Manifest) -> dict[str, Any] | None:
    """What a run keeps of its data set; of a run before that was kept, what its source tells."""
    if "known_set" in manifest:
        return manifest["known_set"]
    known = recognise(manifest["source"], manifest.get("flow", {}).get("splits", {}))
    return to_plain(known) if known else None


def _choices(request: EvaluateRequest, run: Run, predictions: pd.DataFrame) -> Choices:
    """What the model carries; what it lacks, or is asked otherwise, is fitted on its validation
    rows. The first point stays the recipe's own."""
    about = run.model()
    if not about.get("operating_points"):
        raise NotARun(
            "the run has not been judged yet",
            got=run.folder,
            remedy=f"complete it: pneumoscope train --resume {run.folder}",
        )
    stored = carried(about)
    own, targets, miss_rate = stored.points[0], request.targets, request.miss_rate
    by_name = {p.name: p for p in stored.points if p is own or p.name not in targets}
    fitted = choose_all(
        predictions,
        own,
        targets=targets,
        miss_rate=miss_rate or MISS_RATE,
        carried=stored.calibration,
    )
    if not fitted.ladder:  # no validation film of a class is there: what is carried is all
        return Choices(stored.points, stored.calibration, stored.conformal, notes=fitted.notes)
    choices = replace(
        fitted,
        points=tuple(by_name.get(point.name, point) for point in fitted.points),
        conformal=stored.conformal if stored.conformal and not miss_rate else fitted.conformal,
    )
    return on_validation(choices, predictions, IntervalSettings(seed=run.manifest()["seed"]))
