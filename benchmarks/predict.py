"""How long ``pneumoscope predict`` takes for 1,000 films, start included.

    python benchmarks/predict.py chest_xray/test

The films of the folder are fitted to 224 px and saved as JPEG, repeated up to the number wanted;
the model is a ResNet-18 of random weights at 224 px. Each run is the whole command in a process of
its own: Python's start, imports, the model, reading, and the CSV. ``--films 1`` shows the start.
The seconds of the processor are those of all cores together, and tell a busy machine from a slow
command.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image

from pneumoscope.imaging.geometry import fit_square
from pneumoscope.imaging.read import read_film
from pneumoscope.models.bundle import Bundle, save_bundle
from pneumoscope.models.network import Network
from pneumoscope.models.zoo import build_backbone
from pneumoscope.readings import OperatingPoint
from pneumoscope.records import InputSpec

SIDE = 224


def make_bundle(folder: Path, precision: str) -> None:
    """A ResNet-18 of random weights that decides at 0.5."""
    torch.manual_seed(0)
    spec = InputSpec(SIDE, SIDE)
    network = Network(build_backbone("resnet18"), spec, normalisation=(0.48, 0.22))
    point = OperatingPoint("fixed", 0.5, "fixed at 0.5", "val")
    folder.mkdir()
    parts = (network.eval(), "resnet18", "none", (0.48, 0.22), False, precision, (point,), {})
    save_bundle(Bundle(*parts), folder)


def make_films(source: Path, folder: Path, count: int) -> None:
    """``count`` JPEG of 224 px made of the films below ``source``, over and over."""
    found = sorted(p for p in source.rglob("*") if p.suffix.lower() in (".jpeg", ".jpg", ".png"))
    folder.mkdir()
    made: list[Path] = []
    for i in range(count):
        target = folder / f"film-{i:05d}.jpeg"
        if i < len(found):
            film = fit_square(read_film(found[i], SIDE).pixels, InputSpec(SIDE, SIDE))
            Image.fromarray(film).save(target, quality=90)
            made.append(target)
        else:
            shutil.copyfile(made[i % len(made)], target)


def command(run: Path, films: Path, out: Path) -> list[str]:
    script = shutil.which("pneumoscope", path=str(Path(sys.executable).parent))
    start = (
        [script] if script else [sys.executable, "-c", "import pneumoscope.cli.main as m;m.run()"]
    )
    return [*start, "predict", str(run), str(films), "--csv", str(out), "--device", "cpu"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder of films")
    parser.add_argument("--films", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--precision", nargs="+", default=["bf16", "float32"])
    args = parser.parse_args()
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{args.films} JPEG of {SIDE} px, ResNet-18 at {SIDE} px, {count} core(s)", flush=True)
    with tempfile.TemporaryDirectory() as work:
        films = Path(work) / "films"
        make_films(args.folder, films, args.films)
        for precision in args.precision:
            run = Path(work) / f"run-{precision}"
            make_bundle(run, precision)
            seconds, processor = [], []
            for repeat in range(args.repeats):
                out = Path(work) / f"{precision}-{repeat}.csv"
                start, before = time.perf_counter(), os.times()
                subprocess.run(command(run, films, out), check=True, stdout=subprocess.DEVNULL)
                seconds.append(time.perf_counter() - start)
                after = os.times()
                processor.append(sum(after[2:4]) - sum(before[2:4]))
                rows = len(out.read_text("utf-8").splitlines()) - 1
                if rows != args.films:
                    raise SystemExit(f"{rows} rows of {args.films}")
            middle = statistics.median(seconds)
            spread = ", ".join(f"{s:.2f}" for s in sorted(seconds))
            print(
                f"{precision:<8} {middle:6.2f} s  ({spread})  {args.films / middle:5.0f} films/s, "
                f"processor {statistics.median(processor):.2f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
