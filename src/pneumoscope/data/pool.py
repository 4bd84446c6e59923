"""Thread pool: work on all cores, in the order of the input, a bounded number under way.

Threads, not processes: decoders release the interpreter's lock, nothing has to be pickled, and
nothing is forked beside the threads of another library.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 3
"""Pieces under way for each worker: enough that none waits, few enough that memory stays flat."""


def cores() -> int:
    """The cores that this process may use: those it is bound to, or as many as a container's
    share of the processor comes to."""
    if hasattr(os, "sched_getaffinity"):
        bound = len(os.sched_getaffinity(0))
    else:
        bound = os.cpu_count() or 1
    return min(bound, _allotted() or bound)


def _allotted() -> int:
    """The cores that a control group (version 2) allots, rounded up; 0 where it does not say."""
    try:
        quota, period = _CPU_MAX.read_text().split()
        return -(-int(quota) // int(period))
    except (OSError, ValueError, ZeroDivisionError):  # none, of another version, or "max"
        return 0


def pieces(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """``items`` in lists of ``size``; the last may be shorter."""
    rest = iter(items)
    while piece := list(islice(rest, size)):
        yield piece


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    """``work`` of every item, in the order of the items. What ``work`` raises is raised here."""
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="film") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= _AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
