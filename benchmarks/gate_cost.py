"""What the gate costs in ``pneumoscope predict``: pairs of the whole command with and without it.

    python benchmarks/gate_cost.py RUN FOLDER [PAIRS]

RUN has a training reference. Each command is a process of its own; in the one without the gate
nothing is asked of the pixels, and all else is done. Two minutes for 624 films on two cores.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_START = """
import sys
if sys.argv.pop(1) == "without":
    from pneumoscope.inference import image_warnings
    image_warnings.of_pixels = lambda films, *_: [()] * len(films)
from pneumoscope.cli.main import run
run()
"""


def _seconds(how: str, run: Path, films: Path) -> tuple[float, float]:
    """Of the clock, and of all cores together."""
    command = [sys.executable, "-c", _START, how, "predict", str(run), str(films)]
    with tempfile.TemporaryDirectory() as folder:  # a file that is there is never written over
        command += ["--csv", str(Path(folder) / "rows.csv")]
        start, before = time.perf_counter(), os.times()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = os.times()
        seconds = time.perf_counter() - start
    used = after.children_user + after.children_system
    return seconds, used - before.children_user - before.children_system


def main(run: Path, films: Path, pairs: int) -> None:
    """Print the seconds of each pair, and the median of their ratios."""
    found: dict[str, list[tuple[float, float]]] = {"with": [], "without": []}
    _seconds("with", run, films)  # the first reads from the disk
    for pair in range(pairs):
        for how in ("with", "without") if pair % 2 else ("without", "with"):
            found[how].append(_seconds(how, run, films))
            wall, used = found[how][-1]
            print(f"{how:8} {wall:6.2f} s, {used:6.2f} s of all cores", flush=True)
    for part, name in enumerate(("of the clock", "of all cores")):
        ratios = [
            one[part] / other[part]
            for one, other in zip(found["with"], found["without"], strict=True)
        ]
        print(f"with the gate {statistics.median(ratios):.3f} times the seconds {name}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 3)
