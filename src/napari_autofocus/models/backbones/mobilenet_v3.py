"""MobileNetV3-small and -large.

Howard et al., Searching for MobileNetV3, ICCV 2019, arXiv:1905.02244. Names of parameters, and what the paper leaves
open (normalisation, initial weights), as torchvision has them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from torch import Tensor, nn

from napari_autofocus.models.backbones.layers import Activation, ConvNorm, initialise, round_channels
from napari_autofocus.models.backbones.registry import BackboneOptions, register

__all__ = [
    "SMALL",
    "SMALL_HIDDEN",
    "MobileNetV3",
    "Pointwise",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "norm",
    "plain",
]

DROPOUT = 0.2
norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
_RE = partial(nn.ReLU, inplace=True)
_HS = nn.Hardswish
Pointwise = Callable[[int, int, Activation | None], nn.Module]
"""Makes the 1 x 1 convolution of a bottleneck from its inputs, its outputs and the activation after it."""


class _Row(NamedTuple):
    """A row of the paper's tables: kernel, expansion size, #out, SE, NL and s."""

    kernel: int
    expanded: int
    outputs: int
    squeeze: bool
    activation: type[nn.Module] | partial[nn.ReLU]
    stride: int


SMALL = (
    _Row(3, 16, 16, True, _RE, 2),
    _Row(3, 72, 24, False, _RE, 2),
    _Row(3, 88, 24, False, _RE, 1),
    _Row(5, 96, 40, True, _HS, 2),
    _Row(5, 240, 40, True, _HS, 1),
    _Row(5, 240, 40, True, _HS, 1),
    _Row(5, 120, 48, True, _HS, 1),
    _Row(5, 144, 48, True, _HS, 1),
    _Row(5, 288, 96, True, _HS, 2),
    _Row(5, 576, 96, True, _HS, 1),
    _Row(5, 576, 96, True, _HS, 1),
)
SMALL_HIDDEN = 1024
LARGE = (
    _Row(3, 16, 16, False, _RE, 1),
    _Row(3, 64, 24, False, _RE, 2),
    _Row(3, 72, 24, False, _RE, 1),
    _Row(5, 72, 40, True, _RE, 2),
    _Row(5, 120, 40, True, _RE, 1),
    _Row(5, 120, 40, True, _RE, 1),
    _Row(3, 240, 80, False, _HS, 2),
    _Row(3, 200, 80, False, _HS, 1),
    _Row(3, 184, 80, False, _HS, 1),
    _Row(3, 184, 80, False, _HS, 1),
    _Row(3, 480, 112, True, _HS, 1),
    _Row(3, 672, 112, True, _HS, 1),
    _Row(5, 672, 160, True, _HS, 2),
    _Row(5, 960, 160, True, _HS, 1),
    _Row(5, 960, 160, True, _HS, 1),
)


class _SqueezeExcite(nn.Module):
    """Weight the channels by what the whole image holds (section 5.3: a quarter of them inside, hard sigmoid)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = round_channels(channels // 4)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = x.mean((2, 3), keepdim=True)
        return x * nn.functional.hardsigmoid(self.fc2(nn.functional.relu(self.fc1(pooled))))


def plain(inputs: int, outputs: int, activation: Activation | None) -> nn.Module:
    """The 1 x 1 convolution as published, with its normalisation."""
    return ConvNorm(inputs, outputs, 1, norm=norm, activation=activation)


class _Bottleneck(nn.Module):
    """Expand, filter each channel, squeeze-and-excite, project (figure 4)."""

    def __init__(self, inputs: int, row: _Row, pointwise: Pointwise) -> None:
        super().__init__()
        expanded, act = row.expanded, row.activation
        layers: list[nn.Module] = []
        if expanded != inputs:
            layers.append(pointwise(inputs, expanded, act))
        filters = ConvNorm(
            expanded, expanded, row.kernel, stride=row.stride, groups=expanded, norm=norm, activation=act
        )
        layers.append(filters)
        if row.squeeze:
            layers.append(_SqueezeExcite(expanded))
        layers.append(pointwise(expanded, row.outputs, None))
        self.block = nn.Sequential(*layers)
        self.residual = row.stride == 1 and inputs == row.outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.block(x)
        return x + y if self.residual else y


class MobileNetV3(nn.Module):
    """A MobileNetV3 by the rows of its table.

    Parameters
    ----------
    rows : tuple of _Row
        The bottlenecks, before the width factor.
    hidden : int
        Size of the layer before the last, before the width factor.
    options : BackboneOptions
    pointwise : callable
        Makes the 1 x 1 convolutions of the bottlenecks.
    """

    def __init__(
        self, rows: tuple[_Row, ...], hidden: int, options: BackboneOptions, *, pointwise: Pointwise = plain
    ) -> None:
        super().__init__()
        channels = first = round_channels(16 * options.width)
        layers: list[nn.Module] = [ConvNorm(options.channels, first, 3, stride=2, norm=norm, activation=_HS)]
        for row in rows:
            widened = row._replace(
                expanded=round_channels(row.expanded * options.width),
                outputs=round_channels(row.outputs * options.width),
            )
            layers.append(_Bottleneck(channels, widened, pointwise))
            channels = widened.outputs
        layers.append(ConvNorm(channels, 6 * channels, 1, norm=norm, activation=_HS))
        self.features = nn.Sequential(*layers)
        widened_hidden = round_channels(hidden * options.width)
        self.classifier = nn.Sequential(
            nn.Linear(6 * channels, widened_hidden),
            nn.Hardswish(),
            nn.Dropout(options.dropout_or(DROPOUT)),
            nn.Linear(widened_hidden, options.outputs),
        )
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Numbers (N, outputs) of images (N, channels, H, W)."""
        y: Tensor = self.classifier(self.features(x).mean((2, 3)))
        return y


@register("mobilenet_v3_small")
def mobilenet_v3_small(options: BackboneOptions) -> nn.Module:
    """Table 2: 2.5 million parameters, 56 MFLOP at 224 px."""
    return MobileNetV3(SMALL, SMALL_HIDDEN, options)


@register("mobilenet_v3_large")
def mobilenet_v3_large(options: BackboneOptions) -> nn.Module:
    """Table 1: 5.5 million parameters, 219 MFLOP at 224 px."""
    return MobileNetV3(LARGE, 1280, options)
