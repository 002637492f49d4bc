"""Who moved the drive: tells the moves that others made (a widget, an acquisition, a joystick) from our own."""

from __future__ import annotations

import math
import threading
import time


class MoveLedger:
    """Compares every position that is reported or read back with what we ourselves commanded last.

    Reports may come from any thread and, from a C++ core, after the move they belong to has ended.

    Parameters
    ----------
    rest_um : float
        Where the drive stands now, µm.
    tolerance_um : float
        How far a position may lie from where we left the drive and still be ours, µm.
    late_s : float
        How long after one of our moves its intermediate positions may still be reported, real seconds.
    """

    def __init__(self, rest_um: float, *, tolerance_um: float, late_s: float) -> None:
        self.rest_um = rest_um
        self.moved_by_others = 0
        self._tolerance_um = tolerance_um
        self._late_s = late_s
        self._span_um = (rest_um, rest_um)
        self._moving = False
        self._ended_at = -math.inf
        self._farthest_um = (math.inf, -math.inf)
        self._lock = threading.Lock()

    def begin(self, *waypoints_um: float) -> None:
        """One of our moves starts; whatever lies between these positions is ours until it ends."""
        with self._lock:
            self._span_um = (min(waypoints_um), max(waypoints_um))
            self._moving = True

    def end(self, rest_um: float) -> None:
        """Our move is over and the drive rests here."""
        with self._lock:
            self.rest_um = rest_um
            self._moving = False
            self._ended_at = time.monotonic()

    def lose_track(self) -> None:
        """Our move failed; the next position seen counts as where we left the drive."""
        with self._lock:
            self.rest_um = math.nan
            self._moving = False
            self._ended_at = time.monotonic()

    def report(self, z_um: float) -> None:
        """The core's event says that the drive is here."""
        with self._lock:
            late = self._moving or time.monotonic() - self._ended_at < self._late_s
            if not (late and self._between(z_um)):
                self._compare(z_um)

    def read_back(self, z_um: float) -> None:
        """The hardware says, on being asked, that the drive is here; during our own moves this proves nothing."""
        with self._lock:
            if not self._moving:
                self._compare(z_um)

    def take_farthest_um(self) -> tuple[float, float]:
        """Lowest and highest position that others have reached since this was last asked, µm; (inf, −inf) if none."""
        with self._lock:
            farthest, self._farthest_um = self._farthest_um, (math.inf, -math.inf)
        return farthest

    def _between(self, z_um: float) -> bool:
        low, high = self._span_um
        return low - self._tolerance_um <= z_um <= high + self._tolerance_um

    def _compare(self, z_um: float) -> None:
        if math.isnan(self.rest_um):
            self.rest_um = z_um
        if abs(z_um - self.rest_um) <= self._tolerance_um:
            return
        self.rest_um = z_um
        self.moved_by_others += 1
        low, high = self._farthest_um
        self._farthest_um = (min(low, z_um), max(high, z_um))
