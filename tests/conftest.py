"""Test processes: how many, each on a core of its own, and what they need not wait for."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator

import pytest
from hypothesis import settings

_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")

# A worker keeps to one core, and so do the processes that its tests start: everything here that
# uses several threads asks how many cores it may use, and two workers that use both are slower
# than one. Set before any test module imports torch, which looks once.
if _WORKER and hasattr(os, "sched_setaffinity"):
    _cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {_cores[int(_WORKER.removeprefix("gw")) % len(_cores)]})
elif _WORKER:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# What lies in a developer's own cache of the hub is no business of a test.
os.environ["HF_HUB_CACHE"] = os.path.join(os.path.dirname(__file__), "no-hub-cache")

# Nor how wide the terminal is (workers are told that it has 80 columns, a single process is not),
# and whether it has colours.
for _name in ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "PY_COLORS", "GITHUB_ACTIONS"):
    os.environ.pop(_name, None)

# No power fails while tests run: what is written is there, and need not have reached the disk, for
# which a small training would wait some fifty times. What is killed is killed in other processes.
os.fsync = lambda _: None

# Examples that hypothesis tries: few in the README's line, --hypothesis-profile full in .ci/run.
settings.register_profile("few", max_examples=30, deadline=None, database=None)
settings.register_profile("full", settings.get_profile("few"), max_examples=300)
settings.load_profile("few")


# Modules, tests and tables are hundreds of thousands of objects that stay: cycles are looked for
# among those that come after them, and as seldom as the command line looks for its own.
gc.set_threshold(50_000, 10, 10)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect tests without looking for cycles in them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure() -> None:
    """What was set aside is looked through at the end: else Triton reports it as leaks."""
    gc.unfreeze()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A worker a core, four at most, for each of them collects all tests. None, and so the plain
    way, where files are named: their tests would be done before workers have begun."""
    if config.args_source != pytest.Config.ArgsSource.TESTPATHS:
        return 0
    allowed = getattr(os, "sched_getaffinity", None)
    count = len(allowed(0)) if allowed else os.cpu_count() or 1
    return min(4, count) if count > 1 else 0
