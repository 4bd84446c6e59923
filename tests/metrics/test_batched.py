"""Figures linear in the films: as Wilson and DeLong alone, as the full bootstrap in clusters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pneumoscope.metrics.batched import aurocs, losses, shares
from pneumoscope.metrics.intervals import bootstrap, delong, wilson
from pneumoscope.metrics.resample import IntervalSettings


def clustered(n: int = 400, seed: int = 0) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    patients = np.arange(n) // 4
    labels = (patients % 5 < 2).astype(int)
    logits = 1.5 * (rng.normal(size=n)[patients] + 0.5 * rng.normal(size=n)) + 3 * labels - 1.5
    return labels, 1 / (1 + np.exp(-logits)), patients


def test_alone_they_are_wilson_and_delong() -> None:
    y, p, _ = clustered()
    true, called = y == 1, p >= 0.5
    assert shares([(called, true)], y) == [wilson(int((called & true).sum()), int(true.sum()))]
    group = np.arange(y.size) % 3 == 0
    assert aurocs([group], y, p) == [delong(y[group], p[group])]
    assert shares([], y) == []


def test_in_clusters_they_are_the_bootstrap() -> None:
    """The same resamples' spread as ``bootstrap``, which resorts the rows and so draws others."""
    y, p, patients = clustered()
    reference = bootstrap(y, p, 0.5, patients, settings=IntervalSettings(resamples=8000))
    true, called = y == 1, p >= 0.5
    pairs = [(called, true), (~called, ~true), (true, called)]
    found = shares(pairs, y, patients, settings=IntervalSettings(resamples=8000))
    found += aurocs(
        [np.ones(y.size, dtype=bool)], y, p, patients, settings=IntervalSettings(resamples=8000)
    )
    names = ("sensitivity", "specificity", "precision", "auroc")
    for name, ours in zip(names, found, strict=True):
        theirs = reference[name]
        assert ours.value == pytest.approx(theirs.value, abs=1e-12)
        # AUROC is linear to first order only.
        close = 0.012 if name == "auroc" else 0.006
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=close), name


def test_clusters_widen() -> None:
    y, p, patients = clustered()
    true, called = y == 1, p >= 0.5
    alone, together = (shares([(called, true)], y, who)[0] for who in (None, patients))
    assert together.high - together.low > 1.3 * (alone.high - alone.low)


def test_all_alike_counts_patients_and_not_films() -> None:
    y, patients = np.repeat([1, 0], [40, 40]), np.arange(80) // 8
    p = np.where(y == 1, 0.9, 0.1)
    found = shares([(p >= 0.5, y == 1)], y, patients)[0]
    assert found.value == 1.0 and found.high == 1.0
    assert found.low == pytest.approx(0.025 ** (1 / 5))  # 5 patients
    area = aurocs([np.ones(80, dtype=bool)], y, p, patients)[0]
    assert (area.value, area.low) == (1.0, pytest.approx(0.025 ** (1 / 5)))


@pytest.mark.parametrize("known", [True, False])
def test_losses_are_those_of_the_bootstrap(known: bool) -> None:
    y, p, patients = clustered()
    who = patients if known else None
    reference = bootstrap(y, p, 0.5, who, settings=IntervalSettings(resamples=6000))
    for name, ours in losses(y, p, who, settings=IntervalSettings(resamples=6000)).items():
        theirs = reference[name]
        assert ours.value == pytest.approx(theirs.value, abs=1e-12)
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01), name


def test_what_is_missing_is_undefined() -> None:
    y, p, patients = clustered(40)
    nobody = np.zeros(40, dtype=bool)
    assert np.isnan(shares([(nobody, nobody)], y, patients)[0].value)
    assert np.isnan(aurocs([nobody, y == 1], y, p, patients)[1].value)
    assert np.isnan(losses(y[:0], p[:0])["ece"].value)
    sure = losses(y, y.astype(float))
    assert (sure["brier"].value, sure["ece"].value) == (0.0, 0.0)
