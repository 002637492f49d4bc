"""What a routine may ask of a microscope, and nothing about how it is done.

Routines, workflows and tests speak to these protocols only. ``mmcore.py`` fulfils them over any CMMCorePlus; a test may
fulfil them with a ten-line fake. This module imports nothing of the project but the names of what goes wrong.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy.typing as npt

from napari_autofocus.errors import HardwareError

Image = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Frame:
    """One camera frame and where and when it was exposed.

    Parameters
    ----------
    image : np.ndarray, shape (Y, X) or (Y, X, 3)
        As the camera gave it (u8 or u16; colour as RGB).
    z_um : float
        Position of the focus drive, read back from the hardware after the exposure, µm.
    x_um, y_um : float
        Position of the XY stage, µm; NaN where there is none.
    exposure_ms : float
        Exposure time.
    started_s : float
        Time of the microscope's clock when the exposure began.
    pixel_size_um : float or None
        Size of a pixel in the sample; None where the microscope does not know it.
    bit_depth : int or None
        Bits that the camera really uses; None where it does not say.
    """

    image: Image
    z_um: float
    x_um: float
    y_um: float
    exposure_ms: float
    started_s: float
    pixel_size_um: float | None = None
    bit_depth: int | None = None


class Clock(Protocol):
    """Where time comes from: the wall with hardware, a virtual clock in tests and simulated surveys."""

    def now_s(self) -> float:
        """Seconds since an arbitrary start; never goes back."""

    def sleep(self, seconds: float) -> None:
        """Let that much time pass."""


class FocusDrive(Protocol):
    """A focus drive that keeps itself inside its limits."""

    @property
    def label(self) -> str:
        """Name of the device."""

    @property
    def focus_direction(self) -> int:
        """+1 if a growing z brings sample and objective together, −1 if apart, 0 if unknown."""

    @property
    def limits_um(self) -> tuple[float, float]:
        """Lowest and highest position that may ever be commanded, overshoot of a backlash approach included, µm."""

    @property
    def largest_step_um(self) -> float:
        """Longest single move that may be commanded, µm."""

    def position_um(self) -> float:
        """Position as the hardware reports it now, µm. Raises HardwareError, ForeignMove."""

    def move_to(self, z_um: float) -> float:
        """Go to ``z_um``, arriving from the same side as always; returns the position read back when it rests, µm.

        Raises
        ------
        MoveRefused
            The target is not finite, outside the limits, or farther than the largest step. Nothing has moved.
        ForeignMove
            Somebody else has moved the drive beyond the limits. Nothing has moved.
        HardwareError
            The drive failed, timed out or did not arrive.
        """

    def stop(self) -> None:
        """Halt the drive at once."""


class Microscope(Protocol):
    """A camera over a focus drive, with state that can be put back."""

    @property
    def clock(self) -> Clock:
        """The clock this microscope lives by."""

    @property
    def focus(self) -> FocusDrive:
        """The focus drive."""

    def snap(self) -> Frame:
        """Expose one frame that began after every earlier move had come to rest. Raises FrameError, HardwareError."""

    def restoring(self) -> AbstractContextManager[None]:
        """Pause live mode; put it, channel, exposure, ROI and shutter back on leaving, whatever happened."""


class Claim(Protocol):
    """What the owner of a microscope holds while it owns it."""

    def park(self) -> None:
        """A generator rests between two steps: whoever is asked for the next one may act, nobody else."""

    def resume(self) -> None:
        """It goes on, perhaps in another thread."""


@runtime_checkable
class OwnedMicroscope(Protocol):
    """A microscope that has one owner at a time, whoever asks for it."""

    def owned_by(self, who: str, *, brief: bool = False) -> AbstractContextManager[Claim]:
        """Own it inside; everybody else is told who has it.

        Parameters
        ----------
        who : str
            As others shall be told: ``the survey``.
        brief : bool
            Whether it will be over in a moment, so that others wait for it.

        Raises
        ------
        MicroscopeTaken
            Somebody else has it. Nothing has moved.
        """


@runtime_checkable
class SlideMicroscope(Microscope, Protocol):
    """A microscope whose slide can be moved."""

    def xy_um(self) -> tuple[float, float]:
        """Position of the XY stage, µm; NaN where there is none."""

    def move_xy_to(self, x_um: float, y_um: float) -> tuple[float, float]:
        """Bring a place of the slide under the objective; position read back, µm. Raises MoveRefused, HardwareError."""


def walk_to(drive: FocusDrive, z_um: float) -> float:
    """Reach a far target in steps that the drive allows; returns the position read back, µm.

    Raises
    ------
    MoveRefused
        The target is one that the drive refuses at any distance: nothing has moved.
    HardwareError
        As for :meth:`FocusDrive.move_to`, and where the drive accepts steps and comes no nearer. The drive rests at the
        last step that succeeded.
    """
    low, high = drive.limits_um
    here = drive.position_um()
    # A target beyond the limits, or NaN, is for the drive to refuse before the first step.
    while low <= z_um <= high and abs(z_um - here) > drive.largest_step_um:
        before = here
        drive.move_to(here + math.copysign(drive.largest_step_um, z_um - here))
        here = drive.position_um()
        if not abs(z_um - here) <= abs(z_um - before) - drive.largest_step_um / 2:
            raise HardwareError(
                f"{drive.label} was sent from {before:.2f} towards {z_um:.2f} µm and came no nearer than {here:.2f} µm;"
                " it may be stuck: move it by hand or restart its controller."
            )
    return drive.move_to(z_um)
