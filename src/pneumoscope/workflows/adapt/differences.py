"""Differences of a site: how far its films are from training films, by pixels and features."""

from __future__ import annotations

import numpy as np

from pneumoscope.imaging.known.reference import blurred
from pneumoscope.inference.predictor import pooled_features
from pneumoscope.inference.sets import blur_difference
from pneumoscope.listener import Listener
from pneumoscope.metrics.scores import Floats
from pneumoscope.metrics.shift.distance import MOST, SetDifference, set_difference
from pneumoscope.workflows.adapt.parent import Parent
from pneumoscope.workflows.adapt.site import Site, network_films

VALIDATION = "validation films, by the network’s features"


def differences_of(
    parent: Parent, site: Site, features: Floats, listener: Listener
) -> tuple[SetDifference, ...]:
    """By blurs of the films, where the model keeps those of its training films, and by the
    ``features`` (N, D) of the network, where its own films are there. One film a patient."""
    some = np.random.default_rng(0).permutation(site.one_each)[: 4 * MOST]
    found = []
    if parent.reference is not None:
        # In parts, for blurs are products in float32 of films of any size.
        films = np.concatenate(
            [
                blurred(network_films(site, part))
                for part in np.array_split(some, len(some) // 64 + 1)
            ]
        )
        different = blur_difference(films, parent.reference)
        found += [different] if different else []
    if parent.own is not None:
        found += _by_features(parent, features[some], listener)
    return tuple(found)


def _by_features(parent: Parent, features: Floats, listener: Listener) -> list[SetDifference]:
    """Against validation films: features of films that trained the network are those that it
    learnt by heart, from which any other film differs."""
    own = parent.own
    if own is None or not len(rows := own.rows("val")):
        return []
    rows = np.random.default_rng(0).permutation(rows)[:MOST]

    def advance(done: int, total: int) -> None:
        listener.progress(done, total, "film")

    theirs = pooled_features(parent.bundle, own.images, rows, parent.device, advance=advance)
    spread = theirs.std(axis=0) + 1e-3
    return [set_difference(features / spread, theirs / spread, VALIDATION)]
