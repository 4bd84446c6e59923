"""Losses on the network's raw outputs; class weights and label smoothing have one place."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pneumoscope.recipe import LossChoices


class Loss(nn.Module):
    """Scores float (B, 1) or (B, 2) and labels float (B,) 0/1 to the mean over films.

    ``balanced`` weighs a film of class c by n / (2 n_c), so both classes pull equally. The weight
    is the film's, also of its smoothed target: torch's own ``weight=`` with label smoothing
    weighs each class's term by that class, which moves the optimum off the smoothed targets.
    """

    weights: Tensor

    def __init__(self, choices: LossChoices, positives: int, total: int) -> None:
        super().__init__()
        self.choices = choices
        weights = [1.0, 1.0]
        if choices.weighting == "balanced":
            weights = [total / (2 * (total - positives)), total / (2 * positives)]
        self.register_buffer("weights", torch.tensor(weights), persistent=False)

    @property
    def outputs(self) -> int:
        """How many outputs the network must have."""
        return 2 if self.choices.name == "cross_entropy" else 1

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        smoothing = self.choices.label_smoothing
        if self.choices.name == "cross_entropy":
            losses = F.cross_entropy(
                scores, labels.long(), label_smoothing=smoothing, reduction="none"
            )
        else:
            targets = labels * (1 - smoothing) + smoothing / 2
            losses = F.binary_cross_entropy_with_logits(scores[:, 0], targets, reduction="none")
        return (losses * self.weights[labels.long()]).mean()
