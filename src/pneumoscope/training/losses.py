"""Losses on the network's raw outputs; class weights and label smoothing have one place."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pneumoscope.models.network import logit_of
from pneumoscope.sections import LossChoices

_LEAST = 1e-6
"""How far off a film counts at least where the focal exponent is below 1."""


class Loss(nn.Module):
    """Scores float (B, 1) or (B, 2) and labels float (B,), 0 to 1, to the mean over films.

    ``balanced`` weighs a film of class c by n / (2 n_c), so both classes pull equally; a number w
    weighs pneumonia w and normal 1. The weight is the film's, also of its smoothed target:
    torch's own ``weight=`` with label smoothing weighs each class's term by that class, which
    moves the optimum off the smoothed targets. A label between 0 and 1, of two blended films, has
    a weight between both. ``focal`` is Lin 2017 without its alpha, which is the weighting here.
    """

    weights: Tensor

    def __init__(self, choices: LossChoices, positives: int, total: int) -> None:
        super().__init__()
        self.choices = choices
        weights = [1.0, 1.0]
        if not isinstance(choices.weighting, str):
            weights[1] = choices.weighting
        elif choices.weighting == "balanced":
            weights = [total / (2 * (total - positives)), total / (2 * positives)]
        self.register_buffer("weights", torch.tensor(weights), persistent=False)

    @property
    def outputs(self) -> int:
        """How many outputs the network must have."""
        return 2 if self.choices.name == "cross_entropy" else 1

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        smoothing = self.choices.label_smoothing
        targets = labels * (1 - smoothing) + smoothing / 2
        # Two outputs and softmax are one output, their difference, and the logistic function.
        logits = logit_of(scores)
        losses = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        if self.choices.name == "focal":
            missed = (targets - torch.sigmoid(logits)).abs()
            if self.choices.focal_gamma < 1:  # whose slope at 0 is infinite
                missed = missed.clamp(min=_LEAST)
            losses = losses * missed.pow(self.choices.focal_gamma)
        return (losses * torch.lerp(self.weights[0], self.weights[1], labels)).mean()
