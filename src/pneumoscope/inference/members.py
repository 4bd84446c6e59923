"""Members: the bundles behind one answer, a single one or an ensemble, loaded from their folders.

An ensemble is a folder of bundles called ``fold-*`` or ``seed-*``, or those that ``ensemble.json``
names: {"members": [...], "operating_points": [...]}, each member a folder within. Its own
operating points, and "conformal", hold for the mean; without them the thresholds are the means of
the members' on the logit scale, and no film is withheld.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pneumoscope.devices import has_bf16
from pneumoscope.errors import BadWeights, NotARun
from pneumoscope.formatting import number
from pneumoscope.imaging.known.reference import Reference, load_reference
from pneumoscope.inference.model import Model
from pneumoscope.inference.predictor import Predictor
from pneumoscope.manifest import Population
from pneumoscope.metrics.scale import scale_name
from pneumoscope.metrics.scores import probability
from pneumoscope.models.bundle import Bundle, load_bundle
from pneumoscope.models.inference import optimize_for_inference
from pneumoscope.readings import Conformal, OperatingPoint
from pneumoscope.records import InputSpec
from pneumoscope.run import CROSSVAL, ENSEMBLE, MATRIX, PLAN, SUMMARY, Run, no_run
from pneumoscope.storage import read_json

_EXTREME = 1e-9
_LAST_FILES = {CROSSVAL: ENSEMBLE, PLAN: SUMMARY}
"""Of a folder of several runs: what was asked, and the file that says that all is done."""


@dataclass(frozen=True, slots=True)
class Members:
    """One or more bundles of one input, and what holds for their mean: thresholds on its scale.
    ``notes`` are (what, choice, why) of what was settled on loading; ``reference`` is what the
    first of them keeps of its films, None where it keeps nothing."""

    bundles: tuple[Bundle, ...]
    operating_points: tuple[OperatingPoint, ...]
    conformal: Conformal | None
    notes: tuple[tuple[str, str, str], ...] = ()
    reference: Reference | None = None

    def ready(self, device: str) -> Model:
        """The model on ``device``, ready to read films; the bundles stay as they are."""
        fitted = [_for_device(bundle, device) for bundle in self.bundles]
        # A copy that only reads: a fifth of a ResNet-18's time went into ReLU of bf16 alone.
        quick = [replace(b, network=optimize_for_inference(b.network, b.precision)) for b in fitted]
        notes = self.notes
        if any(a is not b for a, b in zip(fitted, self.bundles, strict=True)):
            why = "trained in bf16, which this processor computes slowly or not at all"
            notes = (*notes, ("precision", "float32", why))
        return Model(
            engine=Predictor(quick, device, calibrated=True),
            title=self.title,
            device=device,
            spec=self.spec,
            operating_points=self.operating_points,
            conformal=self.conformal,
            scale=self.scale,
            population=self.population,
            notes=notes,
            reference=self.reference,
        )

    @property
    def title(self) -> str:
        """The backbone, or that it is the mean of several."""
        count = len(self.bundles)
        return self.bundles[0].backbone if count == 1 else f"the mean of {count} models"

    @property
    def spec(self) -> InputSpec:
        return self.bundles[0].network.spec

    @property
    def scale(self) -> str:
        """The scale of the mean's probabilities and thresholds, in words."""
        return scale_name(self.bundles[0].calibration, len(self.bundles))

    @property
    def population(self) -> Population:
        """Whom the models know, empty where that is unknown."""
        found = self.bundles[0].lineage.get("population")
        return found if isinstance(found, dict) else {}


def load_members(folder: Path) -> Members:
    """The bundle of ``folder``, or its ensemble. Raises NotARun, BadWeights."""
    if Run(folder).model_file.is_file():
        return replace(_single(load_bundle(folder)), reference=_reference(folder))
    places = member_places(folder)
    if not places:
        raise _no_model(folder)
    found = _named(folder, places) if (folder / ENSEMBLE).is_file() else _averaged(places)
    return replace(found, reference=_reference(places[0]))


def _for_device(bundle: Bundle, device: str) -> Bundle:
    """The bundle in float32 where it was trained in bf16 and the device has no such arithmetic:
    bf16 is tens of times slower there, and the logits differ by bf16's rounding alone."""
    if bundle.precision != "bf16" or has_bf16(device):
        return bundle
    return replace(bundle, precision="float32")


def _reference(folder: Path) -> Reference | None:
    return load_reference(Run(folder).reference_file)


def member_places(folder: Path) -> tuple[Path, ...]:
    """The folders of an ensemble's members, in order; none where ``folder`` is none.

    Raises NotARun where some are still to be trained, and where each left out a site, BadWeights
    for a bad ``ensemble.json``.
    """
    if Run(folder).model_file.is_file():
        return ()
    if (folder / MATRIX).is_file():
        one = next(iter(sorted(folder.glob("without-*"))), folder / "without-NAME")
        raise NotARun(
            "models that each left out a site are no ensemble: every site was learnt from by some",
            got=folder,
            expected="a run, or folders of folds or seeds",
            remedy=f"ask one of them, such as {one}, or train on all sites: pneumoscope train A B",
        )
    if (folder / ENSEMBLE).is_file():
        return tuple(folder / name for name in _names(folder))
    places = [p for p in folder.glob("*") if p.name.startswith(("fold-", "seed-")) and p.is_dir()]
    for asked, done in _LAST_FILES.items():  # a mean over those that are finished is another model
        if places and (folder / asked).is_file() and not (folder / done).is_file():
            raise NotARun(
                "the runs of this folder are not all finished",
                got=folder,
                expected=f"{done}, which is written after the last run",
                remedy=f"complete them: pneumoscope train --resume {folder}",
            )
    return tuple(sorted(places, key=lambda place: (len(place.name), place.name)))


def _single(bundle: Bundle) -> Members:
    notes: tuple[tuple[str, str, str], ...] = ()
    if bundle.calibration:
        why = "probabilities are calibrated; thresholds move with them, so decisions stay"
        notes = (
            (
                "temperature",
                number(bundle.temperature),
                f"{why}; chosen on {bundle.calibration.chosen_on}",
            ),
        )
    return Members((bundle,), bundle.operating_points, bundle.conformal, notes)


def _no_model(folder: Path) -> NotARun:
    if not folder.is_dir():
        return no_run(folder)
    unfinished = Run(folder).manifest_file.is_file()
    return NotARun(
        "the folder holds no model",
        got=folder,
        expected="model.json and model.safetensors, or folders fold-* or seed-* that hold them",
        remedy=f"complete the run: pneumoscope train --resume {folder}" if unfinished else None,
    )


def _names(folder: Path) -> list[str]:
    file = folder / ENSEMBLE
    found = read_json(file).get("members")
    names = [str(name) for name in found] if isinstance(found, list) else []
    outside = [n for n in names if Path(n).is_absolute() or ".." in Path(n).parts]
    if outside or not names:
        raise BadWeights(
            "the ensemble names no members within its folder",
            got=f"{outside[0] if outside else 'none'} in {file}",
        )
    return names


def _named(folder: Path, places: Sequence[Path]) -> Members:
    file = folder / ENSEMBLE
    about = read_json(file)
    try:
        points = tuple(OperatingPoint(**point) for point in about.get("operating_points", ()))
        conformal = Conformal(**about["conformal"]) if about.get("conformal") else None
    except (KeyError, TypeError) as error:
        raise BadWeights("the ensemble cannot be loaded", got=f"{file} ({error})") from None
    found = _averaged(places)
    if not points:
        return replace(found, conformal=conformal)
    return replace(found, operating_points=points, conformal=conformal, notes=found.notes[:1])


def _averaged(places: Sequence[Path]) -> Members:
    for place in places:  # a mean over those that happen to be finished is another model
        if not Run(place).model_file.is_file():
            raise NotARun("a member of the ensemble holds no model", got=place)
    bundles = tuple(load_bundle(place) for place in places)
    # What else a spec holds is done within each network.
    forms = {(bundle.network.spec.stored, bundle.network.spec.fit) for bundle in bundles}
    if len(forms) > 1:
        raise BadWeights(
            "the members of the ensemble take films of different sizes",
            got=", ".join(sorted(f"{stored} px, {fit}" for stored, fit in forms)),
        )
    count = f"{len(bundles)} models"
    return Members(
        bundles,
        mean_points(bundles),
        None,
        (
            ("ensemble", count, "the mean of their calibrated logits"),
            ("threshold", "mean of the members'", "on the logit scale; none was chosen for them"),
        ),
    )


def mean_points(bundles: Sequence[Bundle]) -> tuple[OperatingPoint, ...]:
    """Of each point that all members have, the mean of its thresholds on the logit scale."""
    tables = [{point.name: point for point in bundle.operating_points} for bundle in bundles]
    # The members have no validation films in common on which one threshold could be chosen.
    return tuple(
        replace(
            point,
            threshold=_mean_threshold([table[point.name].threshold for table in tables]),
            rule=f"mean of {len(tables)} members' thresholds on the logit scale",
        )
        for point in bundles[0].operating_points
        if all(point.name in table for table in tables)
    )


def _mean_threshold(thresholds: Sequence[float]) -> float:
    inside = np.clip(thresholds, _EXTREME, 1 - _EXTREME)
    return float(probability(np.log(inside / (1 - inside)).mean()))
