"""What an acquisition with autofocus needs, and what is refused before anything moves."""

from __future__ import annotations

from typing import Protocol

from pymmcore_plus import CMMCorePlus
from useq import MDASequence

from napari_autofocus.errors import InputError
from napari_autofocus.microscope.protocol import SlideMicroscope
from napari_autofocus.workflows.mda.config import MdaFocusConfig
from napari_autofocus.workflows.mda.finders import MdaFinder
from napari_autofocus.workflows.mda.light import check_channel
from napari_autofocus.workflows.mda.sequences import ABSOLUTE, has_absolute_planes


class MdaMicroscope(SlideMicroscope, Protocol):
    """A microscope over a core; ``CoreMicroscope`` is one."""

    @property
    def core(self) -> CMMCorePlus:
        """The core whose acquisitions are focused."""


def check_sequence(
    sequence: MDASequence, microscope: MdaMicroscope, config: MdaFocusConfig, finder: MdaFinder, *, has_map: bool
) -> None:
    """Raises InputError, in one sentence, if this acquisition cannot be focused here. Nothing has moved."""
    if config.on_failure == "map" and not has_map:
        raise InputError("There is no focus map to fall back on; make one, or keep, skip or stop where focusing fails.")
    if config.when == "needed" and finder.look is None:
        raise InputError(
            f"{finder.name} cannot judge the acquired frames; use a model of one shot, or focus as planned."
        )
    check_channel(microscope.core, config.channel)
    if has_absolute_planes(sequence):
        raise InputError(ABSOLUTE)
    _check_heights(sequence, microscope)
    _check_places(sequence, microscope)


def _check_heights(sequence: MDASequence, microscope: MdaMicroscope) -> None:
    """Planned heights beyond the limits of the drive: positions of another microscope, perhaps."""
    low, high = microscope.focus.limits_um
    here_um = microscope.focus.position_um()
    own = list(sequence.z_plan) if sequence.z_plan is not None else []
    for number, position in enumerate(sequence.stage_positions):
        centre_um = here_um if position.z is None else float(position.z)
        for z_um in (centre_um + min(own, default=0.0), centre_um + max(own, default=0.0)):
            if not low <= z_um <= high:
                raise InputError(
                    f"Position {position.name or number} has a plane at z {z_um:.1f} µm, outside the limits of the"
                    f" drive ({low:g} to {high:g} µm); set other limits if it is safe there, or other positions."
                )


def _check_places(sequence: MDASequence, microscope: MdaMicroscope) -> None:
    """Places beyond the limits of the XY stage, or several of them without one."""
    places = [(position.x, position.y) for position in sequence.stage_positions]
    known = {place for place in places if None not in place}
    if not microscope.core.getXYStageDevice():
        if len(known) > 1:
            raise InputError(f"The microscope has no XY stage to visit {len(known)} positions with; select one.")
        return
    limits = getattr(getattr(microscope, "xy", None), "limits_um", None)
    if limits is None:
        return
    x0, y0, x1, y1 = limits
    for number, (x_um, y_um) in enumerate(places):
        if x_um is None or y_um is None:
            continue
        if not (x0 <= x_um <= x1 and y0 <= y_um <= y1):
            name = sequence.stage_positions[number].name or number
            raise InputError(
                f"Position {name} at ({x_um:g}, {y_um:g}) µm lies outside the limits of the XY stage (x {x0:g} to"
                f" {x1:g}, y {y0:g} to {y1:g} µm); it may be of another microscope."
            )
