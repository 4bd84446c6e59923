"""Results that take long and that no test changes: made once for all test processes."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from filelock import FileLock

_T = TypeVar("_T")


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], _T]) -> _T:
    """What ``make(folder)`` gives, of the process that asks first; the others wait and are given
    the same, unpickled. The folder is new and empty, and lies there until all tests are over."""
    place = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent  # that of a worker lies in that of all
    folder, kept = place / name, place / f"{name}.pickle"
    with FileLock(place / f"{name}.lock", timeout=500):
        if not kept.is_file():
            shutil.rmtree(folder, ignore_errors=True)  # of one that failed
            folder.mkdir()
            made = make(folder)
            kept.write_bytes(pickle.dumps(made))
        return pickle.loads(kept.read_bytes())  # type: ignore[no-any-return]
