"""Do the promises of the wider judgement hold? Simulated, with the truth known.

Intervals of PPV and NPV at stated prevalences, of the calibration slope, of net benefit, and of
shares and AUROC of a subgroup, on films that stand alone and on patients with two films each:
how often do they hold the truth? And conformal abstention: which share of each class is misread,
averaged over validation sets, where test films are like the validation films, and where they are
shifted? Films are binormal: score ~ N(d · label, 1), a share ``tie`` of it the patient's, and
logit = slope · (score − d / 2). The truth is the same figure on 2 million films.

    PYTHONPATH=src python benchmarks/guarantees.py [simulations]
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope.metrics import conformal
from pneumoscope.metrics.batched import aurocs, shares
from pneumoscope.metrics.calibration import recalibrate
from pneumoscope.metrics.decision import decision_curve
from pneumoscope.metrics.prevalence import predictive_values
from pneumoscope.metrics.resample import IntervalSettings

Z = 1.959964
THRESHOLD = 0.5
PREVALENCE = np.array([0.01, 0.1, 0.5])
ACT = np.array([0.1, 0.3, 0.5])


@dataclass(frozen=True)
class World:
    """A kind of data; ``shift`` is added to the scores of all normal films."""

    name: str
    d: float
    slope: float
    films: int = 1
    tie: float = 0.0
    positives: int = 390
    negatives: int = 234
    shift: float = 0.0


WORLDS = (
    World("AUROC .93, calibrated", 2.1, 2.1),
    World("AUROC .99, overconfident", 3.3, 5.0),
    World("2 films a patient, correlation .7", 2.1, 4.2, films=2, tie=0.7),
)


def sample(
    world: World, rng: np.random.Generator, times: int = 1
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Labels, logits and patients of one simulated set (``times`` as many films)."""
    labels = np.repeat([1, 0], np.array([world.positives, world.negatives]) * times)
    patients = np.arange(labels.size) // world.films
    shared = rng.normal(size=labels.size // world.films + 1)[patients]
    own = rng.normal(size=labels.size)
    score = world.d * labels + np.sqrt(world.tie) * shared + np.sqrt(1 - world.tie) * own
    score = score + world.shift * (labels == 0)
    prior = np.log(world.positives / world.negatives) if world.slope == world.d else 0.0
    return labels, world.slope * (score - world.d / 2) + prior, patients


def figures(
    labels: NDArray[Any], logits: NDArray[Any], patients: NDArray[Any] | None, resamples: int
) -> Iterator[tuple[str, float, float, float]]:
    """(figure, value, low, high) of one set."""
    p = 0.5 * (1 + np.tanh(logits / 2))
    true, called = labels == 1, p >= THRESHOLD
    # A subgroup of a quarter of the films, whole patients.
    group = (np.arange(labels.size) // 2) % 4 == 0
    pairs = [(called, true), (~called, ~true), (called, true & group), (~called, ~true & group)]
    found = shares(pairs, labels, patients, settings=IntervalSettings(resamples=resamples, seed=1))
    names = ("sensitivity", "specificity", "sensitivity of a group", "specificity of a group")
    for name, e in zip(names, found, strict=True):
        yield name, e.value, e.low, e.high
    area = aurocs(
        [group], labels, logits, patients, settings=IntervalSettings(resamples=resamples, seed=2)
    )[0]
    yield "AUROC of a group", area.value, area.low, area.high
    for name, bounds in zip(
        ("PPV", "NPV"), predictive_values(found[0], found[1], PREVALENCE), strict=True
    ):
        for at, share in enumerate(PREVALENCE):
            yield (
                f"{name} at prevalence {share:g}",
                *(float(x[at]) for x in (bounds.value, bounds.low, bounds.high)),
            )
    fit = recalibrate(labels, logits, patients)
    for name, value, error in (
        ("calibration slope", fit.slope, fit.slope_error),
        ("calibration intercept", fit.intercept, fit.intercept_error),
        ("calibration in the large", fit.large, fit.large_error),
    ):
        yield name, value, value - Z * error, value + Z * error
    curve = decision_curve(
        labels, p, ACT, patients, settings=IntervalSettings(resamples=resamples, seed=3)
    )
    for at, act in enumerate(ACT):
        yield (
            f"net benefit at {act:g}",
            *(float(x[at]) for x in (curve.model, curve.low, curve.high)),
        )


def intervals(world: World, simulations: int) -> None:
    """Print the share of intervals that hold the truth."""
    labels, logits, patients = sample(world, np.random.default_rng(7), 2_000_000 // 624)
    true = {name: value for name, value, *_ in figures(labels, logits, None, 1)}
    rng, held, low, high = np.random.default_rng(1), *(defaultdict[str, int](int) for _ in "abc")
    start = time.perf_counter()
    for _ in range(simulations):
        labels, logits, patients = sample(world, rng)
        known = patients if world.films > 1 else None
        for name, _, lowest, highest in figures(labels, logits, known, 1000):
            low[name] += highest < true[name]
            high[name] += lowest > true[name]
            held[name] += lowest <= true[name] <= highest
    seconds = time.perf_counter() - start
    print(f"\n{world.name}: {simulations} simulations, {seconds:.0f} s")
    print(f"{'figure':<28}{'truth':>8}{'held':>8}{'below':>8}{'above':>8}")
    for name, value in true.items():
        cells = (held[name] / simulations, low[name] / simulations, high[name] / simulations)
        print(f"{name:<28}{value:>8.3f}" + "".join(f"{x:>8.3f}" for x in cells))


def abstention(world: World, simulations: int, miss_rate: float, shift: float) -> None:
    """Print which share of each class is misread at the miss rate, on average and at most."""
    rng, missed, alarms, kept = np.random.default_rng(2), [], [], []
    for _ in range(simulations):
        y, logits, _ = sample(world, rng)
        fitted = conformal.fit_conformal(y, 0.5 * (1 + np.tanh(logits / 2)), "val", miss_rate)
        y, logits, _ = sample(replace(world, shift=shift), rng, 4)
        read = conformal.readings(0.5 * (1 + np.tanh(logits / 2)), fitted, THRESHOLD)
        missed.append((read[y == 1] == conformal.NORMAL).mean())
        alarms.append((read[y == 0] == conformal.PNEUMONIA).mean())
        kept.append((read != conformal.WITHHELD).mean())
    what = "films alike" if not shift else f"normal films shifted by {shift:g}"
    spread = conformal.spread_of_miss_rate(miss_rate, world.negatives)
    print(
        f"{world.name}, miss rate {miss_rate:g}, {what}: missed {np.mean(missed):.4f}, alarms "
        f"{np.mean(alarms):.4f} (deviation {np.std(alarms):.4f}, foretold {spread:.4f}), "
        f"read {np.mean(kept):.3f}"
    )


def main(simulations: int) -> None:
    """Print all of it."""
    for world in WORLDS:
        intervals(world, simulations)
    print()
    for miss_rate in (0.02, 0.1):
        for shift in (0.0, 0.7):
            abstention(WORLDS[0], 2 * simulations, miss_rate, shift)
    abstention(WORLDS[1], 2 * simulations, 0.02, 0.0)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
