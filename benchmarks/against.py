"""Does this checkout give what an earlier commit gave on the same data, and in what time?

    python benchmarks/against.py DATA [--commit 63830db] [--rounds 3] [--set KEY=VALUE ...]

Trains, evaluates, compares and audits with both in turn, on one machine and with one interpreter,
and prints what differs in the files that they leave, and the median of each command's seconds.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FILES = {
    "train": ("metrics.json", "predictions.csv"),
    "evaluate": ("metrics.json",),
    "compare": ("comparison.json",),
    "audit": ("audit.json",),
}
OF_THE_MOMENT = {"created", "timing", "seconds", "version", "command", "folder", "run", "name"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--commit", default="63830db")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--set", action="append", default=["train.epochs=2"], dest="changes")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        old = Path(place, "old")
        subprocess.run(["git", "clone", "-q", ROOT, old], check=True)
        subprocess.run(["git", "-C", old, "checkout", "-q", asked.commit], check=True)
        seconds: dict[tuple[str, str], list[float]] = {}
        for round_ in range(asked.rounds):
            for side, code in (("old", old), ("new", ROOT)):
                out = Path(place, f"{side}-{round_}")
                for verb, took in commands(code, asked.data.resolve(), out, asked.changes):
                    seconds.setdefault((verb, side), []).append(took)
            compare(Path(place), round_)
        for verb in FILES:
            before, after = (statistics.median(seconds[verb, side]) for side in ("old", "new"))
            print(f"{verb:9} {before:7.1f} s  {after:7.1f} s  {after / before:.2f} x")


def commands(code: Path, data: Path, out: Path, changes: list[str]) -> Iterator[tuple[str, float]]:
    """Each verb and its seconds; every round prepares the data anew."""
    out.mkdir()
    settings = [word for change in changes for word in ("--set", change)]
    words = {
        "train": ["train", str(data), "--seed", "0", *settings, "--out", "train"],
        "evaluate": ["evaluate", "train", "--prevalence", "0.1", "--out", "evaluate"],
        "compare": ["compare", "train", "evaluate", "--out", "compare"],
        "audit": ["audit", str(data), "--out", "audit"],
    }
    about = {"PYTHONPATH": str(code / "src"), "PNEUMOSCOPE_CACHE": str(out / "cache")}
    run = "from pneumoscope.cli.main import run; run()"
    for verb, arguments in words.items():
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", run, *arguments],
            cwd=out,
            env={**os.environ, **about},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            print(f"{out.name}: {verb} ended with {done.returncode}: {done.stderr.strip()}")
        yield verb, time.perf_counter() - start


def compare(place: Path, round_: int) -> None:
    """Print what differs between the files of both."""
    for verb, names in FILES.items():
        for name in names:
            pair = [place / f"{side}-{round_}" / verb / name for side in ("old", "new")]
            if not all(file.is_file() for file in pair):
                print(f"{verb}/{name}: there for one only, or for none")
                continue
            old, new = (read(file) for file in pair)
            found = list(differences(old, new))
            largest = max((size for _, size in found), default=0.0)
            where = ", ".join(key for key, size in found if size > 1e-9) or "nowhere"
            print(f"{verb}/{name}: largest difference {largest:.2g}, more than 1e-9: {where[:300]}")


def read(file: Path) -> Any:
    text = file.read_text("utf-8")
    return json.loads(text) if file.suffix == ".json" else [r.split(",") for r in text.split("\n")]


def differences(old: Any, new: Any, where: str = "") -> Iterator[tuple[str, float]]:
    """(key, size) of what differs; infinite where it is no number."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {*old, *new}:
            timed = key in OF_THE_MOMENT or key.endswith("_seconds")
            if not timed:
                yield from differences(old.get(key), new.get(key), f"{where}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, both in enumerate(zip(old, new, strict=True)):
            yield from differences(*both, f"{where}[{place}]")
    elif old != new:
        try:
            yield where, abs(float(old) - float(new))
        except (TypeError, ValueError):
            yield where, math.inf


if __name__ == "__main__":
    main()
