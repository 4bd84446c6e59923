"""Batch norm over the films of all processes, so that dividing a batch changes no statistic.

torch's SyncBatchNorm needs a GPU. Here its mathematics are done with any backend of
torch.distributed (Ioffe 2015, with sums over all processes). State dicts stay as they are.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.distributed as dist
import torch.nn.functional as F
from timm.layers.norm_act import BatchNormAct2d, convert_sync_batchnorm
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.modules.batchnorm import _BatchNorm

from pneumoscope.errors import BadRecipe
from pneumoscope.models.network import Network


def share_batch_norm(network: Network, device: str) -> Network:
    """The network with every batch norm, in training mode, over the films of all processes.

    ``device`` is cpu or cuda; on the GPU torch's own fused layers do it. The network is changed
    in place. Raises BadRecipe for a kind of batch norm that cannot be shared.
    """
    if device.startswith("cuda"):
        return cast(Network, convert_sync_batchnorm(network))  # type: ignore[no-untyped-call]
    for module in network.modules():
        if not isinstance(module, _BatchNorm) or isinstance(module, _Shared):
            continue
        if type(module) not in _SHARED:
            raise BadRecipe(
                "the backbone's batch norm cannot be shared between processes on a CPU",
                got=type(module).__name__,
                expected=" or ".join(kind.__name__ for kind in _SHARED),
                remedy="train with --devices 1, or take a backbone of: pneumoscope models",
            )
        # The same object of another class: parameters, buffers and their names stay.
        module.__class__ = _SHARED[type(module)]
    return network


class _Shared(_BatchNorm):
    """``norm`` is what ``forward`` of the plain class does up to the activation."""

    def norm(self, films: Tensor) -> Tensor:
        if not self.training:
            return super().forward(films)
        mean, var, count = _statistics(films.detach())
        if self.track_running_stats:
            self._follow(mean, var * count / (count - 1))
        weight = torch.ones_like(mean) if self.weight is None else self.weight
        bias = torch.zeros_like(mean) if self.bias is None else self.bias
        out: Tensor = _Normalise.apply(films, weight, bias, mean, var, count, self.eps)
        return out

    def _follow(self, mean: Tensor, var: Tensor) -> None:
        """The running averages of mean and unbiased variance, as the plain layer has them."""
        if self.running_mean is None or self.running_var is None:
            return
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        momentum = self.momentum
        if momentum is None:
            momentum = 1.0 / float(cast(Tensor, self.num_batches_tracked))
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(var, momentum)

    def forward(self, films: Tensor) -> Tensor:
        return self.norm(films)

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002
        """Any shape (B, C, …) will do."""


class SharedBatchNorm1d(_Shared, nn.BatchNorm1d):
    """BatchNorm1d over all processes."""


class SharedBatchNorm2d(_Shared, nn.BatchNorm2d):
    """BatchNorm2d over all processes."""


class SharedBatchNormAct2d(_Shared, BatchNormAct2d):
    """timm's batch norm with its activation, over all processes."""

    def forward(self, films: Tensor) -> Tensor:
        if not self.training:
            return cast(Tensor, BatchNormAct2d.forward(self, films))  # type: ignore[no-untyped-call]
        return cast(Tensor, self.act(self.drop(self.norm(films))))


_SHARED: dict[type[nn.Module], type[_Shared]] = {
    nn.BatchNorm1d: SharedBatchNorm1d,
    nn.BatchNorm2d: SharedBatchNorm2d,
    BatchNormAct2d: SharedBatchNormAct2d,
}


def _statistics(films: Tensor) -> tuple[Tensor, Tensor, int]:
    """Mean and biased variance, float32 (C,), and count of the values of a channel, over all
    processes. Joined by Chan 1979, which loses no digits where means are far from zero."""
    count = films.numel() // films.shape[1]
    # The plain layer's own kernel, a fortieth of the time of torch.var_mean. Buffers in float32
    # make its result float32 for bf16 films; at momentum 0 they are left alone.
    kept = torch.zeros(2, films.shape[1])
    mean, var = torch.batch_norm_update_stats(films, kept[0], kept[1], 0.0)
    own = torch.cat([mean, var, mean.new_tensor([count])]).double()
    others = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(others, own)
    every = torch.stack(others)
    channels = len(mean)
    means, variances, counts = every[:, :channels], every[:, channels:-1], every[:, -1:]
    total = counts.sum()
    middle = (means * counts).sum(0) / total
    spread = ((variances + (means - middle).square()) * counts).sum(0) / total
    return middle.float(), spread.float(), int(total)


class _Normalise(Function):
    """``(films - mean) / sqrt(var + eps) * weight + bias``, whose gradient knows that mean and
    variance come from the films of all processes."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        films, weight, bias, mean, var, count, eps = inputs
        ctx.save_for_backward(films, weight, mean, var)
        ctx.count, ctx.eps = count, eps
        return F.batch_norm(films, mean, var, weight, bias, False, 0.0, eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        films, weight, mean, var = ctx.saved_tensors
        # With fixed statistics this gives d weight / sd, sum(d x̂) and sum(d) in one pass.
        direct, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            *(gradients[0], films, weight, mean, var, None, None),
            *(False, ctx.eps, [True, True, True]),
        )
        sums = torch.stack([of_weight, of_bias]).float()
        dist.all_reduce(sums)
        inverse = (var + ctx.eps).rsqrt()
        scale = weight * inverse
        slope = -scale * inverse * sums[0] / ctx.count
        start = -scale * sums[1] / ctx.count - slope * mean
        shape = (1, -1, *[1] * (films.ndim - 2))
        through = torch.addcmul(start.view(shape), films, slope.view(shape))
        # The sums for weight and bias stay this process's: DDP averages all parameters alike.
        return direct + through.to(direct.dtype), of_weight, of_bias, None, None, None, None
