"""Run folders of several models on the same simulated films, as training and judging leave them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tests.report.conftest import write_run

RECIPE = """\
name: {name}
about: For tests.
optim:
  learning_rate: {rate}
train:
  epochs: 14
"""


def write_runs(
    place: Path,
    apart: Sequence[float] = (2.4, 3.0),
    *,
    films: int = 120,
    each: int = 1,
    seed: int = 0,
    **card: Any,
) -> list[Path]:
    """A run for each separation of the classes, their errors correlated; ``each`` films a patient.

    Run i has seed i and learning rate 0.001 · (1 + i % 2).
    """
    draw = np.random.default_rng(seed)
    labels = (np.arange(films) % 5 < 3).astype(int)
    shared = draw.normal(size=films)
    folders = []
    for at, distance in enumerate(apart):
        own = draw.normal(size=films)
        logits = distance * (distance * (labels - 0.5) + 0.8 * shared + 0.6 * own)
        rows = [
            {
                "image_id": f"film-{row:05d}.png",
                "patient_id": f"p{row // each // 5}-{row % 5}" if each > 1 else "",
                "split": "test",
                "label": int(labels[row]),
                "logit": float(logits[row]),
                "probability": float(1 / (1 + np.exp(-logits[row]))),
            }
            for row in range(films)
        ]
        name = f"{at + 1:03d}-resnet18-pneumoniamnist"
        precision = {"name": "bf16", "why": "measured"}
        known = {"content": "c0ffee", "seed": at, "precision": precision, **card}
        folder = write_run(place / name, rows, **known)
        rate = 0.001 * (1 + at % 2)
        (folder / "recipe.yaml").write_text(RECIPE.format(name="default", rate=rate))
        folders.append(folder)
    return folders
