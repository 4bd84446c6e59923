"""Training throughput beside the tutorial loop, alternating in one run.

    python benchmarks/throughput.py FOLDER [--rounds 3] [--size 224] [--batch 32]
    python benchmarks/throughput.py FOLDER --backbone resnet50 --size 128 --batch 8 [--ours 32]
    python benchmarks/throughput.py FOLDER --backbone tf_efficientnet_lite0 --recipe transfer \\
        --films 320 --steps 5 --rounds 2        # under three minutes on two quiet cores

FOLDER is a split of class folders, such as ``chest_xray/train``. The tutorial loop is the one the
published notebooks share, ``tutorial.py``. Ours is ``pneumoscope train``'s own path, augmentation,
weight average and all, timed over its training steps; ``--ours`` is its batch size where it
differs. Rates are images a second, each shown when it is known; the ratio is of the medians.
"""

from __future__ import annotations

import argparse
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
from pneumoscope.records import Film, InputSpec, Record, Source
from pneumoscope.run import Run
from pneumoscope.training.fit import fit
from pneumoscope.training.job import TrainingJob, build_network
from pneumoscope.training.measure.precision import choose_precision
from tutorial import tutorial

FILMS = 640


def our_set(folder: Path, size: int, work: Path, films: int = FILMS) -> PreparedSet:
    files = sorted(folder.glob("*/*.jpeg"))
    files = files[:: max(1, len(files) // films)]
    records = [
        Record(
            str(i),
            partial(read_film, file),
            int(file.parent.name == "PNEUMONIA"),
            split="train" if i % 32 else ("val" if i % 64 else "test"),
        )
        for i, file in enumerate(files)
    ]
    black = np.zeros((size, size), np.uint8)
    # A few films of both classes in every split, so that the set is a whole one.
    records += [
        Record(f"{split}{label}", lambda side: Film(black, size, size), label, split=split)
        for split in ("val", "test")
        for label in (0, 1)
    ]
    source = Source("bench", "folder", "benchmark", "0", len(records), size, records)
    return prepare(source, InputSpec(size, size), work / "set")


def ours(prepared: PreparedSet, recipe: Recipe) -> tuple[float, str]:
    backbone, size = recipe.model.backbone, int(recipe.input.size)
    network = build_network(prepared, recipe, size, 0)
    precision = choose_precision(network, backbone, "cpu", None)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder))
        fit(run, TrainingJob(prepared, recipe, size, 0, precision), network, Silent())
        rows = run.history_file.read_text().splitlines()
    return float(rows[-1].split(",")[-1]), precision.name


def bare(backbone: str, size: int, batch: int, precision: str, steps: int) -> float:
    """The network step alone, on one batch that lies in memory: what no loop can beat."""
    import timm

    model = timm.create_model(backbone, in_chans=1, num_classes=1)
    model.to(memory_format=torch.channels_last).train()
    films = torch.randn(batch, 1, size, size)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3, fused=True)
    start = 0.0
    for step in range(steps + 1):
        if step == 1:
            start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = model(films).float().square().mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return steps * batch / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--ours", type=int, default=0)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--films", type=int, default=FILMS)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--recipe", default="default")
    args = parser.parse_args()
    name, size, batch = args.backbone, args.size, args.ours or args.batch
    changes = [f"input.size={size}", f"train.batch_size={batch}", "train.epochs=2"]
    recipe = load_recipe(args.recipe, [*changes, f"model.backbone={name}"])
    rates: dict[str, list[float]] = {"tutorial": [], "ours": [], "bare step": []}

    def told(what: str, rate: float) -> None:
        rates[what].append(rate)
        print(f"round {len(rates[what])}: {what} {rate:.1f} images/s", flush=True)

    with tempfile.TemporaryDirectory() as work:
        prepared = our_set(args.folder, size, Path(work), args.films)
        print(f"{len(prepared.table)} films at {size} px", flush=True)
        for _ in range(args.rounds):
            told("tutorial", tutorial(args.folder, name, size, args.batch, args.steps))
            rate, precision = ours(prepared, recipe)
            told("ours", rate)
            told("bare step", bare(name, size, batch, precision, 2 * args.steps))
    middle = {name: statistics.median(found) for name, found in rates.items()}
    print(f"ours in {precision}")
    print(f"ours / tutorial: {middle['ours'] / middle['tutorial']:.2f}")
    print(f"ours / bare step: {middle['ours'] / middle['bare step']:.2f}")


if __name__ == "__main__":
    main()
