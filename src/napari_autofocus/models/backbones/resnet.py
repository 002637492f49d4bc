"""ResNet-18, -34 and -50.

He et al., Deep Residual Learning for Image Recognition, CVPR 2016, arXiv:1512.03385. Names of parameters, and what the
paper leaves open (initial weights, and that a bottleneck strides in its 3 x 3 convolution), as torchvision has them.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from napari_autofocus.models.backbones.registry import BackboneOptions, check_one_width, register

__all__ = ["Block", "ResNet", "resnet18", "resnet34", "resnet50"]

Block = Callable[[int, int, int], nn.Module]
"""Makes one block from its input and output channels and its stride."""
EXPANSION = 4
"""Outputs of a bottleneck over the channels that it filters."""


class _BasicBlock(nn.Module):
    """Two convolutions around which the input is led (figure 5, left); 1 x 1 where the shape changes (option B)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = (
            None
            if stride == 1 and inputs == outputs
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.relu(self.bn1(self.conv1(x)), inplace=True)
        shortcut = x if self.downsample is None else self.downsample(x)
        return nn.functional.relu(self.bn2(self.conv2(y)) + shortcut, inplace=True)


class _Bottleneck(nn.Module):
    """Narrow, filter, widen; around them the input is led (figure 5, right)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        filtered = outputs // EXPANSION
        self.conv1 = nn.Conv2d(inputs, filtered, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filtered)
        self.conv2 = nn.Conv2d(filtered, filtered, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(filtered)
        self.conv3 = nn.Conv2d(filtered, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = (
            None
            if stride == 1 and inputs == outputs
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.relu(self.bn1(self.conv1(x)), inplace=True)
        y = nn.functional.relu(self.bn2(self.conv2(y)), inplace=True)
        shortcut = x if self.downsample is None else self.downsample(x)
        return nn.functional.relu(self.bn3(self.conv3(y)) + shortcut, inplace=True)


class ResNet(nn.Module):
    """A ResNet of blocks of one kind.

    Parameters
    ----------
    blocks : tuple of int
        How many each of the four stages has (table 1).
    options : BackboneOptions
        There is no dropout unless it is asked for.
    block : callable
        Makes a block.
    expansion : int
        Outputs of each stage over 64, 128, 256 and 512: 4 with bottlenecks.

    Raises
    ------
    InputError
        If a width other than 1 is asked for.
    """

    def __init__(
        self,
        blocks: tuple[int, int, int, int],
        options: BackboneOptions,
        *,
        block: Block = _BasicBlock,
        expansion: int = 1,
    ) -> None:
        check_one_width(options, "ResNet")
        super().__init__()
        self.conv1 = nn.Conv2d(options.channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        widths = [expansion * channels for channels in (64, 128, 256, 512)]
        self.layer1 = self._stage(block, 64, widths[0], blocks[0], stride=1)
        self.layer2 = self._stage(block, widths[0], widths[1], blocks[1], stride=2)
        self.layer3 = self._stage(block, widths[1], widths[2], blocks[2], stride=2)
        self.layer4 = self._stage(block, widths[2], widths[3], blocks[3], stride=2)
        self.dropout = nn.Dropout(options.dropout_or(0.0))
        self.fc = nn.Linear(widths[3], options.outputs)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    @staticmethod
    def _stage(block: Block, inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
        rest = [block(outputs, outputs, 1) for _ in range(blocks - 1)]
        return nn.Sequential(block(inputs, outputs, stride), *rest)

    def forward(self, x: Tensor) -> Tensor:
        """Numbers (N, outputs) of images (N, channels, H, W)."""
        x = nn.functional.relu(self.bn1(self.conv1(x)), inplace=True)
        x = nn.functional.max_pool2d(x, 3, stride=2, padding=1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        y: Tensor = self.fc(self.dropout(x.mean((2, 3))))
        return y


@register("resnet18")
def resnet18(options: BackboneOptions) -> nn.Module:
    """Table 1: 11.7 million parameters, 1.8 GFLOP at 224 px."""
    return ResNet((2, 2, 2, 2), options)


@register("resnet34")
def resnet34(options: BackboneOptions) -> nn.Module:
    """Table 1: 21.8 million parameters, 3.6 GFLOP at 224 px."""
    return ResNet((3, 4, 6, 3), options)


@register("resnet50")
def resnet50(options: BackboneOptions) -> nn.Module:
    """Table 1: 25.6 million parameters, 4.1 billion multiply-adds at 224 px (3.8 with the paper's strides)."""
    return ResNet((3, 4, 6, 3), options, block=_Bottleneck, expansion=EXPANSION)
