"""MobileNetV2 of any width.

Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, CVPR 2018, arXiv:1801.04381. Names of
parameters, and what the paper leaves open (initial weights), as torchvision has them.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from torch import Tensor, nn

from napari_autofocus.models.backbones.layers import ConvNorm, initialise, round_channels
from napari_autofocus.models.backbones.registry import BackboneOptions, register

__all__ = ["MobileNetV2", "mobilenet_v2"]

DROPOUT = 0.2
_RELU6 = partial(nn.ReLU6, inplace=True)


class _Row(NamedTuple):
    """A row of the paper's table 2: t, c, n and s."""

    expansion: int
    outputs: int
    repeats: int
    stride: int


ROWS = (
    _Row(1, 16, 1, 1),
    _Row(6, 24, 2, 2),
    _Row(6, 32, 3, 2),
    _Row(6, 64, 4, 2),
    _Row(6, 96, 3, 1),
    _Row(6, 160, 3, 2),
    _Row(6, 320, 1, 1),
)


class _InvertedResidual(nn.Module):
    """Expand, filter each channel, project without activation (table 1)."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        expanded = inputs * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(ConvNorm(inputs, expanded, 1, activation=_RELU6))
        layers.append(ConvNorm(expanded, expanded, 3, stride=stride, groups=expanded, activation=_RELU6))
        # Unwrapped, other than in MobileNetV3: the names of the parameters are those of the ImageNet weights.
        self.conv = nn.Sequential(*layers, *ConvNorm(expanded, outputs, 1))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """The network of the paper's table 2.

    Parameters
    ----------
    options : BackboneOptions
        What may be chosen.
    narrow_end : bool
        Let a width below 1 narrow the last convolution as well; the paper leaves its 1280 channels as they are.
    """

    def __init__(self, options: BackboneOptions, *, narrow_end: bool = False) -> None:
        super().__init__()
        channels = round_channels(32 * options.width)
        last = round_channels(1280 * (options.width if narrow_end else max(1.0, options.width)))
        layers: list[nn.Module] = [ConvNorm(options.channels, channels, 3, stride=2, activation=_RELU6)]
        for row in ROWS:
            outputs = round_channels(row.outputs * options.width)
            for repeat in range(row.repeats):
                layers.append(_InvertedResidual(channels, outputs, row.expansion, 1 if repeat else row.stride))
                channels = outputs
        layers.append(ConvNorm(channels, last, 1, activation=_RELU6))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(options.dropout_or(DROPOUT)), nn.Linear(last, options.outputs))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Numbers (N, outputs) of images (N, channels, H, W)."""
        y: Tensor = self.classifier(self.features(x).mean((2, 3)))
        return y


@register("mobilenet_v2")
def mobilenet_v2(options: BackboneOptions) -> nn.Module:
    """Table 2: 3.5 million parameters at width 1, about 300 million multiply-adds at 224 px."""
    return MobileNetV2(options)


@register("mobilenet_v2_narrow")
def mobilenet_v2_narrow(options: BackboneOptions) -> nn.Module:
    """As ``mobilenet_v2``, its last convolution narrowed too: under half a million parameters at width 0.4 (ours)."""
    return MobileNetV2(options, narrow_end=True)
