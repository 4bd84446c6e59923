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
from numpy.typing import NDArray

from pneumoscope.inference.predictor import pooled_features
from pneumoscope.listener import Listener
from pneumoscope.metrics.scores import Floats
from pneumoscope.models.bundle import Bundle
from pneumoscope.models.network import Network, pretrained_grey
from pneumoscope.models.packaged import HALF, package_of
from pneumoscope.models.weights import load_weights
from pneumoscope.models.zoo import build_backbone
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


def general_network(parent: Parent, site: Site, listener: Listener) -> General | None:
    """None where its weights are not installed."""
    package = package_of(BACKBONE)
    if package is None or package.installed is None:
        listener.note("ImageNet weights are not installed: no head on their features is tried.")
        return None
    known = site.known
    listener.stage(f"Read {known.size:,} labelled films with ImageNet weights")
    bundle = _with_imagenet_weights(parent.bundle)
    features = pooled_features(
        bundle,
        site.prepared.images,
        site.rows[known],
        parent.device,
        advance=partial(listener.progress, unit="film"),
    )
    return General(bundle, known, features)


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
    )
