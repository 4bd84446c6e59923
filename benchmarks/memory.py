"""Peak memory of training against the number of films: it must not grow.

    python benchmarks/memory.py [--counts 1000 16000] [--size 224]

Each count is a process of its own that prepares that many noise films and trains one epoch of a
fixed number of steps on them. Reported is the peak of anonymous memory (what the process really
owns, RssAnon of /proc/self/status, sampled 20 times a second) apart from the page cache of the
memory map, which the kernel takes back whenever it likes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

STEPS = 12


def noise(seed: int, size: int, side: int):  # noqa: ANN201
    import numpy as np

    from pneumoscope.records import Film

    films = np.random.default_rng(seed).integers(0, 256, (size, size), dtype=np.uint8)
    return Film(films, size, size)


def sample(peaks: dict[str, int], stop: threading.Event) -> None:
    while not stop.is_set():
        for line in Path("/proc/self/status").read_text().splitlines():
            key = line.split(":")[0]
            if key in peaks:
                peaks[key] = max(peaks[key], int(line.split()[1]) // 1024)
        time.sleep(0.05)


def train(count: int, size: int, work: Path) -> None:
    from pneumoscope.data.loader import Batches
    from pneumoscope.data.prepare import prepare
    from pneumoscope.listener import Silent
    from pneumoscope.recipe import load_recipe
    from pneumoscope.records import InputSpec, Record, Source, Split
    from pneumoscope.run import Run
    from pneumoscope.training.fit import fit
    from pneumoscope.training.job import TrainingJob, build_network
    from pneumoscope.training.measure.precision import Precision

    def split_of(i: int) -> Split:
        return "train" if i >= 64 else ("val" if i < 32 else "test")

    records = (
        Record(str(i), partial(noise, i, size), i % 2, split=split_of(i)) for i in range(count)
    )
    source = Source("noise", "noise", "benchmark", str(count), count, size, records)
    prepared = prepare(source, InputSpec(size, size), work / "set")
    recipe = load_recipe("default", ["train.epochs=1", f"input.size={size}"])
    # The same number of steps whatever the count, drawn from the whole set.
    Batches.__len__ = lambda self: STEPS if self._seed is not None else 1  # type: ignore[method-assign]
    network = build_network(prepared, recipe, size, 0)
    (work / "run").mkdir()
    precision = Precision("bf16", "benchmark")
    job = TrainingJob(prepared, recipe, size, 0, precision)
    fit(Run(work / "run"), job, network, Silent())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 16000])
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--one", type=int)
    args = parser.parse_args()
    if args.one is None:
        for count in args.counts:
            words = [sys.executable, __file__, "--one", str(count), "--size", str(args.size)]
            subprocess.run(words, check=True)
        return
    peaks, stop = {"RssAnon": 0, "RssFile": 0}, threading.Event()
    watcher = threading.Thread(target=sample, args=(peaks, stop))
    watcher.start()
    with tempfile.TemporaryDirectory(dir=".") as work:
        train(args.one, args.size, Path(work))
    stop.set()
    watcher.join()
    print(
        f"{args.one:7,} films of {args.size} px ({args.one * args.size**2 >> 20:5,} MiB): "
        f"peak own memory {peaks['RssAnon']:,} MiB, page cache mapped {peaks['RssFile']:,} MiB",
        flush=True,
    )


if __name__ == "__main__":
    main()
