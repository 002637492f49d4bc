"""Options of the commands that read images: what their files do not say, and which of several images is meant."""

from __future__ import annotations

from typing import Annotated

import typer

OPTICS = "How the images were taken, where files do not say it or are wrong"
FILES = "Files that hold several images"

ImageObjective = Annotated[
    str | None,
    typer.Option("--objective", help="Magnification and NA, as in 20x/0.75 or '100x/1.4 oil'.", rich_help_panel=OPTICS),
]
ImagePixelUm = Annotated[
    float | None, typer.Option("--pixel-um", help="Size of a pixel in the sample, in µm.", rich_help_panel=OPTICS)
]
BitDepth = Annotated[
    int | None,
    typer.Option(
        "--bit-depth", help="Bits that the camera of 16-bit files really uses, as in 12.", rich_help_panel=OPTICS
    ),
]
ImageChannel = Annotated[
    str | None,
    typer.Option(
        "--channel",
        help="Which channel: its name, its number from 0, or rgb to join three as colours.",
        rich_help_panel=FILES,
    ),
]


def parse_channel(text: str | None) -> int | str | None:
    """A channel's number where digits are given, otherwise its name."""
    return int(text) if text is not None and text.isdecimal() else text
