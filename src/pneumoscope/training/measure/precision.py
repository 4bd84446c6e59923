"""Precision: which one is fastest here is measured, not guessed.

bf16 is several times faster on processors with AMX or AVX512_BF16 and slower everywhere else, so
both are timed on the real network. The answer is kept for this machine, library and network:
a later run then computes in the same precision, which is what makes it repeatable.
"""

from __future__ import annotations

import copy
import json
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from filelock import FileLock

from pneumoscope.devices import has_bf16
from pneumoscope.errors import OutputNotWritable
from pneumoscope.listener import Listener, Silent
from pneumoscope.models.efficientnet.blocks import NormClip
from pneumoscope.models.network import Network
from pneumoscope.recipe import Recipe
from pneumoscope.storage import write_json

Name = Literal["float32", "bf16"]

# bf16 costs accuracy in the last digits, so it must be clearly faster to be worth it.
_WORTH = 1.25
_STEPS = 4
_CELLS = 64 * 64 * 64


@dataclass(frozen=True, slots=True)
class Precision:
    """The precision of a run, the reason for it, and the device it is for (cpu or cuda)."""

    name: Name
    why: str
    device: str = "cpu"


def settle_precision(
    network: Network,
    recipe: Recipe,
    device: str,
    memory: Path | None,
    listener: Listener = Silent(),  # noqa: B008  it holds no state
) -> Precision:
    """The precision that the recipe asks for, or the faster one; ``listener`` hears of measuring,
    which takes seconds."""
    asked = recipe.train.precision
    if asked != "auto":
        return Precision(asked, "the recipe says so", device)
    return choose_precision(network, recipe.model.backbone, device, memory, listener)


def choose_precision(
    network: Network,
    backbone: str,
    device: str,
    memory: Path | None,
    listener: Listener = Silent(),  # noqa: B008  it holds no state
) -> Precision:
    """The faster of float32 and bf16 for training ``network`` on ``device``.

    ``memory`` is a JSON file of earlier answers, or None. The network is not changed.
    """
    if device.startswith("cuda") and not has_bf16(device):
        return Precision("float32", "this GPU has no bf16 arithmetic", device)
    key = _key(network, backbone, device)
    known = _recall(memory)
    if key in known:
        return _decide(known[key], "measured earlier on this machine", device)
    listener.note("Measure the speed of float32 and of bf16: some seconds, once on this machine")
    # Rounded before deciding: what is remembered must decide alike.
    gain = round(_measure(network, device, "float32") / _measure(network, device, "bf16"), 2)
    if memory is not None:
        gain = _remember(memory, key, gain)
    return _decide(gain, "measured", device)


def _decide(gain: float, how: str, device: str) -> Precision:
    name: Name = "bf16" if gain >= _WORTH else "float32"
    return Precision(name, f"bf16 trains {gain:.2f} times as fast as float32, {how}", device)


def _batch(side: int) -> int:
    """How many films are timed: 64 small ones or 8 large ones, which takes a few seconds. With 8
    small ones the weights take more time than the films, which hides most of what bf16 gains."""
    return min(64, max(8, _CELLS // side**2))


def _measure(network: Network, device: str, name: Name) -> float:
    """Seconds of the fastest training step: other work on the machine only ever adds."""
    trial = copy.deepcopy(network).to(device).to(memory_format=torch.channels_last)
    side = network.spec.network
    films = torch.full((_batch(side), side, side), 100.0, device=device)
    seconds = []
    for _ in range(_STEPS):
        start = time.perf_counter()
        with torch.autocast(device.split(":")[0], torch.bfloat16, enabled=name == "bf16"):
            loss = trial.scores_seen(films).square().mean()
        torch.autograd.backward(loss)
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _key(network: Network, backbone: str, device: str) -> str:
    chip = torch.cuda.get_device_name() if device.startswith("cuda") else _processor()
    side = network.spec.network
    films = f"{_batch(side)} x {side}"
    frozen = f"{len(network.frozen_parts)} parts frozen"
    parts = [chip, torch.__version__, torch.get_num_threads(), backbone, films, frozen]
    if any(isinstance(part, NormClip) for part in network.modules()):
        parts.append("norms folded")  # answers of earlier versions are of other layers
    return " · ".join(map(str, parts))


def _processor() -> str:
    capability = torch.backends.cpu.get_cpu_capability()
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return f"{platform.processor()} {capability}"
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    flags = next((line for line in lines if line.startswith("flags")), "")
    extras = [flag for flag in ("amx_bf16", "avx512_bf16") if flag in flags]
    return " ".join([next(names, platform.machine()), capability, *extras])


def _recall(memory: Path | None) -> dict[str, float]:
    try:
        values = json.loads(memory.read_text("utf-8")) if memory else {}
        return {str(key): float(value) for key, value in values.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # a missing or damaged memory costs one measurement, nothing else


def _remember(memory: Path, key: str, gain: float) -> float:
    """Keep an answer beside those that other runs wrote while this one measured; of two answers to
    the same question the first one kept holds for both, and is returned."""
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{memory}.lock", timeout=10):
            values = _recall(memory)
            gain = values.setdefault(key, gain)
            write_json(memory, values)
    except (OSError, OutputNotWritable):
        pass  # a closed cache folder costs one measurement a run
    return gain
