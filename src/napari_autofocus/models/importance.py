"""Stage one, the Region Importance Network: the whole frame, reduced, in; the content importance of each patch out.

It learns from defocused frames which patches will tell about focus, the label being each patch's own focus curve. What
the paper's network looks like is not known to us; this one is ours: a few strided convolutions, cheap enough that its
cost hardly counts.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from napari_autofocus.errors import InputError


@dataclass(frozen=True)
class ImportanceSettings:
    """What a Region Importance Network is made of.

    Parameters
    ----------
    channels : int
        3 for colour, 1 for monochrome.
    reduction : int
        Factor by which the overview is smaller than the frame.
    patch_px, stride_px : int
        Side and distance of the patches in the frame, px; the side is twice the distance.
    widths : tuple of int
        Channels after each stage; the first stages halve the overview until a pixel is a stride.
    contrast : {'absolute', 'relative'}
        What the network sees of a grey value: the value itself (stained slides, exposed alike), or its ratio to the
        frame's mean and to its neighbourhood's, so that exposure drops out (fluorescence, phase).
    """

    channels: int = 3
    reduction: int = 8
    patch_px: int = 128
    stride_px: int = 64
    widths: tuple[int, ...] = (16, 32, 48)
    contrast: Literal["absolute", "relative"] = "absolute"

    def __post_init__(self) -> None:
        if self.patch_px != 2 * self.stride_px:
            raise InputError(f"Patches are twice their stride wide; found {self.patch_px} and {self.stride_px} px.")
        if self.stride_px != self.reduction * 2 ** len(self.widths):
            raise InputError(
                f"{len(self.widths)} halvings of an overview reduced {self.reduction} times give a stride of"
                f" {self.reduction * 2 ** len(self.widths)} px; found {self.stride_px} px."
            )

    def to_json(self) -> dict[str, Any]:
        """Plain values, as they stand in a model package."""
        return asdict(self)


class ImportanceNetwork(nn.Module):
    """Overviews (N, C, y, x) in [0, 1] in; importance (N, 1, rows, columns) in [0, 1] out.

    Parameters
    ----------
    settings : ImportanceSettings, optional
        What it is made of.
    """

    def __init__(self, settings: ImportanceSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or ImportanceSettings()
        stages: list[nn.Module] = []
        before = 2 * self.settings.channels
        for width in self.settings.widths:
            stages += [_convolution(before, width, stride=2), _convolution(width, width, stride=1)]
            before = width
        self.seen = CONTRASTS[self.settings.contrast]
        self.stages = nn.Sequential(*stages, _convolution(before, before, stride=1, dilation=2))
        self.score = nn.Conv2d(before, 1, kernel_size=2)

    def logits(self, overviews: Tensor) -> Tensor:
        """Scores before the logistic, shape (N, 1, rows, columns)."""
        found: Tensor = self.score(self.stages(self.seen(overviews)))
        return found

    def forward(self, overviews: Tensor) -> Tensor:
        return self.logits(overviews).sigmoid()


def _absolute(overviews: Tensor) -> Tensor:
    """Each colour beside its local contrast: the overview minus its neighbourhood's mean, blown up."""
    around = nn.functional.avg_pool2d(overviews, 15, stride=1, padding=7, count_include_pad=False)
    return torch.cat([(overviews - 0.75) * 4, (overviews - around) * 20], dim=1)


def _relative(overviews: Tensor) -> Tensor:
    """Each value's ratio to the frame's mean, and to its neighbourhood's mean, both compressed."""
    whole = overviews.mean(dim=(2, 3), keepdim=True)
    around = nn.functional.avg_pool2d(overviews, 15, stride=1, padding=7, count_include_pad=False)
    against_all = (overviews - whole) / (whole + _DARK)
    against_near = (overviews - around) / (around + _DARK)
    return torch.cat([torch.asinh(4 * against_all), torch.asinh(20 * against_near)], dim=1)


_DARK = 0.001
"""Keeps a black frame's noise from being blown up; full scale is 1."""
CONTRASTS = {"absolute": _absolute, "relative": _relative}
"""By the word in the settings."""


def _convolution(before: int, after: int, *, stride: int, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=stride, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )
