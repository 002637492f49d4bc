"""What the MobileNets share: rounding of channels, convolution with normalisation, initial weights."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

__all__ = ["Activation", "ConvNorm", "Norm", "initialise", "round_channels"]

Activation = Callable[[], nn.Module]
Norm = Callable[[int], nn.Module]


def round_channels(channels: float, divisor: int = 8) -> int:
    """Round to a multiple of the divisor, but never down by more than a tenth (the MobileNet authors' rule)."""
    nearest = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return nearest if nearest >= 0.9 * channels else nearest + divisor


class ConvNorm(nn.Sequential):
    """A convolution that keeps the image's size (but for its stride), its normalisation, and an activation if any.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    kernel : int
        Side, px, odd.
    stride : int
    groups : int
        ``inputs`` for a depthwise convolution.
    norm : callable
        Makes the normalisation of so many channels.
    activation : callable or None
        Makes the activation.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        norm: Norm = nn.BatchNorm2d,
        activation: Activation | None = None,
    ) -> None:
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        super().__init__(convolution, norm(outputs), *([activation()] if activation else []))


def initialise(network: nn.Module) -> None:
    """Draw the first weights as torchvision does: He's normal for convolutions, sigma 0.01 for linear layers."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out")
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0.0, 0.01)
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
