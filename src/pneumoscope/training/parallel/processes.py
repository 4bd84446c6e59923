"""Processes of one machine that train together: started for training alone, and ended together.

torch starts them and Lightning's DDP trains in each. Lightning's own ``ddp_spawn`` is the same
start around a pickled Trainer: it would send the films instead of mapping them, tell an error by
its traceback alone, and print its log before anything of ours has begun.
"""

from __future__ import annotations

import multiprocessing
import os
import shlex
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection

from lightning.fabric.plugins.environments.lightning import find_free_network_port
from torch import nn
from torch.multiprocessing.spawn import (
    ProcessContext,
    ProcessException,
    ProcessExitedException,
    spawn,
)
from torch.nn.modules.batchnorm import _BatchNorm

from pneumoscope.data.loader import RankSlice
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.devices import use_all_cores
from pneumoscope.errors import BadRecipe, PneumoscopeError, WorkerLost
from pneumoscope.listener import Listener, Silent
from pneumoscope.recipe import Recipe
from pneumoscope.records import Hardware
from pneumoscope.run import Run
from pneumoscope.training.fit import fit, train
from pneumoscope.training.job import TrainingJob, build_network
from pneumoscope.training.trainer import quiet

_LOOK_EVERY = 0.1
_GRACE = 2.0
"""Seconds for the others to end by themselves when one has failed, which most do at once."""


def train_in_processes(run: Run, job: TrainingJob, listener: Listener) -> None:
    """Train in ``job.hardware.devices`` new processes; the bundle is in the run folder afterwards.

    Raises what training raises in any of them, and WorkerLost where one died. None is left when
    this returns.
    """
    receiver, sender = multiprocessing.get_context("spawn").Pipe(duplex=False)
    count, port = job.hardware.devices, find_free_network_port()
    errors: list[PneumoscopeError] = []
    with _no_interrupts():
        arguments = run, job, port, sender
        workers = spawn(_run_rank, arguments, count, join=False, daemon=True)  # type: ignore[no-untyped-call]
    try:
        with quiet():
            while not workers.join(_LOOK_EVERY, _GRACE):
                _forward(receiver, listener, errors)
        _forward(receiver, listener, errors)
    except ProcessException as failure:
        _forward(receiver, listener, errors)
        raise _root_cause(failure, errors, workers, run) from None
    finally:
        for process in workers.processes:
            process.kill()
            process.join()


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """A process started here hears no Ctrl-C, which a terminal sends to all, until it is ready."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _forward(receiver: Connection, listener: Listener, errors: list[PneumoscopeError]) -> None:
    """Hand on what the workers have said until now."""
    while receiver.poll():
        kind, *content = receiver.recv()
        if kind == "error":
            errors.extend(content)
        else:
            getattr(listener, kind)(*content)


def _root_cause(
    failure: ProcessException, errors: list[PneumoscopeError], workers: ProcessContext, run: Run
) -> BaseException:
    """The failure that made the others: an error of ours, else a death, else the first to come."""
    if errors:
        return errors[0]
    codes = [process.exitcode or 0 for process in workers.processes]
    for rank, code in enumerate(codes):
        if code == -signal.SIGINT:
            return KeyboardInterrupt()
        if code < 0 and code != -signal.SIGTERM:  # by which torch ends those that are left
            name = signal.Signals(-code).name
            return worker_lost(run, f"process {rank + 1} of {len(codes)}: {name}")
    place = f"process {failure.error_index + 1} of {len(codes)}"
    if isinstance(failure, ProcessExitedException):
        return worker_lost(run, f"{place}: {failure.signal_name or failure.msg}")
    return PneumoscopeError(f"training {place} failed", got=failure.msg)


def worker_lost(run: Run, got: str) -> WorkerLost:
    """The error where one of the processes is gone."""
    return WorkerLost(
        "a training process was ended from outside",
        got=got,
        remedy=f"go on with: pneumoscope train --resume {shlex.quote(str(run.folder))}; "
        "if memory ran out, start anew with a smaller train.batch_size or fewer --devices",
    )


class _RemoteListener:
    """The listener of the first worker: the process that started it hears what it hears."""

    def __init__(self, sender: Connection) -> None:
        self._sender = sender

    def stage(self, title: str) -> None:
        self._sender.send(("stage", title))

    def choice(self, what: str, choice: str, why: str) -> None:
        self._sender.send(("choice", what, choice, why))

    def note(self, text: str) -> None:
        self._sender.send(("note", text))

    def facts(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        self._sender.send(("facts", title, rows))

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        self._sender.send(("progress", done, total, unit, note))


def _run_rank(rank: int, run: Run, job: TrainingJob, port: int, sender: Connection) -> None:
    """One of the processes. Only the first one tells, and writes."""
    # Ctrl-C ends it at once, and so does its parent's death, which torch tells it by that signal.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    # What Lightning's environment reads; a scheduler may have set some of it for another purpose.
    os.environ |= {"LOCAL_RANK": str(rank), "NODE_RANK": "0"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    use_all_cores(job.hardware.devices)
    try:
        train_rank(run, job, _RemoteListener(sender) if rank == 0 else Silent(), rank)
    except PneumoscopeError as error:
        sender.send(("error", error))
        raise


def train_rank(run: Run, job: TrainingJob, listener: Listener, rank: int) -> None:
    """What process ``rank`` of those that train together does."""
    part = RankSlice(rank, job.hardware.processes)
    # The first one's weights are sent to all: no other one reads or fetches any.
    begun = rank > 0 or run.last_checkpoint.is_file()
    network = build_network(job.prepared, job.recipe, job.side, job.seed, begun=begun)
    if rank == 0:
        fit(run, job, network, listener, part)
    else:
        train(run, job, network, listener, part)


def check_enough(prepared: PreparedSet, recipe: Recipe, hardware: Hardware) -> None:
    """Raises BadRecipe where some process would have no film, or fewer than another."""
    films, val_films = len(prepared.rows("train")), len(prepared.rows("val"))
    if recipe.train.sampling == "undersample":
        positives = int(prepared.labels(prepared.rows("train")).sum())
        films = 2 * min(positives, films - positives)
    if hardware.processes > 1 and films < recipe.train.batch_size:
        raise BadRecipe(
            "there are too few training films to divide a batch",
            got=f"{films} films, train.batch_size={recipe.train.batch_size}",
            remedy="train with --devices 1, or set a smaller train.batch_size",
        )
    if val_films < hardware.processes:
        raise BadRecipe(
            "there are fewer validation films than processes",
            got=f"{val_films} films, {hardware.processes} processes",
            remedy="train with fewer --devices",
        )


def has_batch_norm(network: nn.Module) -> bool:
    """Whether the network learns by statistics of the films that it is shown together."""
    return any(isinstance(part, _BatchNorm) and part.training for part in network.modules())
