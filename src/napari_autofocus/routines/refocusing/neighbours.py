"""A field without content: look at the fields around it and take the focus that they suggest."""

from __future__ import annotations

from collections.abc import Generator
from typing import cast

import numpy as np

from napari_autofocus.errors import MoveRefused
from napari_autofocus.focus.estimate import refocus_z_um
from napari_autofocus.microscope.protocol import Frame, SlideMicroscope
from napari_autofocus.routines.refocus_config import RefocusStep
from napari_autofocus.routines.refocusing.run import RefocusRun
from napari_autofocus.routines.refocusing.two_shot_seeing import see

Steps = Generator[RefocusStep, None, None]

SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1))
"""Along x and y, in fields: opposite ones follow each other."""
MOST_SPREAD_DOF = 5.0
"""Neighbours whose focus differs by more depths of field say nothing of the field between them (ours)."""


def look_around(run: RefocusRun) -> Steps:
    """Look at the four neighbours of an empty field, come back, and go to the z in between.

    The field itself stays unverified, since it has nothing to verify by: the outcome remains ``skipped_no_content``.
    """
    microscope = cast(SlideMicroscope, run.guard.microscope)
    here_um, start = microscope.xy_um(), run.newest.frame
    empty = " ".join(run.estimate.reasons)
    if run.direction == 0 or start.pixel_size_um is None or np.isnan(here_um).any():
        run.end(
            "skipped_no_content", f"{empty} Neighbouring fields need a pixel size and a known direction.", stay=True
        )
        return
    found: dict[tuple[int, int], float] = {}
    try:
        for side in SIDES:
            yield from _visit(run, here_um, side, found)
    finally:
        run.guard.move_slide(*here_um)
    _interpolate(run, found, empty)


def _visit(
    run: RefocusRun,
    here_um: tuple[float, float],
    side: tuple[int, int],
    found: dict[tuple[int, int], float],
) -> Steps:
    """One neighbour; its best focus is noted where the model is sure of it."""
    width_um, height_um = _extent_um(run.looks[0].frame)
    try:
        run.guard.move_slide(here_um[0] + side[0] * width_um, here_um[1] + side[1] * height_um)
    except MoveRefused:
        return  # beyond the limits of the stage there is no neighbour
    yield from see(run, "neighbour")
    if run.estimate.trusted and run.estimate.defocus_um is not None:
        found[side] = refocus_z_um(run.newest.z_um, run.estimate.defocus_um, run.direction)


def _interpolate(run: RefocusRun, found: dict[tuple[int, int], float], empty: str) -> None:
    """The mean of opposite neighbours, which a tilt does not shift; of all of them where no two are opposite."""
    pairs = [
        (found[side] + found[(-side[0], -side[1])]) / 2
        for side in SIDES[::2]
        if {side, (-side[0], -side[1])} <= found.keys()
    ]
    values = list(found.values())
    if len(values) < 2 or max(values) - min(values) > MOST_SPREAD_DOF * run.dof_um:
        run.end("skipped_no_content", f"{empty} {len(values)} of its neighbours could be judged: too few.", stay=True)
        return
    target_um = float(np.mean(pairs or values))
    run.require_near(target_um)
    run.guard.go(target_um)
    run.end(
        "skipped_no_content",
        f"{empty} The drive went to {target_um:.2f} µm, the focus between {len(values)} neighbouring fields; the field"
        " itself cannot verify it.",
        stay=True,
    )


def _extent_um(frame: Frame) -> tuple[float, float]:
    """Width and height of a field, µm."""
    pixel_um = frame.pixel_size_um or 0.0
    return frame.image.shape[1] * pixel_um, frame.image.shape[0] * pixel_um
