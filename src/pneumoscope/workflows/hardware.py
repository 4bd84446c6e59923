"""What a run is trained on: looked at before any work, so that nothing fails hours later."""

from __future__ import annotations

from pathlib import Path

import torch

from pneumoscope.errors import InputError, NoSuchHardware
from pneumoscope.recipe import Recipe
from pneumoscope.records import Hardware

_KNOWN = ("auto", "cpu", "gpu")


def device_of(hardware: Hardware) -> str:
    """The torch device that ``hardware`` means here: cuda, mps or cpu. auto takes no mps, on
    which this has not been tried. Raises NoSuchHardware."""
    if hardware.accelerator not in _KNOWN:
        raise NoSuchHardware(
            "there is no such accelerator",
            got=repr(hardware.accelerator),
            expected=", ".join(_KNOWN),
        )
    if hardware.accelerator == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if hardware.accelerator == "auto":
        return "cpu"
    if torch.backends.mps.is_available():
        return "mps"
    raise NoSuchHardware(
        "torch sees no GPU on this machine",
        got=f"torch {torch.__version__}",
        remedy="--accelerator cpu; pneumoscope doctor shows what is there",
    )


def check_hardware(hardware: Hardware, recipe: Recipe, out: Path | None) -> str:
    """The device, after looking whether ``hardware`` is there and fits the recipe and the folder.

    Raises NoSuchHardware, BadRecipe where a batch cannot be divided, and InputError.
    """
    from pneumoscope.training.torchrun import launched, place

    device = device_of(hardware)
    here = torch.cuda.device_count() if device == "cuda" else 1
    if device != "cpu" and hardware.devices > here:
        raise NoSuchHardware(
            "this machine has fewer GPUs",
            got=f"--devices {hardware.devices}",
            expected=f"at most {here}",
        )
    started = place()[1] if launched() else 1
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
    _check_divisible(recipe, hardware)
    return device


def _check_divisible(recipe: Recipe, hardware: Hardware) -> None:
    if hardware.processes > 1:
        # Brings Lightning, which takes seconds to import.
        from pneumoscope.training.distributed import check_divisible

        check_divisible(recipe, hardware)


def _torchrun(hardware: Hardware) -> str:
    return (
        f"torchrun --nnodes {hardware.nodes} --nproc_per_node {hardware.devices} "
        "--rdzv_backend c10d --rdzv_endpoint FIRST-MACHINE:29500 $(which pneumoscope) train DATA "
        f"--out DIR --nodes {hardware.nodes} --devices {hardware.devices}"
    )
