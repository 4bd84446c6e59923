"""Train one recipe with several seeds through the command line and tabulate the locked test split.

    python benchmarks/seeds.py DATA --seeds 3 --out FOLDER [-- --set key=value …]

Each run is `pneumoscope train` in a process of its own, wall time included; the test split is
touched once a run. Prints each run and mean ± sd.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

SHOWN = ("auroc", "accuracy", "balanced_accuracy", "sensitivity", "specificity")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("more", nargs="*", help="passed on to pneumoscope train, after --")
    args = parser.parse_args()
    command = Path(sys.executable).with_name("pneumoscope")
    rows: list[list[float]] = []
    print("seed  seconds  " + "  ".join(SHOWN))
    for seed in range(args.seeds):
        folder = args.out / f"seed-{seed}"
        words = [command, "train", args.data, "--seed", str(seed), "--out", folder, *args.more]
        start = time.perf_counter()
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        metrics = json.loads((folder / "metrics.json").read_text("utf-8"))["metrics"]
        rows.append([seconds, *(metrics[name]["value"] for name in SHOWN)])
        values = "  ".join(f"{value:.4f}" for value in rows[-1][1:])
        print(f"{seed:4d}  {seconds:7.0f}  {values}", flush=True)
    for name, column in zip(("seconds", *SHOWN), zip(*rows, strict=True), strict=True):
        spread = statistics.stdev(column) if len(column) > 1 else float("nan")
        print(f"{name}: {statistics.mean(column):.4f} ± {spread:.4f}")


if __name__ == "__main__":
    main()
