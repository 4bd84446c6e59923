"""Makes golden files from the present code: ``python -m tests.golden.renew [NAME …]``.

A NAME is a pin such as evaluate/metrics.json, or the first part of some. ``--runs VERSION`` makes
the run folders that a version keeps for all later ones, once, when it is released.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.helpers.golden import GOLDEN, PINS, lay_out, lay_out_audit
from tests.helpers.pins import all_pins, settle, spoken

EPOCHS, KILLED = 30, 28
TRAINED = ("films.csv", "--keep-ids", "--recipe", "recipe.yaml")
OTHER = ("--set", "optim.learning_rate=0.008", "--set", "decide.rule=sensitivity")
LEFT_OUT = (
    *("figures", "tensorboard", "report.html", "model_card.md", ".lock", "best-*.safetensors"),
    "checkpoints",
)
"""Of a complete run: what no verb needs."""


@contextmanager
def empty_place() -> Iterator[tuple[Path, pytest.MonkeyPatch]]:
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        yield Path(place).resolve(), patch


def renew(names: list[str]) -> None:
    asked = tuple(names or [""])
    for group, (results, _) in all_pins().items():
        if not any(group.startswith(name.partition("/")[0]) for name in asked):
            continue
        with empty_place() as (place, patch):
            lay_out(place)
            lay_out_audit(place)
            found = results(place, patch)
        for file, text in found.items():
            target = PINS / group / file
            old = target.read_text("utf-8") if target.exists() else None
            if text != old and f"{group}/{file}".startswith(asked):
                sys.stdout.write(f"{'renewed' if old else 'made'} {group}/{file}\n")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, "utf-8")


def make_runs(version: str) -> None:
    seeds = ("train", *TRAINED, "--seed", "1", "--seeds", "2")
    folds = ("crossval", *TRAINED, "--folds", "2")
    target = GOLDEN / "runs" / version
    with empty_place() as (place, patch):
        settle(place, patch)
        lay_out(place, "none")
        at_the_kill(0, patch, "train", *TRAINED, *OTHER, "--out", "run")
        for name, words in (("seeds", seeds), ("folds", folds)):
            at_the_kill(0, patch, *words, "--out", name)
            at_the_kill(EPOCHS + KILLED, patch, *words, "--out", f"half-{name}")
        for name in ("run", "seeds", "folds"):
            shutil.copytree(place / name, target / name, ignore=shutil.ignore_patterns(*LEFT_OUT))
        # The first of each group is complete, and as in the whole group.
        ignore = shutil.ignore_patterns("tensorboard", ".lock")
        for half in ("half-seeds/seed-2", "half-folds/fold-1"):
            shutil.copytree(place / half, target / half, ignore=ignore)
        for file in target.rglob("*.json"):
            found = json.loads(file.read_text("utf-8").replace(f"{place}/", ""))
            file.write_text(json.dumps(found, ensure_ascii=False) + "\n", "utf-8")


def at_the_kill(epochs: int, patch: pytest.MonkeyPatch, *words: str) -> None:
    """Run a command in a process of its own, killed right after so many epochs are kept; 0: not."""
    child = os.fork()
    if child == 0:
        replace, kept = Path.replace, 0

        def counting(self: Path, target: Path) -> Path:
            nonlocal kept
            moved = replace(self, target)
            kept += Path(target).name == "last.ckpt"
            if kept == epochs:
                os.kill(os.getpid(), signal.SIGKILL)
            return moved

        if epochs:
            Path.replace = counting  # type: ignore[method-assign]
        spoken(patch, *words)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code != (-signal.SIGKILL if epochs else 0):
        raise SystemExit(f"{' '.join(words)}: {code}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--runs"]:
        make_runs(sys.argv[2])
    else:
        renew(sys.argv[1:])
