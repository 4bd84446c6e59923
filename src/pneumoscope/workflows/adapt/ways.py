"""Ways to carry a model to a site: what each fits on labelled films, from the simplest on.

A way is fitted on some films and then scores others, so that it can be judged on patients that had
no part in it; fitted on all of them it gives the bundle that is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pneumoscope.inference.predictor import pooled_features
from pneumoscope.listener import Listener
from pneumoscope.metrics.calibration import platt
from pneumoscope.metrics.scores import Floats, Labels
from pneumoscope.models.adapted.heads import rescaled, with_head
from pneumoscope.models.bundle import Bundle
from pneumoscope.models.network import Network
from pneumoscope.recipe import stored_recipe
from pneumoscope.training.local.finetune import fine_tuned
from pneumoscope.training.local.head import fit_head
from pneumoscope.workflows.adapt.general import General
from pneumoscope.workflows.adapt.parent import Parent
from pneumoscope.workflows.adapt.site import Site, network_films
from pneumoscope.workflows.adapt.statistics import balanced_rows, can_estimate, tried_statistics

Places = NDArray[np.int64]
"""Films by their place among the site's, int64 (n,)."""
Fit = Callable[[Places], "Fitted"]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A way after it was fitted: ``score`` gives logits of films by place, ``bundle`` the model
    that gives the same, as the parent's own successor."""

    score: Callable[[Places], Floats]
    bundle: Callable[[], Bundle]


@dataclass(frozen=True, slots=True)
class Way:
    """A way to carry the model, by name and in words, and how it is fitted; ``level`` says how far
    it goes from the model as it comes, and two of one level are told apart by their loss alone;
    ``learns`` where more labelled films may teach it more, and fitting it again and again is
    cheap."""

    name: str
    what: str
    level: int
    fit: Fit
    learns: bool = False


@dataclass(frozen=True, slots=True)
class Material:
    """What ways are fitted from: the model, the films, and what the model makes of each: its
    ``logits`` (N,) on its scale, and its pooled ``features`` (N, D); ``general`` is a network that
    was trained on no X-ray, None where it is not to be tried."""

    parent: Parent
    site: Site
    logits: Floats
    features: Floats
    listener: Listener
    general: General | None = None


def ways_of(material: Material, *, fine_tune: bool) -> list[Way]:
    """The ways that can be tried, the simplest first."""
    plain = Fitted(lambda places: material.logits[places], lambda: material.parent.bundle)
    ways = [
        Way("carried", "the model as it comes", 0, lambda _: plain),
        Way(
            "temperature and offset",
            "its logits stretched and moved, two numbers",
            1,
            lambda places: _calibrated(material, places),
        ),
    ]
    if can_estimate(material.parent, material.site):
        ways.append(
            Way(
                "statistics",
                "batch-norm statistics of these films, its logits stretched and moved",
                2,
                lambda places: _new_statistics(material, places),
            )
        )
    ways.append(
        Way(
            "head",
            "its last layer trained anew on what the network sees, strongly held back",
            3,
            lambda places: _new_head(material, places),
            learns=True,
        )
    )
    if material.general is not None:
        general = material.general
        ways.append(
            Way(
                "ImageNet",
                "another network in its place, ImageNet weights as they come, and a last layer "
                "trained on what it sees",
                3,
                lambda places: _general_head(material, general, places),
                learns=True,
            )
        )
    if fine_tune:
        ways.append(
            Way(
                "fine-tuned",
                "the whole network trained on, shortly and gently",
                4,
                lambda places: _fine_tuned(material, places),
            )
        )
    return ways


def _calibrated(material: Material, places: Places) -> Fitted:
    return _stretched(material.parent.bundle, material.logits, material.site.labels, places)


def _stretched(bundle: Bundle, logits: Floats, labels: Labels, places: Places) -> Fitted:
    """A bundle of which ``logits`` are those on its scale, stretched and moved."""
    slope, offset = fit_line(logits[places], labels[places])
    return Fitted(
        lambda some: slope * logits[some] + offset,
        lambda: _uncalibrated(bundle, rescaled(bundle.network, slope / bundle.temperature, offset)),
    )


def _new_statistics(material: Material, places: Places) -> Fitted:
    """With the statistics of these films and of those without a label: films that judge it have no
    part in them."""
    parent, site = material.parent, material.site
    free = np.union1d(places, np.setdiff1d(np.arange(len(site)), site.known))
    rows = balanced_rows(parent, replace(site, rows=site.rows[free]), material.logits[free])
    bundle = tried_statistics(parent, site.prepared, rows)["all"]
    logits = parent.logits(bundle, site.prepared, site.rows, material.listener)
    return _stretched(bundle, logits / bundle.temperature, site.labels, places)


def fit_line(logits: Floats, labels: Labels) -> tuple[float, float]:
    """Slope, 0 or more, and offset. One below 0 would call films sick for looking healthy to the
    model, which few films cannot prove."""
    level, slope = platt(labels, logits, np.ones((1, labels.size)))
    if slope[0, 0] >= 0:
        return float(slope[0, 0]), float(level[0, 0])
    sick = (labels.sum() + 1) / (labels.size + 2)
    return 0.0, float(np.log(sick / (1 - sick)))


def slope_words(logits: Floats, labels: Labels) -> str:
    """What is said where the slope of these labelled films is held at 0; empty where it is not."""
    slope, _ = fit_line(logits, labels)
    if slope > 0:
        return ""
    return (
        "By these labels a higher score of the model means less pneumonia. A slope below 0 is not "
        "fitted: temperature and offset hold it at 0, and give every film one probability."
    )


def _new_head(material: Material, places: Places) -> Fitted:
    bundle, features = material.parent.bundle, material.features
    head = bundle.network.head
    old = (head.weight[-1] - (head.weight[0] if bundle.network.outputs == 2 else 0.0)).detach()
    labels = material.site.labels[places]
    weights, bias = fit_head(features[places], labels, old.double().cpu().numpy())
    return Fitted(
        lambda some: features[some] @ weights + bias,
        lambda: _uncalibrated(bundle, with_head(bundle.network, weights, bias)),
    )


def _general_head(material: Material, general: General, places: Places) -> Fitted:
    weights, bias = fit_head(general.of(places), material.site.labels[places])
    return Fitted(
        lambda some: general.of(some) @ weights + bias,
        lambda: _uncalibrated(general.bundle, with_head(general.bundle.network, weights, bias)),
    )


def _fine_tuned(material: Material, places: Places) -> Fitted:
    parent, site, listener = material.parent, material.site, material.listener
    listener.stage(f"Train the network on, with {len(places):,} films")
    network = fine_tuned(
        parent.bundle.network,
        network_films(site, places),
        site.labels[places],
        stored_recipe(parent.run.recipe_file).augment,
        parent.device,
        advance=lambda done, total: listener.progress(done, total, "step"),
    )
    bundle = _uncalibrated(parent.bundle, network)

    def score(some: Places) -> Floats:
        return parent.logits(bundle, site.prepared, site.rows[some], listener)

    return Fitted(score, lambda: bundle)


def _uncalibrated(bundle: Bundle, network: Network) -> Bundle:
    """The bundle with another network, whose logits need no temperature."""
    return replace(bundle, network=network, calibration=None, conformal=None)


def features_of(parent: Parent, site: Site, advance: Callable[[int, int], None]) -> Floats:
    """Pooled features of all films of the site, float64 (N, D)."""
    return pooled_features(
        parent.bundle, site.prepared.images, site.rows, parent.device, advance=advance
    )
