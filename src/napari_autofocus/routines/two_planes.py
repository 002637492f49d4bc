"""Two shots for virtual refocusing: one on either side of a focal position, then to that position.

After Li et al., arXiv:2003.06630: the focal position F comes from a z-stack of the first tile, and every other tile
gets two shots at F ± ΔD. Whatever ends a run early, be it a failure, a cancel or a refusal, sends the drive back to
where it started; only where a person has moved the drive meanwhile is it left alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Literal

from napari_autofocus.errors import InputError, MoveRefused
from napari_autofocus.microscope.protocol import FocusDrive, Frame, Microscope
from napari_autofocus.routines.running.end import cut_short
from napari_autofocus.routines.running.guard import RunGuard

TwoPlanesEnd = Literal["taken", "refused", "cancelled", "timed_out", "failed"]


@dataclass(frozen=True)
class TwoPlanesConfig:
    """Where the two shots are taken.

    Parameters
    ----------
    half_um : float
        ΔD: distance of each shot from the focal position, µm.
    centre_um : float or None
        The focal position F, µm; None for where the drive stands.
    same_place_um : float
        Readings of the drive that differ by no more than this count as the same place, µm.
    timeout_s : float
        Time for the whole run by the microscope's clock, s (the way back is not cut short).

    Raises
    ------
    InputError
        If a value makes no sense.
    """

    half_um: float = 1.0
    centre_um: float | None = None
    same_place_um: float = 0.2
    timeout_s: float = 60.0

    def __post_init__(self) -> None:
        for name in ("half_um", "same_place_um", "timeout_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"{name} of two shots must be a positive number; found {value}.")
        if self.centre_um is not None and not math.isfinite(self.centre_um):
            raise InputError(f"The focal position must be a number in µm; found {self.centre_um}.")

    def z_um(self, here_um: float, focus_direction: int) -> tuple[float, float]:
        """Where the shots are taken, in order, µm: sample and objective come together from the first to the second.

        Parameters
        ----------
        here_um : float
            Where the drive stands, µm.
        focus_direction : int
            Of the drive; 0 (unknown) counts as +1.
        """
        centre_um = here_um if self.centre_um is None else self.centre_um
        apart_um = -math.copysign(self.half_um, focus_direction or 1)
        return centre_um + apart_um, centre_um - apart_um


@dataclass(frozen=True)
class TwoPlanesStep:
    """Progress: one of the two shots has been taken.

    Parameters
    ----------
    index : int
        0 or 1.
    z_um : float
        Where the drive stood, read back, µm.
    frame : Frame
        The shot.
    """

    index: int
    z_um: float
    frame: Frame = field(repr=False, compare=False)


@dataclass(frozen=True)
class TwoPlanes:
    """What a run leaves behind.

    Parameters
    ----------
    outcome : str
        ``taken`` (the drive stands at the focal position), or why there are no two shots: ``refused`` (nothing moved),
        ``cancelled``, ``timed_out`` or ``failed``.
    reasons : tuple of str
        Sentences about the outcome.
    shots : tuple of Frame
        Both if ``taken``, in the order of exposure; otherwise those that were taken.
    start_um, centre_um, end_um : float
        Drive position before, focal position, drive position after, µm.
    half_um : float
        ΔD as it was wanted, µm.
    moves : int
        Moves commanded.
    seconds : float
        By the microscope's clock.
    """

    outcome: TwoPlanesEnd
    reasons: tuple[str, ...]
    shots: tuple[Frame, ...] = field(repr=False, compare=False)
    start_um: float
    centre_um: float
    end_um: float
    half_um: float
    moves: int
    seconds: float


def take_two_planes(
    microscope: Microscope, config: TwoPlanesConfig, *, keep: Callable[[TwoPlanes], None] | None = None
) -> Generator[TwoPlanesStep, None, TwoPlanes]:
    """Take two shots on either side of a focal position, then go to that position.

    Cancel by closing the generator: the drive is back at the start when ``close`` returns. Between the shots the drive
    is never turned round: the first one is taken where sample and objective are farther apart.

    Parameters
    ----------
    microscope : Microscope
        What to look through and what to move.
    config : TwoPlanesConfig
        Where.
    keep : callable, optional
        Told the result however the run ends, cancelled runs included (a closed generator returns nothing).

    Yields
    ------
    TwoPlanesStep
        After each shot.

    Returns
    -------
    TwoPlanes
        Outcome, reasons and shots. Hardware faults and refusals are outcomes, not exceptions.

    Raises
    ------
    HardwareError
        If not even the position at the start can be read. Nothing has moved.
    """
    run = _Run(microscope, config)
    try:
        yield from run.guard.supervise(run.steps())
    finally:
        result = run.result()
        if keep is not None:
            keep(result)
    return result


def require_room(drive: FocusDrive, z_um: tuple[float, float]) -> None:
    """Raises MoveRefused if one of the two places lies outside the limits of the drive; nothing moves."""
    low, high = drive.limits_um
    if min(z_um) < low or max(z_um) > high:
        raise MoveRefused(
            f"The shots at {z_um[0]:.2f} and {z_um[1]:.2f} µm reach beyond the limits of the focus drive ({low:g} to"
            f" {high:g} µm); take them closer together, or set other limits if you know that they are safe."
        )


class _Run:
    """The books of one run."""

    def __init__(self, microscope: Microscope, config: TwoPlanesConfig) -> None:
        self._config = config
        self.guard = RunGuard(
            microscope, "pair of shots", same_place_um=config.same_place_um, timeout_s=config.timeout_s
        )
        start_um = self.guard.start_um
        self._centre_um = start_um if config.centre_um is None else config.centre_um
        self._shots: list[Frame] = []

    def steps(self) -> Generator[TwoPlanesStep, None, None]:
        """Both shots, then the focal position."""
        guard = self.guard
        guard.check_start()
        targets_um = self._config.z_um(guard.start_um, guard.drive.focus_direction)
        require_room(guard.drive, targets_um)
        for index, z_um in enumerate(targets_um):
            guard.go(z_um)
            frame = guard.snap()
            self._shots.append(frame)
            yield TwoPlanesStep(index, frame.z_um, frame)
        guard.go(self._centre_um)
        guard.stay = True

    def result(self) -> TwoPlanes:
        """What is left behind."""
        guard = self.guard
        return TwoPlanes(
            outcome=self._outcome(),
            reasons=tuple(guard.reasons),
            shots=tuple(self._shots),
            start_um=guard.start_um,
            centre_um=self._centre_um,
            end_um=guard.drive.last_um,
            half_um=self._config.half_um,
            moves=guard.drive.moves,
            seconds=guard.seconds,
        )

    def _outcome(self) -> TwoPlanesEnd:
        ended = cut_short(self.guard)
        return "taken" if ended is None else ended[0]
