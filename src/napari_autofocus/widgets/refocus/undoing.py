"""Where the drive stood before each run that moved it, and the way back there. No Qt."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass

from napari_autofocus.errors import MoveRefused
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.protocol import Frame, walk_to
from napari_autofocus.records import FocusRecord
from napari_autofocus.routines.running.guard import SAME_FIELD_UM

_MOST = 20
_LEAST_MOVE_UM = 0.05


@dataclass(frozen=True)
class Place:
    """A position of the focus drive, and of the slide (NaN without an XY stage), µm."""

    z_um: float
    x_um: float = math.nan
    y_um: float = math.nan

    def is_elsewhere(self, x_um: float, y_um: float) -> bool:
        """Whether the slide has been moved to another field; never where the XY position is not known."""
        return math.dist((self.x_um, self.y_um), (x_um, y_um)) > SAME_FIELD_UM


class UndoStack:
    """The places before the newest runs that moved the drive; they hold for one field of the slide only."""

    def __init__(self) -> None:
        self._places: list[Place] = []

    def __len__(self) -> int:
        return len(self._places)

    def remember(self, record: FocusRecord, last: Frame | None) -> None:
        """Keep where a run began, if it ended elsewhere; ``last`` is its last frame."""
        if abs(record.end_um - record.start_um) >= _LEAST_MOVE_UM:
            where = (math.nan, math.nan) if last is None else (last.x_um, last.y_um)
            self._places = [*self._places, Place(record.start_um, *where)][-_MOST:]

    def newest(self) -> Place | None:
        """The place before the newest run that moved; None where there is none."""
        return self._places[-1] if self._places else None

    def drop(self) -> None:
        """Forget the newest place: the drive is back there."""
        self._places.pop()

    def clear(self) -> None:
        """Forget every place."""
        self._places.clear()

    def is_of_another_field(self, frame: Frame) -> bool:
        """Whether a frame shows another field than the places are of."""
        return any(place.is_elsewhere(frame.x_um, frame.y_um) for place in self._places[-1:])


def go_back(microscope: CoreMicroscope, place: Place) -> Generator[None, None, float]:
    """Bring the drive back to a place; a run without frames, so that Stop reaches it.

    Returns
    -------
    float
        Position read back, µm.

    Raises
    ------
    MoveRefused
        The slide shows another field now, or the drive refuses. Nothing has moved.
    HardwareError
        The drive failed or was halted.
    """
    x_um, y_um = microscope.xy_um()
    if place.is_elsewhere(x_um, y_um):
        raise MoveRefused("The slide has been moved since; the z before belongs to another field. Focus here anew.")
    return walk_to(microscope.focus, place.z_um)
    yield  # makes this a generator
