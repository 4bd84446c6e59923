"""Run folders as training and evaluation leave them, made of simulated predictions: no model."""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pneumoscope.evaluation.choices import Choices, choose_all, on_validation
from pneumoscope.evaluation.evaluate import evaluate_split
from pneumoscope.evaluation.results import evaluation_json
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.readings import OperatingPoint

THRESHOLD = 0.41

Rows = list[dict[str, Any]]


def simulate(count: int, positives: int, seed: int, apart: float = 2.4) -> Rows:
    """Rows whose logits are normal around ±apart/2, shifted up as a biased model would."""
    draw = np.random.default_rng(seed)
    labels = np.zeros(count, dtype=int)
    labels[draw.permutation(count)[:positives]] = 1
    logits = draw.normal(1.1 + 1.6 * apart * (labels - 0.5), 1.5)
    return [
        {
            "image_id": f"film-{row:05d}.png",
            "patient_id": "",
            "split": "test",
            "label": int(label),
            "logit": float(logit),
            "probability": 1 / (1 + math.exp(-logit)),
        }
        for row, (label, logit) in enumerate(zip(labels, logits, strict=True))
    ]


def evaluate_rows(rows: Rows) -> dict[str, Any]:
    """metrics.json of these rows, as a run is evaluated; two facts are made up."""
    return deepcopy(_evaluated(tuple(tuple(row.items()) for row in rows)))


@cache
def _evaluated(rows: tuple[tuple[tuple[str, Any], ...], ...]) -> dict[str, Any]:
    """Once for the same rows, which most tests of reports are content with."""
    table = pd.DataFrame([dict(row) for row in rows])
    table["patient_id"] = table["patient_id"].replace("", None)
    age, kind = (
        np.arange(len(table)) % 80,
        np.where(np.arange(len(table)) % 2, "viral", "bacterial"),
    )
    facts = pd.DataFrame(
        {
            "image_id": table["image_id"],
            "age": age,
            "subtype": np.where(table["label"] == 1, kind, "none"),
            "mode": "L",
        }
    )
    found = evaluate_split(
        table,
        split="test",
        choices=_choices(),
        facts=facts,
        prevalence=0.05,
        settings=IntervalSettings(resamples=200),
    )
    return evaluation_json(found)


@cache
def _choices() -> Choices:
    """Chosen on simulated validation rows, but for the threshold."""
    val = pd.DataFrame(simulate(200, 120, seed=77)).assign(split="val", patient_id=None)
    point = OperatingPoint("youden", THRESHOLD, "maximum youden", "val")
    choices = choose_all(val, point)
    choices = replace(choices, points=(point, *choices.points[1:]))
    return on_validation(choices, val, IntervalSettings(resamples=200))


def write_run(folder: Path, rows: Rows, **run: Any) -> Path:
    """Write a judged run folder. ``run`` is laid over run.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps({**_card(rows, folder.name), **run}))
    (folder / "metrics.json").write_text(
        json.dumps({**evaluate_rows(rows), "timing": {}}, allow_nan=False)
    )
    (folder / "model.json").write_text(json.dumps(MODEL))
    (folder / "recipe.yaml").write_text("data:\n  size: 28\nmodel:\n  backbone: resnet18\n")
    (folder / "history.csv").write_text(_history(14))
    with (folder / "predictions.csv").open("w", newline="") as out:
        table = csv.DictWriter(out, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return folder


MODEL = {
    "schema": 1,
    "backbone": "resnet18",
    "parameters": 11_170_242,
    "weights": "none",
    "input": {"stored": 28, "network": 112, "fit": "squash", "interpolation": "area"},
    "normalisation": {"mean": 122.0, "std": 58.0},
    "classes": ["normal", "pneumonia"],
    "operating_points": [],
    "lineage": {
        "best_epoch": 11,
        "epochs": 14,
        "recipe": "default",
        "data": "pneumoniamnist",
        "fingerprint": "9f2c41d07be35a86",
    },
}


def _card(rows: Rows, name: str) -> dict[str, Any]:
    positives = sum(row["label"] for row in rows)
    return {
        "schema": 1,
        "version": "0.1.0",
        "name": name,
        "created": "2026-11-20T15:30:00Z",
        "command": "pneumoscope train pneumoniamnist.npz --recipe default --seed 0",
        "seed": 0,
        "source": {
            "name": "pneumoniamnist",
            "form": "medmnist",
            "fingerprint": "9f2c41d07be35a86",
            "why": "a .npz with train_images, val_images, test_images",
            "count": 5030,
            "native_size": 28,
            "notes": [
                "Children of 1 to 5 years, one hospital (Kermany 2018).",
                "The validation split is a cut of the training split without patient ids.",
            ],
        },
        "flow": {
            "found": 5030,
            "kept": 5027,
            "dropped": [{"reason": "blank image", "count": 3}],
            "patients_known": False,
            "splits": {
                "train": {"n": 3879, "positives": 3491, "patients": None},
                "val": {"n": 524, "positives": 389, "patients": None},
                "test": {"n": len(rows), "positives": positives, "patients": None},
            },
        },
        "choices": [
            {
                "what": "precision",
                "choice": "bf16, channels_last",
                "why": "2.9 times the float32 rate, measured",
            },
            {"what": "threads", "choice": "2", "why": "the machine has 2 cores"},
            {"what": "form", "choice": "medmnist", "why": "a .npz with six arrays"},
        ],
        "environment": {"python": "3.11.9", "torch": "2.15.0", "cpu": "AMD EPYC", "threads": 2},
        "timing": {
            "prepare_seconds": 0.4,
            "train_seconds": 312.0,
            "predict_seconds": 2.1,
            "judge_seconds": 0.5,
        },
        "warnings": [],
    }


def _history(epochs: int) -> str:
    lines = [
        "epoch,train_loss,train_accuracy,val_loss,val_accuracy,val_auroc,learning_rate,"
        "seconds,images_per_second"
    ]
    for epoch in range(1, epochs + 1):
        left = math.exp(-epoch / 4)
        wave = 0.03 * math.sin(epoch * 2.3) * left
        lines.append(
            f"{epoch},{0.22 + 0.4 * left:.4f},{0.955 - 0.25 * left:.4f},"
            f"{0.27 + 0.3 * left + wave:.4f},{0.965 - 0.3 * left + wave:.4f},"
            f"{0.993 - 0.1 * left:.4f},{0.002 * left:.6f},22.3,174"
        )
    return "\n".join(lines) + "\n"


def film_of(image_id: str) -> np.ndarray:
    """A film for any image id: 28 px, grey, the same for the same id."""
    draw = np.random.default_rng(sum(image_id.encode()))
    return draw.integers(0, 256, size=(28, 28), dtype=np.uint8)


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


def say_pneumonia(run: Path, tmp_path: Path) -> Path:
    """A copy of the run that calls every film pneumonia: then there are true positives."""
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    about = json.loads((copy / "model.json").read_text())
    for point in about["operating_points"]:
        point["threshold"] = 0.0
    (copy / "model.json").write_text(json.dumps(about))
    return copy
