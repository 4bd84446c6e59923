"""A training step with timm's own convolutions beside one with ours, on the CPU.

    python benchmarks/small_maps.py [--threads 2] [--rounds 3] [--float32]

Both networks train on the same random films with AdamW, in turns; shown are images a second, by
the fastest step of each round, and the median ratio. Ours differ on maps of few cells and in how
weights are cast to bf16 (``models/conv.py``).
"""

from __future__ import annotations

import argparse
import statistics
import time

import timm
import torch
from torch import nn

from pneumoscope.models.zoo import build_backbone

CASES = (("resnet18", 64, 64), ("resnet18", 112, 64), ("resnet18", 224, 32), ("resnet34", 64, 64),
         ("resnet50", 128, 8), ("resnet50", 128, 32), ("densenet121", 64, 64))  # fmt: skip
STEPS = 5


class Trainer:
    def __init__(self, network: nn.Module, side: int, batch: int, bf16: bool) -> None:
        self.network = network.to(memory_format=torch.channels_last).train()
        self.optimizer = torch.optim.AdamW(network.parameters(), fused=True)
        films = torch.randn(batch, 1, side, side)
        self.films = films.to(memory_format=torch.channels_last)
        self.bf16 = bf16

    def step(self) -> float:
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            loss = self.network(self.films).float().square().mean()
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return time.perf_counter() - start

    def speed(self) -> float:
        """Images a second of the fastest step: other work on the machine only ever adds."""
        return len(self.films) / min(self.step() for _ in range(STEPS))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--float32", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for name, side, batch in CASES:
        plain = timm.create_model(name, pretrained=False, in_chans=1, num_classes=0)
        pair = [Trainer(n, side, batch, not args.float32) for n in (plain, build_backbone(name))]
        pair[0].step(), pair[1].step()
        rounds = [(pair[0].speed(), pair[1].speed()) for _ in range(args.rounds)]
        ratio = statistics.median(ours / theirs for theirs, ours in rounds)
        shown = "; ".join(f"{theirs:.0f} {ours:.0f}" for theirs, ours in rounds)
        print(f"{name} {side} px, batch {batch}: {ratio:.2f} × ({shown})", flush=True)


if __name__ == "__main__":
    main()
