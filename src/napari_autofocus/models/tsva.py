"""Two-shot virtual autofocus: two defocused shots of one field in, the image in focus out, and how far to trust it.

After Li et al., arXiv:2003.06630: a U-Net with two contracting paths that share their weights, whose features the
expansive path joins; what it finds is added to the sharper of the two shots by the Brenner gradient. The paper's width
and depth stand in a figure only and are our own choice, as are these: the local mean is taken off first and no layer
has a bias, so that an even image stays even and brightness changes nothing; images may be folded into channels first
(``fold``), which is four times as fast; each pixel has an uncertainty; nothing is normalised by batch.

The two networks it is compared with are built of the same parts: a U-Net that sees the sharper shot only (``one-shot``)
and one whose paths meet by the maximum of their features (``burst``).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_autofocus.errors import InputError

Method = Literal["two-shot", "one-shot", "burst"]
METHODS: tuple[Method, ...] = ("two-shot", "one-shot", "burst")

_MEAN_STRIDE = 16


@dataclass(frozen=True)
class TsvaSettings:
    """What a virtual refocusing network is made of.

    Parameters
    ----------
    method : {'two-shot', 'one-shot', 'burst'}
        How the shots meet.
    channels : int
        3 for colour, 1 for monochrome.
    width : int
        Channels of the first level; each further level has twice as many.
    levels : int
        Times that the contracting paths halve their images.
    fold : int
        Squares of so many pixels a side are folded into channels before the first level; 1 as in the paper.
    """

    method: Method = "two-shot"
    channels: int = 3
    width: int = 16
    levels: int = 3
    fold: int = 2

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"There is no virtual refocusing by {self.method!r}; choose among {', '.join(METHODS)}.")
        if min(self.channels, self.width, self.levels, self.fold) < 1:
            raise InputError("Channels, width, levels and fold of a network are whole numbers from 1 on.")

    @property
    def stride_px(self) -> int:
        """Sides of an image must be multiples of this, px."""
        return max(int(self.fold * 2**self.levels), _MEAN_STRIDE)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as they stand in a model package."""
        return asdict(self)


LIGHT = TsvaSettings()
"""The width that ships: a frame of 1224 x 1024 px in about a second on two CPU cores."""
FULL = TsvaSettings(width=64, fold=1)
"""The paper's U-Net with the usual 64 channels; for an accelerator."""


class TsvaNetwork(nn.Module):
    """Pairs of shots (N, 2C, Y, X) in [0, 1] in; recovered image and uncertainty (N, C + 1, Y, X) out.

    The order of the two shots does not matter. Sides are multiples of :attr:`TsvaSettings.stride_px`. The uncertainty
    is the standard deviation that is expected of a pixel, in the same units.

    Parameters
    ----------
    settings : TsvaSettings, optional
        What it is made of.
    """

    floor = 0.002

    def __init__(self, settings: TsvaSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or TsvaSettings()
        chosen = self.settings
        folded = chosen.channels * chosen.fold**2
        widths = [chosen.width * 2**level for level in range(chosen.levels + 1)]
        self.contracting = nn.ModuleList(
            _two_convolutions(before, after) for before, after in zip([folded, *widths], widths, strict=False)
        )
        paths = 2 if chosen.method == "two-shot" else 1
        self.meeting = _convolution(paths * widths[-1], widths[-1])
        self.rising = nn.ModuleList(_UpConvolution(2 * width, width) for width in reversed(widths[:-1]))
        self.expansive = nn.ModuleList(_two_convolutions((1 + paths) * width, width) for width in reversed(widths[:-1]))
        self.last = nn.Conv2d(chosen.width, folded + chosen.fold**2, 3, padding=1, bias=False)
        nn.init.zeros_(self.last.weight)
        with torch.no_grad():
            self.last.weight[folded:].normal_(0, 0.01)

    def forward(self, shots: Tensor) -> Tensor:
        sharper, other = ordered(shots)
        around = _local_mean((sharper + other) / 2)
        found = self._find(sharper - around, other - around)
        recovered = sharper + found[:, : self.settings.channels]
        uncertainty = (found[:, self.settings.channels :].square() + self.floor**2).sqrt()
        return torch.cat([recovered, uncertainty], dim=1)

    def _find(self, sharper: Tensor, other: Tensor) -> Tensor:
        """What is to be added to the sharper shot, and the raw uncertainty, shape (N, C + 1, Y, X)."""
        fold = self.settings.fold
        one_path = self.settings.method == "one-shot"
        paths = sharper if one_path else torch.cat([sharper, other])
        features = functional.pixel_unshuffle(paths, fold) if fold > 1 else paths
        skipped = []
        for level, convolve in enumerate(self.contracting):
            features = convolve(features if level == 0 else functional.max_pool2d(features, 2))
            skipped.append(self._joined(features))
        upwards = self.meeting(skipped.pop())
        for rise, convolve in zip(self.rising, self.expansive, strict=True):
            upwards = convolve(torch.cat([rise(upwards), skipped.pop()], dim=1))
        found: Tensor = self.last(upwards)
        return functional.pixel_shuffle(found, fold) if fold > 1 else found

    def _joined(self, features: Tensor) -> Tensor:
        """Features of both paths where they meet."""
        if self.settings.method == "one-shot":
            return features
        pairs = features.shape[0] // 2
        first, second = features[:pairs], features[pairs:]
        return torch.maximum(first, second) if self.settings.method == "burst" else torch.cat([first, second], dim=1)


def for_grey(network: TsvaNetwork) -> TsvaNetwork:
    """A network of one channel that answers to grey images as one for colour does to three equal colours.

    So a network for colour can be taught further on images of a monochrome camera. Ours; exact up to rounding, the
    three answers counting alike.

    Parameters
    ----------
    network : TsvaNetwork
        Of any number of channels; it is not changed.
    """
    channels, squares = network.settings.channels, network.settings.fold**2
    grey = TsvaNetwork(replace(network.settings, channels=1))
    weights = {name: value.detach().clone() for name, value in network.state_dict().items()}
    first, last = "contracting.0.0.0.weight", "last.weight"
    weights[first] = weights[first].unflatten(1, (channels, squares)).sum(dim=1)
    colours, doubt = weights[last].split([channels * squares, squares])
    weights[last] = torch.cat([colours.unflatten(0, (channels, squares)).mean(dim=0), doubt])
    grey.load_state_dict(weights)
    return grey.train(network.training)


def ordered(shots: Tensor) -> tuple[Tensor, Tensor]:
    """The sharper shot of each pair and the other one, (N, C, Y, X) each, of pairs (N, 2C, Y, X), by Brenner."""
    channels = shots.shape[1] // 2
    first, second = shots[:, :channels], shots[:, channels:]
    swapped = (_brenner(second) > _brenner(first))[:, None, None, None]
    return torch.where(swapped, second, first), torch.where(swapped, first, second)


def _brenner(images: Tensor) -> Tensor:
    """Brenner gradient in both directions, shape (N,), of images (N, C, Y, X)."""
    grey = images.mean(dim=1)
    down, right = grey[:, 2:] - grey[:, :-2], grey[:, :, 2:] - grey[:, :, :-2]
    return down.square().mean(dim=(1, 2)) + right.square().mean(dim=(1, 2))


def _local_mean(images: Tensor) -> Tensor:
    """Mean over squares of 32 px, interpolated between them, of images whose sides are multiples of 16 px."""
    stride = _MEAN_STRIDE
    coarse = functional.avg_pool2d(images, 2 * stride, stride, padding=stride // 2, count_include_pad=False)
    return functional.interpolate(coarse, scale_factor=float(stride), mode="bilinear", align_corners=False)


def _convolution(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1, bias=False), nn.ReLU(inplace=True))


def _two_convolutions(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(_convolution(before, after), _convolution(after, after))


class _UpConvolution(nn.Module):
    """Twice as large by repetition, then a 2 x 2 convolution that halves the channels."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(before, after, 2, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        larger = functional.interpolate(images, scale_factor=2.0, mode="nearest")
        found: Tensor = self.convolution(functional.pad(larger, (0, 1, 0, 1)))
        return found.relu()
