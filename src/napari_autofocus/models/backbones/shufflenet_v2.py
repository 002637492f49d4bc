"""ShuffleNetV2 of width 1.

Ma et al., ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design, ECCV 2018, arXiv:1807.11164. Names
of parameters, and what the paper leaves open (initial weights), as torchvision has them.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from napari_autofocus.models.backbones.registry import BackboneOptions, check_one_width, register

__all__ = ["ShuffleNetV2", "shufflenet_v2_x1_0"]

STAGES = ((116, 4), (232, 8), (464, 4))
"""Outputs and units of stages 2, 3 and 4 at width 1 (table 5)."""
FIRST, LAST = 24, 1024
_RELU = partial(nn.ReLU, inplace=True)


def _shuffled(x: Tensor) -> Tensor:
    """The channels of both halves in turns, so that the next unit sees some of each."""
    count, channels, height, width = x.shape
    return x.reshape(count, 2, channels // 2, height, width).transpose(1, 2).reshape(count, channels, height, width)


class _Unit(nn.Module):
    """Half of the channels pass unchanged (figure 3 c); where the side is halved, both halves are filtered (d)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        half = outputs // 2
        self.halves = stride == 1
        self.branch1 = nn.Sequential(*([] if self.halves else [*_depthwise(inputs, stride), *_pointwise(inputs, half)]))
        self.branch2 = nn.Sequential(
            *_pointwise(half if self.halves else inputs, half), *_depthwise(half, stride), *_pointwise(half, half)
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.halves:
            kept, filtered = x.chunk(2, dim=1)
            return _shuffled(torch.cat([kept, self.branch2(filtered)], dim=1))
        return _shuffled(torch.cat([self.branch1(x), self.branch2(x)], dim=1))


def _pointwise(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), _RELU()


def _depthwise(channels: int, stride: int) -> tuple[nn.Module, ...]:
    filters = nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False)
    return filters, nn.BatchNorm2d(channels)


class ShuffleNetV2(nn.Module):
    """The network of the paper's table 5 at width 1.

    Parameters
    ----------
    options : BackboneOptions
        There is no dropout unless it is asked for.

    Raises
    ------
    InputError
        If a width other than 1 is asked for.
    """

    def __init__(self, options: BackboneOptions) -> None:
        check_one_width(options, "ShuffleNet")
        super().__init__()
        first = nn.Conv2d(options.channels, FIRST, 3, stride=2, padding=1, bias=False)
        self.conv1 = nn.Sequential(first, nn.BatchNorm2d(FIRST), _RELU())
        (two, units_two), (three, units_three), (four, units_four) = STAGES
        self.stage2 = _stage(FIRST, two, units_two)
        self.stage3 = _stage(two, three, units_three)
        self.stage4 = _stage(three, four, units_four)
        self.conv5 = nn.Sequential(*_pointwise(four, LAST))
        self.dropout = nn.Dropout(options.dropout_or(0.0))
        self.fc = nn.Linear(LAST, options.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Numbers (N, outputs) of images (N, channels, H, W)."""
        x = nn.functional.max_pool2d(self.conv1(x), 3, stride=2, padding=1)
        x = self.conv5(self.stage4(self.stage3(self.stage2(x))))
        y: Tensor = self.fc(self.dropout(x.mean((2, 3))))
        return y


def _stage(inputs: int, outputs: int, units: int) -> nn.Sequential:
    rest = [_Unit(outputs, outputs, 1) for _ in range(units - 1)]
    return nn.Sequential(_Unit(inputs, outputs, 2), *rest)


@register("shufflenet_v2_x1_0")
def shufflenet_v2_x1_0(options: BackboneOptions) -> nn.Module:
    """Table 5 at width 1: 2.3 million parameters, 146 million multiply-adds at 224 px."""
    return ShuffleNetV2(options)
