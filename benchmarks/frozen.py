"""Training with conv1 to layer3 frozen: the tutorial loop beside ours, on films and on kept views.

    python benchmarks/frozen.py FOLDER [--rounds 3] [--views 1 2 4] [--epochs 20]
    python benchmarks/frozen.py FOLDER --quality [--epochs 20] [--views 2 4] [--seeds 1]

FOLDER is a split of class folders, such as ``chest_xray/train``. The tutorial loop is that of
``tutorial.py``, with the same parts frozen: no gradient, batch norms in evaluation mode, Adam
1e-4 on layer4 and fc. Ours is ``pneumoscope train``'s own path. All alternate in one run. With V
views an epoch costs (the V views of all films + the epochs) / epochs; what is printed are images a
second and their ratios to the tutorial loop. Validation is left out of all, its features too.

``--quality`` trains on films and on views from the same frozen weights (random, or ``--weights``)
and prints the best validation AUROC of each; a fifth of FOLDER's films is held out for it.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch

from pneumoscope.data.prepare import prepare
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.imaging.read import read_film
from pneumoscope.listener import Silent
from pneumoscope.recipe import Recipe, load_recipe
from pneumoscope.records import InputSpec, Record, Source
from pneumoscope.run import Run
from pneumoscope.training.features.extract import FeatureExtractor
from pneumoscope.training.fit import fit
from pneumoscope.training.job import TrainingJob, build_network
from pneumoscope.training.measure.precision import Precision, choose_precision
from throughput import our_set
from tutorial import tutorial

FROZEN = ("conv1", "bn1", "layer1", "layer2", "layer3")


def frozen_recipe(args: argparse.Namespace, views: int, epochs: int) -> Recipe:
    weights = f"model.weights={args.weights}"
    sizes = [f"input.size={args.size}", f"train.batch_size={args.batch}"]
    rest = ["model.freeze=layer3", f"train.views={views}", f"train.epochs={epochs}"]
    return load_recipe("default", [weights, *sizes, *rest])


def trained(prepared: PreparedSet, recipe: Recipe, precision: Precision, seed: int) -> list[dict]:
    """The history of a run of ours."""
    # The frozen weights are those of seed 0 for all, also where they are random.
    network = build_network(prepared, recipe, recipe.input.size, 0)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder))
        job = TrainingJob(prepared, recipe, recipe.input.size, seed, precision)
        fit(run, job, network, Silent())
        with run.history_file.open() as file:
            return list(csv.DictReader(file))


def step_rate(
    prepared: PreparedSet, args: argparse.Namespace, views: int, precision: Precision
) -> float:
    """Images a second of our training steps, in the second of two epochs."""
    rows = trained(prepared, frozen_recipe(args, min(views, 1), 2), precision, 0)
    return float(rows[-1]["images_per_second"])


def view_rate(prepared: PreparedSet, args: argparse.Namespace, precision: Precision) -> float:
    """Films a second whose features are computed, augmentation included, as for a view."""
    recipe = frozen_recipe(args, 1, 1)
    network = build_network(prepared, recipe, args.size, 0).to(memory_format=torch.channels_last)
    job = TrainingJob(prepared, recipe, args.size, 0, precision)
    batches = FeatureExtractor(job, network).batches(0)
    next(batches)  # warms up
    start, done = time.perf_counter(), 0
    for values in batches:
        done += len(values)
        if done >= args.least and time.perf_counter() - start > args.seconds:
            break
    return done / (time.perf_counter() - start)


def speed(args: argparse.Namespace, work: Path) -> None:
    prepared = our_set(args.folder, args.size, work)
    network = build_network(prepared, frozen_recipe(args, 0, 1), args.size, 0)
    precision = choose_precision(network, "resnet18", "cpu", None)
    print(f"ours in {precision.name}: {precision.why}", flush=True)
    rates: dict[str, list[float]] = {}
    for turn in range(args.rounds):
        found = {
            "tutorial": tutorial(args.folder, "resnet18", args.size, args.batch, args.steps, FROZEN)
        }
        found["views=0"] = step_rate(prepared, args, 0, precision)
        kept, computed = (
            step_rate(prepared, args, 1, precision),
            view_rate(prepared, args, precision),
        )
        found |= {"steps on features": kept, "computing views": computed}
        for views in args.views:
            found[f"views={views}"] = 1 / (views / args.epochs / computed + 1 / kept)
        for name, rate in found.items():
            rates.setdefault(name, []).append(rate)
        shown = "  ".join(f"{name} {rate:.1f}" for name, rate in found.items())
        print(f"round {turn + 1}: {shown} images/s", flush=True)
    middle = {name: statistics.median(found) for name, found in rates.items()}
    print(f"over {args.epochs} epochs, medians:")
    for name, rate in middle.items():
        by = f"{rate / middle['tutorial']:.2f} x tutorial, {rate / middle['views=0']:.2f} x views=0"
        print(f"  {name:<18} {rate:8.1f} images/s  {by}")


def person_of(file: Path) -> str:
    """As Kermany's names tell: person1000_virus_1681, IM-0115-0001."""
    name = file.stem
    return name.split("_")[0] if name.startswith("person") else name.rsplit("-", 1)[0]


def split_set(args: argparse.Namespace, work: Path) -> PreparedSet:
    """FOLDER's films; every fifth person is in validation."""
    files = sorted(args.folder.glob("*/*.jpeg"))
    files = files[:: max(1, len(files) // args.films)]
    persons = sorted({person_of(file) for file in files})
    held = {person for place, person in enumerate(persons) if place % 5 == 0}
    records = [
        Record(
            str(i),
            partial(read_film, file),
            int(file.parent.name == "PNEUMONIA"),
            split="val" if person_of(file) in held else "train",
        )
        for i, file in enumerate(files)
    ]
    source = Source("bench", "folder", "benchmark", "1", len(records), args.size, records)
    return prepare(source, InputSpec(args.size, args.size), work / "set")


def quality(args: argparse.Namespace, work: Path) -> None:
    prepared = split_set(args, work)
    counts = {split: len(prepared.rows(split)) for split in ("train", "val")}
    network = build_network(prepared, frozen_recipe(args, 0, 1), args.size, 0)
    precision = choose_precision(network, "resnet18", "cpu", None)
    print(f"{counts} films, {args.epochs} epochs, {precision.name}", flush=True)
    for views in (0, *args.views):
        best, last, seconds = [], [], []
        for seed in range(args.seeds):
            start = time.perf_counter()
            rows = trained(prepared, frozen_recipe(args, views, args.epochs), precision, seed)
            seconds.append(time.perf_counter() - start)
            found = [float(row["val_auroc"]) for row in rows]
            best.append(max(found))
            last.append(found[-1])
        spread = f" sd {np.std(best, ddof=1):.4f}" if args.seeds > 1 else ""
        print(
            f"views={views}: best validation AUROC {np.mean(best):.4f}{spread}, "
            f"last {np.mean(last):.4f}, {np.mean(seconds):.0f} s a run",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8, help="of the tutorial loop, timed")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--views", type=int, nargs="+")
    parser.add_argument("--films", type=int, default=10_000, help="of --quality, at most")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--weights", default="none")
    parser.add_argument("--least", type=int, default=128, help="films to time computing views on")
    parser.add_argument("--seconds", type=float, default=5.0, help="and as long, at least")
    parser.add_argument("--quality", action="store_true")
    args = parser.parse_args()
    args.views = args.views or ([2, 4] if args.quality else [1, 2, 4])
    with tempfile.TemporaryDirectory() as work:
        (quality if args.quality else speed)(args, Path(work))


if __name__ == "__main__":
    main()
