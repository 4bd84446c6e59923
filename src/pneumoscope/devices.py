"""Devices: which one computes, with how many threads, and whether what was asked for is there.

The one place that chooses. torch is imported late: the command line asks for ``launched`` first.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.data.pool import cores
from pneumoscope.errors import BadRecipe, InputError, NoSuchHardware
from pneumoscope.records import Hardware

if TYPE_CHECKING:  # pydantic takes half a second to import, which predict has no use for
    from pneumoscope.recipe import Recipe

_ACCELERATORS = ("auto", "cpu", "gpu")
_LOOK, _LOOKS, _BUSY = 0.2, 5, 0.5
"""Seconds of a look at what other processes do, looks at most, and cores that count as busy."""


def choose_device(name: str = "auto") -> str:
    """``name`` (auto, cpu, cuda or cuda:N) as torch calls it; auto is the GPU where there is one.

    Apple's GPU (mps) is never taken: nothing here has been tried on it. Raises InputError.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    there = device.type == "cpu" or (
        device.type == "cuda" and (device.index or 0) < torch.cuda.device_count()
    )
    if not there:
        known = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        raise InputError(
            "there is no such device", got=name, expected=", ".join(["auto", "cpu", *known])
        )
    return str(device)


def has_bf16(device: str) -> bool:
    """Whether the device computes in bf16 itself; emulated it is tens of times slower."""
    import torch

    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities()
    return any(able.get(flag, False) for flag in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))


def use_all_cores(processes: int = 1) -> int:
    """Compute with all cores, or with this process's part of them where several do; how many."""
    return use_cores(cores() // processes)


def use_cores(count: int) -> int:
    """Compute with ``count`` threads, one at least and no more than there are cores; how many."""
    import torch

    count = max(1, min(count, cores()))
    torch.set_num_threads(count)
    return count


def free_cores() -> int:
    """How many of this process's cores others leave to it: half of them at least, all where the
    system does not tell.

    Threads that compute together wait for the one whose core another process has. Beside one that
    kept both of two cores busy, two threads trained a third as fast as one (docs/log.md). Looked at
    for a fifth of a second; four times more where others are at work, so that a passing load
    decides nothing. Niced processes do not count: they give way.
    """
    count, busy = cores(), 0.0
    for _ in range(_LOOKS if count > 1 else 0):
        seen = _cores_of_others()
        if seen < _BUSY:
            return count
        busy = min(busy or seen, seen)
    return max(count - round(busy), (count + 1) // 2)


def _cores_of_others() -> float:
    """How many of this process's cores are at work while it sleeps; 0 where that is not known."""
    before, start = _busy_seconds(), time.monotonic()
    time.sleep(_LOOK)
    return max(0.0, _busy_seconds() - before) / (time.monotonic() - start)


def _busy_seconds() -> float:
    """Seconds that this process's cores were at work since the machine began (proc(5), /proc/stat:
    user, system and interrupts)."""
    try:
        lines = Path("/proc/stat").read_text("ascii").splitlines()
        mine, tick = os.sched_getaffinity(0), os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError):
        return 0.0
    rows = [line.split() for line in lines if line.startswith("cpu") and line[3].isdigit()]
    kept = [row for row in rows if int(row[0][3:]) in mine]
    return sum(int(row[at]) for row in kept for at in (1, 3, 6, 7)) / tick


def launched() -> bool:
    """Whether torchrun, or another launcher that sets its variables, started several of us."""
    known = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    return all(name in os.environ for name in known) and int(os.environ["WORLD_SIZE"]) > 1


def check_hardware(hardware: Hardware, recipe: Recipe, out: Path | None) -> str:
    """The device to train on, cpu or cuda: looked at before any work, so that nothing fails hours
    later. ``out`` is the run folder, None where it is not named.

    Raises NoSuchHardware, BadRecipe where a batch cannot be divided, and InputError.
    """
    device = _device_of(hardware)
    _check_processes(hardware, out)
    if hardware.processes > 1:
        _check_divisible(hardware.processes, recipe)
    return device


def _device_of(hardware: Hardware) -> str:
    import torch

    name = hardware.accelerator
    if name not in _ACCELERATORS:
        raise NoSuchHardware(
            "there is no such accelerator", got=repr(name), expected=", ".join(_ACCELERATORS)
        )
    device = "cpu" if name == "cpu" else choose_device("auto")
    if name == "gpu" and device == "cpu":
        apple = ", which sees Apple's GPU (mps): that is not supported"
        raise NoSuchHardware(
            "torch sees no GPU on this machine",
            got=f"torch {torch.__version__}{apple if torch.backends.mps.is_available() else ''}",
            remedy="--accelerator cpu; pneumoscope doctor shows what is there",
        )
    if device == "cuda" and hardware.devices > torch.cuda.device_count():
        raise NoSuchHardware(
            "this machine has fewer GPUs",
            got=f"--devices {hardware.devices}",
            expected=f"at most {torch.cuda.device_count()}",
        )
    return device


def _check_processes(hardware: Hardware, out: Path | None) -> None:
    started = int(os.environ["WORLD_SIZE"]) if launched() else 1
    if hardware.nodes > 1 and started == 1:
        raise InputError(
            "training on several machines is started by torchrun on each of them",
            got=f"--nodes {hardware.nodes}",
            remedy=_torchrun(hardware),
        )
    if hardware.nodes > 1 and out is None:
        raise InputError(
            "training on several machines needs the run folder's name",
            remedy="--out DIR, on a disk that all machines see",
        )
    if started not in (1, hardware.processes):
        raise InputError(
            f"torchrun started {started} processes, but the command speaks of others",
            got=f"--nodes {hardware.nodes} --devices {hardware.devices}",
            expected=f"numbers whose product is {started}: those of --nnodes, --nproc_per_node",
        )


def _torchrun(hardware: Hardware) -> str:
    return (
        f"torchrun --nnodes {hardware.nodes} --nproc_per_node {hardware.devices} "
        "--rdzv_backend c10d --rdzv_endpoint FIRST-MACHINE:29500 $(which pneumoscope) train DATA "
        f"--out DIR --nodes {hardware.nodes} --devices {hardware.devices}"
    )


def _check_divisible(processes: int, recipe: Recipe) -> None:
    """A batch is divided evenly, for DDP averages the gradients of all processes alike."""
    if recipe.train.views:
        raise BadRecipe(
            "train.views keeps features for one process only",
            got=f"{processes} processes",
            remedy="train with --devices 1, or --set train.views=0",
        )
    size = recipe.train.batch_size
    if size % processes:
        lower, higher = size // processes * processes, -(-size // processes) * processes
        near = " or ".join(str(one) for one in (lower, higher) if one)
        raise BadRecipe(
            f"a batch cannot be divided evenly among {processes} processes",
            got=f"train.batch_size={size}",
            expected=f"a multiple of {processes}: it is the batch of all processes together",
            remedy=f"--set train.batch_size={near}",
        )
