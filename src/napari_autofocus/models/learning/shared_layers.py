"""Layers whose result depends on a whole batch, for processes that see a part of it each.

With them, a network that several processes teach learns what one process would have taught it, up to rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_autofocus.models.learning.distributed import Share, collect, sum_up


def share_layers(network: nn.Module, share: Share) -> None:
    """Let the layers of a network that look at whole batches look beyond this process, in place.

    torch's own ``SyncBatchNorm`` runs on GPUs only. Names and weights of the network stay as they are.
    """
    for name, layer in network.named_children():
        if isinstance(layer, nn.BatchNorm2d):
            setattr(network, name, _shared_norm(layer))
        elif isinstance(layer, nn.Dropout):
            setattr(network, name, SharedDropout(layer.p, share))
        else:
            share_layers(layer, share)


def _shared_norm(layer: nn.BatchNorm2d) -> nn.Module:
    shared = SharedBatchNorm(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
    shared._parameters, shared._buffers = layer._parameters, layer._buffers
    return shared.train(layer.training)


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation by mean and variance over the batches of all processes."""

    def forward(self, images: Tensor) -> Tensor:
        if not self.training:
            return super().forward(images)
        assert self.num_batches_tracked is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        normalised: Tensor
        normalised, mean, variance, count = _Normalise.apply(  # type: ignore[no-untyped-call]
            images, self.weight, self.bias, self.eps
        )
        with torch.no_grad():
            self.num_batches_tracked += 1
            momentum = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), momentum)
        return normalised


class _Normalise(torch.autograd.Function):
    """Ioffe and Szegedy 2015, algorithm 1, and its gradient, with sums over all processes."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, ...]:
        mean, variance, count = _statistics(images)
        scale = (variance + eps).rsqrt()
        ctx.save_for_backward(images, weight, mean, scale, count)
        ctx.mark_non_differentiable(mean, variance, count)
        return (images - _wide(mean)) * _wide(scale * weight) + _wide(bias), mean, variance, count

    @staticmethod
    def backward(ctx: Any, slope: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        images, weight, mean, scale, count = ctx.saved_tensors
        centred = (images - _wide(mean)) * _wide(scale)
        own = torch.stack([slope.sum((0, 2, 3)), (slope * centred).sum((0, 2, 3))])
        level, lean = sum_up(own.clone()) / count
        found = (slope - _wide(level) - centred * _wide(lean)) * _wide(scale * weight)
        return found, own[1], own[0], None


def _statistics(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance of each channel over all processes, from those of each, and the number of pixels."""
    own = torch.var_mean(images, (0, 2, 3), correction=0)
    pixels = images.new_tensor([images.numel() // images.shape[1]])
    parts = collect(torch.cat([own[1], own[0], pixels]))
    means, variances, counts = parts[:, : own[1].numel()], parts[:, own[1].numel() : -1], parts[:, -1:]
    total = counts.sum()
    mean = (counts * means).sum(0) / total
    variance = (counts * (variances + (means - mean).square())).sum(0) / total
    return mean, variance, total


def _wide(channels: Tensor) -> Tensor:
    return channels[:, None, None]


class SharedDropout(nn.Module):
    """Dropout that draws for the whole batch, as one process would, and takes this process's part.

    Parameters
    ----------
    p : float
        Share of the features left out.
    share : Share
        This process's part.
    """

    def __init__(self, p: float, share: Share) -> None:
        super().__init__()
        self.p, self.share = p, share

    def forward(self, features: Tensor) -> Tensor:
        if not self.training:
            return features
        whole = functional.dropout(features.new_ones((self.share.batch, *features.shape[1:])), self.p, training=True)
        return features * whole[self.share.part]
