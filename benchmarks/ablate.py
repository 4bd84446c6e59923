"""Compare recipe changes on validation films only; test films are never read.

    python benchmarks/ablate.py DATA.npz --seeds 2 --try "" --try "augment.gamma=0" …

Every ``--try`` is a list, parted by semicolons, of ``section.key=value`` over the recipe. Since
validation films come from the same hospital shelf as training films, AUROC saturates on them; so
each trained model is also judged on the same films after a fixed, stronger change of exposure and
geometry (``hard_films.SHIFT``). The table shows mean ± sd over the seeds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from hard_films import moved as shifted
from pneumoscope.data.prepare import cache_folder, prepare, prepared_name
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.inference.predictor import Predictor
from pneumoscope.listener import Silent
from pneumoscope.metrics.scores import auroc, average_precision, log_loss, probability
from pneumoscope.metrics.thresholds import choose
from pneumoscope.models.bundle import Bundle
from pneumoscope.recipe import load_recipe
from pneumoscope.run import Run
from pneumoscope.sources.forms.arrays import medmnist_source
from pneumoscope.training.fit import fit
from pneumoscope.training.job import TrainingJob, build_network
from pneumoscope.training.measure.precision import choose_precision
from pneumoscope.workflows.data import network_side, stored_spec


def judge(bundle: Bundle, prepared: PreparedSet) -> dict[str, float]:
    rows = prepared.rows("val")
    labels = prepared.labels(rows)
    logits = Predictor([bundle]).logits(prepared.images, rows)
    films = shifted(np.asarray(prepared.images[rows]))
    moved = Predictor([bundle]).logits(films, np.arange(len(films)))
    again = np.tile(labels, len(films) // len(labels))
    point = choose("youden", labels, probability(logits), "val")
    called = probability(moved) >= point.threshold
    return {
        "val_auroc": auroc(labels, logits),
        "val_ap_normal": average_precision(1 - labels, -logits),
        "val_log_loss": log_loss(labels, probability(logits)),
        "shifted_auroc": auroc(again, moved),
        "shifted_bacc": float(called[again == 1].mean() + (~called)[again == 0].mean()) / 2,
    }


def one(prepared: PreparedSet, source, changes: list[str], recipe_name: str, seed: int) -> dict:
    recipe = load_recipe(recipe_name, changes)
    side, _ = network_side(source, recipe)
    network = build_network(prepared, recipe, side, seed)
    precision = choose_precision(
        network, recipe.model.backbone, "cpu", cache_folder() / "precision.json"
    )
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        job = TrainingJob(prepared, recipe, side, seed, precision)
        bundle = fit(Run(Path(folder)), job, network, Silent())
        seconds = time.perf_counter() - start
    return {**judge(bundle, prepared), "best_epoch": bundle.lineage["best_epoch"], "s": seconds}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--try", dest="tries", action="append", default=[])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(2)
    source = medmnist_source(args.data)
    for text in args.tries or [""]:
        changes = [c for c in text.split(";") if c]
        spec = stored_spec(source, load_recipe(args.recipe, changes))
        folder = cache_folder() / "prepared" / prepared_name(source, spec)
        prepared = prepare(source, spec, folder)
        found = [one(prepared, source, changes, args.recipe, s) for s in range(args.seeds)]
        keys = list(found[0])
        cells = [
            f"{k}={np.mean([f[k] for f in found]):.4f}±{np.std([f[k] for f in found]):.4f}"
            for k in keys
        ]
        print(f"{text or '(as it is)':40s}", *cells, flush=True)
        if args.out:
            with args.out.open("a") as file:
                file.write(json.dumps({"try": text, "seeds": found}) + "\n")


if __name__ == "__main__":
    main()
