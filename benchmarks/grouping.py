"""What grouping by equal pixels and near copies costs when a set is prepared.

    python benchmarks/grouping.py chest_xray
    python benchmarks/grouping.py --films 100000

The first prepares DATA to 224 px with and without looking for copies, in turns, and gives the ratio
of the medians. The second makes so many small films, a tenth of them copies of others with noise,
and gives the time of grouping and the peak memory of a process with it and of one without.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from pneumoscope.data import prepare as module
from pneumoscope.data.together.alike import Alike
from pneumoscope.listener import Silent
from pneumoscope.records import DataRequest, InputSpec
from pneumoscope.sources.detect import open_source

SIDE, SMALL = 224, 28
NONE = Alike(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32), True)
KEPT = {name: getattr(module, name) for name in ("looks_of", "coarse_of", "find_alike")}


def switch(on: bool) -> None:
    """Let ``prepare`` look for copies, or not."""
    blank = np.zeros((48, 48), np.uint8)
    off = {
        "looks_of": lambda films: [blank for _ in films],
        "coarse_of": lambda film: blank,
        "find_alike": lambda *_: NONE,
    }
    for name, work in (KEPT if on else off).items():
        setattr(module, name, work)


def prepared(data: Path, side: int, out: Path) -> float:
    """Seconds to prepare ``data``."""
    start = time.perf_counter()
    source = open_source(DataRequest(str(data)), Path("none"), Silent())
    module.prepare(source, InputSpec(side, side), out, keep_ids=True)
    return time.perf_counter() - start


def compare(data: Path, repeats: int) -> None:
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for repeat in range(repeats + 1):
        for on, times in seconds.items():
            switch(on)
            with tempfile.TemporaryDirectory() as place:
                took = prepared(data, SIDE, Path(place) / "set")
            if repeat:  # the first warms the disk cache for both
                times.append(took)
    without, with_ = (statistics.median(seconds[on]) for on in (False, True))
    print(f"without {without:.2f} s, with {with_:.2f} s: {with_ / without - 1:+.0%}")


def small_films(count: int, file: Path) -> None:
    """Smooth random films; every tenth is a copy of an earlier one with noise."""
    rng = np.random.default_rng(0)
    coarse = rng.normal(0, 1, (count, 10, 10)).astype(np.float32)
    cosines = np.cos(np.pi * np.outer(np.arange(10), (np.arange(SMALL) + 0.5) / SMALL))
    fall = 1 / (1 + np.hypot(*np.indices((10, 10)))) ** 1.2
    films = np.empty((count, SMALL, SMALL), np.uint8)
    for part in range(0, count, 5000):
        drawn = cosines.T @ (coarse[part : part + 5000] * fall) @ cosines
        films[part : part + 5000] = np.clip(128 + 30 * drawn, 0, 255)
    copies = np.arange(10, count, 10)
    noise = rng.integers(-2, 3, (len(copies), SMALL, SMALL))
    films[copies] = np.clip(films[copies - 7] + noise, 0, 255)
    labels = (np.arange(count) % 2)[:, None].astype(np.uint8)
    third = count // 3
    parts = {"train": slice(2 * third), "val": slice(2 * third, count - third // 2)}
    parts["test"] = slice(count - third // 2, count)
    arrays = {f"{name}_images": films[part] for name, part in parts.items()}
    np.savez(file, **arrays, **{f"{name}_labels": labels[part] for name, part in parts.items()})


def child(data: Path, on: bool) -> None:
    """One preparation in this process: its seconds, those of grouping, its peak in MiB."""
    switch(on)
    taken = []
    find = module.find_alike

    def timed(*given: object) -> Alike:
        start = time.perf_counter()
        found = find(*given)
        taken.append((time.perf_counter() - start, len(found)))
        return found

    module.find_alike = timed
    with tempfile.TemporaryDirectory() as place:
        seconds = prepared(data, SMALL, Path(place) / "set")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    took, pairs = taken[0]
    print(f"{seconds:.1f} s, copies {took:.1f} s ({pairs:,} pairs), peak {peak:,.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--films", type=int, default=0, help="make so many small films instead")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--child", choices=["with", "without"])
    args = parser.parse_args()
    if args.child:
        child(args.data, args.child == "with")
    elif args.films:
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "pneumoniamnist.npz"
            small_films(args.films, file)
            for kind in ("without", "with"):
                command = [sys.executable, __file__, str(file), "--child", kind]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                print(f"{args.films:,} films, {kind:<7} {done.stdout.strip()}", flush=True)
    else:
        compare(args.data, args.repeats)


if __name__ == "__main__":
    main()
