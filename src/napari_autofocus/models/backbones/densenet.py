"""DenseNet-121.

Huang et al., Densely Connected Convolutional Networks, CVPR 2017, arXiv:1608.06993. Names of parameters, and what the
paper leaves open (initial weights), as torchvision has them.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from napari_autofocus.models.backbones.registry import BackboneOptions, check_one_width, register

__all__ = ["DenseNet", "densenet121"]

GROWTH = 32
"""Channels that each layer adds: the paper's k."""
BOTTLENECK = 4
"""The 1 x 1 convolution of a layer makes so many times the growth."""


class _DenseLayer(nn.Module):
    """Sees all layers before it and adds a few channels (section 3: DenseNet-B)."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, BOTTLENECK * GROWTH, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(BOTTLENECK * GROWTH)
        self.conv2 = nn.Conv2d(BOTTLENECK * GROWTH, GROWTH, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(nn.functional.relu(self.norm1(x)))
        added: Tensor = self.conv2(nn.functional.relu(self.norm2(y)))
        return torch.cat([x, added], dim=1)


def _dense_block(inputs: int, layers: int) -> nn.Sequential:
    named = {f"denselayer{number + 1}": _DenseLayer(inputs + number * GROWTH) for number in range(layers)}
    return nn.Sequential(OrderedDict(named))


def _transition(inputs: int) -> nn.Sequential:
    """Half the channels and half the side (section 3: compression of 0.5)."""
    return nn.Sequential(
        OrderedDict(
            norm=nn.BatchNorm2d(inputs),
            relu=nn.ReLU(),
            conv=nn.Conv2d(inputs, inputs // 2, 1, bias=False),
            pool=nn.AvgPool2d(2),
        )
    )


class DenseNet(nn.Module):
    """A DenseNet-BC of growth 32.

    Parameters
    ----------
    blocks : tuple of int
        Layers of each block (table 1).
    options : BackboneOptions
        There is no dropout unless it is asked for.

    Raises
    ------
    InputError
        If a width other than 1 is asked for.
    """

    def __init__(self, blocks: tuple[int, ...], options: BackboneOptions) -> None:
        check_one_width(options, "DenseNet")
        super().__init__()
        channels = 2 * GROWTH
        layers: dict[str, nn.Module] = {
            "conv0": nn.Conv2d(options.channels, channels, 7, stride=2, padding=3, bias=False),
            "norm0": nn.BatchNorm2d(channels),
            "relu0": nn.ReLU(),
            "pool0": nn.MaxPool2d(3, stride=2, padding=1),
        }
        for number, count in enumerate(blocks, 1):
            layers[f"denseblock{number}"] = _dense_block(channels, count)
            channels += count * GROWTH
            if number < len(blocks):
                layers[f"transition{number}"] = _transition(channels)
                channels //= 2
        layers["norm5"] = nn.BatchNorm2d(channels)
        self.features = nn.Sequential(OrderedDict(layers))
        self.dropout = nn.Dropout(options.dropout_or(0.0))
        self.classifier = nn.Linear(channels, options.outputs)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Numbers (N, outputs) of images (N, channels, H, W)."""
        features = nn.functional.relu(self.features(x))
        y: Tensor = self.classifier(self.dropout(features.mean((2, 3))))
        return y


@register("densenet121")
def densenet121(options: BackboneOptions) -> nn.Module:
    """Table 1: 8.0 million parameters, 2.9 billion multiply-adds at 224 px."""
    return DenseNet((6, 12, 24, 16), options)
