"""Which backbones there are, and how one is built by its name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from napari_autofocus.errors import InputError

__all__ = ["BACKBONES", "BackboneOptions", "Builder", "build_backbone", "check_one_width", "register"]


@dataclass(frozen=True)
class BackboneOptions:
    """What may be chosen about a backbone besides its name.

    Parameters
    ----------
    outputs : int
        Numbers per image.
    channels : int
        Of the images: 3 for colour, 1 for grey, more for several shots.
    dropout : float or None
        Share of the last layer's inputs that training leaves out, in [0, 1); None for the published one.
    width : float
        Factor on the number of channels of every layer, rounded to multiples of 8. Only the MobileNets have it.

    Raises
    ------
    InputError
        If one is outside its range.
    """

    outputs: int
    channels: int = 3
    dropout: float | None = None
    width: float = 1.0

    def __post_init__(self) -> None:
        if self.outputs < 1 or self.channels < 1:
            raise InputError(
                f"a backbone needs at least one channel and one output, not {self.channels} and {self.outputs}"
            )
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise InputError(f"dropout is a share of at least 0 and less than 1, not {self.dropout}")
        if not (math.isfinite(self.width) and self.width > 0):
            raise InputError(f"the width of a backbone is a positive factor such as 0.5, not {self.width}")

    def dropout_or(self, published: float) -> float:
        """The dropout asked for, or else the published one."""
        return published if self.dropout is None else self.dropout


Builder = Callable[[BackboneOptions], nn.Module]

BACKBONES: dict[str, Builder] = {}


def register(name: str) -> Callable[[Builder], Builder]:
    """Make a function of the options known as the backbone of this name.

    Raises
    ------
    ValueError
        If the name is taken.
    """

    def add(builder: Builder) -> Builder:
        if name in BACKBONES:
            raise ValueError(f"there is a backbone {name!r} already")
        BACKBONES[name] = builder
        return builder

    return add


def check_one_width(options: BackboneOptions, family: str) -> None:
    """Raise InputError if a family of networks that has one width is asked for another."""
    if options.width != 1:
        raise InputError(f"a {family} has one width, 1, not {options.width}; a MobileNet can be built narrower")


def build_backbone(
    name: str = "mobilenet_v3_small",
    *,
    outputs: int,
    channels: int = 3,
    dropout: float | None = None,
    width: float = 1.0,
) -> nn.Module:
    """Build a network that turns images (N, channels, H, W) of at least 32 x 32 px into numbers (N, outputs).

    Its weights are drawn from torch's random generator as the papers say; seed that, or load weights.

    Parameters
    ----------
    name : str
        One of :data:`BACKBONES`.
    outputs, channels, dropout, width
        As in :class:`BackboneOptions`.

    Raises
    ------
    InputError
        If there is no such backbone, or an option is outside its range.
    """
    if name not in BACKBONES:
        raise InputError(f"there is no backbone {name!r}; choose one of {', '.join(sorted(BACKBONES))}")
    return BACKBONES[name](BackboneOptions(outputs=outputs, channels=channels, dropout=dropout, width=width))
