"""Who moved the drive: tells the moves that others made (a widget, an acquisition, a joystick) from our own."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from dataclasses import dataclass, replace

_REMEMBERED_LEGS = 32


@dataclass(frozen=True)
class _Leg:
    """One command of ours and the stretch it covers, µm; ``ended_at`` in real seconds."""

    low_um: float
    high_um: float
    ended_at: float = math.inf

    @property
    def under_way(self) -> bool:
        return self.ended_at == math.inf

    def passes(self, z_um: float, tolerance_um: float) -> bool:
        return self.low_um - tolerance_um <= z_um <= self.high_um + tolerance_um


class MoveLedger:
    """Compares every position that is reported or read back with what we ourselves commanded.

    Reports may come from any thread and, from a C++ core, after the move they belong to has ended. A report of a place
    on the way of one of our recent moves therefore proves nothing; reading back does.

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
        self._legs: deque[_Leg] = deque(maxlen=_REMEMBERED_LEGS)
        self._farthest_um = (math.inf, -math.inf)
        self._lock = threading.Lock()

    def begin(self, *waypoints_um: float) -> None:
        """One of our moves starts; whatever lies between these positions is ours until it ends."""
        with self._lock:
            self._legs.append(_Leg(min(waypoints_um), max(waypoints_um)))

    def end(self, rest_um: float) -> None:
        """Our move is over and the drive rests here."""
        with self._lock:
            self._settle(rest_um)

    def lose_track(self) -> None:
        """Our move failed; the next position seen counts as where we left the drive."""
        with self._lock:
            self._settle(math.nan)

    def report(self, z_um: float) -> None:
        """The core's event says that the drive is here; one that is no number says nothing."""
        with self._lock:
            if math.isfinite(z_um) and not self._is_on_our_way(z_um):
                self._compare(z_um)

    def read_back(self, z_um: float) -> None:
        """The hardware says, on being asked, that the drive is here; during our own moves this proves nothing."""
        with self._lock:
            if not (self._legs and self._legs[-1].under_way):
                self._compare(z_um)

    def take_farthest_um(self) -> tuple[float, float]:
        """Lowest and highest position that others have reached since this was last asked, µm; (inf, −inf) if none."""
        with self._lock:
            farthest, self._farthest_um = self._farthest_um, (math.inf, -math.inf)
        return farthest

    def _settle(self, rest_um: float) -> None:
        self.rest_um = rest_um
        self._legs[-1] = replace(self._legs[-1], ended_at=time.monotonic())

    def _is_on_our_way(self, z_um: float) -> bool:
        since = time.monotonic() - self._late_s
        return any(leg.ended_at > since and leg.passes(z_um, self._tolerance_um) for leg in self._legs)

    def _compare(self, z_um: float) -> None:
        if math.isnan(self.rest_um):
            self.rest_um = z_um
        if abs(z_um - self.rest_um) <= self._tolerance_um:
            return
        self.rest_um = z_um
        self.moved_by_others += 1
        low, high = self._farthest_um
        self._farthest_um = (min(low, z_um), max(high, z_um))
