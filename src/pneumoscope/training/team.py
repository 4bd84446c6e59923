"""The processes that train together: who they are, and how they exchange a few numbers.

Which of them this one is, torch.distributed knows; all else is handed on as a Share.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.distributed_c10d import Store

from pneumoscope.data.share import Share
from pneumoscope.errors import PneumoscopeError

Value = TypeVar("Value")

_PATIENCE = timedelta(minutes=10)
"""How long one process waits for another, which may be writing to a slow disk, before it fails."""


def present_share() -> Share:
    """This process's share of what is trained now."""
    if not (dist.is_available() and dist.is_initialized()):
        return Share()
    return Share(dist.get_rank(), dist.get_world_size())


@contextmanager
def joined(device: str, rank: int, size: int, store: Store | None = None) -> Iterator[None]:
    """Be process ``rank`` of ``size``, which meet through ``store``, or where the environment
    says (MASTER_ADDR, MASTER_PORT). ``device`` is cpu or cuda."""
    backend = "gloo"
    if device.startswith("cuda"):
        backend = "nccl"
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=_PATIENCE)
    yield
    # Not after a failure: another process may never come to say goodbye.
    dist.destroy_process_group()


def gather(share: Share, value: Value) -> list[Value]:
    """The values of all processes, by rank; small ones, for they are pickled."""
    if share.size == 1:
        return [value]
    values: list[Value | None] = [None] * share.size
    dist.all_gather_object(values, value)
    return values  # type: ignore[return-value]


def agreed(share: Share, work: Callable[[], Value]) -> Value:
    """What ``work`` gives here. Where it fails in any process, all raise that process's error."""
    error, value = None, None
    try:
        value = work()
    except PneumoscopeError as mine:
        error = mine
    for failure in gather(share, error):
        if failure is not None:
            raise failure
    return value  # type: ignore[return-value]


def alike(share: Share, module: nn.Module, device: str) -> None:
    """Give ``module`` the first process's parameters and buffers in all of them. DDP would send the
    parameters alone, and a batch norm's statistics are what a frozen one computes by."""
    if share.size == 1:
        return
    for value in module.state_dict().values():
        sent = value.to(device)
        dist.broadcast(sent, 0)
        value.copy_(sent)


def roll(share: Share, films: Tensor) -> Tensor:
    """Each film's predecessor in the whole batch, the last film's for the first: what
    ``films.roll(1, 0)`` is in a process of its own."""
    if share.size == 1:
        return films.roll(1, 0)
    last = films[-1:].contiguous()
    every = [torch.empty_like(last) for _ in range(share.size)]
    dist.all_gather(every, last)
    return torch.cat([every[share.rank - 1], films[:-1]])
