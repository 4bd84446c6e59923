"""Stages of a backbone: the layers that a class activation map can look at, found through timm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from pneumoscope.errors import InputError
from pneumoscope.models.network import Network

ToPlanes = Callable[[Tensor], Tensor]


_FILMS = 8


@dataclass(frozen=True, slots=True)
class Stage:
    """A layer with a map: its name in the backbone, the module, cells along a side.

    ``to_planes`` turns its output into (B, C, h, w), None where it is that already. ``first`` is
    where the centre of cell 0 lies, in cells from the edge of the film: see ``with_place``.
    """

    name: str
    module: nn.Module
    cells: int
    to_planes: ToPlanes | None = None
    first: float = 0.5


def stages_of(network: Network) -> list[Stage]:
    """The layers that timm's ``feature_info`` names and that give a map, the first layer first.

    Raises InputError where there is none.
    """
    named = dict(network.backbone.named_modules())
    wanted = [_step_before(each, named) for each in _info(network.backbone)]
    shapes = _shapes(network, {name: named[name] for name, _ in wanted if name in named})
    found = []
    for name, channels in wanted:
        if name in shapes:
            stage = _stage(name, named[name], shapes[name], channels, network.backbone)
            found += [stage] if stage else []
    if not found:
        raise InputError(
            f"no heatmap can be drawn of {type(network.backbone).__name__}",
            got="no layer of it that timm names gives a map of the film",
            expected="a convolutional backbone, or a plain vision transformer",
            remedy="explain with --method occlusion, which works for every backbone",
        )
    return found


def choose_stage(network: Network, least: int = 7) -> Stage:
    """The deepest layer whose map has at least ``least`` cells a side, else the finest.

    The last stage of a network of stride 32 has 2 × 2 cells at 64 px and 4 × 4 at 112 px, which
    cannot point to a place: docs/log.md.
    """
    found = stages_of(network)
    fine = [stage for stage in found if stage.cells >= least]
    chosen = fine[-1] if fine else max(found, key=lambda stage: stage.cells)
    return with_place(network, chosen)


def with_place(network: Network, stage: Stage) -> Stage:
    """The stage with ``first`` measured: what part of the film do its cells look at?

    A stack of 3 × 3 layers of stride 2 and padding 1, as in ResNet, centres cell i on pixel
    i · stride and not on the middle of its square, so that a map enlarged as a picture lies half
    a cell too far down and right: 7.5 px of 64 for 4 × 4 cells. Layers of 2 × 2 do not shift. The
    centre is where the squared gradient of a cell in the middle has its own, on noise.
    """
    side = network.spec.network
    middle = stage.cells // 2
    kept: list[Tensor] = []
    hook = stage.module.register_forward_hook(lambda *given: kept.append(given[2]))
    noise = torch.randn(_FILMS, 1, side, side, generator=torch.Generator().manual_seed(0))
    films = noise.to(network.mean.device).requires_grad_()
    training = network.training
    try:
        with torch.enable_grad():
            network.eval().backbone(films)
            planes = stage.to_planes(kept[-1]) if stage.to_planes else kept[-1]
            (slope,) = torch.autograd.grad(planes[:, :, middle, middle].sum(), films)
    finally:
        network.train(training)
        hook.remove()
    weight = slope.double().square().sum(dim=(0, 1))
    at = torch.arange(side, device=weight.device).double() + 0.5
    both = weight.sum(0) + weight.sum(1)
    centre = float((both * at).sum() / both.sum()) if float(both.sum()) else 0.0
    first = centre / (side / stage.cells) - middle
    # A cell whose gradient says nothing, or reaches over the whole film, is left where it is.
    return replace(stage, first=first if 0 <= first <= 1 else 0.5)


def _info(backbone: nn.Module) -> list[tuple[str, int]]:
    """(name, channels) of the layers of ``feature_info``; no layer where timm knows none."""
    info: Any = getattr(backbone, "feature_info", None)
    known = getattr(info, "info", info) or []
    return [(str(each["module"]), int(each["num_chs"])) for each in known]


def _step_before(each: tuple[str, int], named: dict[str, nn.Module]) -> tuple[str, int]:
    """For a block of a transformer its first norm: where the class token is all that is read
    on, the last block's patches have no gradient, but what it attends to has."""
    name, channels = each
    norm = f"{name}.norm1"
    plain = hasattr(named.get(name), "attn") and norm in named
    return (norm, channels) if plain else each


def _shapes(network: Network, modules: dict[str, nn.Module]) -> dict[str, tuple[int, ...]]:
    """The shape of what each module gives for one film, in the order of computation."""
    found: dict[str, tuple[int, ...]] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, given: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                found[name] = tuple(output.shape)

        return hook

    hooks = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
    side = network.spec.stored
    training = network.training
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, side, side, device=network.mean.device))
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    return found


def _stage(
    name: str, module: nn.Module, shape: tuple[int, ...], channels: int, backbone: nn.Module
) -> Stage | None:
    if len(shape) == 4 and shape[1] == channels:
        return Stage(name, module, shape[2])
    if len(shape) == 4 and shape[3] == channels:
        return Stage(name, module, shape[1], _channels_first)
    if len(shape) == 3 and shape[2] == channels:
        extra = int(getattr(backbone, "num_prefix_tokens", 0) or 0)
        cells = round((shape[1] - extra) ** 0.5)
        if cells > 1 and cells**2 == shape[1] - extra:
            return Stage(name, module, cells, _tokens(extra, cells))
    return None


def _channels_first(maps: Tensor) -> Tensor:
    return maps.permute(0, 3, 1, 2)


def _tokens(extra: int, cells: int) -> ToPlanes:
    """(B, extra + cells², C) to (B, C, cells, cells): the patches of a square film in rows."""

    def planes(tokens: Tensor) -> Tensor:
        rows = tokens[:, extra:].transpose(1, 2)
        return rows.reshape(*rows.shape[:2], cells, cells)

    return planes
