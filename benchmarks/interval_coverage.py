"""How often do the intervals hold the truth? Simulated coverage of every method.

Films are binormal: score ~ N(d · label, 1), of which a share ``tie`` belongs to the patient, so
that two films of one patient and label correlate by it. The class counts are fixed, as the
stratified bootstrap takes them; Wilson lets them vary, so its accuracy, precision and NPV come
out wide. On clustered films Wilson and DeLong are shown for what they miss: ``evaluate`` does not
use them there. The truth is the same formula on 2 million films.

    PYTHONPATH=src python benchmarks/interval_coverage.py [simulations]
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope.metrics.intervals import bootstrap, delong, structural_components, wilson
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.metrics.scores import auroc, confusion
from pneumoscope.readings import Estimate

Z = 1.959964
THRESHOLD = 0.5


@dataclass(frozen=True)
class World:
    """A kind of data: separation d, films and patients, and logit = slope · (score − d / 2)."""

    name: str
    d: float
    slope: float
    positives: int = 390
    negatives: int = 234
    films: int = 1
    mixed: float = 0.0
    tie: float = 0.0


WORLDS = (
    World("AUROC .93, calibrated", 2.1, 2.1),
    World("AUROC .93, overconfident", 2.1, 4.2),
    World("AUROC .99, overconfident", 3.3, 5.0),
    World("AUROC .93, 60 positives of 600", 2.1, 2.1, 60, 540),
    World("2 films a patient, correlation .7", 2.1, 4.2, films=2, tie=0.7),
    World("the same, 20 % of patients hold both labels", 2.1, 4.2, films=2, tie=0.7, mixed=0.2),
)


def sample(
    world: World, rng: np.random.Generator, times: int = 1
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Labels, probabilities and patients of one simulated test set (``times`` as many films)."""
    labels = np.repeat([1, 0], np.array([world.positives, world.negatives]) * times)
    patients = np.arange(labels.size) // world.films
    swapped = int(world.mixed * world.negatives / 2 * times)
    if swapped:
        # The second film of the first patients trades its label with one of the last patients'.
        labels[1 : 2 * swapped : 2], labels[-1 : -2 * swapped : -2] = 0, 1
    shared = rng.normal(size=labels.size // world.films + 1)[patients]
    own = rng.normal(size=labels.size)
    score = world.d * labels + np.sqrt(world.tie) * shared + np.sqrt(1 - world.tie) * own
    prior = np.log(world.positives / world.negatives) if world.slope == world.d else 0.0
    return labels, 1 / (1 + np.exp(-world.slope * (score - world.d / 2) - prior)), patients


def truth(world: World) -> dict[str, float]:
    """Each metric on some 2 million films."""
    times = 2_000_000 // (world.positives + world.negatives)
    labels, probabilities, _ = sample(world, np.random.default_rng(7), times)
    found = bootstrap(labels, probabilities, THRESHOLD, settings=IntervalSettings(resamples=1))
    return {name: estimate.value for name, estimate in found.items()}


def estimates(world: World, rng: np.random.Generator) -> Iterator[tuple[str, str, Estimate]]:
    """(metric, method, estimate) for each method on one simulated test set."""
    labels, probabilities, patients = sample(world, rng)
    known = patients if world.films > 1 else None
    seed = int(rng.integers(2**31))
    for metric, estimate in bootstrap(
        labels, probabilities, THRESHOLD, known, settings=IntervalSettings(seed=seed)
    ).items():
        yield metric, "bootstrap", estimate
    c = confusion(labels, probabilities >= THRESHOLD)
    yield "accuracy", "Wilson", wilson(c.tp + c.tn, labels.size)
    yield "sensitivity", "Wilson", wilson(c.tp, c.tp + c.fn)
    yield "specificity", "Wilson", wilson(c.tn, c.tn + c.fp)
    yield "precision", "Wilson", wilson(c.tp, c.tp + c.fp)
    yield "npv", "Wilson", wilson(c.tn, c.tn + c.fn)
    yield "auroc", "DeLong, logit", delong(labels, probabilities)
    v10, v01 = structural_components(labels, probabilities)
    half = Z * float(np.sqrt(v10.var(ddof=1) / v10.size + v01.var(ddof=1) / v01.size))
    value = auroc(labels, probabilities)
    yield "auroc", "DeLong, plain", Estimate(value, value - half, value + half, 0.95, "", 0)


def main(simulations: int) -> None:
    """Print, for each world, the share of intervals that hold the truth and both kinds of miss."""
    for world in WORLDS:
        start = time.perf_counter()
        true, rng = truth(world), np.random.default_rng(1)
        low, high, width = Counter[Any](), Counter[Any](), Counter[Any]()
        for _ in range(simulations):
            for metric, method, e in estimates(world, rng):
                low[metric, method] += e.high < true[metric]
                high[metric, method] += e.low > true[metric]
                width[metric, method] += e.high - e.low
        seconds = time.perf_counter() - start
        print(f"\n{world.name}: {simulations} simulations, {seconds:.0f} s")
        print(
            f"{'metric':<18}{'method':<15}{'truth':>7}{'held':>7}{'below':>7}{'above':>7}{'width':>7}"
        )
        for metric, method in width:
            key = metric, method
            shares = [x / simulations for x in (low[key], high[key], width[key])]
            held = 1 - shares[0] - shares[1]
            cells = (f"{x:>7.3f}" for x in (true[metric], held, *shares))
            print(f"{metric:<18}{method:<15}" + "".join(cells))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
