"""The moves of an acquisition with autofocus: inside the limits, and always arriving from the same side."""

from __future__ import annotations

import math

from pymmcore_plus.core import SequencedEvent
from useq import MDAEvent

from napari_autofocus.errors import MoveRefused
from napari_autofocus.microscope.protocol import walk_to
from napari_autofocus.workflows.mda.checks import MdaMicroscope

SAME_PLACE_UM = 1e-6


def go_to_place(microscope: MdaMicroscope, event: MDAEvent) -> None:
    """Bring an event's place under the objective, unless a hardware-triggered sequence does.

    Raises
    ------
    MoveRefused, HardwareError
        As the microscope's own ``move_xy_to``.
    """
    if (isinstance(event, SequencedEvent) and event.x_sequence) or not microscope.core.getXYStageDevice():
        return
    if event.x_pos is None and event.y_pos is None:
        return
    here = microscope.xy_um()
    there = (here[0] if event.x_pos is None else event.x_pos, here[1] if event.y_pos is None else event.y_pos)
    if math.dist(here, there) > SAME_PLACE_UM:
        microscope.move_xy_to(*there)


def go_to_height(microscope: MdaMicroscope, event: MDAEvent) -> None:
    """Bring the drive to where a frame, or the first of a triggered stack, is taken.

    Raises
    ------
    MoveRefused
        A height lies outside the limits of the drive. Nothing has moved.
    HardwareError
        As the drive's own ``move_to``.
    """
    if event.z_pos is None:
        return
    if isinstance(event, SequencedEvent):
        low, high = microscope.focus.limits_um
        beyond = [z_um for z_um in event.z_sequence if not low <= z_um <= high]
        if beyond:
            raise MoveRefused(f"{beyond[0]:.2f} µm lies outside the limits of the drive ({low:g} to {high:g} µm).")
    walk_to(microscope.focus, float(event.z_pos))


def without_stages(event: MDAEvent) -> MDAEvent:
    """The event for an engine to set up all but the stages, which are brought there by us."""
    return event.model_copy(update={"x_pos": None, "y_pos": None, "z_pos": None})


def without_still_stages(event: SequencedEvent) -> SequencedEvent:
    """A triggered stack for an engine to set up, without the stages that stand still in it."""
    still: dict[str, None] = {} if event.x_sequence else {"x_pos": None, "y_pos": None}
    return event.model_copy(update=still if event.z_sequence else {**still, "z_pos": None})
