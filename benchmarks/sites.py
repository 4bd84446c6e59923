"""Several sites: trained on both against each alone, and what several sets cost over one.

    python benchmarks/sites.py both KAGGLE NIH OUT     # trains what OUT lacks, then the table
    python benchmarks/sites.py both KAGGLE NIH OUT24 --epochs 24
    python benchmarks/sites.py cost OUT --turns 2      # about three minutes on two idle cores

``both`` cuts each set into two folds by patient (official test films are left out: none is read),
trains on one fold of both sites and of each alone with the same recipe and seed, and judges every
film once by the model that had not seen its fold. Stopped at any time it goes on from the last
epoch; another number of epochs needs another OUT. ``cost`` trains on 600 phantoms as one set and as
two sites of 300, in turns, each time from files that were not prepared yet.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.listener import Silent
from pneumoscope.metrics.paired import paired_bootstrap, resampled_scores
from pneumoscope.metrics.resample import IntervalSettings, patient_numbers
from pneumoscope.metrics.scores import auroc, probability
from pneumoscope.recipe import load_recipe
from pneumoscope.records import DataRequest
from pneumoscope.workflows import pipeline, stages
from pneumoscope.workflows.context import RunContext
from pneumoscope.workflows.training import train_stage

EPOCHS, LEAST = 5, "train.min_steps=150"
"""``default`` in a fifth of its epochs; NIH alone has 50 of them, for it has few steps in each."""
FOLDS = 2
ARMS = ("alone", "both", "pooled")
"""Each site alone, both with the classes of each site drawn alike, both as the films come."""


def few_stages(context: RunContext) -> pipeline.Run:
    """A run up to its predictions: nothing that follows is looked at here."""
    prepared = stages.prepare_stage(context)
    stages.predict_stage(context, prepared, train_stage(context, prepared))
    return context.run


def trained(data: DataRequest, changes: list[str], out: Path) -> None:
    pipeline.run_stages = few_stages
    if out.is_dir():
        return
    part = out.with_name(f"part-{out.name}")
    if (part / "run.json").is_file():
        pipeline.resume(part, listener=Silent())
    else:
        shutil.rmtree(part, ignore_errors=True)
        pipeline.train(data, load_recipe("default", changes), out=part, listener=Silent())
    part.rename(out)


def train_all(sites: dict[str, DataRequest], out: Path, arms: list[str], epochs: int) -> None:
    for fold in range(FOLDS):
        changes = [f"train.epochs={epochs}", LEAST, f"data.fold={fold} of {FOLDS}"]
        together = DataRequest.of_sites(sites)
        for site, request in sites.items() if "alone" in arms else ():
            trained(request, changes, out / f"{site}-{fold}")
        if "both" in arms:
            trained(together, changes, out / f"both-{fold}")
        if "pooled" in arms:
            trained(together, [*changes, "train.sites=pooled"], out / f"pooled-{fold}")


def judged(out: Path, site: str, arm: str) -> pd.DataFrame:
    """The films of ``site``, each by the model of ``arm`` that had not seen its fold."""
    parts = []
    for fold in range(FOLDS):
        file = out / f"{site if arm == 'alone' else arm}-{fold}" / "predictions.csv"
        if file.is_file():
            parts.append(pd.read_csv(file))
    table = pd.concat(parts) if parts else pd.DataFrame({"split": [], "image_id": []})
    table = table[table["split"] == "test"]
    if "site" in table:
        table = table[table["site"] == site]
    film = table["image_id"].astype(str).str.removeprefix(f"{site}/")
    return table.assign(film=film).sort_values("film").set_index("film")


def table(sites: list[str], out: Path) -> None:
    """AUROC, sensitivity and specificity at the carried threshold (.5), and paired differences to
    the site alone, over resamples of patients."""
    for site in sites:
        alone = judged(out, site, "alone")
        for arm in ARMS:
            rows = judged(out, site, arm)
            rows = rows[rows.index.isin(alone.index)] if len(alone) else rows
            if not len(rows):
                continue
            labels, logits = rows["label"].to_numpy(int), rows["raw_logit"].to_numpy(float)
            called = logits >= 0
            said = (
                f"{site:<8} {arm:<7} {len(rows):>5} films  AUROC {auroc(labels, logits):.4f}  "
                f"sensitivity {called[labels == 1].mean():.3f}  "
                f"specificity {(~called[labels == 0]).mean():.3f}"
            )
            if arm != "alone" and rows.index.equals(alone.index):
                said += f"  less alone {difference(alone, rows)}"
            print(said, flush=True)


def difference(first: pd.DataFrame, second: pd.DataFrame) -> str:
    """AUROC of ``second`` less that of ``first``, the same films, with its interval."""
    labels = first["label"].to_numpy(int)
    groups = patient_numbers(len(labels), pd.factorize(first["patient_id"])[0])
    logits = [each["raw_logit"].to_numpy(float) for each in (first, second)]
    runs = [(probability(each), 0.5) for each in logits]
    drawn = resampled_scores(labels, runs, groups, IntervalSettings())
    value = auroc(labels, logits[1]) - auroc(labels, logits[0])
    one, other = ({name: parts[at] for name, parts in drawn.items()} for at in (0, 1))
    found = paired_bootstrap(labels, one, other, {"auroc": value}, groups)["auroc"]
    return f"{found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f})"


def phantoms(root: Path, count: int = 300) -> None:
    """Films of two sites, the second darker, noisier and framed otherwise, and all of them again in
    one folder."""
    for site, seed, sick in (("alpha", 1, 0.74), ("beta", 2, 0.46)):
        draw = np.random.default_rng(seed)
        for i in range(count):
            label = int(i < sick * count)
            film = draw_phantom(seed * 10, i, label=label, size=96).image.astype(float)
            if site == "beta":
                film = np.clip(
                    204 * (film / 255) ** 1.8 + 20 + draw.normal(0, 8, film.shape), 0, 255
                )
            for place in (root / site, root / "one"):
                file = place / ("PNEUMONIA" if label else "NORMAL") / f"{site}{i}_{i}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(film.astype(np.uint8)).save(file)


def cost(out: Path, turns: int) -> None:
    """Seconds of whole trainings in turns, and of their stages."""
    films = out / "films"
    if not films.is_dir():
        phantoms(films)
    kinds = {"one": [films / "one"], "two": [films / "alpha", films / "beta"]}
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    staged: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    words = ["--recipe", "small", "--set", "train.epochs=4", "--set", "train.precision=float32"]
    for turn in range(turns):
        for kind, data in kinds.items():
            run, cache = out / f"run-{kind}", out / "cache"
            for place in (run, cache):
                shutil.rmtree(place, ignore_errors=True)
            command = [sys.executable, "-m", "pneumoscope", "train", *map(str, data), *words]
            start = time.perf_counter()
            subprocess.run(
                [*command, "--out", str(run)],
                check=True,
                capture_output=True,
                env={**os.environ, "PNEUMOSCOPE_CACHE": str(cache)},
            )
            seconds[kind].append(time.perf_counter() - start)
            staged[kind].append(json.loads((run / "run.json").read_text())["timing"])
            print(f"turn {turn} {kind} {seconds[kind][-1]:.1f} s {staged[kind][-1]}", flush=True)
    one, two = (float(np.median(seconds[kind])) for kind in kinds)
    print(f"one set {one:.1f} s, two sites {two:.1f} s: {two / one:.3f}")
    for stage in staged["one"][0]:
        first, second = (np.median([each[stage] for each in staged[kind]]) for kind in kinds)
        print(f"  {stage}: {first:.2f} s, {second:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    both = kinds.add_parser("both")
    both.add_argument("kaggle")
    both.add_argument("nih")
    both.add_argument("out", type=Path)
    both.add_argument("--epochs", type=int, default=EPOCHS)
    both.add_argument("--arms", nargs="*", default=["alone", "both"], choices=ARMS)
    costs = kinds.add_parser("cost")
    costs.add_argument("out", type=Path)
    costs.add_argument("--turns", type=int, default=2)
    given = parser.parse_args()
    if given.kind == "cost":
        cost(given.out, given.turns)
        return
    sites = {"kaggle": DataRequest(given.kaggle), "nih": DataRequest(given.nih)}
    train_all(sites, given.out, given.arms, given.epochs)
    table(list(sites), given.out)


if __name__ == "__main__":
    main()
