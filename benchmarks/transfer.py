"""Choose between recipes by films of two hospitals whose test films are never read.

    python benchmarks/transfer.py kaggle FOLDER OUT --recipe transfer --try "crop: augment.crop=0.3"
    python benchmarks/transfer.py nih FOLDER OUT --try "crop: augment.crop=0.3;train.epochs=12"
    python benchmarks/transfer.py mnist FILE OUT --try "crop: augment.crop=0.3"
    python benchmarks/transfer.py table OUT [--beside NAME]

``kaggle`` trains on Kaggle's training films and judges the hard ones among them (``hard_films``)
as they are, moved and with a masked border; ``nih`` trains on each of two halves by patient and
judges the other; ``mnist`` judges PneumoniaMNIST's validation films, moved. A ``--try`` is a name
and the ``section.key=value`` that are laid over the recipe, parted by semicolons. Each trial and
seed is one file in OUT with labels, patients and logits, and is left out where it is there
already; the trained network lies beside it, and ``--turn 6`` or ``--flip`` judge it once more by
the mean of such views, as NAME+turn6 or NAME+flip.

``table`` shows, for every trial, K (mean AUROC of the nine kinds of Kaggle's films), N (AUROC of
the NIH films), D (their mean), M (PneumoniaMNIST), balanced accuracy at .5 on the moved films, and
seconds; differences beside ``--beside`` have the standard error of patients drawn anew 1,000 times,
alike for both (200 times for Kaggle's).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from hard_films import SHORTCUTS, SIDE, hard_splits, moved
from pneumoscope.data.prepare import cache_folder
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.data.split import folds_of
from pneumoscope.data.together.groups import patient_codes
from pneumoscope.inference.predictor import Predictor
from pneumoscope.listener import Silent
from pneumoscope.metrics.scores import auroc
from pneumoscope.models.bundle import Bundle, load_bundle
from pneumoscope.recipe import Recipe, load_recipe
from pneumoscope.records import DataRequest, Source
from pneumoscope.run import Run
from pneumoscope.training.fit import fit
from pneumoscope.training.job import TrainingJob, build_network
from pneumoscope.training.measure.precision import settle_precision
from pneumoscope.workflows.data import find_data, network_side, prepare_data, prepared_for

DRAWS = 1000
BORDER = 0.1


def masked(films: np.ndarray) -> np.ndarray:
    """Uint8 (n, S, S): the outer tenth at each film's mean grey."""
    edge = max(1, round(BORDER * films.shape[-1]))
    inner = films[:, edge:-edge, edge:-edge]
    hidden = np.broadcast_to(films.mean((1, 2)).round()[:, None, None], films.shape).astype(
        np.uint8
    )
    hidden[:, edge:-edge, edge:-edge] = inner
    return hidden


CHANGES = {"as it is": lambda films: films, "moved": lambda f: moved(f, 1), "masked": masked}


def trained(
    prepared: PreparedSet, source: Source, recipe: Recipe, seed: int, folder: Path
) -> tuple[Bundle, float]:
    """The bundle, kept in ``folder``, and the seconds of its training; 0 where it lies there."""
    if (folder / "model.json").is_file():
        return load_bundle(folder), 0.0
    side, _ = network_side(source, recipe)
    network = build_network(prepared, recipe, side, seed)
    precision = settle_precision(network, recipe, "cpu", cache_folder() / "precision.json")
    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    job = TrainingJob(prepared, recipe, side, seed, precision)
    return fit(Run(folder), job, network, Silent()), time.perf_counter() - start


def judged(
    bundle: Bundle, prepared: PreparedSet, rows: np.ndarray, kind: str, change: str, recipe: Recipe
) -> pd.DataFrame:
    """Label, patient and logit of ``rows`` under a change, by the recipe's views."""
    views = recipe.decide.flip_average, recipe.decide.turn_average
    bundle = replace(bundle, flip_average=views[0], turn_average=views[1])
    films = CHANGES[change](np.asarray(prepared.images[rows]))
    return pd.DataFrame(
        {
            "kind": kind, "change": change, "label": prepared.labels(rows),
            "patient": patient_codes(prepared.table)[rows],
            "logit": Predictor([bundle]).logits(films, np.arange(len(films))),
        }
    )  # fmt: skip


def split_as(prepared: PreparedSet, split: np.ndarray) -> PreparedSet:
    return replace(prepared, table=prepared.table.assign(split=pd.array(split, dtype="string")))


def rows_of(prepared: PreparedSet, split: str) -> np.ndarray:
    return np.flatnonzero((prepared.table["split"] == split).fillna(False).to_numpy(bool))


def on_kaggle(data: str, recipe: Recipe, seed: int, folder: Path) -> Iterator[pd.DataFrame]:
    request = DataRequest(data)
    source = find_data(request, Silent())
    kept = folder.parent / "hard.npy"
    if not kept.is_file():
        small = load_recipe("default", [f"input.size={SIDE}"])
        small_set = prepare_data(request, small, Silent(), source=source)
        np.save(kept, hard_splits(small_set), allow_pickle=True)
    prepared = prepare_data(request, recipe, Silent(), source=source)
    prepared = split_as(prepared, np.load(kept, allow_pickle=True))
    bundle, seconds = trained(prepared, source, recipe, seed, folder)
    for kind in SHORTCUTS:
        for change in CHANGES:
            rows = rows_of(prepared, kind)
            yield judged(bundle, prepared, rows, kind, change, recipe).assign(seconds=seconds)


def on_nih(data: str, recipe: Recipe, seed: int, folder: Path) -> Iterator[pd.DataFrame]:
    request = DataRequest(data)
    source = find_data(request, Silent())
    prepared = prepare_data(request, recipe, Silent(), source=source)
    fold = folds_of(prepared.table, recipe.data, 2)
    for half in (0, 1):
        split = np.where(fold == half, "judged", "train").astype(object)
        split[np.flatnonzero(fold == 1 - half)[::10]] = "val"  # decides nothing
        whole = split_as(prepared, split)
        bundle, seconds = trained(whole, source, recipe, seed, folder / str(half))
        rows = np.flatnonzero(fold == half)
        yield judged(bundle, whole, rows, "nih", "as it is", recipe).assign(seconds=seconds)


def on_mnist(data: str, recipe: Recipe, seed: int, folder: Path) -> Iterator[pd.DataFrame]:
    request = DataRequest(data)
    source = find_data(request, Silent())
    prepared = prepared_for(request, source, recipe, Silent())
    bundle, seconds = trained(prepared, source, recipe, seed, folder)
    rows = rows_of(prepared, "val")
    yield judged(bundle, prepared, rows, "mnist", "moved", recipe).assign(seconds=seconds)


PIECES = {"kaggle": on_kaggle, "nih": on_nih, "mnist": on_mnist}


def run(args: argparse.Namespace) -> None:
    for text in args.tries:
        name, _, changes = text.partition(":")
        views = [f"decide.turn_average={args.turn}", f"decide.flip_average={args.flip}"]
        changed = [c.strip() for c in changes.split(";") if c.strip()]
        recipe = load_recipe(args.recipe, [*changed, *views])
        seen = (f"+turn{args.turn}" if args.turn else "") + ("+flip" if args.flip else "")
        for seed in args.seeds:
            folder = args.out / f"{name}@{args.what}@{seed}"
            file = args.out / f"{name}{seen}@{args.what}@{seed}.parquet"
            if not file.is_file():
                found = list(PIECES[args.what](args.data, recipe, seed, folder))
                pd.concat(found).to_parquet(file)
            films = pd.read_parquet(file)
            print(f"{name + seen:24s} {args.what:6s} seed {seed} {score(films):.4f}", flush=True)


def score(films: pd.DataFrame, weight: np.ndarray | None = None) -> float:
    """The mean AUROC over kinds and changes; ``weight`` says how often each patient was drawn."""
    if weight is not None:
        films = films.loc[films.index.repeat(weight[films["patient"].to_numpy()])]
    each = [
        auroc(f["label"].to_numpy(), f["logit"].to_numpy())
        for _, f in films.groupby(["kind", "change"])
    ]
    return float(np.mean(each))


def gain(one: list[pd.DataFrame], other: list[pd.DataFrame]) -> tuple[float, float]:
    """The difference of two trials' scores over their common seeds, and its standard error: the
    larger of that of patients drawn anew and that of the seeds."""
    pairs = [
        (a.reset_index(drop=True), b.reset_index(drop=True))
        for a, b in zip(one, other, strict=False)
    ]
    by_seed = [score(a) - score(b) for a, b in pairs]
    rng, drawn = np.random.default_rng(0), []
    patients = np.unique(pairs[0][0]["patient"])
    for _ in range(DRAWS // 5 if len(pairs[0][0]) > 2000 else DRAWS):
        weight = np.zeros(patients.max() + 1, dtype=int)
        np.add.at(weight, rng.choice(patients, len(patients)), 1)
        drawn.append(np.mean([score(a, weight) - score(b, weight) for a, b in pairs]))
    seeds = np.std(by_seed, ddof=1) / len(by_seed) ** 0.5 if len(by_seed) > 1 else 0.0
    return float(np.mean(by_seed)), float(max(np.std(drawn), seeds))


def balanced(films: pd.DataFrame) -> float:
    """Balanced accuracy at .5."""
    right = (films["logit"] >= 0) == (films["label"] == 1)
    return float(right.groupby(films["label"]).mean().mean())


def table(args: argparse.Namespace) -> None:
    found: dict[str, dict[str, list[pd.DataFrame]]] = {}
    for file in sorted(args.out.glob("*@*@*.parquet")):
        name, piece, _ = file.stem.split("@")
        found.setdefault(name, {}).setdefault(piece, []).append(pd.read_parquet(file))
    for name, pieces in found.items():
        cells = [f"{name:24s}"]
        for piece in (p for p in PIECES if p in pieces):
            scores = [score(f) for f in pieces[piece]]
            seconds = np.mean([f["seconds"].unique().sum() for f in pieces[piece]])
            cells.append(f"{piece} {np.mean(scores):.4f} ({len(scores)} seeds, {seconds:.0f} s)")
            if args.beside and name != args.beside and piece in found[args.beside]:
                cells.append(
                    "{:+.4f} ± {:.4f}".format(*gain(pieces[piece], found[args.beside][piece]))
                )
        if "kaggle" in pieces:
            films = [f[f["change"] == "moved"] for f in pieces["kaggle"]]
            cells.append(f"balanced, moved {np.mean([balanced(f) for f in films]):.4f}")
        if {"kaggle", "nih"} <= set(pieces):
            both = [np.mean([score(f) for f in pieces[p]]) for p in ("kaggle", "nih")]
            cells.append(f"D {np.mean(both):.4f}")
        print("  ".join(cells))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=[*PIECES, "table"])
    parser.add_argument("places", nargs="+", help="data and results; of table: results")
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--try", dest="tries", action="append", default=[])
    parser.add_argument("--turn", type=int, default=0, help="degrees")
    parser.add_argument("--flip", action="store_true")
    parser.add_argument("--beside", default="")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.data, args.out = args.places[0], Path(args.places[-1])
    args.out.mkdir(parents=True, exist_ok=True)
    (table if args.what == "table" else run)(args)


if __name__ == "__main__":
    main()
