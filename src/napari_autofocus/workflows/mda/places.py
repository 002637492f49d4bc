"""Where each place of an acquisition is in focus: what was found there, and what the other places say since."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np

from napari_autofocus.workflows.mda.config import MapHeight

Place = Hashable
"""A place of the slide by its index in the acquisition."""
XY = tuple[float, float]


@dataclass(frozen=True)
class _Fix:
    """One focus that was found: the how-manieth of the run, and how far it lies from the planned z, µm."""

    number: int
    correction_um: float


@dataclass
class _Known:
    """A place that was focused at least once."""

    xy_um: XY
    planned_um: float
    fixes: list[_Fix] = field(default_factory=list)

    @property
    def last(self) -> _Fix:
        return self.fixes[-1]

    def before(self, number: int) -> _Fix | None:
        """The last focus found before that one of the whole run."""
        return next((fix for fix in reversed(self.fixes) if fix.number < number), None)


class PlacesInFocus:
    """Remembers every focus that was found, and says where a place should be in focus now.

    Corrections are carried, not heights: the z that the acquisition plans for each place already follows the slide.

    Parameters
    ----------
    carry_drift : bool
        Whether a place follows what the others have drifted since it was focused.
    height : callable, optional
        Focus map, for places that were never focused.
    """

    def __init__(self, *, carry_drift: bool = True, height: MapHeight | None = None) -> None:
        self._carry_drift = carry_drift
        self._height = height
        self._places: dict[Place, _Known] = {}
        self._count = 0

    def found(self, place: Place, xy_um: XY, planned_um: float, z_um: float) -> None:
        """A place was focused just now, at the drive position ``z_um`` (µm)."""
        known = self._places.setdefault(place, _Known(xy_um, planned_um))
        known.fixes.append(_Fix(self._count, z_um - planned_um))
        self._count += 1

    def knows(self, place: Place) -> bool:
        """Whether this place was ever focused."""
        return place in self._places

    def expected_um(self, place: Place, xy_um: XY, planned_um: float) -> float:
        """Where a place should be in focus now, µm of drive position.

        By the last focus found there and the drift of the others since; otherwise by the focus map, moved by what it is
        off elsewhere; otherwise by the correction of the nearest place that was focused; otherwise as planned.
        """
        if (known := self._places.get(place)) is not None:
            drift_um = self._drift_um(place, known.last.number) if self._carry_drift else 0.0
            return planned_um + known.last.correction_um + drift_um
        if (mapped_um := self.mapped_um(xy_um)) is not None:
            return mapped_um
        nearest = self._nearest(xy_um)
        return planned_um + (nearest.last.correction_um if nearest is not None else 0.0)

    def mapped_um(self, xy_um: XY) -> float | None:
        """What the focus map says of a place, moved by how far it is off at the places that were focused, µm."""
        if self._height is None or not all(map(math.isfinite, xy_um)):
            return None
        mapped_um = self._height(*xy_um)
        if mapped_um is None or not math.isfinite(mapped_um):
            return None
        return mapped_um + (self._off_map_um() if self._carry_drift else 0.0)

    def _off_map_um(self) -> float:
        """Median of what was last found minus what the map says there, µm."""
        off_um: list[float] = []
        for known in self._places.values():
            mapped_um = self._height(*known.xy_um) if self._height is not None else None
            if mapped_um is not None and math.isfinite(mapped_um):
                off_um.append(known.planned_um + known.last.correction_um - mapped_um)
        return float(np.median(off_um)) if off_um else 0.0

    def _drift_um(self, place: Place, since: int) -> float:
        """Median of how far the other places have moved since that focus, µm; 0 where none was focused again."""
        moved_um = [
            known.last.correction_um - before.correction_um
            for other, known in self._places.items()
            if other != place and known.last.number > since and (before := known.before(since)) is not None
        ]
        return float(np.median(moved_um)) if moved_um else 0.0

    def _nearest(self, xy_um: XY) -> _Known | None:
        """The nearest place that was focused; the last one where nobody knows how far they are apart."""
        if not self._places:
            return None
        if not all(map(math.isfinite, xy_um)):
            return max(self._places.values(), key=lambda known: known.last.number)
        return min(self._places.values(), key=lambda known: (_distance_um(known.xy_um, xy_um), -known.last.number))


def _distance_um(a: XY, b: XY) -> float:
    distance_um = math.dist(a, b)
    return distance_um if math.isfinite(distance_um) else math.inf
