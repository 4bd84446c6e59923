"""The rule by which a model takes the statistics of a site's films, on two sites that are drawn:
it gains where films look otherwise, and does no harm where the share of classes is another."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from tests.helpers.networks import make_bundle

from pneumoscope.evaluation.predictions import COLUMNS
from pneumoscope.listener import Silent
from pneumoscope.metrics.scores import probability
from pneumoscope.metrics.shift.distance import SetDifference
from pneumoscope.models.adapted.statistics import estimated, with_statistics
from pneumoscope.models.bundle import Bundle
from pneumoscope.models.network import Network
from pneumoscope.models.zoo import build_backbone
from pneumoscope.readings import OperatingPoint
from pneumoscope.records import InputSpec
from pneumoscope.workflows.adapt.local import why_no_labels
from pneumoscope.workflows.adapt.parent import Parent
from pneumoscope.workflows.adapt.site import UNKNOWN, Site
from pneumoscope.workflows.adapt.statistics import LEAST, balanced_rows, choose_statistics
from pneumoscope.workflows.adapt.ways import slope_words

SIDE = 32
FAR = (SetDifference("training films", 200, 200, 0.3, 0.001, 0.95),)


def draw_films(count: int, share: float, seed: int, *, other_site: bool = False) -> Any:
    """Films uint8 (N, 32, 32) of two sites, and their labels: a pneumonia is a faint grating. The
    films of the other site are darker, flatter and noisier."""
    draw = np.random.default_rng(seed)
    labels = (np.arange(count) < round(share * count)).astype(np.int64)
    labels = draw.permutation(labels)
    x = np.arange(SIDE)
    grating = np.sin(2 * np.pi * x / 4)[None, None, :] * draw.uniform(8, 22, (count, 1, 1))
    films = 120 + draw.normal(0, 12, (count, SIDE, SIDE)) + labels[:, None, None] * grating
    if other_site:
        films = 0.9 * films + draw.normal(0, 5, films.shape)
    return np.clip(films, 0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """A small network that was trained on the first site."""
    torch.manual_seed(0)
    network = Network(build_backbone("test_tiny"), InputSpec(SIDE, SIDE), normalisation=(0.5, 0.2))
    films, labels = draw_films(512, 0.6, 0)
    x, y = torch.from_numpy(films), torch.from_numpy(labels).float()
    network.train()
    steps = torch.optim.Adam(network.parameters(), 0.01)
    for step in range(60):
        some = torch.arange(64) + 64 * (step % 8)
        loss = F.binary_cross_entropy_with_logits(network(x[some]), y[some])
        steps.zero_grad()
        loss.backward()
        steps.step()
    point = OperatingPoint("youden", 0.5, "maximum youden", "val")
    return make_bundle(
        network=network.eval(), backbone="test_tiny", operating_points=(point,), turn_average=0.0
    )


def parent_of(bundle: Bundle) -> Parent:
    films, labels = draw_films(300, 0.6, 1)
    run = cast(Any, SimpleNamespace())
    parent = Parent(run, bundle, {}, pd.DataFrame(), None, (), "cpu")
    prepared = cast(Any, SimpleNamespace(images=films))
    logits = parent.logits(bundle, prepared, np.arange(300), Silent())
    columns = [[f"f{at}" for at in range(300)], None, "val", labels, logits, probability(logits)]
    return replace(parent, predictions=pd.DataFrame(dict(zip(COLUMNS, columns, strict=True))))


def site_of(films: Any, labels: Any) -> Site:
    prepared = cast(Any, SimpleNamespace(images=films))
    rows = np.arange(len(films))
    return Site(cast(Any, None), prepared, rows, labels, rows, {})


def accuracy(parent: Parent, bundle: Bundle, films: Any, labels: Any) -> float:
    called = parent.logits(
        bundle, cast(Any, SimpleNamespace(images=films)), np.arange(len(films)), Silent()
    )
    return float(((called >= parent.threshold) == labels).mean())


@pytest.fixture(scope="module")
def parent(bundle: Bundle) -> Parent:
    return parent_of(bundle)


def chosen(parent: Parent, share: float, *, other_site: bool = True, count: int = 300) -> Any:
    films, labels = draw_films(count, share, 2, other_site=other_site)
    site = site_of(films, labels)
    logits = parent.logits(parent.bundle, site.prepared, site.rows, Silent())
    return site, choose_statistics(parent, site, logits, FAR, Silent())


def test_it_gains_where_the_films_look_otherwise(parent: Parent) -> None:
    new, truth = draw_films(400, 0.6, 3, other_site=True)
    before = accuracy(parent, parent.bundle, new, truth)
    home = draw_films(400, 0.6, 4)
    assert accuracy(parent, parent.bundle, *home) > 0.9 > before
    _, found = chosen(parent, 0.6)
    assert found.choice.part in ("all", "early"), found.choice.why
    assert accuracy(parent, found.bundle, new, truth) > before + 0.05


@pytest.mark.parametrize("share", [0.05, 0.2, 0.95])
def test_another_share_of_classes_does_no_harm(parent: Parent, share: float) -> None:
    """Where plain statistics, which hold the share too, cost much."""
    site, found = chosen(parent, share, other_site=False)
    films, truth = draw_films(400, 0.5, 5)
    before = accuracy(parent, parent.bundle, films, truth)
    plain = estimated(
        parent.bundle.network, [torch.from_numpy(site.prepared.images)], lambda each: [each]
    )
    harmed = replace(parent.bundle, network=with_statistics(parent.bundle.network, plain, 1.0))
    assert accuracy(parent, found.bundle, films, truth) > before - 0.03
    if share != 0.95:
        assert accuracy(parent, harmed, films, truth) < before - 0.05


def test_films_are_drawn_to_the_share_that_was_trained_on(parent: Parent) -> None:
    films, labels = draw_films(300, 0.1, 6)
    site = site_of(films, labels)
    logits = parent.logits(parent.bundle, site.prepared, site.rows, Silent())
    drawn = labels[balanced_rows(parent, site, logits)].mean()
    assert labels.mean() == pytest.approx(0.1) and drawn == pytest.approx(0.6, abs=0.12)


def test_it_leaves_the_statistics_where_it_cannot_know(parent: Parent) -> None:
    films, labels = draw_films(300, 0.6, 7)
    site, logits = site_of(films, labels), np.linspace(-3, 3, 300)
    alike = (SetDifference("training films", 200, 200, 0.0, 0.4, 0.5),)
    found = choose_statistics(parent, site, logits, alike, Silent())
    assert found.choice.part == "none" and "nothing to gain" in found.choice.why
    assert found.bundle is parent.bundle
    few = site_of(films[: LEAST - 1], labels[: LEAST - 1])
    found = choose_statistics(parent, few, logits[: LEAST - 1], FAR, Silent())
    assert found.choice.part == "none" and f"{LEAST}" in found.choice.why


def test_it_refuses_what_turns_the_scores_upside_down(
    parent: Parent, monkeypatch: pytest.MonkeyPatch
) -> None:
    films, labels = draw_films(300, 0.6, 8)
    site = site_of(films, labels)
    logits = parent.logits(parent.bundle, site.prepared, site.rows, Silent())
    found = choose_statistics(parent, site, -logits, FAR, Silent())
    assert found.choice.part == "none" and found.bundle is parent.bundle
    assert found.choice.tried == "early" and found.choice.why.startswith("refused, for ")


def test_labels_that_can_decide_nothing_say_why() -> None:
    films, labels = draw_films(100, 0.5, 9)
    assert why_no_labels(site_of(films, labels)) == ""
    assert why_no_labels(site_of(films, np.full(100, UNKNOWN))) == "no film has a label"
    assert "of one class" in why_no_labels(site_of(films, np.zeros(100, np.int64)))
    few = np.where(np.arange(100) < 95, 0, 1)
    assert "5 pneumonia patients" in why_no_labels(site_of(films, few))
    one = replace(site_of(films, labels), patients=np.where(labels == 1, 0, np.arange(100)))
    assert "1 pneumonia patients" in why_no_labels(one)


def test_a_slope_that_is_held_at_0_is_said() -> None:
    """Of scores that rank films the wrong way round; of others nothing is said."""
    draw = np.random.default_rng(0)
    labels = np.arange(60) % 2
    logits = draw.normal(2.0 * labels, 1.0)
    assert slope_words(logits, labels) == ""
    assert "hold it at 0" in slope_words(-logits, labels)
