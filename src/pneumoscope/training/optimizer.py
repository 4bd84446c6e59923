"""The optimiser and its learning rate over the steps of a run."""

from __future__ import annotations

import math
from typing import Any

import torch
from timm.optim._param_groups import param_groups_layer_decay
from torch import nn
from torch.optim import Optimizer

from pneumoscope.models.network import Network
from pneumoscope.sections import OptimChoices


def make_optimizer(network: nn.Module, choices: OptimChoices) -> Optimizer:
    """The optimiser; weight decay acts on weights proper, not on biases and normalisation.

    With ``choices.layer_decay`` below 1 the head has the full rate and each layer below it that
    part of the rate of the layer above. Parameters that are frozen now are left out.
    """
    if choices.layer_decay < 1 and isinstance(network, Network):
        groups = _decaying(network, choices)
    else:
        groups = _groups(network, choices, choices.learning_rate)
    rate_ = choices.learning_rate
    if choices.name == "sgd":
        return torch.optim.SGD(groups, lr=rate_, momentum=0.9, nesterov=True, fused=True)
    kind = torch.optim.AdamW if choices.name == "adamw" else torch.optim.Adam
    return kind(groups, lr=rate_, fused=True)


def _groups(network: nn.Module, choices: OptimChoices, rate_: float) -> list[dict[str, Any]]:
    heavy = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    light = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [
        {"params": heavy, "weight_decay": choices.weight_decay, "lr": rate_},
        {"params": light, "weight_decay": 0.0, "lr": rate_},
    ]
    return [group for group in groups if group["params"]]


def _decaying(network: Network, choices: OptimChoices) -> list[dict[str, Any]]:
    below = param_groups_layer_decay(
        network.backbone, weight_decay=choices.weight_decay, layer_decay=choices.layer_decay
    )
    groups = _groups(network.head, choices, choices.learning_rate)
    for group in below:
        # timm's topmost layer has the scale 1, which here is the head's.
        scale = group["lr_scale"] * choices.layer_decay
        groups.append(
            {
                "params": group["params"],
                "weight_decay": group["weight_decay"],
                "lr": choices.learning_rate * scale,
            }
        )
    return groups


def clip_gradients(network: nn.Module, most: float) -> None:
    """Scale gradients whose common norm is above ``most`` down to it, as ``clip_grad_norm_``.

    That one also multiplies by 1 those that are below, so that a GPU need not wait for the norm; on
    a CPU, where nothing waits, this pass over all gradients is left out.
    """
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    if norm.device.type != "cpu" or not norm + 1e-6 <= most:  # a norm that is NaN counts as above
        nn.utils.clip_grads_with_norm_(network.parameters(), most, norm)


def rate(step: int, steps: int, choices: OptimChoices) -> float:
    """The learning rate at a step, as a part of the highest one: linear rise, then schedule."""
    rise = max(1, round(choices.warmup * steps)) if choices.warmup > 0 else 0
    if step < rise:
        return (step + 1) / rise
    if choices.schedule == "constant":
        return 1.0
    left = 1 - min(1.0, (step - rise) / max(1, steps - rise))
    return left if choices.schedule == "linear" else 0.5 * (1 - math.cos(math.pi * left))
