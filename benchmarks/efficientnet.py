"""EfficientNet-Lite on a CPU beside eager torch: training, memory, forward pass, a busy machine.

    python benchmarks/efficientnet.py [--backbone tf_efficientnet_lite0] [--rounds 3] [--only train]

Each case is a process of its own, and the cases take turns; rates are films a second by the fastest
step, memory is the peak of the whole process, ratios are of medians. Bare: timm's network, channels
last, float32, the C library's memory as it is. ``busy`` trains beside another process that
multiplies matrices with two threads, and alone on one core. ``--one-core`` takes one thread and its
processor time, for a machine that does other work.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

CASES = {
    "train": ("bare float32", "ours float32", "ours bf16"),
    "forward": ("bare float32", "ours float32", "ours bf16"),
    "busy": ("one core", "beside"),
}


clock = time.perf_counter


def fastest(step: Callable[[], object], seconds: float) -> float:
    """Seconds of the fastest step: other work on the machine only ever adds."""
    step()
    found, end = [], clock() + seconds
    while not found or clock() < end:
        start = clock()
        step()
        found.append(clock() - start)
    return min(found)


def mean(step: Callable[[], object], seconds: float) -> float:
    step()
    start, count = time.perf_counter(), 0
    while time.perf_counter() < start + seconds:
        step()
        count += 1
    return (time.perf_counter() - start) / count


def train(case: str, args: argparse.Namespace) -> None:
    import timm
    import torch

    from pneumoscope.devices import free_cores, use_cores
    from pneumoscope.models.zoo import build_backbone
    from pneumoscope.training.allocator import keep_freed_memory

    bare = case.startswith("bare")
    if not bare:
        keep_freed_memory()
        use_cores(1 if args.one_core else free_cores())
    made = timm.create_model(args.backbone, in_chans=1, num_classes=0) if bare else None
    network = made or build_backbone(args.backbone)
    network.to(memory_format=torch.channels_last).train()
    films = torch.randn(args.batch, 1, args.size, args.size)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, fused=True)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=case.endswith("bf16")):
            loss = network(films).float().square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    seconds = (mean if args.steady else fastest)(step, args.seconds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{args.batch / seconds:.2f} {peak:.2f}")


def forward(case: str, args: argparse.Namespace) -> None:
    import torch

    from pneumoscope.models.inference import optimize_for_inference
    from pneumoscope.models.network import Network
    from pneumoscope.models.zoo import build_backbone
    from pneumoscope.records import InputSpec
    from pneumoscope.training.allocator import keep_freed_memory

    torch.manual_seed(0)
    spec = InputSpec(args.size, args.size)
    plain = Network(build_backbone(args.backbone), spec, normalisation=(0.5, 0.25))
    plain.eval().to(memory_format=torch.channels_last)
    for part in plain.modules():  # statistics as of a trained network, not 0 and 1
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = None
    films = torch.randint(0, 256, (args.batch, args.size, args.size), dtype=torch.uint8)
    with torch.no_grad():
        plain.train()(films)
        plain.eval().head.weight.mul_(10 / plain(films).abs().max())  # logits of up to 10
    precision = case.split()[1]
    quick = plain
    if case.startswith("ours"):
        keep_freed_memory()
        quick = optimize_for_inference(plain, precision)
    with (
        torch.inference_mode(),
        torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"),
    ):
        seconds = fastest(lambda: quick(films), args.seconds)
        found = quick(films)
    with torch.inference_mode():
        far = float((found.float() - plain(films)).abs().max())
    print(f"{args.batch / seconds:.2f} {far:.2g}")


def one(task: str, case: str, args: argparse.Namespace) -> tuple[float, float]:
    """The two figures of a case, from a process of its own."""
    words = [sys.executable, __file__, "--one", task, case, "--backbone", args.backbone]
    words += ["--one-core"] * args.one_core
    words += ["--batch", str(args.batch), "--size", str(args.size), "--seconds", str(args.seconds)]
    cores = sorted(os.sched_getaffinity(0))
    if task != "busy":
        return _figures(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    words[3:5] = ["train", "ours bf16"]
    words.append("--steady")
    beside = case == "beside"
    other = subprocess.Popen([sys.executable, __file__, "--loop"]) if beside else None
    time.sleep(3 * beside)  # until it multiplies
    try:
        alone = (lambda: os.sched_setaffinity(0, cores[:1])) if not beside else None
        done = subprocess.run(words, capture_output=True, text=True, check=True, preexec_fn=alone)  # noqa: PLW1509
    finally:
        if other:
            other.kill()
            other.wait()
    return _figures(done.stdout)


def _figures(text: str) -> tuple[float, float]:
    rate, other = text.split()[-2:]
    return float(rate), float(other)


def loop() -> None:
    """The other process: a tutorial's loop, as busy as torch can be with two threads."""
    import torch

    torch.set_num_threads(2)
    left = torch.randn(1024, 1024)
    while True:
        left = (left @ left).clamp(-1, 1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--only", choices=sorted(CASES))
    parser.add_argument("--one", nargs=2)
    parser.add_argument("--steady", action="store_true")
    parser.add_argument("--one-core", action="store_true")
    parser.add_argument("--loop", action="store_true")
    args = parser.parse_args()
    if args.loop:
        loop()
    if args.one_core:
        global clock
        clock = time.process_time
        os.environ["OMP_NUM_THREADS"] = "1"
    if args.one:
        (train if args.one[0] == "train" else forward)(args.one[1], args)
        return
    for task, cases in CASES.items():
        if args.only not in (None, task):
            continue
        rounds = [[one(task, case, args) for case in cases] for _ in range(args.rounds)]
        middle = [statistics.median(turn[i][0] for turn in rounds) for i in range(len(cases))]
        for i, case in enumerate(cases):
            extra = statistics.median(turn[i][1] for turn in rounds)
            unit = "largest logit difference" if task == "forward" else "GiB at most"
            rates = ", ".join(f"{turn[i][0]:.1f}" for turn in rounds)
            ratio = middle[0] / middle[i] if task == "busy" else middle[i] / middle[0]
            name = "times the time" if task == "busy" else "times as fast"
            print(f"{task}, {case}: {rates} films/s, {ratio:.2f} {name}, {extra:.2g} {unit}")


if __name__ == "__main__":
    main()
