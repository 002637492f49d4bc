"""Whether a hold follows focus or runs away from it: by a wrong direction each correction adds to the defocus."""

from __future__ import annotations

LEAST_MOVE_DOF = 0.5
"""Corrections shorter than this many depths of field prove nothing: estimates are not that exact (ours)."""
MOST_WRONG = 2
"""So many corrections in a row that went the wrong way are no accident (ours)."""


class WayWatch:
    """Compares what a correction did to the defocus with what it should have done.

    Parameters
    ----------
    focus_direction : int
        As it is used: +1 or −1.
    dof_um : float
        Depth of field, µm.

    Attributes
    ----------
    safe_um : float or None
        Where the drive stood before the first of the corrections that went the wrong way, µm.
    """

    def __init__(self, focus_direction: int, dof_um: float) -> None:
        self._direction = focus_direction
        self._least_um = LEAST_MOVE_DOF * dof_um
        self._before: tuple[float, float] | None = None
        self._wrong = 0
        self.safe_um: float | None = None

    def corrected(self, z_um: float, defocus_um: float) -> None:
        """The drive is about to leave this place, where the defocus was so much."""
        self._before = z_um, defocus_um

    def forget(self) -> None:
        """Another place, or a person at the stage."""
        self._before, self._wrong = None, 0

    def is_wrong(self, z_um: float, defocus_um: float) -> bool:
        """Whether, by what is seen after it, this correction and the one before it went away from focus."""
        before, self._before = self._before, None
        if before is None or abs(z_um - before[0]) < self._least_um:
            return False
        way = self._direction * (z_um - before[0])
        if abs(defocus_um - (before[1] - way)) >= abs(defocus_um - (before[1] + way)):
            self._wrong = 0
            return False
        if not self._wrong:
            self.safe_um = before[0]
        self._wrong += 1
        return self._wrong >= MOST_WRONG
