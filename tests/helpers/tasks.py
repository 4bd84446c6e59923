"""What the processes of the distributed tests do; here, so that they can import it by name."""

from pathlib import Path

import torch
from timm.layers import BatchNormAct2d
from torch import nn

from pneumoscope.records import Listener
from pneumoscope.training.batchnorm import share_batch_norm
from pneumoscope.training.team import gather, present_share, roll

KINDS = (nn.BatchNorm2d, BatchNormAct2d, nn.BatchNorm1d)


def batch(kind: type[nn.Module]) -> tuple[torch.Tensor, torch.Tensor]:
    """Films far from zero, and gradients."""
    generator = torch.Generator().manual_seed(3)
    shape = (6, 5) if kind is nn.BatchNorm1d else (6, 5, 4, 3)
    films = torch.randn(shape, generator=generator) * 2 + 7
    return films, torch.randn(shape, generator=generator)


def layer(kind: type[nn.Module]) -> nn.Module:
    generator = torch.Generator().manual_seed(4)
    made = kind(5)
    with torch.no_grad():
        made.weight.copy_(torch.rand(5, generator=generator) + 0.5)
        made.bias.copy_(torch.randn(5, generator=generator))
    return made


def step(norm: nn.Module, films: torch.Tensor, gradients: torch.Tensor) -> dict[str, torch.Tensor]:
    """Output, gradients and statistics after two steps."""
    for _ in range(2):
        films = films.detach().requires_grad_()
        out = norm(films)
    out.backward(gradients)
    found = {"out": out.detach(), "films": films.grad}
    found |= {"weight": norm.weight.grad, "bias": norm.bias.grad, **norm.state_dict(prefix="s.")}
    return found


def normalise(plan: object, listener: Listener) -> None:
    """Each process's part of a batch through the shared layers; unequal parts."""
    share = present_share()
    part = slice(0, 2) if share.rank == 0 else slice(2, 6)
    results = {}
    for kind in KINDS:
        films, gradients = batch(kind)
        norm = share_batch_norm(nn.Sequential(layer(kind)), "cpu")[0]
        results[kind.__name__] = step(norm, films[part], gradients[part])
        norm.eval()
        results[kind.__name__]["eval"] = norm(films).detach()
    results["rolled"] = roll(share, torch.arange(8.0)[share.of(8)])
    results["gathered"] = gather(share, share.rank)
    torch.save(results, Path(str(plan)) / f"{share.rank}.pt")
    listener.note(f"rank {share.rank} of {share.size}")
