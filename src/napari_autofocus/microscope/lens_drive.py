"""The focus drive over a tunable lens: positions are µm of focal shift, commands go along a calibrated curve."""

from __future__ import annotations

import math
from collections.abc import Callable

from pymmcore_plus import CMMCorePlus

from napari_autofocus.errors import InputError, MoveRefused
from napari_autofocus.focus.lens_curve import LensCurve
from napari_autofocus.microscope.drives import LATE_REPORT_S, StageDrive
from napari_autofocus.microscope.lens_knob import PropertyKnob
from napari_autofocus.microscope.protocol import Clock
from napari_autofocus.microscope.travel import TravelRules

LENS_TOLERANCE_UM = 0.1


class LensAxis:
    """A property of a device with the curve that makes µm of it. Fulfils ``Axis``.

    Parameters
    ----------
    knob : PropertyKnob
        What is set.
    curve : LensCurve
        By how much each value shifts the focus.
    """

    kind = "lens"

    def __init__(self, knob: PropertyKnob, curve: LensCurve) -> None:
        self._knob = knob
        self._curve = curve

    def read_um(self) -> float:
        """Shift at the present value, µm; beyond the curve straight on, so that it is seen to be beyond."""
        return self._curve.extended_um(self._knob.value())

    def send(self, z_um: float) -> None:
        """Set the value that shifts the focus so far."""
        self._knob.send(self._curve.value_at(z_um))

    def halt(self) -> None:
        """A lens stands at once where it was sent, and stays there."""

    def rest(self, timeout_s: float) -> None:
        """Return when the lens has settled."""
        self._knob.rest(timeout_s)

    def travel_um(self) -> tuple[float, float]:
        """What the curve reaches inside the limits of the property, µm."""
        (low, high), (least, most) = self._curve.value_range, self._knob.limits
        if not (least < high and low < most):
            raise InputError(
                f"The curve of {self._curve.facts.name} was measured from {low:g} to {high:g}, and the device takes"
                f" {least:g} to {most:g} only; calibrate this lens."
            )
        ends = [self._curve.shift_um(value) for value in (max(low, least), min(high, most))]
        lowest_um, highest_um = self._curve.range_um  # by which an interpolated end may lie off in its last digit
        return max(min(ends), lowest_um), min(max(ends), highest_um)

    def listen(self, listener: Callable[[float], None]) -> Callable[[], None]:
        """Tell of every value that the core reports, as µm."""
        return self._knob.listen(lambda value: listener(self._curve.extended_um(value)))


class LensDrive(StageDrive):
    """A tunable lens that focuses inside its curve. Fulfils ``FocusDrive``.

    Everything that a stage's drive does holds for it too: values are read back after settling, moves of others are
    noticed, every value is reached from the same side. Its positions are µm of focal shift, 0 where the lens was said
    to be parfocal.

    Parameters
    ----------
    core : CMMCorePlus
        Any core, C++ or with Python devices.
    curve : LensCurve
        Device, property and curve.
    limits_um : tuple of float, optional
        Lowest and highest shift; without them, and at most, all that the curve and the property's limits allow.
    focus_direction : int
        +1 or −1 where the curve does not know.
    clock : Clock
        The clock that the lens lives by.
    tolerance_um : float
        How far from the target the shift may read back, µm.
    timeout_s : float
        How long the lens may be busy.
    late_report_s : float
        How long the core's events may lag behind a move, real seconds.

    Raises
    ------
    InputError
        The core has no such device or property, or limits and curve have nothing in common.
    HardwareError
        The device does not answer.
    """

    def __init__(
        self,
        core: CMMCorePlus,
        curve: LensCurve,
        *,
        clock: Clock,
        limits_um: tuple[float, float] | None = None,
        focus_direction: int = 0,
        tolerance_um: float = LENS_TOLERANCE_UM,
        timeout_s: float = 10.0,
        late_report_s: float = LATE_REPORT_S,
    ) -> None:
        facts = curve.facts
        knob = PropertyKnob(core, facts.device, facts.property, clock=clock, settle_s=facts.settle_s)
        axis = LensAxis(knob, curve)
        low, high = axis.travel_um()
        if limits_um is not None:
            low, high = max(low, limits_um[0]), min(high, limits_um[1])
        if not low < high:
            raise InputError(
                f"The limits {limits_um} µm lie beyond the curve of {facts.name} ({axis.travel_um()[0]:.2f} to"
                f" {axis.travel_um()[1]:.2f} µm); give limits inside it."
            )
        super().__init__(
            core,
            facts.device,
            # A lens touches nothing, so it may go all the way at once.
            rules=TravelRules((low, high), high - low, min(curve.overshoot_um, high - low), curve.slope_sign),
            focus_direction=facts.focus_direction or focus_direction,
            clock=clock,
            tolerance_um=tolerance_um,
            timeout_s=timeout_s,
            late_report_s=late_report_s,
            axis=axis,
        )
        self.curve = curve
        self._knob = knob

    @property
    def value(self) -> float:
        """The value that the lens is set to now, in the property's unit. Raises HardwareError."""
        return self._knob.value()

    def move_to(self, z_um: float) -> float:
        """As the drive of a stage; a shift beyond the curve is refused in words of its own."""
        low, high = self.curve.range_um
        if math.isfinite(z_um) and not low <= z_um <= high:
            raise MoveRefused(self.curve.beyond_words(z_um))
        return super().move_to(z_um)

    def set_limits(self, low_um: float, high_um: float) -> None:
        """Allow other shifts from now on, inside the curve. Raises InputError."""
        low, high = self.travel_um
        if not (low <= low_um and high_um <= high):
            raise InputError(
                f"The curve of {self.curve.facts.name} reaches from {low:.2f} to {high:.2f} µm; found limits of"
                f" {low_um:g} to {high_um:g} µm: set them inside, or calibrate the lens farther."
            )
        super().set_limits(low_um, high_um)

    def approach_from(self, approach: int) -> None:
        """A lens is always approached with growing values, as it was calibrated: its hysteresis asks for it."""
