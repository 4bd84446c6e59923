"""Peak memory of preparing 2,000 and 20,000 films.

    python benchmarks/prepare_memory.py chest_xray

The films of FOLDER are linked under new names as often as is needed. Each size runs in a process
of its own, whose peak resident memory is read when it ends; memory-mapped pages of the written set
are not read back.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from pneumoscope.data.prepare import prepare
from pneumoscope.listener import Silent
from pneumoscope.records import DataRequest, InputSpec
from pneumoscope.sources.detect import open_source

SIZES = (2_000, 20_000)


def link(films: list[Path], count: int, out: Path) -> None:
    for i in range(count):
        film = films[i % len(films)]
        folder = out / film.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        os.link(film, folder / f"film-{i:06d}.jpeg")


def child(data: Path, out: Path) -> None:
    source = open_source(DataRequest(str(data)), Path("none"), Silent())
    prepare(source, InputSpec(224, 224), out / "set")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, help="only for the process of one size")
    args = parser.parse_args()
    if args.out:
        child(args.folder, args.out)
        return
    films = sorted(args.folder.rglob("*.jpeg"))
    peaks = []
    for count in SIZES:
        # Hard links need the disk of the films.
        with tempfile.TemporaryDirectory(dir=args.folder.parent) as work:
            data = Path(work) / "films"
            link(films, count, data)
            command = [sys.executable, __file__, str(data), "--out", work]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            peaks.append(float(done.stdout))
            print(f"{count:>7,} films: peak {peaks[-1]:,.0f} MiB", flush=True)
    print(f"difference {peaks[1] - peaks[0]:+,.0f} MiB")


if __name__ == "__main__":
    main()
