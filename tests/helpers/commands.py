"""The command line called within the test's own process, and a recipe that trains in seconds."""

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest

from pneumoscope.cli import main as cli

QUICK = [
    "train.epochs=2",
    "train.batch_size=16",
    "model.backbone=test_resnet",
    "input.size=32",
    "augment.erase=0.5",
    "model.dropout=0.2",
    "train.precision=float32",
]
"""Changes of the default recipe: timm's smallest backbone, for a run of ResNet-18 writes 0.3 GB;
dropout and erasing so that all random streams take part; a precision that is not measured."""

FOLDS = [*QUICK, "train.epochs=1", "decide.rule=youden_smooth"]
"""The same for folds; thresholds by a rule that gives each fold another."""


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["pneumoscope", *words])
    try:
        return cli._run()
    except SystemExit as exit_:
        return int(exit_.code or 0)


def train(monkeypatch: pytest.MonkeyPatch, data: Path, *words: str) -> int:
    changes = [word for change in QUICK for word in ("--set", change)]
    return run(monkeypatch, "train", str(data), *changes, *words)


class Made(NamedTuple):
    """Results that are made once for all tests, which copy them where they change them."""

    folder: Path
    cache: Path
    printed: str


@contextmanager
def made_at(place: Path) -> Iterator[tuple[pytest.MonkeyPatch, StringIO]]:
    """Work in ``place`` with a cache of its own there; a patch for as long, and what is printed."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as printed:
        patch.setenv("PNEUMOSCOPE_CACHE", str(place / "cache"))
        patch.chdir(place)
        yield patch, printed
