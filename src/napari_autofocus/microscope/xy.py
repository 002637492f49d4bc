"""The XY stage of a core, kept inside its limits."""

from __future__ import annotations

import math
from contextlib import suppress

from pymmcore_plus import CMMCorePlus

from napari_autofocus.errors import HardwareError, InputError, MoveRefused
from napari_autofocus.microscope.edge import DEVICE_ERRORS, require_positive, translated, wait_until_idle
from napari_autofocus.microscope.ownership import Ownership
from napari_autofocus.microscope.protocol import Clock

DEFAULT_XY_RANGE_UM = 10_000.0


class CoreXYStage:
    """The XY stage that is selected in a core; there need not be one.

    Parameters
    ----------
    core : CMMCorePlus
        Any core.
    limits_um : tuple of float, optional
        (lowest x, lowest y, highest x, highest y); without them 10 mm to each side of where the stage stands now.
    clock : Clock
        The clock the stage lives by.
    tolerance_um : float
        How far from its target the stage may come to rest.
    timeout_s : float
        How long a move may take.
    """

    def __init__(
        self,
        core: CMMCorePlus,
        limits_um: tuple[float, float, float, float] | None,
        *,
        clock: Clock,
        tolerance_um: float,
        timeout_s: float,
    ) -> None:
        require_positive(xy_tolerance_um=tolerance_um, timeout_s=timeout_s)
        self._core = core
        self._label = core.getXYStageDevice()
        self._ownership = Ownership.of(core)
        self._clock = clock
        self._tolerance_um = tolerance_um
        self._timeout_s = timeout_s
        self.limits_um = limits_um or self._around_here()
        x0, y0, x1, y1 = self.limits_um
        if self._label and not (all(map(math.isfinite, self.limits_um)) and x0 < x1 and y0 < y1):
            raise InputError(f"The limits of an XY stage are (x low, y low, x high, y high) in µm; found {limits_um}.")

    def position_um(self) -> tuple[float, float]:
        """Position now, µm; NaN where there is no XY stage. Raises HardwareError."""
        if not self._label:
            return math.nan, math.nan
        with translated(f"The XY stage {self._label} does not tell its position"):
            x_um, y_um = self._core.getXYPosition(self._label)
        if not (math.isfinite(x_um) and math.isfinite(y_um)):
            raise HardwareError(f"The XY stage {self._label} reports ({x_um}, {y_um}) as its position; restart it.")
        return float(x_um), float(y_um)

    def wait(self) -> None:
        """Return when the stage rests. Raises HardwareError after the time-out."""
        if self._label:
            wait_until_idle(self._core, self._label, self._clock, self._timeout_s)

    def move_to(self, x_um: float, y_um: float) -> tuple[float, float]:
        """Go there, wait until the stage rests, and return the position read back, µm.

        Raises
        ------
        MoveRefused
            There is no XY stage, or the target is not finite or outside the limits. Nothing has moved.
        MicroscopeTaken
            Somebody else has the microscope. Nothing has moved.
        HardwareError
            The stage failed, timed out or did not arrive.
        """
        self._require(x_um, y_um)
        with self._ownership.claimed(f"a move of {self._label}", brief=True):
            try:
                return self._go(x_um, y_um)
            except BaseException:
                # Whatever the stage is doing now, nobody is waiting for it any more.
                with suppress(*DEVICE_ERRORS):
                    self._core.stop(self._label)
                raise

    def _go(self, x_um: float, y_um: float) -> tuple[float, float]:
        """One command to the stage: nothing else of ours moves it."""
        with translated(f"The XY stage {self._label} refused to go to ({x_um:g}, {y_um:g}) µm"):
            self._core.setXYPosition(self._label, x_um, y_um)
        self.wait()
        reached_um = self.position_um()
        if math.dist(reached_um, (x_um, y_um)) > self._tolerance_um:
            raise HardwareError(
                f"The XY stage {self._label} was sent to ({x_um:g}, {y_um:g}) µm and rests at ({reached_um[0]:g},"
                f" {reached_um[1]:g}) µm; it may be stuck or at the end of its travel."
            )
        return reached_um

    def stop(self) -> None:
        """Halt the stage at once."""
        if self._label:
            with translated(f"The XY stage {self._label} could not be halted"):
                self._core.stop(self._label)

    def _require(self, x_um: float, y_um: float) -> None:
        if not self._label:
            raise MoveRefused("The microscope has no XY stage; select one in the core.")
        x0, y0, x1, y1 = self.limits_um
        if not (x0 <= x_um <= x1 and y0 <= y_um <= y1):
            raise MoveRefused(
                f"({x_um:g}, {y_um:g}) µm lies outside the limits of the XY stage (x {x0:g} to {x1:g}, y {y0:g} to"
                f" {y1:g} µm); choose a target inside, or set other limits."
            )

    def _around_here(self) -> tuple[float, float, float, float]:
        x_um, y_um = self.position_um()
        r_um = DEFAULT_XY_RANGE_UM
        return x_um - r_um, y_um - r_um, x_um + r_um, y_um + r_um
