"""How long does the whole evaluation of a split take?

Simulated predictions of 624 films (the official test split of PneumoniaMNIST) and of 26,684
(RSNA's), every film a patient of its own, and with two films a patient; 2,000 resamples, three
facts with twelve groups. The model's own time is not in it.

    PYTHONPATH=src python benchmarks/evaluate.py [films …]
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd

from pneumoscope.evaluation.choices import choose_all
from pneumoscope.evaluation.evaluate import evaluate_split, operating_point_from


def simulate(films: int, each: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions of ``films`` test films and 500 validation films, and their facts."""
    rng = np.random.default_rng(seed)
    n = films + 500
    labels = (rng.random(n) < 0.4).astype(int)
    patients = np.arange(n) // each
    shared = rng.normal(size=n)[patients]
    logits = 1.5 * (0.6 * shared + 0.8 * rng.normal(size=n)) + 3 * labels - 1.5
    predictions = pd.DataFrame(
        {
            "image_id": [f"film-{i:06d}" for i in range(n)],
            "patient_id": [f"p{i}" for i in patients],
            "split": np.where(np.arange(n) < films, "test", "val"),
            "label": labels,
            "logit": logits,
            "probability": 0.5 * (1 + np.tanh(logits / 2)),
        }
    )
    facts = pd.DataFrame(
        {
            "image_id": predictions["image_id"],
            "age": rng.integers(0, 90, n),
            "sex": rng.choice(["F", "M"], n),
            "view": rng.choice(["AP", "PA"], n),
            "height": rng.integers(500, 3000, n),
        }
    )
    return predictions, facts


def main(sizes: list[int]) -> None:
    """Print the seconds of each size."""
    for films in sizes:
        for each in (1, 2):
            predictions, facts = simulate(films, each)
            start, used = time.perf_counter(), time.process_time()
            choices = choose_all(predictions, operating_point_from(predictions, "youden_smooth"))
            chosen = time.perf_counter()
            evaluate_split(predictions, split="test", choices=choices, facts=facts)
            end, used = time.perf_counter(), time.process_time() - used
            print(
                f"{films:>7,} films, {each} a patient: choosing {chosen - start:5.2f} s, "
                f"evaluating {end - chosen:5.2f} s; {used:5.2f} s of a core in all"
            )


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [624, 26_684])
