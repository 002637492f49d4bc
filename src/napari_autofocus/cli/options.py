"""Options that several commands share: which slide is simulated."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from napari_autofocus.errors import InputError

SLIDE = "Simulated slide"

Stain = Annotated[
    str, typer.Option(help="he, ihc, cytology, blood, unstained, fluorescence or beads.", rich_help_panel=SLIDE)
]
Density = Annotated[str, typer.Option(help="dense, sparse, extremely-sparse or empty.", rich_help_panel=SLIDE)]


def parse_shape(text: str) -> tuple[int, int]:
    """Read ``1024x1224`` as height and width in pixels."""
    match = re.fullmatch(r"\s*(\d+)\s*[x×]\s*(\d+)\s*", text, re.I)
    if match is None or 0 in (height_width := (int(match[1]), int(match[2]))):
        raise InputError(f"Cannot read {text!r} as the shape of a field; write height x width, as in 1024x1224.")
    return height_width
