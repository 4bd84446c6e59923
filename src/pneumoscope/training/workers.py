"""Start the processes of one machine, hear the first of them, and end all when one fails.

A worker that dies, by a kill or for want of memory, never leaves the others waiting: whoever is
left is killed, which harms nothing, since every file of a run is written in one step.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Any

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from pneumoscope.errors import InputError, PneumoscopeError, WorkerLost
from pneumoscope.records import Listener, Silent
from pneumoscope.training.team import joined

Task = Callable[[Any, Listener], None]
_Failure = PneumoscopeError | str | int
"""An error of ours, the traceback of another, or the exit code of a process that said nothing."""

_HERE = "127.0.0.1"
_GRACE = 5.0
"""Seconds for the others to say what they know after the first failure: often an effect of it."""


def work_together(count: int, device: str, task: Task, plan: object, listener: Listener) -> None:
    """Do ``task(plan, listener)`` in ``count`` new processes that form a group on ``device``.

    The first one's listener is ``listener`` here. ``task`` must be importable by its name and
    ``plan`` can be pickled. Raises what a process raised, or WorkerLost where one died; no
    process is left when this returns.
    """
    context = multiprocessing.get_context("spawn")
    store = TCPStore(_HERE, 0, is_master=True, wait_for_workers=False)
    processes: list[Any] = []
    readers: dict[Connection, int] = {}
    try:
        with _no_interrupts():
            for rank in range(count):
                reader, writer = context.Pipe(duplex=False)
                place = (rank, count, store.port)
                process = context.Process(
                    target=_worker, args=(task, plan, device, place, writer), daemon=True
                )
                process.start()
                writer.close()  # the worker's alone: its end is the worker's end
                processes.append(process)
                readers[reader] = rank
        failures = _watch(readers, processes, listener)
    finally:
        for process in processes:
            if process.is_alive():
                process.kill()
        for process in processes:
            process.join()
    if failures:
        raise _cause(failures, count)


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Processes started here never see Ctrl-C, which a terminal sends to all of them: their
    parent ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _watch(
    readers: dict[Connection, int], processes: list[Any], listener: Listener
) -> dict[int, _Failure]:
    """Hand on what the workers say until all have ended, or some time after the first failure."""
    failures: dict[int, _Failure] = {}
    until: float | None = None
    while readers:
        ready = wait(list(readers), None if until is None else max(0.0, until - time.monotonic()))
        if not ready:
            break
        for reader in [one for one in readers if one in ready]:
            rank = readers[reader]
            try:
                kind, *content = reader.recv()
            except (EOFError, OSError):
                del readers[reader]
                processes[rank].join()
                if processes[rank].exitcode:
                    failures.setdefault(rank, processes[rank].exitcode)
                continue
            if kind == "failed":
                failures[rank] = content[0]
            else:
                getattr(listener, kind)(*content)
        if failures and until is None:
            until = time.monotonic() + _GRACE
    return failures


def _cause(failures: dict[int, _Failure], count: int) -> PneumoscopeError:
    """The failure that made the others: what the user can mend, else a death, else the first."""
    for failure in failures.values():
        if isinstance(failure, InputError):
            return failure
    for rank, failure in failures.items():
        if isinstance(failure, int):
            return WorkerLost(
                "a training process was ended from outside",
                got=f"process {rank + 1} of {count}: {_ending(failure)}",
                remedy="go on with --resume RUN; if memory ran out, start anew with a smaller "
                "train.batch_size or fewer --devices",
            )
    rank, failure = next(iter(failures.items()))
    if isinstance(failure, PneumoscopeError):
        return failure
    return PneumoscopeError(f"training process {rank + 1} of {count} failed", got=failure)


def _ending(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


class _Relay:
    """The listener of a worker: sends what it hears to the parent."""

    def __init__(self, writer: Connection) -> None:
        self._writer = writer

    def stage(self, title: str) -> None:
        self._writer.send(("stage", title))

    def choice(self, what: str, choice: str, why: str) -> None:
        self._writer.send(("choice", what, choice, why))

    def note(self, text: str) -> None:
        self._writer.send(("note", text))

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        self._writer.send(("progress", done, total, unit, note))


def _worker(
    task: Task, plan: object, device: str, place: tuple[int, int, int], writer: Connection
) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    rank, count, port = place
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "GROUP_RANK": "0",
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
    }
    try:
        store = TCPStore(_HERE, port, is_master=False)
        with joined(device, rank, count, store):
            task(plan, Silent() if rank else _Relay(writer))
    except PneumoscopeError as error:
        writer.send(("failed", error))
    except BaseException:
        writer.send(("failed", traceback.format_exc()))
    else:
        return
    # At once: what runs at a normal exit may wait for a process that will never answer.
    os._exit(1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
