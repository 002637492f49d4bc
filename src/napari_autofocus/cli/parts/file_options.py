"""Options of the commands that read images and stacks: what files do not say, and which of several images is meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from napari_autofocus.models.labelled_stacks import ReadingSettings
    from napari_autofocus.optics import Objective

OPTICS = "How the images were taken, where files do not say it or are wrong"
SEVERAL = "Files that hold several images"
IN_FILES = "What files may not say"

StepUm = Annotated[
    float | None,
    typer.Option("--step-um", help="Distance of neighbouring planes, in µm.", rich_help_panel=IN_FILES),
]
StackChannel = Annotated[
    str | None,
    typer.Option("--channel", help="Which channel to use: its name, or its number from 0.", rich_help_panel=IN_FILES),
]


@dataclass(frozen=True)
class StackFiles:
    """How stacks are read; None where their files say it."""

    step_um: StepUm = None
    channel: StackChannel = None
    focus_direction: Annotated[
        int | None,
        typer.Option(
            help="+1: a growing z brings sample and objective together; -1: it moves them apart.",
            rich_help_panel=IN_FILES,
        ),
    ] = None

    def told(self) -> dict[str, Any]:
        """The settings by their names."""
        return {**vars(self), "channel": parse_channel(self.channel)}

    def reading(self) -> ReadingSettings:
        """For whoever opens labelled stacks."""
        from napari_autofocus.models.labelled_stacks import ReadingSettings

        return ReadingSettings(**self.told())


@dataclass(frozen=True)
class Optics:
    """How images and stacks were taken; None where their files say it."""

    objective: Annotated[
        str | None,
        typer.Option(help="Magnification and NA, as in 20x/0.75 or '100x/1.4 oil'.", rich_help_panel=OPTICS),
    ] = None
    pixel_um: Annotated[
        float | None, typer.Option("--pixel-um", help="Size of a pixel in the sample, in µm.", rich_help_panel=OPTICS)
    ] = None

    def lens(self) -> Objective | None:
        """The objective that was named. Raises InputError for one that cannot be read."""
        from napari_autofocus.optics import Objective

        return None if self.objective is None else Objective.parse(self.objective)


@dataclass(frozen=True)
class ImageFiles:
    """How images are read; None where their files say it."""

    bit_depth: Annotated[
        int | None,
        typer.Option(
            "--bit-depth", help="Bits that the camera of 16-bit files really uses, as in 12.", rich_help_panel=OPTICS
        ),
    ] = None
    channel: Annotated[
        str | None,
        typer.Option(
            help="Which channel: its name, its number from 0, or rgb to join three as colours.",
            rich_help_panel=SEVERAL,
        ),
    ] = None

    def told(self) -> dict[str, Any]:
        """The settings by their names."""
        return {"bit_depth": self.bit_depth, "channel": parse_channel(self.channel)}


def parse_channel(text: str | None) -> int | str | None:
    """A channel's number where digits are given, otherwise its name."""
    return int(text) if text is not None and text.isdecimal() else text
