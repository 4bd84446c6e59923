"""Do the intervals of paired differences hold the truth, and do their tests cry wolf in 5 %?

Two models read the same simulated films: score ~ N(d · label, 1) each, correlated by ``rho``
within a film, and by ``tie`` between the films of a patient. In the worlds without a difference
both are the same but for noise, so every p below .05 is a false alarm. The truth is the same
formula on 2 million films. 95 % of 500 simulations is known to ± 1.9 points.

    PYTHONPATH=src python benchmarks/paired_coverage.py [simulations]
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope.metrics.paired import (
    PAIRED_METRICS,
    delong_paired,
    mcnemar,
    paired_bootstrap,
    resampled_scores,
)
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.metrics.scores import auroc, confusion

RESAMPLES = 500
ALPHA = 0.05


@dataclass(frozen=True)
class World:
    """Two models' separations, their correlation, the films and the films of a patient."""

    name: str
    first: float
    second: float
    rho: float = 0.6
    positives: int = 390
    negatives: int = 234
    films: int = 1
    tie: float = 0.0


WORLDS = (
    World("no difference, AUROC .93", 2.1, 2.1),
    World("no difference, AUROC .99, like Kermany's test", 3.3, 3.3, 0.8),
    World("difference, AUROC .93 and .95", 2.1, 2.35),
    World("difference, 60 positives of 600", 2.1, 2.5, 0.6, 60, 540),
    World("no difference, 3 films a patient", 2.1, 2.1, 0.6, 390, 234, 3, 0.7),
    World("difference, 3 films a patient", 2.1, 2.4, 0.6, 390, 234, 3, 0.7),
)


def sample(world: World, rng: np.random.Generator, times: int = 1) -> tuple[NDArray[Any], ...]:
    """Labels, both models' probabilities and patients of one simulated test set."""
    labels = np.repeat([1, 0], np.array([world.positives, world.negatives]) * times)
    patients = np.arange(labels.size) // world.films
    both, own = np.sqrt(world.rho), np.sqrt(1 - world.rho)

    def noise() -> NDArray[np.float64]:
        shared = rng.normal(size=labels.size // world.films + 1)[patients]
        return np.sqrt(world.tie) * shared + np.sqrt(1 - world.tie) * rng.normal(size=labels.size)

    film = noise()
    logits = [
        d * (d * (labels - 0.5) + both * film + own * noise()) for d in (world.first, world.second)
    ]
    return labels, *(1 / (1 + np.exp(-logit)) for logit in logits), patients


def values(labels: NDArray[Any], p: NDArray[Any]) -> dict[str, float]:
    found = confusion(labels, p >= 0.5).scores()
    return {"auroc": auroc(labels, p)} | {name: found[name] for name in PAIRED_METRICS[1:]}


def differences(labels: NDArray[Any], a: NDArray[Any], b: NDArray[Any]) -> dict[str, float]:
    first, second = values(labels, a), values(labels, b)
    return {name: second[name] - first[name] for name in first}


def main(simulations: int) -> None:
    for world in WORLDS:
        start = time.perf_counter()
        labels, a, b, _ = sample(world, np.random.default_rng(7), 2_000_000 // 624)
        true = differences(labels, a, b)
        if world.first == world.second:
            true = dict.fromkeys(true, 0.0)
        rng, held, alarms = np.random.default_rng(1), Counter[str](), Counter[str]()
        for _ in range(simulations):
            labels, a, b, patients = sample(world, rng)
            known = patients if world.films > 1 else None
            drawn = resampled_scores(
                labels,
                [(a, 0.5), (b, 0.5)],
                known,
                IntervalSettings(resamples=RESAMPLES, seed=int(rng.integers(2**31))),
            )
            parts = [{name: drawn[name][at] for name in PAIRED_METRICS} for at in (0, 1)]
            found = paired_bootstrap(labels, *parts, differences(labels, a, b), known)
            named = {f"{name}, bootstrap": (name, found[name]) for name in PAIRED_METRICS}
            named["auroc, DeLong"] = "auroc", delong_paired(labels, a, b)
            for key, (name, d) in named.items():
                held[key] += d.low <= true[name] <= d.high
                alarms[key] += d.p < ALPHA
            right = [(p >= 0.5) == (labels == 1) for p in (a, b)]
            alarms["decisions, McNemar"] += mcnemar(*right, known).p < ALPHA
        seconds = time.perf_counter() - start
        print(f"\n{world.name}: {simulations} simulations, {seconds:.0f} s")
        print(f"{'difference of':<30}{'truth':>8}{'held':>8}{'p < .05':>9}")
        for key in sorted(alarms):
            name = key.split(",")[0]
            truth = f"{true[name]:+.4f}" if name in true else ""
            share = f"{held[key] / simulations:.1%}" if name in true else ""
            print(f"{key:<30}{truth:>8}{share:>8}{alarms[key] / simulations:>9.1%}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
