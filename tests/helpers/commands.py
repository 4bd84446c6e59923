"""The command line called within the test's own process, and a recipe that trains in seconds."""

from pathlib import Path

import pytest

from pneumoscope.cli import main as cli

QUICK = [
    "train.epochs=2",
    "train.batch_size=16",
    "model.backbone=test_resnet",
    "input.size=32",
    "augment.erase=0.5",
    "model.dropout=0.2",
]
"""Changes of the default recipe: timm's smallest backbone, for a run of ResNet-18 writes 0.3 GB;
dropout and erasing so that all random streams take part."""


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["pneumoscope", *words])
    try:
        return cli._run()
    except SystemExit as exit_:
        return int(exit_.code or 0)


def train(monkeypatch: pytest.MonkeyPatch, data: Path, *words: str) -> int:
    changes = [word for change in QUICK for word in ("--set", change)]
    return run(monkeypatch, "train", str(data), *changes, *words)
