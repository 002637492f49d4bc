"""A focus drive that a routine relies on: its moves are counted, and moves by somebody else are noticed.

The drive itself keeps the limits; this wrapper keeps the books. It fulfils the ``FocusDrive`` protocol.
"""

from __future__ import annotations

import math

from napari_autofocus.errors import ForeignMove, HardwareError, MoveRefused
from napari_autofocus.microscope.protocol import FocusDrive, walk_to


class WatchedDrive:
    """Pass moves on to a drive, but only while it stands where this routine left it.

    Parameters
    ----------
    drive : FocusDrive
        The drive that moves.
    tolerance_um : float
        Difference between two readings that still counts as the same place, µm.

    Raises
    ------
    HardwareError
        If the position cannot be read, or is not a finite number.
    """

    def __init__(self, drive: FocusDrive, tolerance_um: float) -> None:
        self._drive = drive
        self._tolerance_um = tolerance_um
        self._known_um: float | None = self._read()
        self.last_um: float = self._known_um
        self.moves = 0

    @property
    def label(self) -> str:
        """Name of the device."""
        return self._drive.label

    @property
    def focus_direction(self) -> int:
        """As the drive has it: +1, −1 or 0."""
        return self._drive.focus_direction

    @property
    def limits_um(self) -> tuple[float, float]:
        """As the drive has them, µm."""
        return self._drive.limits_um

    @property
    def largest_step_um(self) -> float:
        """As the drive has it, µm."""
        return self._drive.largest_step_um

    def position_um(self) -> float:
        """Position now, µm. Raises ForeignMove if it is not where the last move of this routine ended."""
        here = self._read()
        self.expect(here)
        return here

    def expect(self, z_um: float) -> None:
        """Compare a reading of the drive (of a frame, for instance) with where it should be.

        Raises
        ------
        HardwareError
            The reading is not a finite number.
        ForeignMove
            Somebody else moved the drive.
        """
        self._require_number(z_um)
        if self._known_um is None or abs(z_um - self._known_um) <= self._tolerance_um:
            self.last_um = z_um
            return
        was, self.last_um = self._known_um, z_um
        raise ForeignMove(
            f"{self.label} was moved by somebody else, from {was:.2f} to {z_um:.2f} µm; it is left where it was put."
        )

    def move_to(self, z_um: float) -> float:
        """As the drive's own ``move_to``, after a look whether it still stands where it was left.

        Raises
        ------
        ForeignMove, MoveRefused
            Nothing has moved.
        HardwareError
            The drive failed, or did not come nearer to its target than half the way.
        """
        before = self.position_um()
        self._known_um = None  # Until the drive has arrived, no place is the expected one.
        self.moves += 1
        try:
            arrived = self._drive.move_to(z_um)
        except (MoveRefused, ForeignMove):
            self._known_um = before
            self.moves -= 1
            raise
        self._known_um = self.last_um = arrived
        # Negated so that a NaN is caught as well; a drive that sticks would otherwise be walked for ever.
        if not abs(arrived - z_um) <= self._tolerance_um + abs(z_um - before) / 2:
            raise HardwareError(f"{self.label} was sent to {z_um:.2f} µm but stands at {arrived:.2f} µm.")
        return arrived

    def go(self, z_um: float) -> float:
        """Reach ``z_um`` in as many moves as the drive's largest step asks for; returns the position read back, µm."""
        return walk_to(self, z_um)

    def adopt(self) -> None:
        """Rely on where the drive stands now: another routine of ours has moved it. Raises HardwareError."""
        self._known_um = self.last_um = self._read()

    def look_again(self) -> None:
        """Note where the drive stands now, whoever brought it there; where it cannot tell, what was last seen stays."""
        try:
            self.last_um = self._read()
        except ForeignMove as error:
            self.last_um = self.last_um if error.z_um is None else error.z_um
        except HardwareError:
            pass

    def stop(self) -> None:
        """Halt the drive at once."""
        self._drive.stop()

    def _read(self) -> float:
        here = self._drive.position_um()
        self._require_number(here)
        return here

    def _require_number(self, z_um: float) -> None:
        if not math.isfinite(z_um):
            raise HardwareError(f"{self.label} reports {z_um} as its position; a number is needed to move safely.")
