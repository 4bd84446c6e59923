"""Compare threshold rules on validation films only: choose on one half, judge on the other.

    python benchmarks/threshold_rules.py RUN RUN …

Validation rows of each run's predictions are split in two halves a hundred times, by class; each
rule chooses on one half and its balanced accuracy is taken on the other. No test row is read.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from pneumoscope.evaluation.predictions import at_temperature, read_predictions
from pneumoscope.metrics.scores import confusion
from pneumoscope.metrics.thresholds import Rule, choose

RULES: tuple[Rule, ...] = ("youden", "youden_smooth", "f1", "fixed")
SPLITS = 100


def halves(labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    parts = [rng.permutation(np.flatnonzero(labels == label)) for label in (0, 1)]
    first, second = zip(*((p[: p.size // 2], p[p.size // 2 :]) for p in parts), strict=True)
    return np.concatenate(first), np.concatenate(second)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=Path, nargs="+")
    rng = np.random.default_rng(0)
    found: dict[Rule, list[tuple[float, float]]] = {rule: [] for rule in RULES}
    for run in parser.parse_args().runs:
        rows = at_temperature(read_predictions(run / "predictions.csv"), 1.0).query(
            "split == 'val'"
        )
        labels, probabilities = rows["label"].to_numpy(), rows["probability"].to_numpy()
        for _ in range(SPLITS):
            one, other = halves(labels, rng)
            for rule, results in found.items():
                cut = choose(rule, labels[one], probabilities[one], "val").threshold
                counts = confusion(labels[other], probabilities[other] >= cut)
                results.append((cut, counts.scores()["balanced_accuracy"]))
    plain = np.array(found["youden"])[:, 1]
    print("rule            balanced accuracy   against youden    threshold")
    for rule, results in found.items():
        cuts, scores = np.array(results).T
        gain = scores - plain
        print(
            f"{rule:15s} {scores.mean():17.4f}   {gain.mean():+.4f} ± {gain.std():.4f}"
            f"   {cuts.mean():.3f} ± {cuts.std():.3f}"
        )


if __name__ == "__main__":
    main()
