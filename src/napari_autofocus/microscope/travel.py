"""Which moves a focus drive may make, and by which way: limits, largest step, and the same side of arrival every time.

Pure arithmetic without a device, so that it can be tested with any number there is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from napari_autofocus.errors import InputError, MoveRefused

# A target computed as here ± largest step is as long as the step but for rounding.
_ROUNDING_UM = 1e-6


@dataclass(frozen=True)
class Route:
    """The way to a target.

    Parameters
    ----------
    waypoints_um : tuple of float
        Positions to command one after the other, the target last; all inside the limits, none farther from the one
        before than the largest step.
    play_left_um : float
        Play of the gears that may be left on arrival, because a limit cut the final stretch short, µm.
    """

    waypoints_um: tuple[float, ...]
    play_left_um: float = 0.0


@dataclass(frozen=True)
class TravelRules:
    """What a drive may do.

    Parameters
    ----------
    limits_um : tuple of float
        Lowest and highest position that may ever be commanded, overshoot included, µm.
    largest_step_um : float
        Longest move, and longest single command on the way, µm.
    backlash_um : float
        Length of the final stretch that is always travelled in the same direction, µm; at least the play of the drive's
        gears. 0 goes straight to every target.
    approach : int
        +1 arrives with growing z, −1 with falling z.

    Raises
    ------
    InputError
        A value is not finite, the limits are not in order, or the final stretch does not fit into them.
    """

    limits_um: tuple[float, float]
    largest_step_um: float
    backlash_um: float
    approach: int = 1

    def __post_init__(self) -> None:
        low, high = self.limits_um
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise InputError(f"The limits of a drive are two finite positions, lowest first; found {self.limits_um}.")
        if not (math.isfinite(self.largest_step_um) and self.largest_step_um > 0):
            raise InputError(f"The largest step must be a positive number of µm; found {self.largest_step_um}.")
        if not 0 <= self.backlash_um <= min(self.largest_step_um, high - low):
            raise InputError(
                f"The backlash distance must lie between 0 and the largest step ({self.largest_step_um:g} µm) and fit"
                f" between the limits ({low:g} to {high:g} µm); found {self.backlash_um}."
            )
        if self.approach not in (-1, 1):
            raise InputError(f"The side of approach is +1 or -1; found {self.approach}.")

    def allows(self, z_um: float, tolerance_um: float = 0.0) -> bool:
        """Whether a position lies inside the limits; never true of NaN."""
        low, high = self.limits_um
        return low - tolerance_um <= z_um <= high + tolerance_um

    def require(self, here_um: float, target_um: float, tolerance_um: float = 0.0) -> None:
        """Raise MoveRefused unless the drive may go from ``here_um`` to ``target_um``.

        ``tolerance_um`` is granted to the length of the step, since ``here_um`` is read back, never to the limits.
        """
        low, high = self.limits_um
        if not math.isfinite(target_um):
            raise MoveRefused(f"A focus drive cannot go to {target_um} µm; give a finite position.")
        if not low <= target_um <= high:
            raise MoveRefused(
                f"{target_um:g} µm lies outside the limits of the focus drive ({low:g} to {high:g} µm); choose a target"
                " inside, or set other limits if you know that they are safe."
            )
        step_um = abs(target_um - here_um)
        if not step_um <= self.largest_step_um + tolerance_um + _ROUNDING_UM:
            raise MoveRefused(
                f"The step of {step_um:g} µm from {here_um:g} to {target_um:g} µm is longer than the largest step"
                f" ({self.largest_step_um:g} µm); go there in several steps."
            )

    def turning_um(self, target_um: float) -> float:
        """Where the final stretch to a target begins, µm; a limit cuts it short."""
        low, high = self.limits_um
        return min(max(target_um - self.approach * self.backlash_um, low), high)

    def route(self, here_um: float, target_um: float, *, play_taken_up: bool) -> Route:
        """The way to a target, after :meth:`require` has passed.

        Parameters
        ----------
        here_um, target_um : float
            Where the drive stands and where it shall go, µm.
        play_taken_up : bool
            Whether the drive's last motion ended in the direction of approach and nobody has moved it since.
        """
        onward_um = (target_um - here_um) * self.approach
        if onward_um >= (0.0 if play_taken_up else self.backlash_um):
            return Route((target_um,))
        turn_um = self.turning_um(target_um)
        left_um = max(0.0, self.backlash_um - abs(target_um - turn_um))
        if turn_um == target_um:
            return Route((target_um,), left_um)
        if abs(turn_um - here_um) > self.largest_step_um:
            return Route((target_um, turn_um, target_um), left_um)
        return Route((turn_um, target_um), left_um)
