"""Network that was trained on no X-ray, beside the one that is carried: ImageNet weights as they
come, for a head that the site's labelled films train.

What a model has learnt at home can be of no use, or worse, where films differ. Features of everyday
pictures hold nothing of either place: on the NIH sample, with 100 labelled films, a head on them
reached AUROC .85 where one on the features of a model of Kaggle's films reached .77 (docs/log.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from pneumoscope.errors import BadWeights, WeightsNotFound
from pneumoscope.inference.predictor import pooled_features
from pneumoscope.listener import Listener
from pneumoscope.manifest import Lineage
from pneumoscope.metrics.scores import Floats
from pneumoscope.models.bundle import Bundle
from pneumoscope.models.network import Network, pretrained_grey
from pneumoscope.models.packaged import HALF, package_of
from pneumoscope.models.weights import load_weights
from pneumoscope.models.zoo import build_backbone
from pneumoscope.records import InputSpec
from pneumoscope.workflows.adapt.parent import Parent
from pneumoscope.workflows.adapt.site import Site

BACKBONE, SIDE = f"tf_efficientnet_lite0{HALF}", 128


@dataclass(frozen=True, slots=True)
class General:
    """The network as a ``bundle`` that takes the films as the carried one does, its head untrained;
    and what it sees of the labelled films, ``places`` int64 (K,) in order: ``features`` (K, D)."""

    bundle: Bundle
    places: NDArray[np.int64]
    features: Floats

    def of(self, places: NDArray[np.int64]) -> Floats:
        """The features of some of the labelled films, by place."""
        return np.asarray(self.features[np.searchsorted(self.places, places)])


Seen = dict[tuple[InputSpec, float, bool], Floats]
"""Features by how films are taken, which members of an ensemble mostly do alike."""


def general_network(
    parent: Parent, site: Site, listener: Listener, seen: Seen | None = None
) -> General | None:
    """None where its weights cannot be had, or the carried network is this one already. Features
    that are in ``seen`` are not computed again; new ones are put there."""
    try:
        bundle = _with_imagenet_weights(parent.bundle)
    except (WeightsNotFound, BadWeights) as error:
        listener.note(f"No head on ImageNet weights is tried: {error.what}.")
        return None
    if _same(bundle, parent.bundle):
        return None
    known, seen = site.known, {} if seen is None else seen
    key = (bundle.network.spec, bundle.turn_average, bundle.flip_average)
    if key in seen:
        return General(bundle, known, seen[key])
    listener.stage(f"Read {known.size:,} labelled films with ImageNet weights")
    seen[key] = pooled_features(
        bundle,
        site.prepared.images,
        site.rows[known],
        parent.device,
        advance=partial(listener.progress, unit="film"),
    )
    return General(bundle, known, seen[key])


def _same(bundle: Bundle, carried: Bundle) -> bool:
    if carried.backbone != BACKBONE:
        return False
    mine, theirs = (each.network.backbone.state_dict() for each in (bundle, carried))
    return all(torch.equal(value, theirs[name].cpu()) for name, value in mine.items())


def _with_imagenet_weights(carried: Bundle) -> Bundle:
    backbone = build_backbone(BACKBONE)
    load_weights(backbone, BACKBONE, "imagenet")
    levels = pretrained_grey(backbone)
    spec = replace(carried.network.spec, network=SIDE, local_contrast=0)
    return replace(
        carried,
        network=Network(backbone, spec, normalisation=levels).eval().requires_grad_(False),
        backbone=BACKBONE,
        weights="imagenet",
        normalisation=levels,
        precision="float32",
        calibration=None,
        conformal=None,
        lineage=_lineage(carried.lineage),
    )


def _lineage(carried: Lineage) -> Lineage:
    """Without what the carried network was trained for, and on whom: this one was not."""
    kept: Lineage = {**carried}
    kept.pop("epochs", None)
    kept.pop("best_epoch", None)
    kept.pop("population", None)
    if package := package_of(BACKBONE):
        kept["weights_sha256"] = package.sha256
        kept["weights_package"] = f"{package.name} {package.version}"
    return kept
