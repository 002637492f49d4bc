"""MobileNetV3-small and ResNet-50 with ghost modules.

Han et al., GhostNet: More Features from Cheap Operations, CVPR 2020, arXiv:1911.11907: half of a convolution's outputs
are computed, the other half are cheap filters of those. Liao et al. compare "with ghost modules"; which convolutions
they replaced is not known to us. Ours: in MobileNetV3-small the 1 x 1 convolutions of every bottleneck (as GhostNet
does with MobileNetV3-large; the stem and the last convolution stay), in ResNet-50 every convolution but the stem's (as
the paper's section 4.2 does). No published weights have these names.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from napari_autofocus.models.backbones.layers import Activation, ConvNorm, Norm
from napari_autofocus.models.backbones.mobilenet_v3 import SMALL, SMALL_HIDDEN, MobileNetV3, norm
from napari_autofocus.models.backbones.registry import BackboneOptions, register
from napari_autofocus.models.backbones.resnet import EXPANSION, ResNet

__all__ = ["GhostModule", "mobilenet_v3_small_ghost", "resnet50_ghost"]

RATIO = 2
"""Outputs over those that are computed in full: the paper's s."""
CHEAP_KERNEL = 3
"""Side of the cheap filters, px: the paper's d."""
_RELU = partial(nn.ReLU, inplace=True)


class GhostModule(nn.Module):
    """Stands for a convolution with normalisation: some features computed, the others filtered from them (eq. 2, 3).

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    kernel : int
        Side of the convolution that is replaced, px, odd.
    stride : int
    norm : callable
        Makes the normalisation of so many channels.
    activation : callable or None
        Makes the activation.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        norm: Norm = nn.BatchNorm2d,
        activation: Activation | None = None,
    ) -> None:
        super().__init__()
        computed = -(-outputs // RATIO)
        self.outputs = outputs
        self.primary = ConvNorm(inputs, computed, kernel, stride=stride, norm=norm, activation=activation)
        self.cheap = ConvNorm(
            computed, computed * (RATIO - 1), CHEAP_KERNEL, groups=computed, norm=norm, activation=activation
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, outputs, H / stride, W / stride)."""
        intrinsic = self.primary(x)
        return torch.cat([intrinsic, self.cheap(intrinsic)], dim=1)[:, : self.outputs]


class _GhostBottleneck(nn.Module):
    """ResNet's bottleneck, every convolution a ghost module."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        filtered = outputs // EXPANSION
        self.body = nn.Sequential(
            GhostModule(inputs, filtered, activation=_RELU),
            GhostModule(filtered, filtered, 3, stride=stride, activation=_RELU),
            GhostModule(filtered, outputs),
        )
        unchanged = stride == 1 and inputs == outputs
        self.downsample = None if unchanged else GhostModule(inputs, outputs, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        return nn.functional.relu(self.body(x) + shortcut, inplace=True)


def _ghostly(inputs: int, outputs: int, activation: Activation | None) -> nn.Module:
    return GhostModule(inputs, outputs, norm=norm, activation=activation)


@register("mobilenet_v3_small_ghost")
def mobilenet_v3_small_ghost(options: BackboneOptions) -> nn.Module:
    """MobileNetV3-small, the 1 x 1 convolutions of its bottlenecks ghost modules."""
    return MobileNetV3(SMALL, SMALL_HIDDEN, options, pointwise=_ghostly)


@register("resnet50_ghost")
def resnet50_ghost(options: BackboneOptions) -> nn.Module:
    """ResNet-50, every convolution but the first a ghost module: about half the parameters and multiply-adds."""
    return ResNet((3, 4, 6, 3), options, block=_GhostBottleneck, expansion=EXPANSION)
