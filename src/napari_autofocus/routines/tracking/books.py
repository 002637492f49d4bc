"""What a hold of focus remembers between rounds: where best focus lay, and since when the stage has rested."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.routines.running.guard import SAME_FIELD_UM
from napari_autofocus.routines.track_config import Average

LEAST_ESTIMATES = 2
"""No average of fewer estimates (or of fewer than the window holds): a single one may be wild."""
_LINE_WINDOWS = 4
_LEAST_FOR_LINE = 6


class RunningBest:
    """Running average of the drive position of best focus, and how far it has drifted.

    An average lags behind what drifts by the mean age of its estimates. Once enough are known, a line through them
    tells how fast best focus drifts, and the average is brought up to date by it.

    Parameters
    ----------
    window : int
        Estimates that the average is taken of, the newest; the line is fitted to four times as many.
    average : {'mean', 'median'}
        How.
    most_ahead_um : float
        The line brings the average forward by no more than this, µm: a sudden change is no drift.
    """

    def __init__(self, window: int, average: Average, most_ahead_um: float) -> None:
        self._found: deque[tuple[float, float]] = deque(maxlen=_LINE_WINDOWS * window)
        self._window = window
        self._average = np.median if average == "median" else np.mean
        self._most_ahead_um = most_ahead_um
        self._first_um: float | None = None

    def add(self, at_s: float, best_z_um: float) -> None:
        """Learn another estimate, µm, of a frame taken at this time."""
        self._found.append((at_s, best_z_um))
        if self._first_um is None:
            self._first_um = self.z_um

    def forget(self) -> None:
        """Start anew, and count drift from there."""
        self._found.clear()
        self._first_um = None

    @property
    def z_um(self) -> float | None:
        """The average as of the newest estimate, µm; None before there are enough for one."""
        if len(self._found) < min(LEAST_ESTIMATES, self._window):
            return None
        at_s, best_um = np.array(self._found)[-self._window :].T
        ahead_um = self.rate_um_s * (at_s[-1] - at_s.mean())
        return float(self._average(best_um) + np.clip(ahead_um, -self._most_ahead_um, self._most_ahead_um))

    @property
    def rate_um_s(self) -> float:
        """How fast best focus drifts, µm/s; 0 before that can be told from noise."""
        if len(self._found) < max(self._window + 1, _LEAST_FOR_LINE):
            return 0.0
        at_s, best_um = np.array(self._found).T
        spread_s = at_s - at_s.mean()
        return float(spread_s @ best_um / max(float(spread_s @ spread_s), 1e-9))

    @property
    def drift_um(self) -> float | None:
        """How far the average has moved since the first one, µm."""
        return None if self.z_um is None or self._first_um is None else self.z_um - self._first_um


@dataclass(frozen=True)
class Place:
    """Where drive and slide stood when a frame was taken, µm; x and y are NaN without an XY stage."""

    z_um: float
    x_um: float
    y_um: float

    @classmethod
    def of(cls, frame: Frame) -> Place:
        """The place of a frame."""
        return cls(float(frame.z_um), float(frame.x_um), float(frame.y_um))

    def shift_um(self, other: Place) -> float:
        """How far apart the slide lies in the two, µm."""
        return math.hypot(self.x_um - other.x_um, self.y_um - other.y_um)

    def is_other_field(self, other: Place) -> bool:
        """Whether the slide lies elsewhere; never without an XY stage."""
        return self.shift_um(other) > SAME_FIELD_UM


class RestWatch:
    """Tells when a stage that a person moves has come to rest.

    Parameters
    ----------
    rest_s : float
        It must stand still for so long, s.
    same_place_um : float
        Readings of the drive that differ by no more than this count as the same place, µm.
    """

    def __init__(self, rest_s: float, same_place_um: float) -> None:
        self._rest_s = rest_s
        self._same_place_um = same_place_um
        self._place: Place | None = None
        self._rested_s = 0.0

    def begin(self) -> None:
        """The stage has just been moved."""
        self._place, self._rested_s = None, 0.0

    def has_rested(self, place: Place, waited_s: float) -> bool:
        """Whether it has rested long enough, seen here once more after ``waited_s`` more seconds."""
        before = self._place
        if before is None or abs(place.z_um - before.z_um) > self._same_place_um or place.is_other_field(before):
            self._place, self._rested_s = place, 0.0
        else:
            self._rested_s += waited_s
        return self._rested_s >= self._rest_s * (1 - 1e-6)
