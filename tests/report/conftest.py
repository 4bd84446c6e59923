"""A run folder as training and judging leave it, made of simulated predictions: no model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.doors import DOOR
from tests.helpers.runs import Rows, film_of, simulate, write_run

from pneumoscope.plain import to_plain
from pneumoscope.report.run import render
from pneumoscope.report.run.render import write_report


@pytest.fixture
def film() -> Callable[[str], np.ndarray]:
    """``film_of`` as a fixture, so that tests need not import this file."""
    return film_of


@pytest.fixture
def simulated() -> Callable[..., Rows]:
    """``simulate`` as a fixture."""
    return simulate


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Write a judged run of these rows (60 simulated ones unless told) and give its folder."""

    def make(rows: Rows | None = None, name: str = "001-resnet18-test", **run: Any) -> Path:
        return write_run(tmp_path / name, rows or simulate(60, 40, seed=1), **run)

    return make


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures out: they take most of the time, and most tests look elsewhere."""
    monkeypatch.setattr(render, "draw_all", lambda judged: {})
    monkeypatch.setattr(render, "_pictures", lambda context: {})


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with its report, written once: for tests that only read."""
    folder = tmp_path_factory.mktemp("runs") / "001-resnet18-test"
    rows = simulate(60, 40, seed=1)
    write_report(write_run(folder, rows, door=to_plain(DOOR)), film_of)
    return folder
