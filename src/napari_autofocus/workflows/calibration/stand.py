"""A microscope while it is calibrated: where home is, fresh places around it, and the way back, whatever happens."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from napari_autofocus.errors import AutofocusError, HardwareError
from napari_autofocus.microscope.protocol import FocusDrive, SlideMicroscope, walk_to
from napari_autofocus.optics import Objective

Place = tuple[float, float]

_TRIES = 400


@dataclass(frozen=True)
class Home:
    """Where stage and drive stood when a calibration began, µm."""

    x_um: float
    y_um: float
    z_um: float

    @classmethod
    def of(cls, microscope: SlideMicroscope) -> Home:
        """Where they stand now. Raises HardwareError."""
        return cls(*microscope.xy_um(), microscope.focus.position_um())


@contextmanager
def going_home(microscope: SlideMicroscope, home: Home) -> Iterator[None]:
    """Bring stage and drive home on leaving; what went wrong inside goes before what goes wrong on the way.

    What a person has taken in hand, so that the microscope failed, stays where it was put.

    Raises
    ------
    HardwareError
        If the way home fails after all went well.
    """
    drive: Any = microscope.focus
    moved_before = getattr(drive, "moved_by_others", 0)
    try:
        yield
    except BaseException as reason:
        if isinstance(reason, HardwareError) and getattr(drive, "moved_by_others", 0) != moved_before:
            reason.add_note("Stage and drive are left where they are, so as not to undo a person's move.")
            raise
        try:
            go_home(microscope, home)
        except AutofocusError as error:
            reason.add_note(f"Stage and drive could not be brought home: {error}")
        raise
    go_home(microscope, home)


@runtime_checkable
class LimitedDrive(FocusDrive, Protocol):
    """A drive whose limits can be set."""

    def set_limits(self, low_um: float, high_um: float) -> None:
        """Allow other positions from now on."""


@contextmanager
def fenced(drive: FocusDrive, low_um: float, high_um: float) -> Iterator[None]:
    """Keep a drive between these places, µm, as was promised; its own limits hold again on leaving."""
    if not isinstance(drive, LimitedDrive):
        yield
        return
    limits = drive.limits_um
    drive.set_limits(max(limits[0], low_um), min(limits[1], high_um))
    try:
        yield
    finally:
        drive.set_limits(*limits)


def go_home(microscope: SlideMicroscope, home: Home) -> None:
    """The drive first, so that the slide moves under an objective that stands where it stood. Raises HardwareError."""
    try:
        if abs(microscope.focus.position_um() - home.z_um) > 1e-6:
            walk_to(microscope.focus, home.z_um)
        if math.dist(microscope.xy_um(), (home.x_um, home.y_um)) > 1e-6:
            microscope.move_xy_to(home.x_um, home.y_um)
    except AutofocusError as error:
        raise HardwareError(f"Stage and drive could not be brought home: {error}") from error


def fresh_places(
    home: Home, area_um: float, count: int, *, apart_um: float, taken: Sequence[Place], rng: np.random.Generator
) -> list[Place]:
    """Random places around home that keep clear of each other and of those taken, as far as there is room.

    Parameters
    ----------
    home : Home
        The middle.
    area_um : float
        Places lie within ± this along x and along y, µm.
    count : int
        How many.
    apart_um : float
        Least distance of two places, µm; where the area is too small for that, those found last may lie closer.
    taken : sequence of (x, y)
        Places used before, µm.
    rng : np.random.Generator
        Draws them.
    """
    places: list[Place] = []
    while len(places) < count:
        used = [*taken, *places]
        drawn = [(home.x_um + dx, home.y_um + dy) for dx, dy in rng.uniform(-area_um, area_um, (_TRIES, 2)).tolist()]
        clear = (place for place in drawn if all(math.dist(place, each) >= apart_um for each in used))
        places.append(next(clear, drawn[0]))
    return places


def field_size_um(microscope: SlideMicroscope, objective: Objective) -> float:
    """Diagonal of a field, µm: two places so far apart share nothing. Takes a frame."""
    height, width = microscope.snap().image.shape[:2]
    return objective.pixel_size_um * math.hypot(height, width)


def spread_evenly(count: int, range_um: float, rng: np.random.Generator) -> list[float]:
    """Random defocus values within ±range, one in each of as many equal parts of it, in random order, µm."""
    strata = (rng.permutation(count) + rng.random(count)) / max(count, 1)
    return [float(value) for value in (2 * strata - 1) * range_um]
