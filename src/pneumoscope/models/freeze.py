"""Freezing by stage: which parts keep their weights, and the network cut in two behind them.

A frozen part stays in evaluation mode, or its batch norms would go on learning the statistics of
the new films. Its parameters ask for no gradient, so nothing of it is recorded for the way back.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pneumoscope.errors import BadRecipe, nearest

Parts = list[tuple[str, nn.Module]]


def parts_of(backbone: nn.Module) -> Parts:
    """The backbone's parts in the order in which a film passes them, with their names."""
    parts: Parts = []
    for name, module in backbone.named_children():
        inner = list(module.named_children()) if isinstance(module, nn.Sequential) else []
        # A head of several layers stays whole; a trunk of stages is taken apart.
        if len(inner) > 1 and name in ("features", "blocks", "stages", "layers"):
            parts += [(f"{name}.{key}", stage) for key, stage in inner]
        else:
            parts.append((name, module))
    return parts


def frozen_count(backbone: nn.Module, freeze: str) -> int:
    """How many parts ``freeze`` keeps: none, all, or up to the part of that name.

    Raises BadRecipe with the names when there is no such part.
    """
    parts = parts_of(backbone)
    if freeze in ("none", "all"):
        return len(parts) if freeze == "all" else 0
    names = [name for name, _ in parts]
    if freeze not in names:
        learned = [name for name, module in parts if any(True for _ in module.parameters())]
        raise BadRecipe(
            "model.freeze names no part of the backbone",
            got=repr(freeze),
            expected=f"none, all, or one of {', '.join(learned)}",
            remedy=f"nearest: {nearest(freeze, learned)}",
        )
    return names.index(freeze) + 1


def frozen_after(backbone: nn.Module, freeze: str, epoch: int, every: int) -> int:
    """How many parts are still frozen in ``epoch`` (from 0) when the topmost one that learns is
    freed after each ``every`` epochs; 0 frees none."""
    count = frozen_count(backbone, freeze)
    learning = [i for i, (_, part) in enumerate(parts_of(backbone)[:count]) if _learns(part)]
    freed = epoch // every if every else 0
    if freed == 0:
        return count
    return learning[-freed] if freed <= len(learning) else 0


def freeze_parts(backbone: nn.Module, count: int) -> None:
    """Freeze the first ``count`` parts of ``backbone`` and free the others, in place."""
    for index, (_, part) in enumerate(parts_of(backbone)):
        part.requires_grad_(index >= count)
        if index < count:
            part.eval()
    for parameter in backbone.parameters(recurse=False):  # a transformer's positions stand before
        parameter.requires_grad_(count == 0)


def run_parts(parts: Sequence[tuple[str, nn.Module]], films: Tensor) -> Tensor:
    """The films through these parts, one after the other."""
    for _, part in parts:
        films = part(films)
    return films


def check_chain(backbone: nn.Module, side: int, name: str) -> None:
    """Refuse a backbone that is not simply its parts one after the other (such as a transformer,
    which adds positions in between): it cannot be cut in two. Raises BadRecipe."""
    was = backbone.training
    backbone.eval()
    try:
        with torch.inference_mode():
            films = torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(0))
            same = torch.allclose(run_parts(parts_of(backbone), films), backbone(films), atol=1e-4)
    except (RuntimeError, TypeError, ValueError, AssertionError):
        same = False
    finally:
        backbone.train(was)
    if not same:
        raise BadRecipe(
            f"the features of {name!r} cannot be kept: it is more than a chain of its parts",
            remedy="--set train.views=0 computes them at each step; or take a backbone of "
            "pneumoscope models",
        )


def _learns(part: nn.Module) -> bool:
    return any(True for _ in part.parameters())
