"""Compare recipe changes on the training films whose shortcuts mislead; test films are never read.

    python benchmarks/hard_films.py DATA --seeds 3 --try "" --try "augment.field=0.3" …

Where validation films come from the same shelf as training films, AUROC saturates at .999 and
tells no recipe from another. So the training films are divided otherwise. Three logistic
regressions see what should not be enough to tell the classes apart: how much detail there is at
each fineness (the power spectrum, 31 numbers), thumbnails of 8 x 8 pixels, and the outer tenth.
Each, cross-validated over patients, scores each film, and the patients whose films it gets most
wrong are held out (``HELD_OUT`` of each class, one shortcut after the other). What is left to learn
from favours the shortcuts, and the films judged punish whoever takes them. An ordinary tenth of
the other patients serves as validation, by which the threshold is chosen.

Every ``--try`` is a list, parted by semicolons, of ``section.key=value`` over the recipe. Shown
are means ± sd over the seeds: AUROC on the films of each shortcut, their mean, AUROC on the
ordinary films, and balanced accuracy (mean of the three) at the threshold of the ordinary ones and
at .5. ``moved`` is the same, of the same films after a fixed draw of other exposure and geometry
(``SHIFT``), as another machine and another pose would change them.
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

from pneumoscope.data.augment import Draw, augment
from pneumoscope.data.prepare import cache_folder
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.data.split import label_codes
from pneumoscope.data.together.deal import assign
from pneumoscope.data.together.groups import patient_codes
from pneumoscope.inference.predictor import Predictor
from pneumoscope.listener import Silent
from pneumoscope.metrics.scores import auroc, probability
from pneumoscope.metrics.thresholds import choose
from pneumoscope.models.bundle import Bundle
from pneumoscope.recipe import load_recipe
from pneumoscope.records import DataRequest
from pneumoscope.run import Run
from pneumoscope.sections import AugmentChoices
from pneumoscope.training.fit import fit
from pneumoscope.training.job import TrainingJob, build_network
from pneumoscope.training.measure.precision import choose_precision
from pneumoscope.workflows.data import find_data, network_side, prepare_data

SIDE, EDGE = 64, 6
HELD_OUT = {"spectrum": 0.10, "thumbnail": 0.10, "border": 0.06}
VALIDATE = 0.08
SHIFT = AugmentChoices(
    **dict.fromkeys(AugmentChoices.model_fields, 0)
    | {"crop": 1, "rotation": 12, "translation": 0.08, "scale": 0.15, "stretch": 0.15}
    | {"brightness": 0.15, "contrast": 0.3, "gamma": 0.7, "noise": 0.06}
)

Floats = np.ndarray[tuple[int, int], np.dtype[np.float32]]


def thumbnails(films: np.ndarray) -> Floats:
    """Float (n, 64): means of 8 x 8 fields of each film (n, s, s)."""
    cells = films.shape[-1] // 8
    return films.reshape(-1, 8, cells, 8, cells).mean((2, 4)).reshape(-1, 64)


def spectra(films: np.ndarray) -> Floats:
    """Float (n, 31): mean log power at each number of cycles a side."""
    side = films.shape[-1]
    window = np.hanning(side)[:, None] * np.hanning(side)
    centred = (films - films.mean((1, 2), keepdims=True)) * window
    power = np.log1p(np.abs(np.fft.rfft2(centred)) ** 2)
    down, across = np.fft.fftfreq(side)[:, None] * side, np.fft.rfftfreq(side) * side
    cycles = np.hypot(down, across).astype(int)
    return np.stack([power[:, cycles == n].mean(1) for n in range(1, side // 2)], axis=1)


def borders(films: np.ndarray) -> Floats:
    """Float (n, 64): means of 16 fields along each edge."""
    across = [films[:, :EDGE].mean(1), films[:, -EDGE:].mean(1)]
    down = [films[:, :, :EDGE].mean(2), films[:, :, -EDGE:].mean(2)]
    edges = np.concatenate([*across, *down], axis=1)
    return edges.reshape(len(films), 64, -1).mean(2)


SHORTCUTS = {"spectrum": spectra, "thumbnail": thumbnails, "border": borders}


def hard_splits(small: PreparedSet) -> np.ndarray:
    """What each film is for, object (N,): train, val, the shortcut that fails on it, or None.

    ``small`` holds the films at 64 px, so that recipes of every size are judged on the same ones.
    """
    table = small.table
    labels, groups = label_codes(table), patient_codes(table)
    rows = np.flatnonzero((table["split"] != "test").to_numpy() & (labels >= 0))
    pixels = np.stack([np.asarray(small.images[r]) for r in rows]).astype(np.float32)
    films = pd.DataFrame({"row": rows, "group": groups[rows], "label": labels[rows]})
    split = np.full(len(table), None, dtype=object)
    split[rows] = "train"
    for name, describe in SHORTCUTS.items():
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=0.1, max_iter=3000, class_weight="balanced")
        )
        scores = cross_val_predict(
            model, describe(pixels), labels[rows], groups=groups[rows],
            cv=GroupKFold(5), method="decision_function",
        )  # fmt: skip
        films["right"] = scores * np.where(films["label"] == 1, 1, -1)
        for label in (0, 1):
            of_class = films[films["label"] == label]
            left = of_class[split[of_class["row"]] == "train"]
            patients = left.groupby("group")["right"].agg(["mean", "size"]).sort_values("mean")
            most = HELD_OUT[name] * len(of_class)
            hard = patients.index[patients["size"].cumsum() <= most]
            split[left["row"][left["group"].isin(hard)]] = name
    rest = np.flatnonzero(split == "train")
    codes = np.unique(groups[rest], return_inverse=True)[1]
    split[rest[assign(labels[rest], codes, (1 - VALIDATE, VALIDATE), 3) == 1]] = "val"
    return split


def moved(films: np.ndarray, copies: int = 2) -> np.ndarray:
    """Uint8 (n, S, S) to uint8 (copies * n, S, S): each film under ``copies`` draws of ``SHIFT``,
    which are the same whatever the model."""
    draw = Draw(torch.Generator().manual_seed(20260101), len(films))
    views = [augment(torch.from_numpy(films), SHIFT, films.shape[-1], draw) for _ in range(copies)]
    return torch.cat(views).round().byte().numpy()


Found = dict[str, tuple[np.ndarray, np.ndarray]]
"""Labels and logits by what the films are for."""


def balanced(found: Found, at: float) -> float:
    """Balanced accuracy at a threshold, the mean over the shortcuts."""
    each = []
    for y, logits in (found[name] for name in SHORTCUTS):
        called = probability(logits) >= at
        each += [called[y == 1].mean(), (~called)[y == 0].mean()]
    return float(np.mean(each))


def judge(bundle: Bundle, prepared: PreparedSet) -> dict[str, float]:
    found: Found = {}
    others: Found = {}
    for split in ("val", *SHORTCUTS):
        rows = np.flatnonzero((prepared.table["split"] == split).fillna(False).to_numpy())
        labels = prepared.labels(rows)
        found[split] = labels, Predictor([bundle]).logits(prepared.images, rows)
        films = moved(np.asarray(prepared.images[rows]))
        again = np.tile(labels, len(films) // len(rows))
        others[split] = again, Predictor([bundle]).logits(films, np.arange(len(films)))
    y_val, val = found["val"]
    threshold = choose("youden_smooth", y_val, probability(val), "val").threshold
    areas = {name: auroc(*found[name]) for name in SHORTCUTS}
    return {
        **areas,
        "mean": float(np.mean(list(areas.values()))),
        "val": auroc(y_val, val),
        "balanced": balanced(found, threshold),
        "balanced_at_half": balanced(found, 0.5),
        "moved": float(np.mean([auroc(*others[name]) for name in SHORTCUTS])),
        "moved_balanced_at_half": balanced(others, 0.5),
    }


def one(data: str, changes: list[str], recipe_name: str, seed: int) -> dict[str, float]:
    recipe = load_recipe(recipe_name, changes)
    request = DataRequest(data)
    source = find_data(request, Silent())
    small = prepare_data(
        request, load_recipe(recipe_name, [f"input.size={SIDE}"]), Silent(), source=source
    )
    prepared = prepare_data(request, recipe, Silent(), source=source)
    split = pd.array(hard_splits(small), dtype="string")
    prepared = replace(prepared, table=prepared.table.assign(split=split))
    side, _ = network_side(source, recipe)
    network = build_network(prepared, recipe, side, seed)
    memory = cache_folder() / "precision.json"
    precision = choose_precision(network, recipe.model.backbone, "cpu", memory)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        job = TrainingJob(prepared, recipe, side, seed, precision)
        bundle = fit(Run(Path(folder)), job, network, Silent())
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
