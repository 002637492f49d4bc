"""Options that several commands share: which slide is simulated, which microscope is focused, what is kept of runs.

Groups of them that go together are dataclasses in ``stand.py`` and ``file_options.py``.

A command that reads one of them differently states its own.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from napari_autofocus.errors import InputError

SLIDE = "Simulated slide"
MICROSCOPE = "Microscope"
SIMULATED = "simulated"

Stain = Annotated[
    str, typer.Option(help="he, ihc, cytology, blood, unstained, fluorescence or beads.", rich_help_panel=SLIDE)
]
Density = Annotated[str, typer.Option(help="dense, sparse, extremely-sparse or empty.", rich_help_panel=SLIDE)]
TrialStain = Annotated[
    str,
    typer.Option(
        "--stain",
        help="he, ihc, cytology, blood, unstained, fluorescence or beads; mixed: another for each run.",
        rich_help_panel=SLIDE,
    ),
]
TrialDensity = Annotated[
    str,
    typer.Option(
        "--density",
        help="dense, sparse, extremely-sparse or empty; mixed: another with content for each run. Fields hold"
        " content unless the slide is empty.",
        rich_help_panel=SLIDE,
    ),
]
CameraColour = Annotated[
    str | None,
    typer.Option(
        "--camera",
        help="Of the simulated microscope: rgb (8 bit) or mono (16 bit). Unless given as is usual for the stain: mono"
        " for unstained, fluorescence and beads.",
        rich_help_panel=SLIDE,
    ),
]
Shape = Annotated[str, typer.Option(help="Height x width of a field, in pixels.", rich_help_panel=SLIDE)]

MicroscopeName = Annotated[
    str,
    typer.Option(
        "--microscope",
        help="[bold]simulated[/bold], or a Micro-Manager configuration file (.cfg).",
        rich_help_panel=MICROSCOPE,
    ),
]
ObjectiveName = Annotated[
    str | None,
    typer.Option(
        "--objective",
        help="Magnification, NA and immersion, as in 20x/0.75 or '100x/1.4 oil'. A real microscope does not tell it; a"
        " simulated one has 20x/0.75, or the model's own, unless another is given.",
        rich_help_panel=MICROSCOPE,
    ),
]
FocusDirection = Annotated[
    int | None,
    typer.Option(
        "--focus-direction",
        help="+1: a growing z brings sample and objective together; -1: it moves them apart. Unless given, what the"
        " drive tells (+1 when simulated); where it does not tell, refocus and survey find out by a move of 2 µm.",
        rich_help_panel=MICROSCOPE,
    ),
]
LimitsUm = Annotated[
    tuple[float, float] | None,
    typer.Option(
        "--limits-um",
        help="Lowest and highest position the drive may ever take, in µm as it reports them. A real microscope"
        " moves only if these or --range-um are given.",
        rich_help_panel=MICROSCOPE,
    ),
]
AroundUm = Annotated[
    float | None,
    typer.Option(
        "--range-um",
        help="A real drive stays within so many µm of where it stands, instead of --limits-um.",
        rich_help_panel=MICROSCOPE,
    ),
]
BacklashUm = Annotated[
    float | None,
    typer.Option(
        "--backlash-um",
        help="Play of the drive's gears, in µm; every place is approached from the same side. 1 when simulated,"
        " 2 on a real drive unless given; 0 for a piezo.",
        rich_help_panel=MICROSCOPE,
    ),
]
ExposureMs = Annotated[
    float | None,
    typer.Option(
        "--exposure-ms",
        help="Exposure time of a frame, in ms; 25 when simulated (the lamp is set to match), otherwise as the"
        " camera is set.",
        rich_help_panel=MICROSCOPE,
    ),
]
LensFile = Annotated[
    Path | None,
    typer.Option(
        "--lens",
        help="Focus by the tunable lens of this file, which calibrate-lens writes, instead of the stage. Positions are"
        " then µm of focal shift, and limits lie inside its curve.",
        rich_help_panel=MICROSCOPE,
    ),
]
PixelUm = Annotated[
    float | None,
    typer.Option(
        "--pixel-um",
        help="Size of a pixel in the sample, in µm, where the microscope does not state it.",
        rich_help_panel=MICROSCOPE,
    ),
]
Yes = Annotated[
    bool, typer.Option("--yes", help="Do not ask before a real microscope moves.", rich_help_panel=MICROSCOPE)
]
Seed = Annotated[int, typer.Option(help="Same seed, same results: simulated slide, fields, starts and camera noise.")]
Records = Annotated[
    Path | None, typer.Option(help="Keep the full record of every run, curve included: one JSON object a line.")
]
AsJson = Annotated[bool, typer.Option("--json", help='Print one JSON object: {"runs": \\[...], "summary": {...}}.')]


def parse_shape(text: str) -> tuple[int, int]:
    """Read ``1024x1224`` as height and width in pixels."""
    match = re.fullmatch(r"\s*(\d+)\s*[x×]\s*(\d+)\s*", text, re.I)
    if match is None or 0 in (height_width := (int(match[1]), int(match[2]))):
        raise InputError(f"Cannot read {text!r} as the shape of a field; write height x width, as in 1024x1224.")
    return height_width
