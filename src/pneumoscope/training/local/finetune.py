"""Fine-tuning: a trained network trained on, shortly and gently, on few films of another site."""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from pneumoscope.data.augment import Draw, augment
from pneumoscope.listener import Advance
from pneumoscope.metrics.scores import Labels
from pneumoscope.models.network import Network, logit_of
from pneumoscope.sections import AugmentChoices

EPOCHS, BATCH, RATE, DECAY = 10, 16, 1e-4, 0.01


def fine_tuned(
    network: Network,
    films: NDArray[np.uint8],
    labels: Labels,
    choices: AugmentChoices,
    device: str,
    *,
    seed: int = 0,
    advance: Advance | None = None,
) -> Network:
    """A copy of ``network`` trained on ``films`` uint8 (n, S, S), augmented by ``choices``, with a
    rate that falls to nothing. Batch norms keep their statistics: those of 16 films are none."""
    new = copy.deepcopy(network).to(device).eval().requires_grad_(True)
    optimizer = torch.optim.AdamW(new.parameters(), RATE, weight_decay=DECAY)
    each = math.ceil(len(films) / BATCH)
    steps = EPOCHS * each
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    draw = torch.Generator().manual_seed(seed)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(films), generator=draw).numpy()
        for step, rows in enumerate(np.array_split(order, each)):
            batch = torch.from_numpy(films[rows]).to(device)
            shown = Draw(draw, len(rows))
            visible = 1 - network.spec.margin
            seen = augment(batch, choices, network.spec.network, shown, visible=visible)
            truth = torch.from_numpy(labels[rows]).float().to(device)
            loss = F.binary_cross_entropy_with_logits(logit_of(new.scores_seen(seen)), truth)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            falling.step()
            if advance:
                advance(epoch * each + step + 1, steps)
    return new.requires_grad_(False)
