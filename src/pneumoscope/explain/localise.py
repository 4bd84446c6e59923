"""Localisation: how well heatmaps point to the abnormality, against chance and a fixed location.

Heatmaps are float (N, H, W), 0 or more; masks bool (N, H, W), true inside the abnormality. Two
rivals show what a figure is worth. *Chance* is a map equally hot all over. The *prior* is one map
that looks at no film: where abnormalities of other patients lie. Lungs are always at the same
place, so the prior is a strong one (.57 against Grad-CAM's .30–.42 on RSNA).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope.metrics.intervals import held_within, undefined, wilson
from pneumoscope.metrics.resample import (
    DEFAULT_INTERVALS,
    IntervalSettings,
    patient_numbers,
    resampled_sums,
)
from pneumoscope.metrics.scores import Floats
from pneumoscope.readings import Estimate

Maps = NDArray[np.floating[Any]]
Masks = NDArray[np.bool_]

THRESHOLD = 0.5
"""Part of a film's maximum from which a pixel counts as hot, for the overlap."""


@dataclass(frozen=True, slots=True)
class Localisation:
    """One measure of one method over films: its mean, its two rivals, and how far it is above
    each, film by film; intervals are bootstraps over patients, where these show any spread."""

    measure: str
    value: Estimate
    chance: Estimate
    prior: Estimate
    above_chance: Estimate
    above_prior: Estimate


def pointing(heat: Maps, masks: Masks) -> Floats:
    """1 where the hottest pixel lies inside the mask, else 0, float (N,); the pointing game of
    Zhang 2018 without tolerance. Of several hottest pixels their share, so a flat map has the
    chance of a blind guess."""
    hottest = heat == heat.max(axis=(1, 2), keepdims=True)
    return np.asarray((hottest & masks).sum(axis=(1, 2)) / hottest.sum(axis=(1, 2)))


def energy(heat: Maps, masks: Masks) -> Floats:
    """Part of the heat inside the mask, 0–1, float (N,) (Wang 2020, Score-CAM); a map that is
    cold all over says nothing and counts as flat."""
    total = heat.sum(axis=(1, 2), dtype=np.float64)
    inside = (heat * masks).sum(axis=(1, 2), dtype=np.float64)
    flat = masks.mean(axis=(1, 2))
    return np.asarray(np.divide(inside, total, out=flat, where=total > 0))


def overlap(heat: Maps, masks: Masks, threshold: float = THRESHOLD) -> Floats:
    """Intersection over union, 0–1, float (N,), of the mask and of the pixels whose heat is at
    least ``threshold`` times the film's maximum."""
    hot = heat >= threshold * heat.max(axis=(1, 2), keepdims=True)
    both = (hot & masks).sum(axis=(1, 2))
    either = (hot | masks).sum(axis=(1, 2))
    return np.asarray(np.divide(both, either, out=np.zeros(len(heat)), where=either > 0))


def area_share(masks: Masks) -> Floats:
    """Part of the film that the mask covers, float (N,): what a flat map scores in each measure."""
    return np.asarray(masks.mean(axis=(1, 2), dtype=np.float64))


def left_out_prior(masks: Masks, patients: NDArray[Any] | None = None) -> Maps:
    """For each film the mean mask of all films of other patients, float32 (N, H, W); flat where
    there is no other patient."""
    ids = patient_numbers(len(masks), patients)
    total = masks.sum(axis=0, dtype=np.float64)
    prior = np.ones(masks.shape, np.float32)
    for patient in np.unique(ids):
        own = ids == patient
        others = len(masks) - int(own.sum())
        if others:
            prior[own] = (total - masks[own].sum(axis=0)) / others
    return prior


def boxes_to_mask(boxes: Iterable[tuple[float, float, float, float]], side: int) -> Masks:
    """Bool (side, side): the pixels whose centre lies in one of the boxes (x, y, width, height)."""
    mask = np.zeros((side, side), np.bool_)
    centre = np.arange(side) + 0.5
    for x, y, width, height in boxes:
        rows = (centre >= y) & (centre < y + height)
        mask |= rows[:, None] & (centre >= x) & (centre < x + width)
    return mask


def localise(
    heat: Maps,
    masks: Masks,
    prior: Maps | None = None,
    patients: NDArray[Any] | None = None,
    settings: IntervalSettings = DEFAULT_INTERVALS,
) -> tuple[Localisation, ...]:
    """Every measure of these heatmaps, with its rivals and intervals.

    ``prior`` float (N, H, W) or (1, H, W) is made from other films, None leaves each patient out
    of the mean of these. ``patients`` (N,) are ids; None takes each film as a patient.
    """
    prior = left_out_prior(masks, patients) if prior is None else prior
    rival = np.broadcast_to(prior, masks.shape)
    chance = area_share(masks)
    found = []
    for name, score in (("pointing", pointing), ("energy", energy), ("overlap", overlap)):
        own, fixed = score(heat, masks), score(rival, masks)
        columns = np.stack([own, chance, fixed, own - chance, own - fixed], axis=1)
        estimates = means(columns, patients, settings)
        if name == "pointing" and len(masks):
            estimates = _never_certain(estimates, columns, patients)
        found.append(Localisation(name, *estimates))
    return tuple(found)


def _never_certain(
    found: list[Estimate], columns: Floats, patients: NDArray[Any] | None
) -> list[Estimate]:
    """Where every film was hit, or none, resamples show no spread; Wilson's interval over patients
    does, and goes into the differences."""
    count = len(columns) if patients is None else len(np.unique(patients))
    value, chance, prior, above_chance, above_prior = found
    if _all_or_none(columns[:, 0]):
        value = wilson(round(value.value) * count, count, value.level)
    if _all_or_none(columns[:, 2]):
        prior = wilson(round(prior.value) * count, count, prior.level)
    if value is not found[0]:
        above_chance = _difference(value, chance, above_chance)
    if value is not found[0] or prior is not found[2]:
        above_prior = _difference(value, prior, above_prior)
    return [value, chance, prior, above_chance, above_prior]


def _all_or_none(hits: Floats) -> bool:
    return bool((hits == 0).all() or (hits == 1).all())


def _difference(a: Estimate, b: Estimate, found: Estimate) -> Estimate:
    """``a`` less ``b`` with the interval that their own give (MOVER: Zou & Donner 2008), which
    takes no account of their being of the same films and is rather too wide for it."""
    low = found.value - math.hypot(a.value - a.low, b.high - b.value)
    high = found.value + math.hypot(a.high - a.value, b.value - b.low)
    method = "from both intervals (MOVER)"
    return held_within(found.value, low, high, found.level, method, found.n, (-1.0, 1.0))


def means(
    columns: Floats,
    patients: NDArray[Any] | None = None,
    settings: IntervalSettings = DEFAULT_INTERVALS,
) -> list[Estimate]:
    """The mean of each column of (N, K) with its percentile interval from one bootstrap over
    patients. The interval of values that are all alike is that point; NaN where N is 0."""
    count, level = len(columns), settings.level
    if not count:
        return [undefined("no films", 0, level)] * columns.shape[1]
    wide = np.column_stack([columns, np.ones(count)])
    sums = resampled_sums(wide, np.ones(count, np.int64), patients, settings)
    drawn = sums[:, :-1] / sums[:, -1:]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    kind = "bootstrap over films" if patients is None else "bootstrap over patients"
    method = f"{kind}, percentile, {settings.resamples} resamples"
    return [
        held_within(float(v), float(a), float(b), level, method, count, (-1.0, 1.0))
        for v, a, b in zip(columns.mean(axis=0), low, high, strict=True)
    ]
