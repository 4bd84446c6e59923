"""torchrun: one command in several processes, of which the first does all but help to train.

The others wait at torchrun's own key-value store for what is to be trained, take part in it, and
end with the exit code that the first one ends with.
"""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pneumoscope.devices import launched, use_all_cores
from pneumoscope.errors import InputError, Interrupted, PneumoscopeError
from pneumoscope.listener import Listener, Silent

if TYPE_CHECKING:  # Lightning takes seconds to import, and most verbs need none of it
    from pneumoscope.models.network import Network
    from pneumoscope.run import Run
    from pneumoscope.training.job import TrainingJob

_FOR_EVER = timedelta(days=365)
"""Preparing may take hours. Where a process dies, torchrun ends the others."""
_FAREWELL = timedelta(seconds=10)
"""In which the others should have read how the first process ended."""
_SAME_FATE = timedelta(seconds=30)
"""In which the first process ends too where an error is everybody's."""


def _rank() -> int:
    return int(os.environ["RANK"])


def _others() -> range:
    return range(1, int(os.environ["WORLD_SIZE"]))


def _open_store() -> Any:
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    store, _, _ = next(rendezvous("env://", _rank(), int(os.environ["WORLD_SIZE"])))
    store = PrefixStore("pneumoscope", store)
    store.set_timeout(_FOR_EVER)
    return store


def is_worker_rank() -> bool:
    """Whether torchrun started this process beside the first one."""
    return launched() and _rank() > 0


@contextmanager
def rank_zero() -> Iterator[None]:
    """Around all that the first process does: the others hear how it ended."""
    if not launched():
        yield
        return
    store, code = _open_store(), 1
    try:
        yield
        code = 0
    except InputError:
        code = 2
        raise
    except (Interrupted, KeyboardInterrupt):
        code = 130
        raise
    except RuntimeError as error:
        code = getattr(error, "exit_code", 1)  # of a verb that ends with a code of its own
        raise
    finally:
        store.set("end", str(code))
        store.set("job", "")  # if they wait for one still
        _wait(store, [f"gone {rank}" for rank in _others()], _FAREWELL)


def _wait(store: Any, keys: list[str], most: timedelta) -> bool:
    """Whether all these keys are there within that time."""
    from torch.distributed import DistError

    try:
        store.wait(keys, most)
    except DistError:
        return False
    return True


def train_as_rank_zero(run: Run, job: TrainingJob, network: Network, listener: Listener) -> None:
    """Train together with the others; the bundle is in the run folder afterwards. Raises what
    training raises, what keeps one of the others from beginning, and WorkerLost."""
    from torch.distributed import DistError

    from pneumoscope.data.loader import RankSlice
    from pneumoscope.run import Run
    from pneumoscope.training.fit import fit
    from pneumoscope.training.parallel.processes import worker_lost

    store = _open_store()
    # Another machine's shell may stand elsewhere. Pickles pass between the processes of a command
    # only, over the store and the network by which torch.distributed sends its own.
    store.set("job", pickle.dumps((Run(run.folder.absolute()), job)))
    for rank in _others():
        hindrance = store.get(f"ready {rank}")
        if hindrance:
            raise pickle.loads(hindrance)  # noqa: S301
    try:
        fit(run, job, network, listener, RankSlice(0, job.hardware.processes))
    except RuntimeError as error:
        # On a CPU torch has no class of its own for a connection that broke.
        if isinstance(error, DistError) or "gloo" in str(error):
            raise worker_lost(run, f"the connection to it broke: {error}") from None
        raise


def run_worker_rank() -> int:
    """Wait for training, take part in it, say and write nothing; the first one's exit code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    store = _open_store()
    asked = store.get("job")
    if asked:
        _take_part(store, asked)
    code = int(store.get("end"))
    store.set(f"gone {_rank()}", "")
    return code


def _take_part(store: Any, asked: bytes) -> None:
    from pneumoscope.training.parallel.processes import train_rank

    try:
        run, job = pickle.loads(asked)  # noqa: S301
    except PneumoscopeError as error:  # the first one shall tell it
        store.set(f"ready {_rank()}", pickle.dumps(error))
        return
    store.set(f"ready {_rank()}", "")
    use_all_cores(job.hardware.devices)
    try:
        train_rank(run, job, Silent(), _rank())
    except PneumoscopeError:
        if not _wait(store, ["end"], _SAME_FATE):
            raise
