"""Run as a program: kill a training run at many moments, resume it, compare with a whole one.

Each run is a forked child, so torch is imported once. A moment is the n-th time that a file is
flushed or moved into place, or that progress is told; there the child gets SIGKILL.
"""

import json
import os
import signal
import sys
from pathlib import Path

import pytest
import torch
from tests.helpers.figures import leave_undrawn

import pneumoscope.training.fit  # noqa: F401  imported before the forks, to be paid for once
from pneumoscope.listener import Silent
from pneumoscope.recipe import load_recipe
from pneumoscope.records import DataRequest
from pneumoscope.workflows import pipeline


class Fuse:
    """Counts moments; at ``limit`` the process dies at once."""

    def __init__(self, limit: int) -> None:
        self.limit, self.count = limit, 0

    def tick(self) -> None:
        self.count += 1
        if self.count == self.limit:
            os.kill(os.getpid(), signal.SIGKILL)


class Ticking(Silent):
    def __init__(self, fuse: Fuse) -> None:
        self.fuse = fuse

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        if unit == "step" or done == total // 2:  # once in a stage that counts films
            self.fuse.tick()


def arm(fuse: Fuse) -> None:
    fsync, replace, rename = os.fsync, Path.replace, Path.rename

    def ticking_fsync(handle: int) -> None:
        fuse.tick()
        fsync(handle)

    def ticking_replace(self: Path, target: Path) -> Path:
        fuse.tick()
        return replace(self, target)

    def ticking_rename(self: Path, target: Path) -> Path:
        fuse.tick()
        return rename(self, target)

    os.fsync, Path.replace, Path.rename = ticking_fsync, ticking_replace, ticking_rename


def child(data: str, changes: list[str], folder: Path, limit: int) -> int:
    """Train in (or resume) ``folder`` in a child that dies at moment ``limit``; its exit code."""
    pid = os.fork()
    if pid == 0:
        fuse = Fuse(limit)
        arm(fuse)
        if folder.exists():
            pipeline.resume(folder, listener=Ticking(fuse))
        else:
            recipe = load_recipe("default", changes)
            pipeline.train(DataRequest(data), recipe, seed=3, out=folder, listener=Ticking(fuse))
        folder.with_suffix(".moments").write_text(str(fuse.count))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def history(folder: Path) -> list[list[str]]:
    """The rows of history.csv without its two columns of time."""
    return [line.split(",")[:-2] for line in (folder / "history.csv").read_text().splitlines()]


def last_alike(one: Path, other: Path) -> bool:
    """Whether both runs ended with the same weights, average and optimiser state. The best epoch
    may be the first, so the published weights alone would not show what a resume changed."""
    ends = [torch.load(f / "checkpoints" / "last.ckpt", weights_only=True) for f in (one, other)]
    states = [flat(end["state_dict"]) + flat(end["optimizer_states"]) for end in ends]
    return len(states[0]) == len(states[1]) and all(
        torch.equal(a, b) for a, b in zip(*states, strict=True)
    )


def flat(value: object) -> list[torch.Tensor]:
    """All tensors in nested dicts and lists, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [t for part in value for t in flat(part)] if isinstance(value, list) else []


def main(data: str, work: Path, picks: int, changes: list[str]) -> None:
    leave_undrawn(pytest.MonkeyPatch())  # they are written all the same, and counted as moments
    whole = work / "whole"
    if child(data, changes, whole, 0) != 0:
        raise SystemExit("the whole run failed")
    moments = int((work / "whole.moments").read_text())
    outcomes = []
    for pick in range(picks):
        limit = 1 + round(pick * (moments - 1) / max(1, picks - 1))
        folder = work / f"killed-{limit}"
        os.environ["PNEUMOSCOPE_CACHE"] = str(work / f"cache-{limit}")
        code = child(data, changes, folder, limit)
        # Killed once more, one epoch's worth of moments later, before it may finish.
        second = child(data, changes, folder, 12) if folder.exists() else 0
        final = child(data, changes, folder, 0)
        same = all(
            (folder / name).read_bytes() == (whole / name).read_bytes()
            for name in ("predictions.csv", "model.safetensors")
        )
        same = same and history(folder) == history(whole) and last_alike(folder, whole)
        metrics = [json.loads((f / "metrics.json").read_text()) for f in (folder, whole)]
        for found in metrics:
            found.pop("timing")
        outcomes.append([limit, code, second, final, same and metrics[0] == metrics[1]])
    print(json.dumps({"moments": moments, "outcomes": outcomes}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
