"""Compare recipe changes on the training films whose shortcuts mislead; test films are never read.

    python benchmarks/hard_films.py DATA --seeds 3 --try "" --try "augment.field=0.3" …

Where validation films come from the same shelf as training films, AUROC saturates at .999 and
tells no recipe from another. So the training films are divided otherwise: a logistic regression
on thumbnails of 8 x 8 pixels, cross-validated over patients, scores each film, and the patients
whose films it gets most wrong, 15 % of each class, are held out. What is left to learn from favours
the shortcut, and the films judged punish whoever takes it. An ordinary tenth of the other patients
serves as validation, by which the threshold is chosen.

Every ``--try`` is a list, parted by semicolons, of ``section.key=value`` over the recipe. Shown
are means ± sd over the seeds: AUROC on the hard films and on the ordinary ones, and balanced
accuracy on the hard films at the threshold of the ordinary ones and at .5.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pneumoscope.data.prepare import cache_folder
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.data.split import assign, label_codes, patient_codes
from pneumoscope.inference.predict import predict_logits, probability
from pneumoscope.metrics.scores import auroc
from pneumoscope.metrics.thresholds import choose
from pneumoscope.models.bundle import Bundle
from pneumoscope.recipe import load_recipe
from pneumoscope.records import DataRequest, Silent
from pneumoscope.run import Run
from pneumoscope.training.fit import build_network, fit
from pneumoscope.training.precision import choose_precision
from pneumoscope.workflows.data import find_data, network_side, prepare_data

HELD_OUT, VALIDATE = 0.15, 0.1


def thumbnails(prepared: PreparedSet, rows: np.ndarray) -> np.ndarray:
    """Float (n, 64): means of 8 x 8 fields of each film."""
    side = prepared.images.shape[-1] // 8 * 8
    shape = (8, side // 8, 8, side // 8)
    return np.stack(
        [np.asarray(prepared.images[r])[:side, :side].reshape(shape).mean((1, 3)).ravel()
         for r in rows]
    )  # fmt: skip


def with_hard_films(prepared: PreparedSet) -> PreparedSet:
    """The set with the splits train, val and hard; official test films have none."""
    table = prepared.table
    labels, groups = label_codes(table), patient_codes(table)
    rows = np.flatnonzero((table["split"] != "test").to_numpy() & (labels >= 0))
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, max_iter=2000, class_weight="balanced")
    )
    scores = cross_val_predict(
        model, thumbnails(prepared, rows), labels[rows], groups=groups[rows],
        cv=GroupKFold(5), method="decision_function",
    )  # fmt: skip
    films = pd.DataFrame({"row": rows, "group": groups[rows], "label": labels[rows]})
    films["right"] = scores * np.where(films["label"] == 1, 1, -1)
    split = np.full(len(table), None, dtype=object)
    split[rows] = "train"
    for label in (0, 1):
        own = films[films["label"] == label]
        patients = own.groupby("group")["right"].agg(["mean", "size"]).sort_values("mean")
        hard = patients.index[patients["size"].cumsum() <= HELD_OUT * len(own)]
        split[own["row"][own["group"].isin(hard)]] = "hard"
    rest = np.flatnonzero(split == "train")
    codes = np.unique(groups[rest], return_inverse=True)[1]
    split[rest[assign(labels[rest], codes, (1 - VALIDATE, VALIDATE), 3) == 1]] = "val"
    return replace(prepared, table=table.assign(split=pd.array(split, dtype="string")))


def judge(bundle: Bundle, prepared: PreparedSet) -> dict[str, float]:
    found = {}
    for split in ("val", "hard"):
        rows = np.flatnonzero((prepared.table["split"] == split).fillna(False).to_numpy())
        found[split] = prepared.labels(rows), predict_logits(bundle, prepared.images, rows)
    (y_val, val), (y, hard) = found["val"], found["hard"]
    threshold = choose("youden_smooth", y_val, probability(val), "val").threshold

    def balanced(at: float) -> float:
        called = probability(hard) >= at
        return float(called[y == 1].mean() + (~called)[y == 0].mean()) / 2

    return {
        "hard_auroc": auroc(y, hard),
        "val_auroc": auroc(y_val, val),
        "hard_bacc": balanced(threshold),
        "hard_bacc_at_half": balanced(0.5),
        "threshold": threshold,
    }


def one(data: str, changes: list[str], recipe_name: str, seed: int) -> dict[str, float]:
    recipe = load_recipe(recipe_name, changes)
    request = DataRequest(data)
    source = find_data(request, Silent())
    prepared = with_hard_films(prepare_data(request, recipe, Silent(), source=source))
    side, _ = network_side(source, recipe)
    network = build_network(prepared, recipe, side, seed)
    memory = cache_folder() / "precision.json"
    precision = choose_precision(network, recipe.model.backbone, "cpu", memory)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        bundle = fit(
            Run(Path(folder)), prepared, recipe, network,
            seed=seed, precision=precision, listener=Silent(),
        )  # fmt: skip
        seconds = time.perf_counter() - start
    return {**judge(bundle, prepared), "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--try", dest="tries", action="append", default=[])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for text in args.tries or [""]:
        changes = [change for change in text.split(";") if change]
        found = [one(args.data, changes, args.recipe, seed) for seed in range(args.seeds)]
        cells = [
            f"{key}={np.mean([f[key] for f in found]):.4f}±{np.std([f[key] for f in found]):.4f}"
            for key in found[0]
        ]
        print(f"{text or '(as it is)':40s}", *cells, flush=True)
        if args.out:
            with args.out.open("a") as file:
                file.write(json.dumps({"try": text, "seeds": found}) + "\n")


if __name__ == "__main__":
    main()
